"""Checks of samples and arguments, made before any long work starts."""

import math

import numpy as np

from zoo.core.errors import ConfigError, DataError

# Resizing with a cubic kernel or dividing by a rounded scale may overshoot the range by a rounding error.
_RANGE_SLACK = 1e-5
# Noise takes samples out of [0, 1]; what lies beyond this is of another scale, such as pixels from 0 to 255.
_NOISE = 8

# Entries of a list of layers or of a shape, which nobody needs more of.
_MOST_SIZES = 200


def images(x, input_shape, *, unit_range=True, target=True, name="x"):
    """Return `x` as a float32 array of shape ``(samples, *input_shape)``, or say what is wrong with it.

    Args:
        x: array-like, one sample per row of the first axis.
        input_shape: tuple of int, the shape of one sample.
        unit_range: whether values must lie in [0, 1] (models with a sigmoid output can reconstruct nothing else); None
            if unknown, so that only what is clearly 8-bit pixels is refused.
        target: `x` is what the model is to reconstruct. Input alone may leave [0, 1], as noise does; pixels from 0 to
            255 are refused all the same.
        name: what to call the array in the message.

    Raises:
        DataError: empty, not numeric, wrong shape, integers where [0, 1] floats are expected, NaN or infinite values,
            or values outside [0, 1].
    """
    x = np.asarray(x)
    input_shape = tuple(input_shape)
    check_not_empty(x, input_shape, name=name)
    check_shape(x.shape, input_shape, name=name)
    check_dtype(x.dtype, unit_range=unit_range, name=name)
    x = x.astype("float32", copy=False)
    check_values(x, unit_range=unit_range, target=target, name=name)
    return x


def check_not_empty(x, input_shape, *, name="x"):
    """Raise `DataError` for an array without a sample."""
    if x.size == 0:
        raise DataError(
            f"{name} is empty: expected at least one sample of shape {tuple(input_shape)}. Received shape {x.shape}."
        )


def check_shape(shape, input_shape, *, name="x"):
    """Raise `DataError` unless `shape` is ``(samples, *input_shape)``; unknown (None) sizes pass."""
    shape, input_shape = tuple(shape), tuple(input_shape)
    expected = f"({', '.join(['samples', *map(str, input_shape)])})"
    sample = shape[1:]
    if len(sample) == len(input_shape) and all(a in (b, None) for a, b in zip(sample, input_shape, strict=True)):
        return
    message = f"{name} has the wrong shape: expected {expected}. Received {shape}."
    if shape == input_shape:
        message += f" This is a single sample: add the batch axis with {name}[None]."
    elif (*sample, 1) == input_shape:
        message += f" Add the channel axis with {name}[..., None]."
    elif len(sample) == len(input_shape) and sample[:-1] == input_shape[:-1]:
        message += (
            f" The number of channels differs: the model takes {input_shape[-1]}, the samples have {sample[-1]}"
            " (channels come last)."
        )
    elif len(sample) > 1 and len(sample) == len(input_shape):
        message += f" Bring images to the model's size with zoo.data.resize(images, {input_shape})."
    raise DataError(message)


def check_dtype(dtype, *, unit_range=True, name="x"):
    """Raise `DataError` for a non-numeric dtype, or for integers where floats in [0, 1] are expected."""
    kind = np.dtype(dtype).kind
    if kind in "iu" and (unit_range or (unit_range is None and np.dtype(dtype) == np.uint8)):
        raise DataError(
            f"{name} holds integer pixels: expected floats in [0, 1]. Received dtype {np.dtype(dtype)}."
            f" Divide 8-bit pixels by 255: {name}.astype('float32') / 255."
        )
    if kind not in "fiub":
        raise DataError(f"{name} is not numeric: expected floats. Received dtype {np.dtype(dtype)}.")


def check_values(x, *, unit_range=True, target=True, name="x"):
    """Raise `DataError` for NaN or infinite values, naming the first, or for values out of range; see `images`."""
    low, high = float(x.min()), float(x.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
        raise DataError(
            f"{name} holds NaN or infinite values in {int(bad.sum())} of {len(x)} samples, first at index"
            f" {int(bad.argmax())}. Remove or repair these samples."
        )
    limits = (-_RANGE_SLACK, 1 + _RANGE_SLACK) if target else (-_NOISE, _NOISE)
    if unit_range is None:
        outside = low >= 0 and high > _NOISE and x.ndim == 4  # signals of sensors are of any scale
    else:
        outside = unit_range and (low < limits[0] or high > limits[1])
    if outside:
        pixels = high > 2 and low >= 0
        hint = f"Divide 8-bit pixels by 255: {name} / 255." if pixels else "Rescale the samples to [0, 1]."
        reason, remedy = (
            ("", "")
            if unit_range is None
            else (
                ", which a sigmoid output cannot reconstruct",
                " (Or build the model with output_activation='linear'.)",
            )
        )
        raise DataError(
            f"{name} lies outside [0, 1]{reason}. Received values from {low:.6g} to {high:.6g}. {hint}{remedy}"
        )


def one_input_and_output(model, taker, error):
    """Raise an `error` in the name of `taker`, a function, for a Keras model with several inputs or outputs."""
    named = isinstance(getattr(model, "output", None), dict)  # a Sequential has no output before it is called
    if len(model.inputs) != 1 or len(model.outputs) != 1 or named:
        by_name = " by name" if named else ""
        raise error(
            f"{taker} takes models with one input and one output."
            f" Received {len(model.inputs)} inputs and {len(model.outputs)} outputs{by_name}."
        )


def positive_integer(name, value, least=1):
    """Return `value` as int, or raise `ConfigError` unless it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}. Received: {name}={value!r}.")
    return int(value)


def positive_integers(name, values):
    """Return `values`, a few, as a tuple of int, or raise `ConfigError` unless each is a whole number of at least 1."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise ConfigError(f"{name} must be a sequence of whole numbers. Received: {name}={values!r}.")
    if (size := len(values := list(values))) > _MOST_SIZES:
        raise ConfigError(f"{name} must have at most {_MOST_SIZES} entries. Received {size:,}.")
    return tuple(positive_integer(f"{name}[{i}]", value) for i, value in enumerate(values))


def in_range(name, value, low, high, *, exclusive=False):
    """Return `value` as float, or raise `ConfigError` unless it lies in [low, high] (or strictly between)."""
    interval = f"({low}, {high})" if exclusive else f"[{low}, {high}]"
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not (low < value < high if exclusive else low <= value <= high):
        raise ConfigError(f"{name} must be a number in {interval}. Received: {name}={value!r}.")
    return float(value)
