"""What `fit` accepts, brought to the forms that chunks and Keras take."""

import keras
import numpy as np
import tensorflow as tf

from zoo.core.errors import DataError
from zoo.data.source import Source
from zoo.data.stream import Stream


def of(x, y=None, sample_weight=None):
    """The three as NumPy arrays or None where all samples are in memory, else None.

    A `Source` gives its images as they are stored, and its labels where `y` is missing.
    """
    if isinstance(x, Source):
        x, y = x.images, x.labels if y is None else y
    arrays = [_array(a) for a in (x, y, sample_weight)]
    if x is None or any(
        a is None and given is not None for a, given in zip(arrays, (x, y, sample_weight), strict=True)
    ):
        return None
    if len(arrays[0]) == 0:
        raise DataError("x is empty: expected at least one sample.")
    for name, array in zip(("y", "sample_weight"), arrays[1:], strict=True):
        if array is not None and len(array) != len(arrays[0]):
            raise DataError(
                f"{name} must have one entry per sample. Received {len(arrays[0])} samples and {len(array)} entries."
            )
    return tuple(arrays)


def split(samples, share):
    """`samples`, as `known` gives them, without their last `share`, and that share: Keras' `validation_split`."""
    count = len(samples if isinstance(samples, Stream) else samples[0])
    kept = int(np.floor(count * (1 - share)))
    if not 0 < share < 1 or kept == 0 or kept == count:
        raise DataError(
            f"validation_split must leave samples on both sides. Received validation_split={share} with {count}"
            " samples."
        )
    if isinstance(samples, Stream):
        return samples.part(0, kept), samples.part(kept, count)
    return tuple(tuple(None if a is None else a[part] for a in samples) for part in (slice(kept), slice(kept, None)))


def class_weights(weights, y, sample_weight):
    """One weight per sample from a dictionary of weights by class; classes that it does not name weigh 1."""
    if sample_weight is not None or y is None:
        raise DataError("class_weight needs labels y, and cannot be combined with sample_weight.")
    classes = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y)).astype("int64")
    table = np.ones(max([int(classes.max()), *weights]) + 1, "float32")
    table[list(weights)] = list(weights.values())
    return table[classes]


def _array(x):
    """`x` as an array whose floats are float32; None if it is not an array."""
    if isinstance(x, (list, tf.Tensor)):
        x = np.asarray(x)
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        return None
    x = x.astype(x.dtype.newbyteorder("="), copy=False)  # DLPack knows no other
    return x.astype("float32") if x.dtype.kind == "f" and x.dtype != np.float32 else x


def known(x, y=None, sample_weight=None):
    """What compiled chunks can take: the arrays (x, y, sample_weight), or a Stream; None for all else."""
    return x if isinstance(x, Stream) and y is None else of(x, y, sample_weight)


def check_dataset(x):
    """Raise `DataError` for a tf.data.Dataset that is known to have no batch."""
    if isinstance(x, tf.data.Dataset) and int(x.cardinality()) == 0:
        raise DataError(
            "The dataset is empty: expected at least one batch. A dataset that is batched with drop_remainder=True has"
            " none if it has fewer samples than the batch size."
        )


def endless():
    """What Keras counts its steps on: it is never read, the chunks know their samples."""
    return tf.data.Dataset.from_tensors(0).repeat()


def listed(callbacks):
    """`callbacks` of `fit` as a list."""
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return keras.tree.flatten(callbacks)
