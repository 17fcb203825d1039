"""Corruptions of how things look, not of where they are."""

from collections.abc import Sequence
from typing import ClassVar

from keras import KerasTensor, ops

from zoo.core.checks import in_range
from zoo.layers.corruption.base import Corruption


class Stroke(Corruption):
    """Makes bright strokes wider or thinner: each image is moved towards its dilation or its erosion by 3 × 3 pixels.

    With a drawn uniformly in [-amount, amount] for each image: x + a · (dilated - x) for positive a, and
    x + |a| · (eroded - x) for negative a.

    Args:
        amount: largest share of the way, in [0, 1].

    Raises (at `zoo.denoising`):
        ConfigError: samples that are not images of shape (height, width, channels).

    Example:
        >>> model = zoo.denoising(zoo.convolutional((28, 28, 1), 64), zoo.corruption.Stroke(0.7))
    """

    limits: ClassVar = {"amount": 1.0}

    def __init__(self, amount: float):
        super().__init__(amount=in_range("amount", amount, 0, 1))

    def check(self, input_shape: Sequence[int]) -> None:
        self.check_image(input_shape)

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        amount = self.uniform((ops.shape(x)[0], 1, 1, 1), -self.amount, self.amount)
        wider = _largest_neighbour(x) - x
        thinner = -_largest_neighbour(-x) - x
        return x + ops.maximum(amount, 0) * wider + ops.maximum(-amount, 0) * thinner


class Blur(Corruption):
    """Blurs each image by its own amount: x + a · (blurred - x), with a uniform in [0, amount].

    The blur is a binomial filter of 5 × 5 pixels, (1, 4, 6, 4, 1) / 16 along each axis; edges are repeated.

    Args:
        amount: largest share of the way, in [0, 1].

    Raises (at `zoo.denoising`):
        ConfigError: samples that are not images of shape (height, width, channels).

    Example:
        >>> model = zoo.denoising(zoo.convolutional((28, 28, 1), 64), zoo.corruption.Blur(1.0))
    """

    limits: ClassVar = {"amount": 1.0}

    def __init__(self, amount: float):
        super().__init__(amount=in_range("amount", amount, 0, 1))

    def check(self, input_shape: Sequence[int]) -> None:
        self.check_image(input_shape)

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        amount = self.uniform((ops.shape(x)[0], 1, 1, 1), 0, self.amount)
        return x + amount * (_binomial(_binomial(x)) - x)


class Contrast(Corruption):
    """Changes contrast and brightness of each image: mean + (1 + c) · (x - mean) + b, clipped to [0, 1].

    Args:
        contrast: largest relative change of contrast: c is uniform in [-contrast, contrast].
        brightness: largest shift: b is uniform in [-brightness, brightness].

    Example:
        >>> model = zoo.denoising(zoo.convolutional((32, 32, 3), 128), zoo.corruption.Contrast(0.4, 0.2))
    """

    limits: ClassVar = {"contrast": 1.0, "brightness": 1.0}

    def __init__(self, contrast: float = 0.0, brightness: float = 0.0):
        super().__init__(
            contrast=in_range("contrast", contrast, 0, 1), brightness=in_range("brightness", brightness, 0, 1)
        )

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        axes = tuple(range(1, len(x.shape)))
        shape = (ops.shape(x)[0], *[1] * len(axes))
        contrast = self.uniform(shape, 1 - self.contrast, 1 + self.contrast)
        brightness = self.uniform(shape, -self.brightness, self.brightness)
        mean = ops.mean(x, axis=axes, keepdims=True)
        return ops.clip(mean + contrast * (x - mean) + brightness, 0, 1)


def _largest_neighbour(x):
    """Dilation: the largest of each pixel's 3 × 3 neighbourhood."""
    for axis in (1, 2):
        before, after = _shifted(x, axis)
        x = ops.maximum(x, ops.maximum(before, after))
    return x


def _binomial(x):
    """Each pixel's 3 × 3 neighbourhood, weighted by (1, 2, 1) / 4 along each axis."""
    for axis in (1, 2):
        before, after = _shifted(x, axis)
        x = 0.5 * x + 0.25 * (before + after)
    return x


def _shifted(x, axis):
    """`x` with every pixel replaced by the one before it, and by the one after it; edges are repeated."""
    size = x.shape[axis]
    return (
        ops.take(x, [max(i - 1, 0) for i in range(size)], axis=axis),
        ops.take(x, [min(i + 1, size - 1) for i in range(size)], axis=axis),
    )
