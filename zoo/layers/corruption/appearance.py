"""Corruptions of how things look, not of where they are."""

from keras import ops

from zoo.checks import in_range
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

    def __init__(self, amount):
        super().__init__(amount=in_range("amount", amount, 0, 1))

    def check(self, input_shape):
        self.check_image(input_shape)

    def corrupt(self, x):
        amount = ops.cast(self.uniform((ops.shape(x)[0], 1, 1, 1), -self.amount, self.amount), x.dtype)
        wider = _largest_neighbour(x) - x
        thinner = -_largest_neighbour(-x) - x
        return x + ops.maximum(amount, 0) * wider + ops.maximum(-amount, 0) * thinner


class Contrast(Corruption):
    """Changes contrast and brightness of each image: mean + (1 + c) · (x - mean) + b, clipped to [0, 1].

    Args:
        contrast: largest relative change of contrast: c is uniform in [-contrast, contrast].
        brightness: largest shift: b is uniform in [-brightness, brightness].

    Example:
        >>> model = zoo.denoising(zoo.convolutional((32, 32, 3), 128), zoo.corruption.Contrast(0.4, 0.2))
    """

    def __init__(self, contrast=0.0, brightness=0.0):
        super().__init__(
            contrast=in_range("contrast", contrast, 0, 1), brightness=in_range("brightness", brightness, 0, 1)
        )

    def corrupt(self, x):
        axes = tuple(range(1, len(x.shape)))
        shape = (ops.shape(x)[0], *[1] * len(axes))
        contrast = ops.cast(self.uniform(shape, 1 - self.contrast, 1 + self.contrast), x.dtype)
        brightness = ops.cast(self.uniform(shape, -self.brightness, self.brightness), x.dtype)
        mean = ops.mean(x, axis=axes, keepdims=True)
        return ops.clip(mean + contrast * (x - mean) + brightness, 0, 1)


def _largest_neighbour(x):
    """Dilation: the largest of each pixel's 3 × 3 neighbourhood; separable, by shifts, which XLA fuses."""
    for axis in (1, 2):
        size = x.shape[axis]
        first, last = ops.take(x, [0], axis=axis), ops.take(x, [size - 1], axis=axis)
        inner = [slice(None)] * 4
        inner[axis] = slice(1, None)
        ahead = ops.concatenate([x[tuple(inner)], last], axis=axis)
        inner[axis] = slice(None, -1)
        behind = ops.concatenate([first, x[tuple(inner)]], axis=axis)
        x = ops.maximum(x, ops.maximum(ahead, behind))
    return x
