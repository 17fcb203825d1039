"""Samples one after the other, as an exported model takes them, without TensorFlow unless the data needs it."""

import pathlib

import numpy as np

from zoo.core.errors import DataError, DataNotFoundError

_SUFFIXES = {".jpg", ".jpeg", ".png"}
_MODES = {1: "L", 3: "RGB"}


class Samples:
    """Named samples, read as they are needed: ``len()``, and an iterator of (name, array of `shape` and `dtype`).

    Args:
        data: a folder, all of whose .jpg and .png files are taken in the order of their paths; one such file; a .npy or
            .npz file; or what else `zoo.data.load` takes, which needs TensorFlow. Images are converted to the channels
            of `shape`, and resized to it (bilinear, antialiased) if they have another size.
        shape: shape of one sample.
        dtype: numpy.dtype to give: uint8 pixels, or float32, for which 8-bit pixels are divided by 255.
        split: "train", "test" or "all": of a dataset ("test" by default), or the subfolder of a folder to take.

    Raises:
        DataNotFoundError: nothing there, or a folder without images.
        DataError: images for a model that takes none, a file that is no image; arrays that are not numeric.
    """

    def __init__(self, data, shape, dtype=np.float32, split=None):
        self._shape, self._dtype = tuple(shape), np.dtype(dtype)
        path = pathlib.Path(data).expanduser()
        if path.is_dir():
            self._root = path if split in (None, "all") else path / split
            self._items = _images_in(self._root)
        elif path.suffix.lower() in _SUFFIXES:
            self._root, self._items = path.parent, [path]
        else:
            self._root, self._items = None, _source(path, data, shape, split)
        if self._root and (len(shape) != 3 or shape[-1] not in _MODES):
            raise DataError(
                f"Image files suit models of images, shape (height, width, 1 or 3). Received {self._shape}:"
                " pass a .npy file of samples instead."
            )

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        if self._root:
            for path in self._items:
                yield path.relative_to(self._root).as_posix(), self._as_dtype(_read(path, self._shape))
        else:
            for index in range(len(self)):
                yield str(index), self._as_dtype(self._items.images[index])

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


def _images_in(folder):
    if not folder.is_dir():
        raise DataNotFoundError(f"No such folder: {str(folder)!r}.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not found:
        raise DataNotFoundError(f"No images in {str(folder)!r}: expected .jpg or .png files, in any subfolder.")
    return found


def _read(path, shape):
    """uint8 pixels (*shape) of an image file."""
    from PIL import Image

    height, width, channels = shape
    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":
                raise DataError(f"{str(path)!r} has more than 8 bits a channel: expected 8-bit JPEG or PNG images.")
            image = image.convert(_MODES[channels])
            if image.size != (width, height):
                image = image.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(image).reshape(shape)
    except (OSError, SyntaxError) as error:  # Pillow's errors for damaged files
        raise DataError(f"{str(path)!r} is not an image that can be read: {error}. Remove or repair it.") from error


def _source(path, data, shape, split):
    if path.suffix in (".npy", ".npz"):
        from zoo.data.arrays import load_file

        return load_file(path)
    from zoo.data import load

    return load(data, split or "test", shape=shape if len(shape) == 3 else None)
