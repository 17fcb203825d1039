"""Corruptions of single pixels and blocks of them."""

import math
from typing import ClassVar

import numpy as np
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.layers import noise
from zoo.layers.corruption.base import Corruption


class Gaussian(Corruption):
    """Adds independent Gaussian noise: x + stddev · N(0, 1), not clipped.

    Args:
        stddev: standard deviation of the noise in units of the pixel range [0, 1]; the paper's denoisers use 0.55.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((784,), 32), zoo.corruption.Gaussian(0.55))
    """

    def __init__(self, stddev: float):
        super().__init__(stddev=in_range("stddev", stddev, 0, math.inf))

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        return x + self.stddev * noise.normal(ops.shape(x), self.random)


class Masking(Corruption):
    """Sets each position (all its channels) to 0 with probability `rate`, in blocks of `block` positions a side.

    Args:
        rate: probability in [0, 1] that a block is set to 0.
        block: side of a block in pixels; 1 masks single pixels. Blocks lie on a grid that starts at the first pixel.

    Example:
        >>> model = zoo.denoising(zoo.convolutional((28, 28, 1), 16), zoo.corruption.Masking(0.5, block=4))
    """

    limits: ClassVar = {"rate": 1.0}

    def __init__(self, rate: float, block: int = 1):
        super().__init__(rate=in_range("rate", rate, 0, 1), block=positive_integer("block", block))

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        positions = x.shape[1:-1] if len(x.shape) > 2 else x.shape[1:]
        keep = self.keep(x, [-(-size // self.block) for size in positions]) >= self.rate
        for axis, size in enumerate(positions, start=1):
            if self.block > 1:
                keep = ops.take(keep, np.arange(size) // self.block, axis=axis)
        return x * ops.cast(keep, x.dtype)


class SaltAndPepper(Corruption):
    """Sets each position (all its channels) to 0 or to 1, with probability `rate` / 2 each.

    Args:
        rate: probability in [0, 1] that a position is changed.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((784,), 64), zoo.corruption.SaltAndPepper(0.25))
    """

    limits: ClassVar = {"rate": 1.0}

    def __init__(self, rate: float):
        super().__init__(rate=in_range("rate", rate, 0, 1))

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        draw = self.keep(x, x.shape[1:-1] if len(x.shape) > 2 else x.shape[1:])
        salted = ops.where(draw < self.rate / 2, ops.ones_like(x), x)
        return ops.where(draw >= 1 - self.rate / 2, ops.zeros_like(x), salted)
