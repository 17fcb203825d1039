"""The benchmark's networks, layer by layer the same in PyTorch as zoo builds them."""

import itertools
import math

from zoo.benchmark.models import HIDDEN, LATENT, PAPER_FILTERS, STRIDED_FILTERS


def halves(name):
    """Encoder and decoder of one of `zoo.benchmark.models.NETWORKS` as `torch.nn.Module`s."""
    return {
        "784-16-784": lambda: _dense(784, LATENT),
        "deep": lambda: _dense(784, *HIDDEN, LATENT),
        "strided-convolutional": _strided,
        "paper-convolutional": _paper,
        "denoising": lambda: _dense(784, LATENT),
    }[name]()


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
