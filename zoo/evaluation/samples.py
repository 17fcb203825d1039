"""Samples in the form that a model takes."""

from zoo import data

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


def in_memory(source):
    """A `Source` as it is; of a `Stream`, the first 60,000 samples."""
    return source.head(_SAMPLES_OF_A_STREAM) if isinstance(source, data.Stream) else source
