"""Samples in the form that a model takes."""

import numpy as np

from zoo import data
from zoo.core.errors import DataError, unknown_name

_SAMPLES_OF_A_STREAM = 60_000


def load_for(model, dataset, split="test", *, stream=False):
    """A split of a dataset with images in the size that a model takes.

    Args:
        model: whatever has the `input_shape` of one sample.
        dataset, split, stream: as for `zoo.data.load`.

    Returns:
        Source or Stream.
    """
    shape = model.input_shape if len(model.input_shape) == 3 else None
    return data.load(dataset, split, shape=shape, stream=stream)


def of_classes(source, classes):
    """The samples of a labelled `Source` that are of one of these classes, given as numbers or names.

    Raises:
        UnknownNameError: a name that the source does not have.
        DataError: a source without labels, or without such samples.
    """
    source = in_memory(source)
    chosen = np.flatnonzero(is_of_classes(source, classes))
    if not len(chosen):
        raise DataError(f"Dataset {source.name!r} has no samples of the classes {list(classes)}.")
    return source.subset(chosen)


def is_of_classes(source, classes):
    """Whether each sample of a labelled `Source` is of one of these classes, numbers or names: bool (samples,).

    Raises:
        UnknownNameError: a name that the source does not have.
        DataError: a source without labels.
    """
    if source.labels is None:
        raise DataError(f"Dataset {source.name!r} has no labels, by which its normal samples could be told apart.")
    for name in classes:
        if isinstance(name, str) and name not in source.class_names:
            raise unknown_name(f"class of dataset {source.name!r}", name, source.class_names)
    numbers = [source.class_names.index(name) if isinstance(name, str) else name for name in classes]
    return np.isin(source.labels, numbers)


def in_memory(source):
    """A `Source` as it is; of a `Stream`, the first 60,000 samples."""
    return source.head(_SAMPLES_OF_A_STREAM) if isinstance(source, data.Stream) else source
