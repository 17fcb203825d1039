"""What a model accepts, and the one check that samples, targets and weights pass, whatever form they came in."""

import contextlib
import dataclasses
import math

import numpy as np

from zoo.core import checks
from zoo.core.errors import DataError

_FORMS = (
    "an array, a list, a pandas DataFrame, a zoo.data.Source or Stream, a tf.data.Dataset, a generator of batches, or a"
    " keras.utils.PyDataset"
)


@dataclasses.dataclass(frozen=True)
class Contract:
    """What a model accepts.

    Targets must lie in [0, 1] if `unit_range`, and so must samples that are their own target. Samples that are input
    alone may leave that range, as noise does, but must not be 8-bit pixels from 0 to 255.

    Attributes:
        shape: shape of one sample.
        dtype: "float32", or "uint8" or "int16" for a model that takes raw integers.
        unit_range: True: targets lie in [0, 1]; False: samples may have any finite values; None: unknown, so that only
            what is clearly 8-bit pixels is refused.
        classes: number of classes of a classifier, whose targets are labels; None for an autoencoder, whose targets
            have the sample's shape.
        one_hot: the form of labels: True (samples, classes), False int (samples,), None whatever an own loss takes.
        sampling_rate: samples per second of signals, or None.
        unit: unit of the samples, or "".
        scale: what integers are multiplied with to become samples in `unit`, where that is known: they are refused as
            they are.
    """

    shape: tuple
    dtype: str = "float32"
    unit_range: bool | None = True
    classes: int | None = None
    one_hot: bool | None = None
    sampling_rate: float | None = None
    unit: str = ""
    scale: float | None = None

    @property
    def takes_integers(self) -> bool:
        """Whether samples are raw integers."""
        return self.dtype in ("uint8", "int16")

    def check_rate(self, sampling_rate: float | None) -> None:
        """Raise `DataError` for signals of another sampling rate than the model's; an unknown rate passes."""
        if sampling_rate is None or self.sampling_rate is None:
            return
        if not math.isclose(sampling_rate, self.sampling_rate, rel_tol=1e-3):
            raise DataError(
                f"The samples have a sampling rate of {sampling_rate:g} Hz, the model takes {self.sampling_rate:g} Hz:"
                " resample them, for instance with scipy.signal.resample_poly, or choose a model of their rate."
            )

    def refuse_integers(self, x: np.ndarray) -> None:
        """Raise `DataError` for integers, such as PCM sound, where floats in a unit are expected."""
        if self.scale is not None and x.dtype.kind in "iu":
            unit = f" in {self.unit}" if self.unit else ""
            raise DataError(
                f"x holds integers of dtype {x.dtype}, and the model takes floats{unit}: multiply them by"
                f" {self.scale:g}, or export the model with raw_input=True."
            )


@contextlib.contextmanager
def naming(name):
    """Around checks of samples that are not called x: the message begins with what they are called."""
    try:
        yield
    except DataError as error:
        if name == "x" or str(error).startswith("In "):
            raise
        raise DataError(f"In {name}: {error}") from None


def check(x, y, sample_weight, contract, *, target=True, labels="required", given=True, pixels=False):
    """The three as arrays that `contract` accepts, or None where there is none.

    Args:
        x, y, sample_weight: anything that NumPy makes an array of.
        contract: `Contract`.
        target, labels: as for `take`.
        given: `y` was named as such; else it came along with `x` and may be labels that an autoencoder leaves out.
        pixels: `x` holds 8-bit pixels that will be divided by 255.

    Raises:
        DataError: see `take`.
    """
    if x is None:
        raise DataError(f"x is missing: expected {_FORMS}. Received None.")
    x = array(x, "x")
    if labels == "dropped":
        y = sample_weight = None
    y, sample_weight = (None if a is None else array(a, n) for a, n in ((y, "y"), (sample_weight, "sample_weight")))
    autoencoder = contract.classes is None
    if autoencoder and y is not None and labels == "required" and y.shape[1:] != tuple(contract.shape):
        if given:
            refuse_target(y, contract)
        y = None
    if contract.takes_integers or pixels:
        if not x.size:
            raise DataError(
                f"x is empty: expected at least one sample of shape {contract.shape}. Received shape {x.shape}."
            )
        checks.check_shape(x.shape, contract.shape)
        expected = "uint8" if pixels else contract.dtype
        if x.dtype != expected:
            raw = "pixels" if expected == "uint8" else "samples"
            remedy = " zoo.preprocessing.Rescale.to_integers makes them of floats." if expected == "int16" else ""
            raise DataError(f"The model takes raw {raw}: expected dtype {expected}. Received {x.dtype}.{remedy}")
    else:
        contract.refuse_integers(x)
        itself = target and autoencoder and y is None
        x = checks.images(x, contract.shape, unit_range=contract.unit_range, target=itself)
    for name, array_ in (("y", y), ("sample_weight", sample_weight)):
        if array_ is not None and (array_.ndim == 0 or len(array_) != len(x)):
            entries = len(array_) if array_.ndim else "no"
            raise DataError(f"{name} must have one entry per sample. Received {len(x)} samples and {entries} entries.")
    if labels == "required":
        if not autoencoder:
            y = labels_for(contract, y)
        elif y is not None:
            y = checks.images(y, contract.shape, unit_range=contract.unit_range, name="y")
    if sample_weight is not None:
        sample_weight = _weights(sample_weight, () if contract.classes else contract.shape)
    return x, y, sample_weight


