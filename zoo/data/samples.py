"""Samples one after the other, as an exported model takes them, without TensorFlow unless the data needs it."""

import numpy as np

from zoo.core import reading
from zoo.core.errors import DataError
from zoo.data.image_files import all_images, image_file
from zoo.data.images import SUFFIXES
from zoo.data.source import PIXEL_SCALE, in_unit, of_one_channel


class Samples:
    """Named samples, read as they are needed: ``len()``, and an iterator of (name, array of `shape` and `dtype`).

    Args:
        data: a folder, all of whose pictures are taken in the order of their paths; one such file; or what
            else `zoo.data.load` takes. Images are brought to `shape` as by `zoo.data.resize`.
        shape: shape of one sample.
        dtype: numpy.dtype to give: float32 for values in the unit of the data, for which 8-bit pixels are divided by
            255 and 16-bit sound by 32,768; or the type of raw samples as they are stored, such as uint8 or int16.
        split: "train", "test" or "all": of a dataset ("test" by default), or the subfolder of a folder to take.
        follow_links: as of `zoo.data.load`.

    Attributes:
        title: what to call them.

    Raises:
        DataNotFoundError: nothing there, or a folder without images.
        DataError: images for a model that takes none, a file that is no image; arrays that are not numeric.
    """

    def __init__(self, data, shape, dtype=np.float32, split=None, follow_links=False):
        self._shape, self._dtype = tuple(shape), np.dtype(dtype)
        path = reading.expanded(data)
        self._files = self._source = None
        self.title = str(data)
        if reading.kind(path) == "a folder":
            self._files = all_images(path if split in (None, "all") else path / split, follow_links)
        elif path.suffix.lower() in SUFFIXES:
            self._files = image_file(path)
        else:
            from zoo.data import load

            shape = self._shape if len(self._shape) == 3 else None
            source = load(data, split or "test", shape=shape, follow_links=follow_links)
            self._source = of_one_channel(source, self._shape)
            self.title = f"{self._source.name} ({self._source.split})"
        if self._files and (len(shape) != 3 or shape[-1] not in (1, 3)):
            raise DataError(
                f"Image files suit models of images, shape (height, width, 1 or 3). Received {self._shape}:"
                " pass a .npy file of samples instead."
            )

    def __len__(self):
        return len(self._files or self._source)

    def __iter__(self):
        if self._files:
            names = map(_printable, self._files.names)
            samples = (image for image, _ in self._files.examples(self._shape))
        else:
            names, samples = map(str, range(len(self))), self._source.samples
        scale = PIXEL_SCALE if self._files else self._source.scale
        return ((name, self._as_dtype(sample, scale)) for name, sample in zip(names, samples, strict=True))

    def batches(self, size=32):
        """Iterator of (names, array (samples, *shape)) of up to `size` samples."""
        names, batch = [], []
        for name, sample in self:
            names.append(name)
            batch.append(sample)
            if len(batch) == size:
                yield names, np.stack(batch)
                names, batch = [], []
        if batch:
            yield names, np.stack(batch)

    def _as_dtype(self, sample, scale):
        if sample.dtype == self._dtype:
            return sample
        if self._dtype.kind in "iu":
            kind = "pixels" if self._dtype == np.uint8 else "samples"
            raise DataError(
                f"This file takes raw {kind}: expected samples of dtype {self._dtype}. Received {sample.dtype}."
            )
        return in_unit(sample, scale)


def _printable(name):
    """A file's name as text that every output takes: bytes that are not UTF-8 become escapes such as \\xff."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
