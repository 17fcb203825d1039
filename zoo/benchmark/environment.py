"""What a benchmark finds: the machine it runs on, and samples."""

import importlib.metadata
import importlib.util
import os
import pathlib
import platform
import time

import numpy as np
import psutil
import tensorflow as tf

import zoo
from zoo.core.errors import DataNotFoundError
from zoo.data.source import Source

TRAINING = ("tensorflow", "keras", "numpy", "torch", "pythae")


def samples(tell):
    """MNIST's training images where TFDS has them or can load them, else random pixels of the same shape."""
    try:
        return zoo.data.load("mnist", "train")
    except DataNotFoundError:
        tell("MNIST is not available: random pixels in its place")
        pixels = np.random.default_rng(0).integers(0, 256, (60_000, 28, 28, 1), "uint8")
        return Source(pixels, name="random pixels", split="train")


def machine(packages=TRAINING):
    """What the numbers depend on: processor, cores, versions of the packages there are, and how busy it was before."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    versions = {p: importlib.metadata.version(p) for p in packages if importlib.util.find_spec(p)}
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": "GPU" if tf.config.list_logical_devices("GPU") else "CPU",
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": {"python": platform.python_version(), **versions},
    }


class OtherProcesses:
    """How many cores other processes keep busy from now on; Linux only.

    They decide over the numbers: threads that wait for each other at every operation, as PyTorch's do, slow down far
    beyond their share.
    """

    def __init__(self):
        self.clock, self.seconds = time.perf_counter(), self._seconds()

    def busy_cores(self):
        """Mean number of cores since this object was made, or None where it is not known."""
        if self.seconds is None:
            return None
        return max(0.0, (self._seconds() - self.seconds) / (time.perf_counter() - self.clock))

    @staticmethod
    def _seconds():
        """CPU seconds of all processes but this one and its children."""
        try:
            user, nice, system, _idle, _wait, *interrupts = _total_ticks()
        except (OSError, ValueError):
            return None
        everyone = (user + nice + system + sum(interrupts[:3])) / os.sysconf("SC_CLK_TCK")
        own = os.times()
        living = sum(sum(child.cpu_times()[:4]) for child in psutil.Process().children(recursive=True))
        return everyone - own.user - own.system - own.children_user - own.children_system - living


def _total_ticks():
    with open("/proc/stat", encoding="ascii") as stat:
        return map(int, stat.readline().split()[1:])
