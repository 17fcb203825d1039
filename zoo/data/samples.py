"""Samples one after the other, as an exported model takes them, without TensorFlow unless the data needs it."""

import numpy as np

from zoo.core import reading
from zoo.core.errors import DataError
from zoo.data.image_files import all_images, image_file
from zoo.data.images import SUFFIXES


class Samples:
    """Named samples, read as they are needed: ``len()``, and an iterator of (name, array of `shape` and `dtype`).

    Args:
        data: a folder, all of whose .jpg and .png files are taken in the order of their paths; one such file; or what
            else `zoo.data.load` takes. Images are brought to `shape` as by `zoo.data.resize`.
        shape: shape of one sample.
        dtype: numpy.dtype to give: uint8 pixels, or float32, for which 8-bit pixels are divided by 255.
        split: "train", "test" or "all": of a dataset ("test" by default), or the subfolder of a folder to take.

    Attributes:
        title: what to call them.

    Raises:
        DataNotFoundError: nothing there, or a folder without images.
        DataError: images for a model that takes none, a file that is no image; arrays that are not numeric.
    """

    def __init__(self, data, shape, dtype=np.float32, split=None):
        self._shape, self._dtype = tuple(shape), np.dtype(dtype)
        path = reading.expanded(data)
        self._files = self._source = None
        self.title = str(data)
        if reading.kind(path) == "a folder":
            self._files = all_images(path if split in (None, "all") else path / split)
        elif path.suffix.lower() in SUFFIXES:
            self._files = image_file(path)
        else:
            from zoo.data import load

            self._source = load(data, split or "test", shape=self._shape if len(shape) == 3 else None)
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
            names, samples = self._files.names, (image for image, _ in self._files.examples(self._shape))
        else:
            names, samples = map(str, range(len(self))), self._source.images
        return ((name, self._as_dtype(sample)) for name, sample in zip(names, samples, strict=True))

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

    def _as_dtype(self, sample):
        if sample.dtype == self._dtype:
            return sample
        if self._dtype == np.uint8:
            raise DataError(f"This file takes raw pixels: expected samples of dtype uint8. Received {sample.dtype}.")
        return sample.astype("float32") / np.float32(255 if sample.dtype == np.uint8 else 1)
