"""The networks that the training benchmark trains: built by zoo, and layer by layer the same in PyTorch."""

import dataclasses
import itertools
import math
from collections.abc import Callable

import zoo

LATENT = 16
HIDDEN = (512, 256, 128)
STRIDED_FILTERS, PAPER_FILTERS = (32, 64), (64, 32)
NOISE = 0.5  # standard deviation of the denoising network's Gaussian corruption


@dataclasses.dataclass(frozen=True)
class Network:
    """One network of the benchmark.

    Attributes:
        name: as in the tables.
        shape: shape of one sample, channels last.
        samples: samples per epoch, so many that an epoch takes one to three seconds on two CPU cores.
        build: function without arguments that returns the Autoencoder.
        torch_halves: function without arguments that returns encoder and decoder as `torch.nn.Module`s.
        noise: standard deviation of the noise that is added to the input in training.
    """

    name: str
    shape: tuple
    samples: int
    build: Callable
    torch_halves: Callable
    noise: float = 0.0


def _dense(*units):
    """Encoder and decoder of dense layers in PyTorch: ReLU after each but the last, which has a sigmoid."""
    from torch import nn

    def half(sizes, last):
        layers = [[nn.Linear(a, b), nn.ReLU()] for a, b in itertools.pairwise(sizes)]
        layers[-1][1] = last
        return nn.Sequential(*itertools.chain(*layers))

    return half(units, nn.ReLU()), half(units[::-1], nn.Sigmoid())


def _strided():
    """`zoo.convolutional((28, 28, 1), 16, (32, 64))` in PyTorch; "same" padding keeps 28 → 14 → 7 and back.

    It starts from Keras' initial weights: from PyTorch's it collapses to black images, whose denormal gradients slow
    PyTorch down to a third.
    """
    from torch import nn

    first, second = STRIDED_FILTERS
    maps = (second, 7, 7)
    encoder = nn.Sequential(
        nn.Conv2d(1, first, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(math.prod(maps), LATENT),
    )
    decoder = nn.Sequential(
        nn.Linear(LATENT, math.prod(maps)),
        nn.ReLU(),
        nn.Unflatten(1, maps),
        nn.ConvTranspose2d(second, second, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(second, first, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.Conv2d(first, 1, 3, padding=1),
        nn.Sigmoid(),
    )
    for layer in (*encoder, *decoder):
        if hasattr(layer, "weight"):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return encoder, decoder


def _paper():
    """The un-strided denoiser of the paper in PyTorch: feature maps of 26, 24, 26 and 28 pixels a side."""
    from torch import nn

    first, second = PAPER_FILTERS
    encoder = nn.Sequential(nn.Conv2d(1, first, 3), nn.ReLU(), nn.Conv2d(first, second, 3), nn.ReLU())
    decoder = nn.Sequential(
        nn.ConvTranspose2d(second, second, 3),
        nn.ReLU(),
        nn.ConvTranspose2d(second, first, 3),
        nn.ReLU(),
        nn.Conv2d(first, 1, 3, padding=1),
        nn.Sigmoid(),
    )
    return encoder, decoder


_NETWORKS = (
    Network(
        "784-16-784",
        (784,),
        60_000,
        lambda: zoo.feed_forward((784,), LATENT),
        lambda: _dense(784, LATENT),
    ),
    Network(
        "deep",
        (784,),
        30_720,
        lambda: zoo.feed_forward((784,), LATENT, HIDDEN),
        lambda: _dense(784, *HIDDEN, LATENT),
    ),
    Network(
        "strided-convolutional",
        (28, 28, 1),
        5_120,
        lambda: zoo.convolutional((28, 28, 1), LATENT, STRIDED_FILTERS),
        _strided,
    ),
    # Michelucci, arXiv 2201.03898: its convolutional denoiser, here trained without noise.
    Network(
        "paper-convolutional",
        (28, 28, 1),
        1_280,
        lambda: zoo.convolutional(
            (28, 28, 1), None, PAPER_FILTERS, strides=1, padding="valid", latent_activation="relu"
        ),
        _paper,
    ),
    Network(
        "denoising",
        (784,),
        60_000,
        lambda: zoo.denoising(zoo.feed_forward((784,), LATENT), zoo.corruption.Gaussian(NOISE)),
        lambda: _dense(784, LATENT),
        noise=NOISE,
    ),
)
NETWORKS = {network.name: network for network in _NETWORKS}


def corruptions():
    """Each corruption of the zoo by the name it has in the table."""
    return {
        "Gaussian": zoo.corruption.Gaussian(NOISE),
        "Masking": zoo.corruption.Masking(0.5),
        "Masking, block=4": zoo.corruption.Masking(0.5, block=4),
        "SaltAndPepper": zoo.corruption.SaltAndPepper(0.25),
        "Affine": zoo.corruption.Affine(rotation=20, shift=3, scale=0.15, shear=0.2),
    }
