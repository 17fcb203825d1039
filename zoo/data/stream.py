"""A zoo data source that is read as it is needed, for datasets larger than memory."""

import dataclasses
import itertools

import numpy as np

from zoo.core.errors import DataError
from zoo.data.reading import prepared
from zoo.data.source import Source

_SHUFFLE_BYTES = 64e6


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """Images of one split of one dataset, decoded and resized while they are read.

    Attributes:
        parts: list of (tf.data.Dataset of {"image", "label"} dictionaries, number of examples), read in this order.
        shape: (height, width, channels) of every image.
        name, split, version, class_names: as of a `Source`.

    Example:
        >>> stream = zoo.data.load("photos/", shape=(64, 64, 3), stream=True)
        >>> model.fit(stream, epochs=10, batch_size=256)
    """

    parts: list
    shape: tuple
    name: str
    split: str
    version: str = ""
    class_names: tuple = ()

    def __len__(self):
        return sum(count for _, count in self.parts)

    def resized(self, shape):
        """The stream with images brought to `shape`."""
        return stream_of(self.parts, shape, self.name, **self._description())

    def images(self, seed=None):
        """tf.data.Dataset of single uint8 images.

        Args:
            seed: shuffle in a buffer of 64 MB, in an order that follows from the seed alone; None keeps the order.
        """
        dataset = self._examples()
        if seed is not None:
            buffer = max(1, min(len(self), int(_SHUFFLE_BYTES / np.prod(self.shape))))
            dataset = dataset.shuffle(buffer, seed=seed, reshuffle_each_iteration=False)
        return dataset.map(lambda image, *label: image)

    def head(self, samples):
        """The first `samples` of the stream, in memory, as a `Source`."""
        rows = list(itertools.islice(self._examples().as_numpy_iterator(), samples))
        images, *labels = (np.stack(column) for column in zip(*rows, strict=True))
        labels = labels[0].astype("int64") if labels else None
        return Source(images, labels, **self._description())

    def part(self, begin, end):
        """The images from number `begin` up to `end`, as a Stream."""
        joined = self._joined().skip(begin).take(end - begin)
        return dataclasses.replace(self, parts=[(joined, end - begin)])

    def _description(self):
        return {name: getattr(self, name) for name in ("name", "split", "version", "class_names")}

    def _examples(self):
        return prepared(self._joined(), self.shape)

    def _joined(self):
        joined, *others = (dataset for dataset, _ in self.parts)
        for dataset in others:
            joined = joined.concatenate(dataset)
        return joined


def stream_of(parts, shape, title, **description):
    """A `Stream` of `parts`, whose images have one size or are brought to `shape`.

    Raises:
        DataError: images of unknown size and no shape to bring them to, a number of channels that cannot be reached, or
            no images.
    """
    stored = parts[0][0].element_spec["image"].shape
    shape = tuple(shape or stored)
    if None in shape:
        raise DataError(
            f"The images of {title} may differ in size: pass shape=(height, width, channels) to stream them resized."
        )
    if stored[-1] != shape[-1] and {stored[-1], shape[-1]} != {1, 3}:
        raise DataError(f"Images with {stored[-1]} channels cannot be brought to {shape[-1]}: {title}.")
    if not sum(count for _, count in parts):
        raise DataError(f"{title} is empty: expected at least one image.")
    return Stream(parts, shape, **description)
