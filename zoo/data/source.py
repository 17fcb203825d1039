"""A zoo data source: samples in memory, with their labels and where they come from."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.core.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Samples of one split of one dataset.

    Attributes:
        images: array (samples, *shape) of numbers: uint8 pixels as they are stored, or floats in [0, 1].
        labels: int64 array (samples,), or None. Given as one-hot rows they become the numbers of the classes; given as
            strings, numbers in the sorted order of the distinct ones, which become the `class_names`.
        name: name of the dataset, for instance "mnist".
        split: "train", "test" or "all".
        version: version of the dataset, "" if it has none.
        class_names: names of the classes, in the order of the labels.

    Raises:
        DataError: no samples, samples that are not numbers, or labels that are not one class per sample.

    Example:
        >>> source = zoo.data.load("digits")
        >>> source.pixels().shape, source.labels.shape
        ((1438, 8, 8, 1), (1438,))
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "array"
    split: str = "all"
    version: str = ""
    class_names: tuple[str, ...] = ()

    def __post_init__(self):
        images = np.asarray(self.images)
        if images.dtype.kind not in "fiub" or images.ndim < 2:
            raise DataError(
                f"{self.name}: expected a numeric array (samples, ...), with at least one axis for the values of a"
                f" sample. Received dtype {images.dtype} and shape {images.shape}."
            )
        if images.size == 0:
            raise DataError(f"Dataset {self.name!r} is empty: expected at least one sample. Received {images.shape}.")
        object.__setattr__(self, "images", images)
        if self.labels is not None:
            labels, names = class_numbers(self.labels, len(images), f"Dataset {self.name!r}")
            object.__setattr__(self, "labels", labels)
            object.__setattr__(self, "class_names", names or self.class_names)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.images.shape[1:])

    def pixels(self) -> np.ndarray:
        """The samples as float32; 8-bit pixels are divided by 255."""
        if self.images.dtype == np.uint8:
            return self.images.astype("float32") / np.float32(255)
        return self.images.astype("float32", copy=False)

    def subset(self, indices: Any) -> "Source":
        """The samples at `indices` (anything that indexes an array), as a Source."""
        labels = None if self.labels is None else self.labels[indices]
        return dataclasses.replace(self, images=self.images[indices], labels=labels)

    def part(self, begin: int, end: int) -> "Source":
        """The samples from number `begin` up to `end`, as a Source that shares their memory."""
        return self.subset(slice(begin, end))

    def resized(self, shape: Sequence[int]) -> "Source":
        """The samples brought to `shape` by `zoo.data.resize`; unchanged if they have it."""
        from zoo.data.images import resize

        if self.shape == tuple(shape):
            return self
        return dataclasses.replace(self, images=resize(self.images, shape))


def class_numbers(labels, count, name):
    """Labels in one of the forms that `Source` takes, as int64 (samples,), and the names of string labels or ().

    Raises:
        DataError: not one label per sample, or labels that name no class.
    """
    labels = np.asarray(labels)
    if labels.ndim == 0 or len(labels) != count:
        received = f"{len(labels)} labels" if labels.ndim else "a single label"
        raise DataError(f"{name} needs one label per sample. Received {count} samples and {received}.")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and labels.dtype.kind in "fiub":
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DataError(
                f"{name} has labels of shape {labels.shape} that are not one-hot: expected one class per sample, as"
                " integers (samples,) or rows with a single 1."
            )
        labels = labels.argmax(axis=1)
    if labels.ndim > 1:
        raise DataError(f"{name} needs one label per sample: expected labels (samples,). Received {labels.shape}.")
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{name} has labels that are not UTF-8 text ({error}).") from error
    if labels.dtype.kind == "U" or (labels.dtype.kind in "OT" and all(isinstance(label, str) for label in labels)):
        names, numbers = np.unique(labels.astype(str), return_inverse=True)
        return numbers.astype("int64"), tuple(names.tolist())
    with np.errstate(invalid="ignore"):  # NaN
        whole = labels.dtype.kind in "fiub" and (labels == labels.astype("int64")).all()
    if not whole:
        raise DataError(
            f"{name} has labels that name no class: expected integers, or strings."
            f" Received dtype {labels.dtype}, such as {labels[0]!r}."
        )
    return labels.astype("int64", copy=False), ()


def mixture(sources, name):
    """One Source of all samples of several, in an order drawn once, without labels.

    Args:
        sources: list of Source with samples of one shape.
        name: what the mixture is called.

    Raises:
        DataError: samples of different shapes.
    """
    shapes = {source.shape for source in sources}
    if len(shapes) > 1:
        raise DataError(
            f"The datasets of {name!r} have samples of different shapes: pass shape=(height, width, channels)."
            f" Received {sorted(shapes)}."
        )
    same = len({source.images.dtype for source in sources}) == 1
    images = np.concatenate([source.images if same else source.pixels() for source in sources])
    order = np.random.default_rng(0).permutation(len(images))
    version = "+".join(source.version for source in sources if source.version)
    return Source(images[order], None, name=name, split=sources[0].split, version=version)
