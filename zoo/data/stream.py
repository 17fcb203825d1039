"""A zoo data source that is read as it is needed, for datasets larger than memory, and reading it into memory."""

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.core.errors import DataError, MixedSizesError
from zoo.core.terminal import progress
from zoo.data.source import PIXEL_SCALE, Source, in_unit

if TYPE_CHECKING:
    import tensorflow as tf

_BLOCK = 64
_NAMED, _LOOKED_AT = 5, 200  # sizes in an error, and how many further images are looked at for them
_SMALL_BYTES = 2**28  # which any machine has


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """Samples of one split of one dataset, read as they are needed: images, windows of long recordings.

    Attributes:
        stored: where they come from: `ImageFiles`, `TFDSImages`, or `SeriesWindows`.
        shape: of every sample, such as (height, width, channels).
        name, split, version, class_names, sampling_rate, unit, scale, channels, normal_class: as of a `Source`.
        check: function of a batch of values that raises DataError, for those that `value_batches` gives; None for none.
        overlap: as of a `Source`.

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
    sampling_rate: float | None = None
    unit: str = ""
    scale: float | None = None
    channels: tuple[str, ...] = ()
    normal_class: int | None = None
    check: Callable[[np.ndarray], Any] | None = None
    overlap: int = 0

    def __post_init__(self):
        if self.scale is None and self.dtype == np.uint8:
            object.__setattr__(self, "scale", PIXEL_SCALE)

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def dtype(self) -> np.dtype:
        """Of the samples as they are stored."""
        return np.dtype(getattr(self.stored, "dtype", "uint8"))

    @property
    def is_pixels(self) -> bool:
        """Whether the samples are 8-bit pixels, whose values are in [0, 1]."""
        return self.dtype == np.uint8 and self.scale == PIXEL_SCALE

    def resized(self, shape: Sequence[int]) -> "Stream":
        """The stream with images brought to `shape`; unchanged if they have it."""
        if self.shape != tuple(shape) and len(self.shape) != 3:
            raise DataError(f"Only images can be resized. Received samples of shape {self.shape} and shape={shape}.")
        return dataclasses.replace(self, shape=tuple(shape))

    def batches(self, batch_size: int, seed: int | None = None, skip: int = 0) -> Iterator[np.ndarray]:
        """Iterator of arrays (batch size, *shape) of samples as they are stored, such as uint8 pixels.

        The last batch may be smaller. Images are read ahead.

        Args:
            batch_size: samples per batch.
            seed: shuffle, in an order that follows from the seed alone: files and windows are permuted, a TFDS dataset
                goes through a buffer of 64 MB. None keeps the order.
            skip: samples to leave out at the beginning.

        Raises:
            DataError: a file that cannot be read.
        """
        examples = self.stored.examples(self.shape, seed, skip)
        while batch := [sample for sample, _ in itertools.islice(examples, batch_size)]:
            yield np.stack(batch)

    def value_batches(self, batch_size: int, seed: int | None = None, skip: int = 0) -> Iterator[np.ndarray]:
        """`batches` as float32 in `unit`, as `Source.values` gives them."""
        for batch in self.batches(batch_size, seed, skip):
            values = in_unit(batch, self.scale)
            if self.check is not None:
                self.check(values)
            yield values

    def dataset(self, seed: int | None = None) -> "tf.data.Dataset":
        """`batches` as a tf.data.Dataset of single samples."""
        import tensorflow as tf

        blocks = tf.data.Dataset.from_generator(
            lambda: self.batches(_BLOCK, seed), output_signature=tf.TensorSpec((None, *self.shape), self.dtype)
        )
        return blocks.unbatch().apply(tf.data.experimental.assert_cardinality(len(self)))

    def head(self, samples: int) -> Source:
        """The first `samples` of the stream, in memory, as a `Source`."""
        about = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("stored", "shape", "check"):
            del about[name]
        return read(self.stored.part(0, min(samples, len(self))), self.shape, **about)

    def part(self, begin: int, end: int) -> "Stream":
        """The samples from number `begin` up to `end`, as a Stream."""
        return dataclasses.replace(self, stored=self.stored.part(begin, end))


def open_stream(stored, shape, **about):
    """A `Stream` of `stored`, whose images have one size or are brought to `shape`.

    Raises:
        MixedSizesError: images that may differ in size and no shape to bring them to.
        DataError: no images.
    """
    shape = shape or stored.shape
    if shape is None:
        raise MixedSizesError(
            f"The images of {about['name']!r} may differ in size: pass shape=(height, width, channels) to stream them"
            " resized.",
            [],
        )
    _not_empty(stored, about)
    return Stream(stored, tuple(shape), **about)


def read(stored, shape, **about):
    """A `Source` of all images of `stored`, brought to `shape` while they are read unless that is None.

    Raises:
        MixedSizesError: images that differ in size or channels and no shape to bring them to.
        DataError: a file that cannot be read, or no images.
    """
    _not_empty(stored, about)
    pixels, labels = None, []
    with progress(len(stored), about["name"], "samples") as advance:
        examples = stored.examples(shape)
        for i, (image, label) in enumerate(examples):
            if pixels is None:
                pixels = empty((len(stored), *image.shape), image.dtype, f"The samples of {about['name']!r}")
            if image.shape != pixels.shape[1:]:
                raise _mixed_sizes(about["name"], [pixels.shape[1:], image.shape], examples)
            pixels[i] = image
            labels.append(label)
            advance()
    return Source(pixels, None if labels[0] is None else np.array(labels), **about)


def _mixed_sizes(name, sizes, examples):
    """The error for images of these and, among the next ones, other sizes."""
    with contextlib.suppress(DataError):  # a damaged file among them is for another day
        for image, _ in itertools.islice(examples, _LOOKED_AT):
            if len(sizes) < _NAMED and image.shape not in sizes:
                sizes.append(image.shape)
    return MixedSizesError(
        f"The images of {name!r} differ in size or channels ({', '.join(map(str, sizes))}, ...): pass"
        " shape=(height, width, channels) to bring them to one.",
        sizes,
    )


def empty(shape, dtype, what):
    """An array, if it fits into the free memory.

    Raises:
        DataError: it does not; the message begins with `what` does not fit.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > _SMALL_BYTES:
        import psutil

        available = psutil.virtual_memory().available
        if size > available:
            raise DataError(
                f"{what} do not fit into memory: they take {size:,} bytes, {available:,} are free. Pass stream=True,"
                " and for images a shape=(height, width, channels)."
            )
    return np.empty(shape, dtype)


def _not_empty(stored, about):
    if not len(stored):
        raise DataError(f"Dataset {about['name']!r} is empty: expected at least one sample.")
