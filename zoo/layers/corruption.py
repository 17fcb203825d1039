"""Corruptions: what a denoising autoencoder learns to undo.

Each is a Keras layer that changes its input during training only and passes it unchanged otherwise. Fresh random
numbers are drawn for every sample and step. Inputs are float32 in [0, 1], channels last; the target
stays the clean input.

Source: Vincent et al., "Stacked Denoising Autoencoders", JMLR 11 (2010), section 3.3, for `Gaussian`, `Masking` and
`SaltAndPepper`; `Affine` draws the geometric distortions usual in data augmentation and lets the model undo them.
"""

import math

import keras
import numpy as np
from keras import ops

from zoo.checks import in_range, positive_integer
from zoo.errors import ConfigError
from zoo.layers import noise
from zoo.layers.described import Described


class Corruption(Described, keras.layers.Layer):
    """Base class: subclasses implement `corrupt(x)` and, where not every input shape will do, `check(input_shape)`."""

    def __init__(self, **arguments):
        super().__init__(name=type(self).__name__.lower())
        for name, value in arguments.items():
            setattr(self, name, value)
        self.random = keras.random.SeedGenerator()

    def call(self, x, training=False):
        """`x` of shape (batch, ...), corrupted if `training`, else unchanged."""
        return self.corrupt(x) if training else x

    def corrupt(self, x):
        """`x` of shape (batch, ...) with fresh noise, same shape and dtype."""
        raise NotImplementedError

    def check(self, input_shape):
        """Raise `ConfigError` if samples of this shape cannot be corrupted in this way."""

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {name: getattr(self, name) for name in self.argument_names()}

    def uniform(self, shape, low=0.0, high=1.0):
        """Fresh uniform numbers in [low, high), float32."""
        return noise.uniform(shape, self.random, low, high)

    def keep(self, x, positions):
        """Uniform numbers of one per sample and position, shaped to broadcast over the channels of `x`."""
        return self.uniform((ops.shape(x)[0], *positions, *([1] if len(x.shape) > 2 else [])))


class Gaussian(Corruption):
    """Adds independent Gaussian noise: x + stddev · N(0, 1), not clipped.

    Args:
        stddev: standard deviation of the noise in units of the pixel range [0, 1]; the paper's denoisers use 0.55.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((784,), 32), zoo.corruption.Gaussian(0.55))
    """

    def __init__(self, stddev):
        super().__init__(stddev=in_range("stddev", stddev, 0, math.inf))

    def corrupt(self, x):
        return x + ops.cast(self.stddev * noise.normal(ops.shape(x), self.random), x.dtype)


