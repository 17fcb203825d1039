"""Samples from NumPy arrays and files."""

import numpy as np

from zoo.core.errors import DataError, DataNotFoundError
from zoo.data.source import Source

_IMAGE_KEYS, _LABEL_KEYS = ("images", "x", "x_train"), ("labels", "y", "y_train")


def from_array(images, labels=None, name="array"):
    """A `Source` of an array (samples, ...): uint8 pixels, or floats."""
    images = np.asarray(images)
    if images.dtype.kind not in "fiub" or images.ndim < 2:
        raise DataError(
            f"{name}: expected a numeric array (samples, ...). Received dtype {images.dtype} and shape {images.shape}."
        )
    return Source(images=images, labels=None if labels is None else np.asarray(labels).ravel(), name=name)


def load_file(path):
    """A `Source` from a .npy array, or from a .npz archive with "images" and, if it has them, "labels"."""
    if not path.is_file():
        raise DataNotFoundError(f"No such file: {str(path)!r}. Expected a .npy array or a .npz archive.")
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{str(path)!r} is not a plain NumPy file ({error}). Write it with numpy.save.") from error
    if isinstance(content, np.ndarray):
        return from_array(content, name=path.name)
    with content:
        keys = content.files
        images = next((k for k in _IMAGE_KEYS if k in keys), keys[0] if len(keys) == 1 else None)
        if images is None:
            raise DataError(
                f"{str(path)!r} has no array 'images': expected images and, optionally, labels. Received keys {keys}."
            )
        labels = next((content[k] for k in _LABEL_KEYS if k in keys), None)
        return from_array(content[images], labels, name=path.name)
