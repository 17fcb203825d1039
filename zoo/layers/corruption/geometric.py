"""Corruptions that move pixels."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.layers.corruption.base import Corruption


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

    limits: ClassVar = {"scale": 0.99}

    def __init__(self, rotation: float = 0.0, shift: float = 0.0, scale: float = 0.0, shear: float = 0.0):
        super().__init__(
            rotation=in_range("rotation", rotation, 0, 180),
            shift=in_range("shift", shift, 0, math.inf),
            scale=in_range("scale", scale, 0, 1 - 1e-6),
            shear=in_range("shear", shear, 0, math.inf),
        )

    def check(self, input_shape: Sequence[int]) -> None:
        self.check_image(input_shape)

    def corrupt(self, x: KerasTensor) -> KerasTensor:
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
        return _bilinear(x, source_y, source_x)


class Elastic(Corruption):
    """Moves the pixels of each image by a smooth random field, as if it were printed on rubber.

    The field is drawn at `points` × `points` places over the image, uniform in [-strength, strength] along each axis,
    and interpolated between them by cosine weights; bilinear, zeros outside.

    Args:
        strength: largest shift of a place in pixels.
        points: places along each side; more of them make finer ripples.

    Raises (at `zoo.denoising`):
        ConfigError: samples that are not images of shape (height, width, channels).

    Example:
        >>> corruption = [zoo.corruption.Affine(rotation=20), zoo.corruption.Elastic(strength=3, points=4)]
    """

    def __init__(self, strength: float, points: int = 4):
        super().__init__(
            strength=in_range("strength", strength, 0, math.inf), points=positive_integer("points", points)
        )

    def check(self, input_shape: Sequence[int]) -> None:
        self.check_image(input_shape)

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        batch, (height, width) = ops.shape(x)[0], x.shape[1:3]
        field = self.uniform((batch * 2, self.points, self.points), -self.strength, self.strength)
        rows, columns = (ops.convert_to_tensor(_interpolation(self.points, size)) for size in (height, width))
        field = ops.reshape(rows @ field @ ops.transpose(columns), (batch, 2, height * width))
        y, x_ = np.mgrid[:height, :width].reshape(2, -1).astype("float32")
        return _bilinear(x, field[:, 0] + y, field[:, 1] + x_)


def _interpolation(points, size):
    """(size, points): weights with which `size` pixels take values given at `points` even places; rows sum to 1."""
    if points == 1:
        return np.ones((size, 1), "float32")
    places = np.linspace(0, points - 1, size)
    left = np.minimum(places.astype(int), points - 2)
    share = 0.5 - 0.5 * np.cos(np.pi * (places - left))
    weights = np.zeros((size, points), "float32")
    weights[np.arange(size), left] = 1 - share
    weights[np.arange(size), left + 1] += share
    return weights


def _centred_grid(height, width):
    """(3, height · width): x and y of every pixel, counted from the image's centre, and ones."""
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype("float32")
    return ops.convert_to_tensor(np.stack([x - (width - 1) / 2, y - (height - 1) / 2, np.ones_like(x)]))


def _bilinear(images, y, x):
    """`images` (batch, height, width, channels) read at `y`, `x` (batch, height · width); zeros outside."""
    batch = ops.shape(images)[0]
    height, width, channels = images.shape[1:]
    pixels = ops.reshape(images, (-1, channels))
    first = ops.expand_dims(ops.arange(batch, dtype="int32") * (height * width), 1)
    top, left = ops.floor(y), ops.floor(x)
    total = 0.0
    for row, row_weight in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, column_weight in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = ops.clip(row, 0, height - 1) * width + ops.clip(column, 0, width - 1)
            weight = ops.where(inside, row_weight * column_weight, 0.0)
            total += ops.take(pixels, first + ops.cast(index, "int32"), axis=0) * ops.expand_dims(weight, -1)
    return ops.reshape(total, (-1, height, width, channels))