def array(value, name):
    """`value` as a NumPy array in the machine's byte order, floats as float32.

    Raises:
        DataError: NumPy makes no array of it: a ragged list, or an object of another kind.
    """
    try:
        value = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name} is no array: its entries differ in shape or type ({error}).") from None
    if value.dtype == object and value.ndim == 0:
        raise DataError(f"{name} is of an unknown type: expected {_FORMS}. Received {type(value.item()).__name__}.")
    if value.dtype.kind == "f" or "float" in value.dtype.name:  # bfloat16 is no NumPy kind
        return value.astype("float32", copy=False)
    return value.astype(value.dtype.newbyteorder("="), copy=False)


def refuse_target(y, contract):
    """Raise `DataError` for a `y` that has not the shape of an autoencoder's samples."""
    if y.ndim == len(contract.shape) + 1:
        checks.check_shape(y.shape, contract.shape, name="y")
    raise DataError(
        "The target of an autoencoder has the shape of its input, (samples,"
        f" {', '.join(map(str, contract.shape))}). Received y with shape {y.shape}."
        " Leave y out to reconstruct x; to learn labels, use zoo.classifier(model.encoder, num_classes)."
    )


def labels_for(contract, y):
    """`y` as a classifier's loss takes it, or `DataError`."""
    classes = contract.classes
    if y is None:
        raise DataError("Labels are missing: expected y, int class labels (samples,). Received None.")
    received = f"Received dtype {y.dtype} and shape {y.shape}"
    if y.dtype.kind not in "fiub":
        raise DataError(
            f"y must hold one int label from 0 to {classes - 1} per sample. {received}."
            " Number the names of classes with np.unique(y, return_inverse=True)[1]."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"y holds NaN or infinite values, first at index {int(np.argmin(np.isfinite(y)))}.")
    if contract.one_hot is None and (y.ndim > 2 or y.shape[1:] not in ((), (1,))):
        return y
    if contract.one_hot:
        if y.shape != (len(y), classes):
            raise DataError(
                f"The loss takes one-hot labels (samples, {classes}). {received}. Pass"
                f" keras.utils.to_categorical(y, {classes}), or compile with loss='sparse_categorical_crossentropy'."
            )
        return y
    if y.shape == (len(y), classes) and classes > 1:
        raise DataError(
            f"The loss takes int labels (samples,), and y is one-hot. {received}. Pass y.argmax(axis=-1), or compile"
            " with loss='categorical_crossentropy'."
        )
    if y.shape not in ((len(y),), (len(y), 1)):
        raise DataError(f"y must hold one int label from 0 to {classes - 1} per sample. {received}.")
    y = y.reshape(len(y))
    low, high = y.min(), y.max()
    whole = y.dtype.kind != "f" or np.array_equal(y, np.round(y))
    if whole and low >= 0 and high < classes:
        return y
    if contract.one_hot is None and not whole:
        return y
    raise DataError(
        f"y must hold one int label from 0 to {classes - 1} per sample. Received dtype {y.dtype}, values from {low} to"
        f" {high}."
    )


def _weights(weights, inner):
    """`weights` as float32; `inner` is the shape within a sample that they may have, or the beginning of it."""
    shape = weights.shape[1:]
    fits = len(shape) <= max(len(inner), 1) and all(a in (1, b) for a, b in zip(shape, inner or (1,), strict=False))
    if weights.dtype.kind not in "fiub" or not fits:
        elements = ", ".join(map(str, inner[:-1] or inner))
        expected = "(samples,)" + (f", or one per element: (samples, {elements})" if inner else "")
        raise DataError(
            f"sample_weight must hold numbers of shape {expected}. Received dtype {weights.dtype} and shape"
            f" {weights.shape}."
        )
    weights = weights.astype("float32", copy=False)
    if not np.isfinite(weights).all():
        raise DataError("sample_weight holds NaN or infinite values.")
    return weights


BALANCED = "balanced"


def class_weights(class_weight, y):
    """One float32 weight per sample from a dictionary of weights by class; classes that it does not name weigh 1.

    "balanced": samples / (classes · samples of the class), as scikit-learn has it, so that all classes count alike.
    """
    classes = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y)).astype("int64")
    if class_weight == BALANCED:
        _, positions, counts = np.unique(classes, return_inverse=True, return_counts=True)
        return (len(y) / (len(counts) * counts)).astype("float32")[positions]
    table = np.ones(max([int(classes.max()), *class_weight]) + 1, "float32")
    table[list(class_weight)] = list(class_weight.values())
    return table[classes]


def check_class_weight(class_weight, contract, sample_weight):
    """Raise `DataError` unless it is "balanced", or a dict of class number to a weight, finite and not negative.

    Args:
        class_weight: what `fit` was given.
        contract: `Contract` of a classifier; others take no class weights.
        sample_weight: None, because both together are refused.
    """
    if contract.classes is None or sample_weight is not None:
        raise DataError("class_weight needs a classifier's labels y, and cannot be combined with sample_weight.")
    if isinstance(class_weight, str) and class_weight == BALANCED:
        return
    fits = isinstance(class_weight, dict) and all(
        _is_number(key, int, np.integer)
        and 0 <= key < contract.classes
        and _is_number(value, int, float, np.number)
        and 0 <= value < float("inf")
        for key, value in class_weight.items()
    )
    if not fits:
        raise DataError(
            f"class_weight must be a dictionary of classes from 0 to {contract.classes - 1} to numbers of at least 0,"
            " or 'balanced'."
            f" Received: {class_weight!r}."
        )


def _is_number(value, *kinds):
    return isinstance(value, kinds) and not isinstance(value, bool)
