"""The trainings in PyTorch that the benchmark measures, where it is installed.

Nothing here imports PyTorch before it is used. Convolutions are tried in both memory layouts and keep the faster one.
"""

import importlib.util
import os
import shutil
import time

import tensorflow as tf

from competitors.networks import halves
from zoo.benchmark.competitors import BATCH_SIZE, LEARNING_RATE, Competitor

_INSTALL = "pip install autoencoder-zoo[bench]"
_TRIED_EPOCHS = 2  # measured epochs of each memory layout, of which the faster counts


class TorchCompetitor(Competitor):
    """Base class of what needs PyTorch; it runs with as many threads as there are cores."""

    packages = ("torch",)

    def __init__(self, network, source, pixels):
        import torch

        torch.set_num_threads(os.cpu_count())
        torch.manual_seed(0)
        self.network = network
        channels_first = network.shape[-1:] + network.shape[:-1] if len(network.shape) > 1 else network.shape
        # The images have one channel, so that its place makes no difference to the memory.
        self.images = torch.from_numpy(pixels).reshape(-1, *channels_first)

    @classmethod
    def missing(cls):
        absent = [package for package in cls.packages if importlib.util.find_spec(package) is None]
        if absent:
            return f"{' and '.join(absent)} not installed; {_INSTALL}"
        if tf.config.list_logical_devices("GPU"):
            return "TensorFlow trains on a GPU here; PyTorch is compared on CPUs only (hide it: CUDA_VISIBLE_DEVICES=)"
        return None

    @property
    def parameters(self):
        return sum(weight.numel() for weight in self.model.parameters())


class Loop(TorchCompetitor):
    """A plain loop: a permutation, batches gathered from one tensor, the default `torch.optim.Adam`."""

    name = "PyTorch"
    fused = None
    compiled = False

    def __init__(self, network, source, pixels):
        import torch

        super().__init__(network, source, pixels)
        if self.compiled:
            torch._dynamo.reset()  # else the networks before this one count towards its limit of recompilations
        if len(network.shape) == 1:
            self._start(torch.contiguous_format)
            return
        tried = []
        for layout in (torch.contiguous_format, torch.channels_last):
            self._start(layout)
            tried.append((self._best_seconds(), layout))
        layout = min(tried, key=lambda pair: pair[0])[1]
        self._start(layout)
        self.settings = str(layout).removeprefix("torch.").removesuffix("_format").replace("_", " ")

    def _start(self, layout):
        import torch

        encoder, decoder = halves(self.network.name)
        self.model = torch.nn.Sequential(encoder, decoder).to(memory_format=layout)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, fused=self.fused)
        self.loss = torch.compile(self._loss, dynamic=False, fullgraph=True) if self.compiled else self._loss

    def _loss(self, images):
        import torch

        noise = self.network.noise
        corrupted = images + noise * torch.randn_like(images) if noise else images
        return torch.nn.functional.mse_loss(self.model(corrupted), images)

    def _best_seconds(self):
        """Seconds of the fastest epoch after the warm-up."""
        seconds = []
        for _ in range(self.warm_up + _TRIED_EPOCHS):
            clock = time.perf_counter()
            self.epoch()
            seconds.append(time.perf_counter() - clock)
        return min(seconds[self.warm_up :])

    def epoch(self):
        import torch

        total = torch.zeros(())
        for rows in torch.randperm(len(self.images)).split(BATCH_SIZE):
            loss = self.loss(self.images.index_select(0, rows))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(rows)
        return total.item() / len(self.images)


class FusedLoop(Loop):
    """The same loop with the fused Adam, its fastest on a CPU."""

    name = "PyTorch, fused Adam"
    fused = True


class CompiledLoop(FusedLoop):
    """The loop with model and loss through `torch.compile`, and the fused Adam, with which it is faster."""

    name = "PyTorch, torch.compile"
    compiled = True
    warm_up = 2

    @classmethod
    def missing(cls):
        if super().missing() is None and not any(map(shutil.which, [os.environ.get("CXX", "g++"), "clang++"])):
            return "torch.compile needs a C++ compiler"
        return super().missing()
