"""Samples from arrays and NumPy files."""

import numpy as np

from zoo.core import arrays_file, reading
from zoo.core.errors import DataError, unknown_name
from zoo.data.source import Source

_KEYS = (("images", "labels"), ("x", "y"))
_SPLIT_KEYS = {split: (f"x_{split}", f"y_{split}") for split in ("train", "test")}


def from_array(images, labels=None, name="array", split="all"):
    """A `Source` of an array (samples, ...), or of what NumPy makes one of: a list, a pandas DataFrame, a tensor."""
    try:
        images = np.asarray(images)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: expected an array of numbers (samples, ...). Received {type(images).__name__} ({error})."
        ) from error
    return Source(images, labels, name=name, split=split)


def load_file(path, split="test"):
    """A `Source` from a .npy array, or from a .npz archive.

    An archive holds "images" (or "x") and, optionally, "labels" (or "y"), which are returned for every split; or
    "x_train", "y_train", "x_test" and "y_test", of which those of `split` are. For labels see `Source`.

    Raises:
        DataNotFoundError: no such file.
        UnknownNameError: an archive of other splits.
        DataError: not a plain NumPy file, other keys, or arrays that are no samples and labels.
    """
    with reading.opened(path) as file:
        is_archive = file.read(2) == b"PK"
    if not is_archive and path.suffix.lower() != ".npz":
        return from_array(arrays_file.read_array(path), name=path.name)
    with arrays_file.opened(path) as content:
        return _from_archive(content, path, split)


def _from_archive(content, path, split):
    keys = list(content)
    for images, labels in _KEYS:
        if images in keys:
            return from_array(content[images], content[labels] if labels in keys else None, name=path.name)
    splits = [name for name, (images, _) in _SPLIT_KEYS.items() if images in keys]
    if not splits and len(keys) == 1:
        return from_array(content[keys[0]], name=path.name)
    if not splits:
        raise DataError(
            f"{str(path)!r} has no array 'images': expected images and, optionally, labels; or x_train, y_train,"
            f" x_test, y_test. Received keys {keys[:20]}."
        )
    if split not in ("all", *splits):
        raise unknown_name(f"split of {str(path)!r}", split, splits)
    parts = [_SPLIT_KEYS[name] for name in splits if split in ("all", name)]
    images = [content[images] for images, _ in parts]
    labels = [content[labels] for _, labels in parts if labels in keys]
    labels = np.concatenate(labels) if len(labels) == len(parts) else None
    return from_array(np.concatenate(images), labels, name=path.name, split=split)
