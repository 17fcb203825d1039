"""A zoo data source that is read as it is needed, for datasets larger than memory, and reading it into memory."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.core.errors import DataError
from zoo.core.terminal import progress
from zoo.data.source import Source

if TYPE_CHECKING:
    import tensorflow as tf

_BLOCK = 64
_SMALL_BYTES = 2**28  # which any machine has


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """Images of one split of one dataset, decoded and resized while they are read.

    Attributes:
        stored: ImageFiles or TFDSImages: where the images come from.
        shape: (height, width, channels) of every image.
        name, split, version, class_names: as of a `Source`.

    Example:
        >>> stream = zoo.data.load("photos/", shape=(64, 64, 3), stream=True)
        >>> model.fit(stream, epochs=10, batch_size=256)
    """

    stored: Any
    shape: tuple[int, ...]
    name: str = "stream"
    split: str = "all"
    version: str = ""
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.stored)

    def resized(self, shape: Sequence[int]) -> "Stream":
        """The stream with images brought to `shape`."""
        return dataclasses.replace(self, shape=tuple(shape))

    def batches(self, batch_size: int, seed: int | None = None, skip: int = 0) -> Iterator[np.ndarray]:
        """Iterator of uint8 arrays (batch size, *shape), the last of which may be smaller; the next are read ahead.

        Args:
            batch_size: images per batch.
            seed: shuffle, in an order that follows from the seed alone: files are permuted, a TFDS dataset goes through
                a buffer of 64 MB. None keeps the order.
            skip: images to leave out at the beginning.

        Raises:
            DataError: a file that cannot be read.
        """
        examples = self.stored.examples(self.shape, seed, skip)
        while batch := [image for image, _ in itertools.islice(examples, batch_size)]:
            yield np.stack(batch)

    def dataset(self, seed: int | None = None) -> "tf.data.Dataset":
        """`batches` as a tf.data.Dataset of single uint8 images."""
        import tensorflow as tf

        blocks = tf.data.Dataset.from_generator(
            lambda: self.batches(_BLOCK, seed), output_signature=tf.TensorSpec((None, *self.shape), tf.uint8)
        )
        return blocks.unbatch().apply(tf.data.experimental.assert_cardinality(len(self)))

    def head(self, samples: int) -> Source:
        """The first `samples` of the stream, in memory, as a `Source`."""
        about = {name: getattr(self, name) for name in ("name", "split", "version", "class_names")}
        return read(self.stored.part(0, min(samples, len(self))), self.shape, **about)

    def part(self, begin: int, end: int) -> "Stream":
        """The images from number `begin` up to `end`, as a Stream."""
        return dataclasses.replace(self, stored=self.stored.part(begin, end))


def open_stream(stored, shape, **about):
    """A `Stream` of `stored`, whose images have one size or are brought to `shape`.

    Raises:
        DataError: images that may differ in size and no shape to bring them to, or no images.
    """
    shape = shape or stored.shape
    if shape is None:
        raise DataError(
            f"The images of {about['name']!r} may differ in size: pass shape=(height, width, channels) to stream them"
            " resized."
        )
    _not_empty(stored, about)
    return Stream(stored, tuple(shape), **about)


def read(stored, shape, **about):
    """A `Source` of all images of `stored`, brought to `shape` while they are read unless that is None.

    Raises:
        DataError: images that differ in size or channels and no shape to bring them to, a file that cannot be read, or
            no images.
    """
    _not_empty(stored, about)
    pixels, labels = None, []
    with progress(len(stored), about["name"], "images") as advance:
        for i, (image, label) in enumerate(stored.examples(shape)):
            if pixels is None:
                pixels = _empty((len(stored), *image.shape), about["name"])
            if image.shape != pixels.shape[1:]:
                raise DataError(
                    f"The images of {about['name']!r} differ in size or channels ({pixels.shape[1:]}, {image.shape},"
                    " ...): pass shape=(height, width, channels) to bring them to one."
                )
            pixels[i] = image
            labels.append(label)
            advance()
    return Source(pixels, None if labels[0] is None else np.array(labels), **about)


def _empty(shape, name):
    size = math.prod(shape)
    if size > _SMALL_BYTES:
        import psutil

        available = psutil.virtual_memory().available
        if size > available:
            raise DataError(
                f"The images of {name!r} do not fit into memory: they take {size:,} bytes, {available:,} are free. Pass"
                " a smaller shape=(height, width, channels), or stream=True with it."
            )
    return np.empty(shape, "uint8")


def _not_empty(stored, about):
    if not len(stored):
        raise DataError(f"Dataset {about['name']!r} is empty: expected at least one image.")
