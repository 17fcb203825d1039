"""Patches of images at every place, whitened, and statistics of their maps over the cells of a grid."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.core.errors import ConfigError, DataError
from zoo.layers.configurable import plain
from zoo.layers.preprocessing.base import Preprocessing

_DIGITS = 7  # of the numbers that are kept: float32 has no more
_FITTED_ON = 100_000  # patches
_VARIANCE_FLOOR = 10 / 255**2  # as Coates, Ng and Lee have it, for pixels in [0, 1]


class WhitenedPatches(Preprocessing):
    """The patch at every place of an image, brought to mean 0 and deviation 1, and whitened.

    Images (height, width, channels) become (rows, columns, size · size · channels). Each patch p is normalised,
    q = (p - mean p) / sqrt(variance p + 10/255²), and whitened with the covariance of the training patches
    (zero-phase component analysis): W (q - m), W = V diag(1 / sqrt(λ + floor)) Vᵀ with its eigenvalues λ, or, as
    Coates and others write it, of λ; here the deviation gets the floor, which damps noise more gently.

    Patches are cut out by a convolution, so every runtime has the operators.

    Args:
        size: side of a patch in pixels.
        stride: pixels from one patch to the next.
        floor: added to the standard deviation along each principal axis before dividing by it.
        mean: list of the values of m, or None: not fitted yet.
        whitening: the rows of W, or None.

    Raises:
        ConfigError: numbers that cannot be these; when it is called, a layer that is not fitted, images smaller than a
            patch or of another number of channels.

    Example:
        >>> layer = zoo.preprocessing.WhitenedPatches(6).fitted(images)  # float32 (samples, 32, 32, 3) in [0, 1]
        >>> layer.compute_output_shape((None, 32, 32, 3))
        (None, 27, 27, 108)

    Source: Coates, Ng and Lee, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS 2011.
    """

    def __init__(
        self,
        size: int = 6,
        stride: int = 1,
        floor: float = 0.1,
        mean: Sequence[float] | None = None,
        whitening: Sequence[Sequence[float]] | None = None,
    ):
        positive_integer("size", size, 2)
        positive_integer("stride", stride)
        in_range("floor", floor, 1e-6, 1e6)
        mean, whitening = plain(mean, "mean"), plain(whitening, "whitening")
        shape = () if whitening is None else np.shape(whitening)
        values = len(mean or ())
        if (mean is None) != (whitening is None) or shape not in ((), (values, values)) or values % size**2:
            raise ConfigError(
                "mean and whitening must be those of `fitted`, n numbers and n rows of n, n = size · size · channels,"
                f" or both None. Received: {values} numbers, and rows of shape {shape}."
            )
        super().__init__(size=size, stride=stride, floor=floor, mean=mean, whitening=whitening)

    @property
    def is_fitted(self) -> bool:
        return self.mean is not None

    def fitted(self, x: np.ndarray) -> Self:
        """A new object with the mean and the whitening of 100,000 patches of `x`, drawn with a fixed seed.

        Args:
            x: float array (samples, height, width, channels) in [0, 1].

        Raises:
            DataError: no images, or images smaller than a patch, or all of one colour.
        """
        patches = draw(np.asarray(x), self.size, _FITTED_ON, seed=0).reshape(_FITTED_ON, -1).astype("float64")
        patches -= patches.mean(axis=1, keepdims=True)
        patches /= np.sqrt(patches.var(axis=1, keepdims=True) + _VARIANCE_FLOOR)
        mean = patches.mean(axis=0)
        values, axes = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
        if not values[-1] > 0:
            raise DataError("WhitenedPatches is fitted on images that show something: these are all of one colour.")
        whitening = (axes / (np.sqrt(np.maximum(values, 0)) + self.floor)) @ axes.T
        return type(self)(self.size, self.stride, self.floor, _rounded(mean), [_rounded(row) for row in whitening])

    def check(self, input_shape: Sequence[int]) -> None:
        shape = tuple(input_shape)
        channels = len(self.mean) // self.size**2 if self.is_fitted else shape[-1]
        if len(shape) != 3 or None in shape or min(shape[:2]) < self.size or shape[2] != channels:
            raise ConfigError(
                f"WhitenedPatches of size {self.size} takes images (height, width, {channels}) of at least"
                f" {self.size}×{self.size} pixels. Received: {shape}."
            )

    def call(self, x: KerasTensor) -> KerasTensor:
        whitening, center = np.asarray(self.whitening), np.asarray(self.mean)
        x = _centred(x, self.size, self.stride)
        x = x / _deviation(x)
        # Rows that sum to 0 let the error of the mean fall out.
        whitening = whitening - whitening.mean(axis=0)
        return ops.matmul(x - center.astype("float32"), whitening.astype("float32"))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *shape = input_shape
        self.check(shape)
        places = (1 + (side - self.size) // self.stride for side in shape[:2])
        return (batch, *places, self.size**2 * shape[2])


class PatchStatistics(Preprocessing):
    """What `WhitenedPatches` takes out of each patch: its mean colour and its standard deviation.

    Images (height, width, channels) become (rows, columns, channels + 1).

    Args:
        size, stride: of the patches.
    """

    def __init__(self, size: int = 6, stride: int = 1):
        super().__init__(size=positive_integer("size", size), stride=positive_integer("stride", stride))

    def call(self, x: KerasTensor) -> KerasTensor:
        colour = _average(x, self.size, self.stride)
        return ops.concatenate([colour, _deviation(_centred(x, self.size, self.stride))], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *shape = input_shape
        return (batch, *(1 + (side - self.size) // self.stride for side in shape[:2]), shape[2] + 1)


class GridStatistics(Preprocessing):
    """log(mean + floor) of each map over each cell of a grid, for maps (rows, columns, units) that are not negative.

    The cells have equal sizes and cover the maps; where the sides are no multiples of the grid, they overlap by a row
    or two. The logarithm makes of many small and few large values features that a linear model can weigh.

    Args:
        grid: cells along each side: 1 is the whole image, 2 its quadrants.
        deviation: also log(standard deviation + floor) of each map over each cell, behind the means.
        floor: value that counts as small.
    """

    def __init__(self, grid: int = 2, deviation: bool = False, floor: float = 0.03):
        in_range("floor", floor, 1e-6, 1e6)
        super().__init__(grid=positive_integer("grid", grid), deviation=deviation, floor=floor)

    def check(self, input_shape: Sequence[int]) -> None:
        if min(input_shape[:2]) < self.grid:
            raise ConfigError(
                f"The maps are too small for a grid of {self.grid}×{self.grid} cells: {tuple(input_shape[:2])}."
            )

    def call(self, x: KerasTensor) -> KerasTensor:
        strides = [side // self.grid for side in x.shape[1:3]]
        sides = [side - (self.grid - 1) * stride for side, stride in zip(x.shape[1:3], strides, strict=True)]
        means = _average(x, sides, strides)
        if not self.deviation:
            return ops.log(means + self.floor)
        corners = [(row * strides[0], column * strides[1]) for row in range(self.grid) for column in range(self.grid)]
        cells = [x[:, top : top + sides[0], left : left + sides[1]] for top, left in corners]
        squares = [ops.square(cell - ops.mean(cell, axis=(1, 2), keepdims=True)) for cell in cells]
        deviations = ops.sqrt(ops.stack([ops.mean(square, axis=(1, 2)) for square in squares], axis=1) + 1e-6)
        deviations = ops.reshape(deviations, (-1, *means.shape[1:]))
        return ops.log(ops.concatenate([means, deviations], axis=-1) + self.floor)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        self.check(input_shape[1:])
        return (input_shape[0], self.grid, self.grid, input_shape[-1] * (2 if self.deviation else 1))


def _centred(x, size, stride):
    """Patches minus their means, (batch, rows, columns, values).

    Cut out by a convolution with ones and zeros, which is exact, as is the difference of nearly equal numbers: of a
    patch of almost one colour, every runtime gives the same small values, which are divided by as small a deviation.
    """
    values = size**2 * x.shape[-1]
    kernel = np.eye(values, dtype="float32").reshape(size, size, -1, values)
    patches = ops.conv(x, kernel, stride, "valid", data_format="channels_last")
    return patches - ops.mean(patches, axis=-1, keepdims=True)


def _deviation(centred):
    """Of the values of each centred patch, with a floor; not from the means of x and x², whose difference is noise."""
    return ops.sqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + _VARIANCE_FLOOR)


def draw(images: np.ndarray, size: int, count: int, seed: int) -> np.ndarray:
    """Patches (count, size, size, channels) of images, from random ones and places, of the same dtype.

    Raises:
        DataError: no images, or images smaller than a patch.
    """
    if images.ndim != 4 or not len(images) or min(images.shape[1:3]) < size:
        raise DataError(
            f"Patches of {size}×{size} pixels are cut out of images (samples, height, width, channels), at least one"
            f" and at least as large. Received: {images.shape}."
        )
    random = np.random.default_rng(seed)
    views = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    places = (random.integers(0, side, count) for side in views.shape[:3])
    return np.ascontiguousarray(views[tuple(places)].transpose(0, 2, 3, 1))


def _average(x, size, stride):
    return ops.average_pool(x, size, stride, "valid", data_format="channels_last")


def _rounded(values: np.ndarray) -> list[Any]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]