class Masking(Corruption):
    """Sets each position (all its channels) to 0 with probability `rate`, in blocks of `block` positions a side.

    Args:
        rate: probability in [0, 1] that a block is set to 0.
        block: side of a block in pixels; 1 masks single pixels. Blocks lie on a grid that starts at the first pixel.

    Example:
        >>> model = zoo.denoising(zoo.convolutional((28, 28, 1), 16), zoo.corruption.Masking(0.5, block=4))
    """

    def __init__(self, rate, block=1):
        super().__init__(rate=in_range("rate", rate, 0, 1), block=positive_integer("block", block))

    def corrupt(self, x):
        positions = x.shape[1:-1] if len(x.shape) > 2 else x.shape[1:]
        keep = self.keep(x, [-(-size // self.block) for size in positions]) >= self.rate
        for axis, size in enumerate(positions, start=1):
            if self.block > 1:
                keep = ops.take(ops.repeat(keep, self.block, axis=axis), ops.arange(size), axis=axis)
        return x * ops.cast(keep, x.dtype)


class SaltAndPepper(Corruption):
    """Sets each position (all its channels) to 0 or to 1, with probability `rate` / 2 each.

    Args:
        rate: probability in [0, 1] that a position is changed.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((784,), 64), zoo.corruption.SaltAndPepper(0.25))
    """

    def __init__(self, rate):
        super().__init__(rate=in_range("rate", rate, 0, 1))

    def corrupt(self, x):
        draw = self.keep(x, x.shape[1:-1] if len(x.shape) > 2 else x.shape[1:])
        salted = ops.where(draw < self.rate / 2, ops.ones_like(x), x)
        return ops.where(draw >= 1 - self.rate / 2, ops.zeros_like(x), salted)


class Affine(Corruption):
    """Rotates, shifts, scales and shears each image by its own random amounts; bilinear, zeros outside.

    Every amount is uniform in [-limit, limit]. For an output pixel p the value is read at S·p + t, p counted from the
    image's centre, with S = (1 + scale) · rotation · shear: a gather of four neighbours, which XLA can compile
    (`ImageProjectiveTransform` has no XLA kernel).

    Args:
        rotation: largest rotation in degrees.
        shift: largest shift in pixels, along each axis on its own.
        scale: largest relative change of size, in [0, 1).
        shear: largest horizontal shear, in pixels per pixel of height.

    Raises (at `zoo.denoising`):
        ConfigError: samples that are not images of shape (height, width, channels).

    Example:
        >>> corruption = zoo.corruption.Affine(rotation=20, shift=3, scale=0.15, shear=0.2)
        >>> model = zoo.denoising(zoo.convolutional((28, 28, 1), 128, (32, 64, 128)), corruption)
    """

    def __init__(self, rotation=0.0, shift=0.0, scale=0.0, shear=0.0):
        super().__init__(
            rotation=in_range("rotation", rotation, 0, 180),
            shift=in_range("shift", shift, 0, math.inf),
            scale=in_range("scale", scale, 0, 1 - 1e-6),
            shear=in_range("shear", shear, 0, math.inf),
        )

    def check(self, input_shape):
        if len(input_shape) != 3:
            raise ConfigError(
                "Affine corruption needs images of shape (height, width, channels)."
                f" Received a backbone with input_shape={tuple(input_shape)}."
            )

    def corrupt(self, x):
        batch, (height, width) = ops.shape(x)[0], x.shape[1:3]

        def draw(limit):
            return self.uniform((batch,), -limit, limit)

        angle, zoom, shear = draw(math.radians(self.rotation)), 1 + draw(self.scale), draw(self.shear)
        cosine, sine = zoom * ops.cos(angle), zoom * ops.sin(angle)
        rows = [sine, sine * shear + cosine, draw(self.shift), cosine, cosine * shear - sine, draw(self.shift)]
        # A product of matrices, not a sum of products: XLA would compute the cosines anew for every pixel.
        places = ops.reshape(ops.stack(rows, axis=1), (-1, 3)) @ _centred_grid(height, width)
        places = ops.reshape(places, (-1, 2, height * width))
        source_y, source_x = places[:, 0] + (height - 1) / 2, places[:, 1] + (width - 1) / 2
        return ops.cast(_bilinear(x, source_y, source_x), x.dtype)


def _centred_grid(height, width):
    """(3, height · width): x and y of every pixel, counted from the image's centre, and ones."""
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype("float32")
    return ops.convert_to_tensor(np.stack([x - (width - 1) / 2, y - (height - 1) / 2, np.ones_like(x)]))


def _bilinear(images, y, x):
    """`images` (batch, height, width, channels) read at `y`, `x` (batch, height · width); zeros outside."""
    batch = ops.shape(images)[0]
    height, width, channels = images.shape[1:]
    pixels = ops.reshape(images, (-1, channels))
    first = ops.expand_dims(ops.arange(batch) * (height * width), 1)
    top, left = ops.floor(y), ops.floor(x)
    total = 0.0
    for row, row_weight in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, column_weight in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = ops.clip(row, 0, height - 1) * width + ops.clip(column, 0, width - 1)
            weight = ops.where(inside, row_weight * column_weight, 0.0)
            total += ops.take(pixels, first + ops.cast(index, "int32"), axis=0) * ops.expand_dims(weight, -1)
    return ops.reshape(total, (-1, height, width, channels))


def get(corruption):
    """A list of `Corruption` layers from one, from its dictionary, or from a list of either, to be applied in order."""
    several = isinstance(corruption, (list, tuple))
    if several and not corruption:
        raise ConfigError("corruption must name at least one corruption. Received an empty list.")
    return [Corruption.from_description(c) for c in (corruption if several else [corruption])]
