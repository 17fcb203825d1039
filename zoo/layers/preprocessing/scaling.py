"""Scales and offsets: fixed, of the training data, or of each window."""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.core.errors import ConfigError, DataError
from zoo.layers.configurable import plain
from zoo.layers.preprocessing.base import Preprocessing

_INTEGERS = ("uint8", "int16")
_CHUNK = 2**22  # numbers that are converted to float64 at a time


class Rescale(Preprocessing):
    """x · scale + offset.

    Args:
        scale: factor, not 0. With integers, what one step of them is in the unit of the samples.
        offset: what is added.
        integers: None, or "uint8" or "int16": the integers of a sensor or a file that this layer turns into samples,
            for `zoo.export` with ``raw_input=True``.

    Example:
        >>> millivolts = zoo.preprocessing.Rescale(1 / 200, integers="int16")
        >>> millivolts(np.array([[-200, 50]], "int16")).numpy()
        array([[-1.  ,  0.25]], dtype=float32)
    """

    def __init__(self, scale: float, offset: float = 0.0, integers: str | None = None):
        in_range("scale", scale, -math.inf, math.inf, exclusive=True)
        in_range("offset", offset, -math.inf, math.inf, exclusive=True)
        if scale == 0:
            raise ConfigError("scale must not be 0: all samples would be the same. Received: scale=0.")
        if integers is not None and integers not in _INTEGERS:
            raise ConfigError(f"integers must be None, 'uint8' or 'int16'. Received: integers={integers!r}.")
        super().__init__(scale=scale, offset=offset, integers=integers)

    def call(self, x: KerasTensor) -> KerasTensor:
        x = ops.cast(x, "float32") * self.scale
        return x + self.offset if self.offset else x

    def to_integers(self, x: np.ndarray) -> np.ndarray:
        """The integers that stand for samples `x`, rounded and clipped to the range of their type.

        Raises:
            ConfigError: a layer without `integers`.
        """
        if self.integers is None:
            raise ConfigError("This Rescale stands for no integers: it was made with integers=None.")
        limits = np.iinfo(self.integers)
        raw = np.rint((np.asarray(x, "float64") - self.offset) / self.scale)
        return np.clip(raw, limits.min, limits.max).astype(self.integers)


class Standardize(Preprocessing):
    """(x - mean) / deviation, with the mean and standard deviation of each channel in the training data.

    A channel is a place along the last axis: of samples of shape (length, channels) or (height, width, channels) each
    channel has one mean; of flat samples of shape (n,), as tables have them, each element has its own.

    Args:
        mean: list with the mean of each channel, or None: not fitted yet.
        deviation: list with the standard deviation of each channel, greater than 0, or None.

    Raises:
        ConfigError: when an object is made, numbers that cannot be these; when it is called, a layer that is not
            fitted, or one of another number of channels.

    Example:
        >>> layer = zoo.preprocessing.Standardize().fitted(np.array([[1.0, 0.0], [3.0, 10.0]]))
        >>> layer.mean, layer.deviation
        ([2.0, 5.0], [1.0, 5.0])
    """

    def __init__(self, mean: Sequence[float] | None = None, deviation: Sequence[float] | None = None):
        mean, deviation = _numbers("mean", mean, -math.inf), _numbers("deviation", deviation, 0)
        if (mean is None) != (deviation is None) or len(mean or ()) != len(deviation or ()):
            raise ConfigError(
                "mean and deviation must have one number for each channel, or both be None: not fitted yet."
                f" Received: mean of {_count(mean)}, deviation of {_count(deviation)}."
            )
        super().__init__(mean=mean, deviation=deviation)

    @property
    def is_fitted(self) -> bool:
        return self.mean is not None

    def fitted(self, x: np.ndarray) -> Self:
        """A new object with the mean and standard deviation of each channel of `x`, over all samples and places.

        Raises:
            DataError: no samples, NaN or infinite values, or a channel of one value only.
        """
        x = np.asarray(x)
        if x.ndim < 2 or not x.size or x.dtype.kind not in "fiub":
            raise DataError(
                "Standardize is fitted on numbers of shape (samples, ...), at least one sample."
                f" Received shape {x.shape}, dtype {x.dtype}."
            )
        axes = tuple(range(x.ndim - 1))
        # Two passes: the difference of large squares would lose a small deviation.
        count = math.prod(x.shape[:-1])
        mean = sum(chunk.sum(axis=axes) for chunk in _chunks(x)) / count
        deviation = np.sqrt(sum(np.square(chunk - mean).sum(axis=axes) for chunk in _chunks(x)) / count)
        constant = deviation <= np.finfo("float32").eps * np.abs(mean)
        if constant.any():
            channel = int(constant.argmax())
            others = f", and {int(constant.sum()) - 1} more" if constant.sum() > 1 else ""
            raise DataError(
                f"Channel {channel}{others} of the training data is constant ({mean[channel]:g}): it cannot be divided"
                " by its standard deviation. Leave it out, or give Standardize(mean=..., deviation=...) yourself."
            )
        return type(self)(mean.tolist(), deviation.tolist())

    def check(self, input_shape: Sequence[int]) -> None:
        if self.is_fitted and (not input_shape or input_shape[-1] != len(self.mean)):
            raise ConfigError(
                f"Standardize was fitted on {len(self.mean)} channels. Received samples of shape {tuple(input_shape)},"
                " whose last axis are the channels."
            )

    def call(self, x: KerasTensor) -> KerasTensor:
        factor = 1 / np.asarray(self.deviation, "float64")
        return (ops.cast(x, "float32") - np.asarray(self.mean, "float32")) * factor.astype("float32")


