"""Samples from arrays and NumPy files."""

import numpy as np

from zoo.core import arrays_file, reading
from zoo.core.errors import DataError, unknown_name
from zoo.data.source import Source

_KEYS = (("samples", "labels"), ("images", "labels"), ("x", "y"))
_SPLIT_KEYS = {split: (f"x_{split}", f"y_{split}") for split in ("train", "test")}


def from_array(samples, labels=None, name="array", **about):
    """A `Source` of an array (samples, ...), or of what NumPy makes one of: a list, a pandas DataFrame, a tensor."""
    try:
        samples = np.asarray(samples)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: expected an array of numbers (samples, ...). Received {type(samples).__name__} ({error})."
        ) from error
    return Source(samples, labels, name=name, **about)


def load_file(path, split="test"):
    """A `Source` from a .npy array, or from a .npz archive.

    An archive holds "samples" (or "images", or "x") and, optionally, "labels" (or "y"), which are returned for every
    split; or "x_train", "y_train", "x_test" and "y_test", of which those of `split` are. Single values "sampling_rate"
    (Hz), "unit" and "scale" are those of the `Source`. For labels see `Source`.

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


def facts(content, path):
    """The single values "sampling_rate", "unit" and "scale" of an archive, of those that it has, as a dictionary."""
    found = {}
    for key, kinds in (("sampling_rate", "fiu"), ("unit", "U"), ("scale", "fiu")):
        if key in content:
            value = content[key]
            if value.size != 1 or value.dtype.kind not in kinds:
                expected = "one text" if kinds == "U" else "one number"
                raise DataError(
                    f"{str(path)!r} has a {key} that is not {expected}. Received dtype {value.dtype} and shape"
                    f" {value.shape}."
                )
            found[key] = value.item()
    return found


def _from_archive(content, path, split):
    about = facts(content, path)
    keys = [key for key in content if key not in about]
    about["name"] = path.name
    for samples, labels in _KEYS:
        if samples in keys:
            return from_array(content[samples], content[labels] if labels in keys else None, **about)
    splits = [name for name, (samples, _) in _SPLIT_KEYS.items() if samples in keys]
    if not splits and len(keys) == 1:
        return from_array(content[keys[0]], **about)
    if not splits:
        raise DataError(
            f"{str(path)!r} has no array 'samples': expected samples and, optionally, labels; or x_train, y_train,"
            f" x_test, y_test. Received keys {keys[:20]}."
        )
    if split not in ("all", *splits):
        raise unknown_name(f"split of {str(path)!r}", split, splits)
    parts = [_SPLIT_KEYS[name] for name in splits if split in ("all", name)]
    samples = [content[samples] for samples, _ in parts]
    labels = [content[labels] for _, labels in parts if labels in keys]
    labels = np.concatenate(labels) if len(labels) == len(parts) else None
    return from_array(np.concatenate(samples), labels, split=split, **about)
