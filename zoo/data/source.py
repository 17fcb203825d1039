"""A zoo data source: samples in memory, with their labels and where they come from."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.core.errors import DataError

PIXEL_SCALE = 1 / 255


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Samples of one split of one dataset: images, windows of a signal, rows of a table.

    Attributes:
        samples: array (samples, *shape) of numbers, as they are stored: uint8 pixels, int16 PCM, counts of a converter,
            or floats. May be a view whose rows share memory, such as overlapping windows.
        labels: int64 array (samples,), or None. Given as one-hot rows they become the numbers of the classes; given as
            strings, numbers in the sorted order of the distinct ones, which become the `class_names`.
        name: name of the dataset, for instance "mnist".
        split: "train", "test" or "all".
        version: version of the dataset, "" if it has none.
        class_names: names of the classes, in the order of the labels.
        sampling_rate: of signals, in Hz; None if unknown, or if the samples are no signals.
        unit: of the values, such as "mV" or "g"; "" if they have none.
        scale: what an integer sample is multiplied with to be in `unit`: 1/255 for uint8 pixels, the default for uint8;
            1/32768 for 16-bit sound; None for plain numbers and for floats.
        channels: names of the last axis of signals with several, in this order; () if they have none.
        normal_class: label of the samples that are normal; None if no class is.
        groups: who or what each sample is of, as a number or a name: speaker, patient, record; None if unknown.
            Samples of one group must not be in training and test, where a model is for others.
        overlap: how many of the next samples share values with a sample, as windows do of which one begins before the
            other ends. A `validation_split` leaves so many out.

    Raises:
        DataError: no samples, samples that are not numbers, or labels or groups that are not one per sample; a sampling
            rate or scale that is no positive number, or a scale of floats.

    Example:
        >>> source = zoo.data.load("digits")
        >>> source.values().shape, source.labels.shape
        ((1438, 8, 8, 1), (1438,))
    """

    samples: np.ndarray
    labels: np.ndarray | None = None
    name: str = "array"
    split: str = "all"
    version: str = ""
    class_names: tuple[str, ...] = ()
    sampling_rate: float | None = None
    unit: str = ""
    scale: float | None = None
    channels: tuple[str, ...] = ()
    normal_class: int | None = None
    groups: np.ndarray | None = None
    overlap: int = 0

    def __post_init__(self):
        samples = np.asarray(self.samples)
        if samples.dtype.kind not in "fiub" or samples.ndim < 2:
            raise DataError(
                f"{self.name}: expected a numeric array (samples, ...), with at least one axis for the values of a"
                f" sample. Received dtype {samples.dtype} and shape {samples.shape}."
                + " One long recording becomes samples by zoo.data.windows."
                * (samples.ndim == 1 < samples.size)
            )
        if samples.size == 0:
            raise DataError(f"Dataset {self.name!r} is empty: expected at least one sample. Received {samples.shape}.")
        object.__setattr__(self, "samples", samples)
        scale = PIXEL_SCALE if self.scale is None and samples.dtype == np.uint8 else self.scale
        if scale is not None and samples.dtype.kind not in "iu":
            raise DataError(
                f"Dataset {self.name!r} has a scale, which is of integer samples: leave it out. Received scale="
                f"{scale!r} and samples of dtype {samples.dtype}."
            )
        object.__setattr__(self, "scale", positive("scale", scale))
        object.__setattr__(self, "sampling_rate", positive("sampling_rate", self.sampling_rate))
        if self.labels is not None:
            labels, names = class_numbers(self.labels, len(samples), f"Dataset {self.name!r}")
            object.__setattr__(self, "labels", labels)
            object.__setattr__(self, "class_names", names or self.class_names)
        if self.groups is not None:
            groups = np.asarray(self.groups)
            if groups.shape != samples.shape[:1] or groups.dtype.kind not in "iuU":
                raise DataError(
                    f"Dataset {self.name!r} needs one group per sample, a whole number or a name. Received"
                    f" {len(samples)} samples and groups of dtype {groups.dtype} and shape {groups.shape}."
                )
            object.__setattr__(self, "groups", groups)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def images(self) -> np.ndarray:
        """`samples`, of images."""
        return self.samples

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.samples.shape[1:])

    @property
    def is_pixels(self) -> bool:
        """Whether the samples are 8-bit pixels, whose values are in [0, 1]."""
        return self.samples.dtype == np.uint8 and self.scale == PIXEL_SCALE

    def values(self) -> np.ndarray:
        """The samples as float32 in `unit`: integers are multiplied with `scale`, floats are as they are."""
        return in_unit(self.samples, self.scale)

    def pixels(self) -> np.ndarray:
        """`values`, of images: float32 in [0, 1]."""
        return self.values()

    def subset(self, indices: Any) -> "Source":
        """The samples at `indices` (anything that indexes an array), as a Source."""
        parts = {field: getattr(self, field) for field in ("samples", "labels", "groups")}
        parts = {field: None if values is None else values[indices] for field, values in parts.items()}
        return dataclasses.replace(self, **parts)

    def part(self, begin: int, end: int) -> "Source":
        """The samples from number `begin` up to `end`, as a Source that shares their memory."""
        return self.subset(slice(begin, end))

    def normals(self, normal: bool = True) -> "Source":
        """The samples of the normal class, or, with False, all others.

        Raises:
            DataError: no labels or no normal class is known, or there are no such samples.

        Example:
            >>> detector.fit_score(zoo.data.load("ecg5000").normals())
        """
        if self.labels is None or self.normal_class is None:
            raise DataError(f"Of dataset {self.name!r} it is not known which samples are normal: select them by hand.")
        return self.subset(np.flatnonzero((self.labels == self.normal_class) == normal))

    def resized(self, shape: Sequence[int], how: str = "stretch") -> "Source":
        """The samples brought to `shape` by `zoo.data.resize`; unchanged if they have it."""
        from zoo.data.images import resize

        if self.shape == tuple(shape):
            return self
        if self.samples.dtype == np.uint8:
            return dataclasses.replace(self, samples=resize(self.samples, shape, how=how))
        return dataclasses.replace(self, samples=resize(self.values(), shape, how=how), scale=None)


