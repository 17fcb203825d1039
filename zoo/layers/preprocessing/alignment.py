"""Where and how long a sound is, taken out of it."""

import math
from collections.abc import Sequence

import numpy as np
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.core.errors import ConfigError
from zoo.layers.preprocessing.base import Preprocessing

_LEAST_WEIGHT = 1e-6  # of a frame: a silent spectrogram is read around its middle


class AlignTime(Preprocessing):
    """Resamples a spectrogram in time, so that every sound has the same place and duration.

    Each frame weighs as much as its mean exceeds `threshold`. With μ and σ the mean and standard deviation of the time
    under these weights, output frame t is read, linearly interpolated, at μ + span · σ · u, with u from -1 to 1 in
    `frames` equal steps; zeros outside. What is lost is when a sound came and how fast it was. Unlike a search for its
    two ends, it changes continuously with the samples.

    Spectrograms (frames, bands, channels) become (`frames`, bands, channels), from products and sums only.

    Args:
        frames: frames of the output, at least 2.
        threshold: mean of a frame above which it counts as sound, in the unit of the spectrogram; silence should be 0.
        span: half the time that is kept, in standard deviations; an even sound ends at 1.73.

    Raises:
        ConfigError: impossible arguments, or, when it is called, what is no spectrogram.

    Example:
        >>> layer = zoo.preprocessing.AlignTime(frames=16, threshold=0.05)
        >>> layer.compute_output_shape((None, 61, 24, 1))
        (None, 16, 24, 1)

    Source: moment normalisation of characters, Casey, IBM J. Res. Dev. 14 (1970), here of the time axis alone.
    """

    def __init__(self, frames: int, threshold: float = 0.0, span: float = 2.0):
        positive_integer("frames", frames, least=2)
        in_range("threshold", threshold, -math.inf, math.inf, exclusive=True)
        in_range("span", span, 0, math.inf, exclusive=True)
        super().__init__(frames=frames, threshold=threshold, span=span)

    def check(self, input_shape: Sequence[int]) -> None:
        if len(input_shape) != 3 or None in input_shape:
            raise ConfigError(
                "AlignTime takes spectrograms of shape (frames, bands, channels), all known."
                f" Received: {tuple(input_shape)}."
            )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *shape = input_shape
        self.check(shape)
        return (batch, self.frames, *shape[1:])

    def call(self, x: KerasTensor) -> KerasTensor:
        x = ops.cast(x, "float32")
        length, bands, channels = x.shape[1:]
        times = np.arange(length, dtype="float32")
        weights = ops.relu(ops.mean(x, axis=(2, 3)) - self.threshold) + _LEAST_WEIGHT
        # No division, absolute value or product of two matrices: the runtimes' common operators lack them.
        weights = weights * ops.square(ops.rsqrt(ops.sum(weights, axis=1, keepdims=True)))
        middle = ops.sum(weights * times, axis=1, keepdims=True)
        # A quarter of a squared frame: a sound in a single frame is no shorter than that.
        variance = ops.sum(weights * ops.square(times - middle), axis=1, keepdims=True) + 0.25
        steps = np.linspace(-self.span, self.span, self.frames, dtype="float32")
        places = ops.reshape(middle + ops.sqrt(variance) * steps, (-1, self.frames, 1, 1))
        times = times[:, None]
        interpolation = ops.relu(1 - ops.maximum(places - times, times - places))
        aligned = ops.sum(interpolation * ops.reshape(x, (-1, 1, length, bands * channels)), axis=2)
        return ops.reshape(aligned, (-1, self.frames, bands, channels))
