"""What `fit` and `evaluate` were given, in forms that Keras' own loop takes."""

import tensorflow as tf

from zoo.data.source import Source
from zoo.data.stream import Stream
from zoo.engine import arrays

DEFAULT_BATCH_SIZE = 32


def of(model, given, samples, batch_size):
    """(x, y, sample_weight) and the batch size for Keras' loop.

    Args:
        model: the model that is to take them.
        given: (x, y, sample_weight) as the user passed them.
        samples: `arrays.known` of them.
        batch_size: as the user passed it.
    """
    if isinstance(samples, Stream):
        batches = samples.images().batch(batch_size or DEFAULT_BATCH_SIZE)
        return (batches.map(lambda x: tf.cast(x, tf.float32) / 255.0).prefetch(tf.data.AUTOTUNE), None, None), None
    if samples is None:
        return given, batch_size
    x, y, sample_weight = samples
    x = given[0].pixels() if are_pixels(model, given[0], samples) else x
    # Keras drops weights that come without a target.
    return (x, x if y is None and sample_weight is not None else y, sample_weight), batch_size


def validation(model, data, batch_size):
    """`validation_data` of `fit` for Keras' loop."""
    given = data if isinstance(data, tuple) else (data,)
    samples = arrays.known(*given)
    if samples is None:
        return data
    (x, y, sample_weight), _ = of(model, given, samples, batch_size)
    return x if y is None else (x, y) if sample_weight is None else (x, y, sample_weight)


def are_pixels(model, x, samples):
    """Whether to divide by 255: 8-bit pixels of a Source, for a model that does not take them raw."""
    raw = any(tensor.dtype == "uint8" for tensor in getattr(model, "inputs", None) or ())
    return isinstance(x, Source) and samples[0].dtype == "uint8" and not raw