def of_one_channel(source, shape):
    """A `Source` of signals of one channel as a model takes them: (length,) or (length, 1); any other as it is."""
    shape = tuple(shape)
    if shape == (*source.shape, 1) or source.shape == (*shape, 1):
        return dataclasses.replace(source, samples=source.samples.reshape(len(source), *shape))
    return source


def in_unit(samples, scale):
    """An array of samples as float32 in their unit; `scale` as of a `Source`."""
    if scale == PIXEL_SCALE:  # divided, since a product with the rounded scale differs in the last bit
        return samples.astype("float32") / np.float32(255)
    values = samples.astype("float32", copy=False)
    return values if scale is None else values * np.float32(scale)


def positive(name, value):
    """`value` as a float, None as it is; `DataError` unless it is a positive number."""
    if value is None:
        return None
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not is_number or not 0 < value < float("inf"):
        raise DataError(f"{name} must be a positive number, or None. Received: {name}={value!r}.")
    return float(value)


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
    about = {"name": name, "split": sources[0].split}
    for field, unknown in (("sampling_rate", None), ("unit", "")):
        known = {getattr(source, field) for source in sources} - {unknown}
        if len(known) > 1:
            raise DataError(
                f"The datasets of {name!r} differ in {field}: bring them to one first. Received {sorted(known)}."
            )
        about[field] = next(iter(known), unknown)
    about["version"] = "+".join(source.version for source in sources if source.version)
    if len({(source.samples.dtype, source.scale) for source in sources}) == 1:
        samples, about["scale"] = np.concatenate([source.samples for source in sources]), sources[0].scale
    else:
        samples = np.concatenate([source.values() for source in sources])
    return Source(samples[np.random.default_rng(0).permutation(len(samples))], None, **about)
