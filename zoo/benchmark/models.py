"""The networks that the training benchmark trains."""

import dataclasses
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
        noise: standard deviation of the noise that is added to the input in training.
    """

    name: str
    shape: tuple
    samples: int
    build: Callable
    noise: float = 0.0


_NETWORKS = (
    Network(
        "784-16-784",
        (784,),
        60_000,
        lambda: zoo.feed_forward((784,), LATENT),
    ),
    Network(
        "deep",
        (784,),
        30_720,
        lambda: zoo.feed_forward((784,), LATENT, HIDDEN),
    ),
    Network(
        "strided-convolutional",
        (28, 28, 1),
        5_120,
        lambda: zoo.convolutional((28, 28, 1), LATENT, STRIDED_FILTERS),
    ),
    # Michelucci, arXiv 2201.03898: its convolutional denoiser, here trained without noise.
    Network(
        "paper-convolutional",
        (28, 28, 1),
        1_280,
        lambda: zoo.convolutional(
            (28, 28, 1), None, PAPER_FILTERS, strides=1, padding="valid", latent_activation="relu"
        ),
    ),
    Network(
        "denoising",
        (784,),
        60_000,
        lambda: zoo.denoising(zoo.feed_forward((784,), LATENT), zoo.corruption.Gaussian(NOISE)),
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