class PerWindowStandardize(Preprocessing):
    """(x - mean) / √(variance + epsilon), with the mean and variance of each sample by itself.

    Over all places of a channel: along the length of a signal (length, channels) or (length,), over height and width of
    an image. What is lost is the level and the strength of a window, which may be what tells an anomaly:
    ``deviation=False`` subtracts the mean only and keeps the strength.

    Args:
        epsilon: what is added to the variance, in the square of the samples' unit, greater than 0. It keeps windows
            that are nearly constant from becoming amplified noise; choose the variance of the sensor's noise.
        deviation: whether to divide by the standard deviation.

    Example:
        >>> zoo.preprocessing.PerWindowStandardize()(np.array([[1.0, 3.0]])).numpy().round(3)
        array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, epsilon: float = 1e-6, deviation: bool = True):
        # The smallest that float32 computes with at full precision.
        in_range("epsilon", epsilon, float(np.finfo("float32").tiny), float(np.finfo("float32").max))
        if not isinstance(deviation, bool):
            raise ConfigError(f"deviation must be True or False. Received: deviation={deviation!r}.")
        super().__init__(epsilon=epsilon, deviation=deviation)

    def call(self, x: KerasTensor) -> KerasTensor:
        axes = list(range(1, max(2, len(x.shape) - 1)))
        x = ops.cast(x, "float32")
        x = x - ops.mean(x, axis=axes, keepdims=True)
        if not self.deviation:
            return x
        return x * ops.rsqrt(ops.mean(ops.square(x), axis=axes, keepdims=True) + self.epsilon)


class Relative(Preprocessing):
    """(x - r) / σ, a channel x of each sample by its difference from another channel r, a reference.

    Both lose their mean over the length; σ is the root mean square of the reference without its mean. The reference
    channel becomes r / σ; other channels stay as they are. So a heart beat is seen by how it differs from the patient's
    usual beat, and a machine's cycle from its last cycles.

    Args:
        signal, reference: numbers of the two channels, from 0.
        epsilon: what is added to σ², in the square of the samples' unit, greater than 0: choose the variance of the
            sensor's noise.

    Raises:
        ConfigError: when an object is made, numbers that cannot be these; when it is called, samples that are not of
            shape (length, channels) with both channels.

    Example:
        >>> beat_and_usual = np.array([[[1.0, 1.0], [5.0, 3.0]]])
        >>> zoo.preprocessing.Relative()(beat_and_usual).numpy().round(3)[0].tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(self, signal: int = 0, reference: int = 1, epsilon: float = 1e-6):
        for name, value in (("signal", signal), ("reference", reference)):
            positive_integer(name, value, least=0)
        if signal == reference:
            raise ConfigError(f"signal and reference must be two channels. Received: {signal} for both.")
        in_range("epsilon", epsilon, float(np.finfo("float32").tiny), float(np.finfo("float32").max))
        super().__init__(signal=signal, reference=reference, epsilon=epsilon)

    def check(self, input_shape: Sequence[int]) -> None:
        if len(input_shape) != 2 or input_shape[1] <= max(self.signal, self.reference):
            raise ConfigError(
                f"Relative needs samples (length, channels) with the channels {self.signal} and {self.reference}."
                f" Received samples of shape {tuple(input_shape)}."
            )

    def call(self, x: KerasTensor) -> KerasTensor:
        channels = [ops.cast(x[:, :, i : i + 1], "float32") for i in range(x.shape[2])]
        signal, reference = (
            channels[i] - ops.mean(channels[i], axis=1, keepdims=True) for i in (self.signal, self.reference)
        )
        factor = ops.rsqrt(ops.mean(ops.square(reference), axis=1, keepdims=True) + self.epsilon)
        channels[self.signal] = (signal - reference) * factor
        channels[self.reference] = reference * factor
        return ops.concatenate(channels, axis=2)


def _numbers(name: str, values: Any, low: float) -> list[float] | None:
    """`values` as a list of finite floats above `low`."""
    values = plain(values, name)
    if values is None:
        return None
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{name} must be a list of numbers, one for each channel. Received: {name}={values!r}.")
    return [in_range(f"{name}[{i}]", value, low, math.inf, exclusive=True) for i, value in enumerate(values)]


def _count(values):
    return "None" if values is None else f"{len(values)} numbers"


def _chunks(x):
    """Successive samples of `x` as float64, in pieces that fit into memory.

    Raises:
        DataError: NaN or infinite values, with the position of the first.
    """
    size = max(1, _CHUNK // math.prod(x.shape[1:]))
    for start in range(0, len(x), size):
        chunk = np.asarray(x[start : start + size], "float64")
        bad = ~np.isfinite(chunk)
        if bad.any():
            sample, *place = (int(index) for index in np.unravel_index(bad.argmax(), bad.shape))
            position = ", ".join(map(str, (start + sample, *place)))
            raise DataError(
                f"The training data hold NaN or infinite values, first at x[{position}]"
                f" ({chunk[(sample, *place)]}). Remove or repair these samples before fitting Standardize."
            )
        yield chunk
