"""The training by pythae that the benchmark measures, where it is installed."""

import contextlib
import logging
import math

from competitors.networks import halves
from competitors.pytorch import TorchCompetitor
from zoo.benchmark.competitors import BATCH_SIZE, LEARNING_RATE


class Pythae(TorchCompetitor):
    """pythae's `BaseTrainer` and `AE` around the same layers.

    An epoch is the trainer's own `train_step`. The progress bar, the copy of the best model after each epoch and the
    files that a whole `train()` writes are left out, which is in pythae's favour.
    """

    name = "pythae"
    packages = ("torch", "pythae")

    def __init__(self, network, source, pixels):
        import torch

        super().__init__(network, source, pixels)
        with _silenced():
            from pythae.data.datasets import BaseDataset
            from pythae.models import AE, AEConfig
            from pythae.trainers import BaseTrainer, BaseTrainerConfig
            from pythae.trainers.training_callbacks import CallbackHandler, TrainingCallback

            self.model = AE(AEConfig(input_dim=tuple(self.images.shape[1:])), *_pythae_halves(network))
            self.trainer = BaseTrainer(
                self.model,
                BaseDataset(self.images, torch.zeros(len(self.images))),
                training_config=BaseTrainerConfig(
                    per_device_train_batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE, no_cuda=True
                ),
            )
        self.trainer.set_optimizer()
        self.trainer.callback_handler = CallbackHandler([TrainingCallback()], self.model)
        self.epochs = 0

    def epoch(self):
        self.epochs += 1
        # Its loss is a sum over the elements of each sample.
        return float(self.trainer.train_step(self.epochs)) / math.prod(self.network.shape)


def _pythae_halves(network):
    """Encoder and decoder of `network` as pythae's own base classes."""
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    encoder, decoder = halves(network.name)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = encoder

        def forward(self, x):
            import torch

            noisy = network.noise and self.training
            return ModelOutput(embedding=self.layers(x + network.noise * torch.randn_like(x) if noisy else x))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = decoder

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z))

    return Encoder(), Decoder()


@contextlib.contextmanager
def _silenced():
    """Hold back what pythae logs while it starts; each of its modules has a handler and a level of its own."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
