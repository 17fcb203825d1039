"""The one way in: whatever a method was given becomes checked samples, targets and weights, and their number.

`take` serves what runs through Keras (`fit`, `evaluate`, `predict`), `collect` and `blocks` serve what needs arrays
(`encode`, `threshold`, `fine_tune`, `export`). All make the same checks, by `contract.check`: arrays pass it once, and
whatever yields batches passes it with every batch. Needs NumPy only, unless the samples are batches.
"""

import dataclasses
import sys

import numpy as np

from zoo.core import checks
from zoo.core.batches import TRAINING_BATCH_SIZE
from zoo.core.errors import DataError
from zoo.data.source import Source
from zoo.data.stream import Stream
from zoo.engine.contract import BALANCED, check, check_class_weight, class_weights, naming


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """What `take` makes of the given samples.

    Attributes:
        x: float32 array (samples, *shape), or uint8 if `pixels` or the model takes raw pixels; a `zoo.data.Stream`; or
            `zoo.engine.batches.Batches`, which contain their own targets and weights.
        y: array of targets or labels, or None.
        sample_weight: float32 array, (samples,) or one weight per element, or None.
        count: number of samples; of batches, the number of batches; None if unknown.
        pixels: `x` holds 8-bit pixels, for a model that takes them divided by 255.
        overlap: how many of the next samples share values with a sample, see `zoo.data.Source`.
    """

    x: object
    y: np.ndarray | None = None
    sample_weight: np.ndarray | None = None
    count: int | None = None
    pixels: bool = False
    overlap: int = 0

    @property
    def batches(self):
        """`x` where it yields batches, for Keras' own loop; else None."""
        return None if self.in_memory or isinstance(self.x, Stream) else self.x

    @property
    def ranks(self):
        """The number of axes of each part of a batch."""
        if self.batches is not None:
            return self.batches.ranks
        return tuple(None if part is None else part.ndim for part in (self.x, self.y, self.sample_weight))

    @property
    def in_memory(self):
        """Whether `x` is an array."""
        return isinstance(self.x, np.ndarray)

    def split(self, share):
        """These samples without their last `share`, and that share: Keras' `validation_split`.

        Samples that share values with the first of that share are in neither.
        """
        if not hasattr(self.x, "__len__"):
            raise DataError("validation_split needs samples in memory or a zoo.data.Stream: pass validation_data.")
        kept = int(np.floor(self.count * (1 - share)))
        if not 0 < share < 1 or kept in (0, self.count):
            raise DataError(
                f"validation_split must leave samples on both sides. Received validation_split={share} with"
                f" {self.count} samples."
            )
        if kept <= self.overlap:
            raise DataError(
                f"validation_split must leave samples apart from those that share values with the others, as windows do"
                f" that overlap. Received validation_split={share} with {self.count} samples, of which each shares"
                f" values with the next {self.overlap}."
            )
        return self._part(0, kept - self.overlap), self._part(kept, self.count)

    def _part(self, begin, end):
        if isinstance(self.x, Stream):
            return dataclasses.replace(self, x=self.x.part(begin, end), count=end - begin)
        arrays = (None if a is None else a[begin:end] for a in (self.x, self.y, self.sample_weight))
        return Samples(*arrays, count=end - begin, pixels=self.pixels)


def take(
    contract,
    x,
    y=None,
    sample_weight=None,
    *,
    class_weight=None,
    batch_size=None,
    target=True,
    labels="required",
    steps=None,
    steps_name="steps_per_epoch",
    name="x",
):
    """Checked `Samples` from any form.

    Args:
        contract: `Contract` of the model that is to take them.
        x: array, list, pandas DataFrame, `zoo.data.Source` or `Stream`; or batches: a `tf.data.Dataset` (of single
            samples too), a generator, a `keras.utils.PyDataset`. A batch is x, (x, y), (x, y, sample_weight) or the
            dictionary {"image", "label", "sample_weight"}; `x` may be such a dictionary of arrays as well.
        y: targets or labels, unless `x` contains them. For an autoencoder, labels in `x` are left out, as `y` refused.
        sample_weight: numbers (samples,), or one per element of a target: (samples, *shape) without its last axes.
        class_weight: dictionary of class to weight, for a classifier; "balanced" for labels in memory.
        batch_size: for a dataset of single samples.
        target: without `y`, `x` itself is what an autoencoder is to reconstruct.
        labels: "required" (targets of an autoencoder may always be missing), "dropped" with the weights, or "optional":
            the second part as it is, if there is one, whatever it means.
        steps: number of batches that will be read of an endless dataset.
        steps_name: the argument that sets it, if there is one.
        name: what to call `x` in a message.

    Raises:
        DataError: what is missing, empty, endless, of the wrong type, shape or range, NaN or infinite; a label that is
            no class; weights that do not fit. Batches raise it when they are read.

    Example:
        >>> samples = take(model.contract, images, sample_weight=weights)
        >>> samples.x.shape, samples.count
        ((1438, 8, 8, 1), 1438)
    """
    options = {"target": target, "labels": labels}
    batch_size = checks.positive_integer("batch_size", TRAINING_BATCH_SIZE if batch_size is None else batch_size)
    if class_weight is not None:
        check_class_weight(class_weight, contract, sample_weight)
    with naming(name):
        if _is_batches(x):
            from zoo.engine.batches import Batches

            if class_weight == BALANCED:
                raise DataError(
                    "class_weight='balanced' needs all labels at once, and x yields batches. Pass arrays, zoo.fine_tune"
                    " (which brings the samples into memory), or a dictionary {class: samples / (classes · samples of"
                    " the class)}."
                )
            if y is not None or sample_weight is not None:
                raise DataError("x yields batches, which contain targets and weights: leave y and sample_weight out.")
            batches = Batches(x, contract, batch_size, class_weight, name, options)
            if batches.endless and not steps:
                remedy = f"{steps_name}, or a finite part of it" if steps_name else "a finite part of it"
                raise DataError(f"x is endless: pass {remedy}, such as dataset.take(100).")
            return Samples(batches, count=batches.count)
        if isinstance(x, Stream):
            return _stream(x, y, sample_weight, contract, target, labels)
        pixels, given, overlap = False, True, x.overlap if isinstance(x, Source) else 0
        if isinstance(x, dict):
            x, label, weight = unpack(x, contract)
            y, given = (label, False) if y is None else (y, True)
            sample_weight = weight if sample_weight is None else sample_weight
        if isinstance(x, Source):
            contract.check_rate(x.sampling_rate)
            pixels = x.is_pixels and contract.dtype != "uint8"
            labels_of = y is None and x.labels is not None
            y, given = x.labels if labels_of else y, not labels_of
            if pixels or x.samples.dtype == contract.dtype:
                x = x.samples
            else:
                x = np.rint(x.values() * 255).astype("uint8") if contract.dtype == "uint8" else x.values()
        x, y, sample_weight = check(x, y, sample_weight, contract, given=given, pixels=pixels, **options)
        if class_weight is not None:
            sample_weight = class_weights(class_weight, y)
        return Samples(x, y, sample_weight, len(x), pixels, overlap)


def collect(contract, x, y=None, sample_weight=None, *, target=True, labels="required", name="x"):
    """All samples of any form as checked arrays in memory: (x, y, sample_weight); see `take` for the arguments.

    Returns:
        x: float32 array (samples, *shape), 8-bit pixels of a Source divided by 255; or uint8 if the model takes these.
        y, sample_weight: arrays or None.

    Example:
        >>> images, labels, _ = collect(contract, tf.data.Dataset.from_tensor_slices((images, labels)).batch(32))
    """
    options = {"target": target, "labels": labels, "name": name}
    columns = list(zip(*blocks(contract, x, y, sample_weight, **options), strict=True))
    return tuple(
        None if column[0] is None else column[0] if len(column) == 1 else np.concatenate(column) for column in columns
    )


def blocks(contract, x, y=None, sample_weight=None, *, target=True, labels="required", name="x", size=8192):
    """The samples of any form one block after the other, for what need not hold them all; see `take` for the arguments.

    Yields:
        (x, y, sample_weight) as `collect` returns them: an array as a whole, batches as they come, pixels of a Source
        or a Stream by `size` samples.
    """
    samples = take(contract, x, y, sample_weight, target=target, labels=labels, steps_name=None, name=name)
    if isinstance(samples.x, Stream):
        for values in samples.x.value_batches(size):
            yield values, None, None
    elif not samples.in_memory:
        yield from samples.x
    elif not samples.pixels:
        yield samples.x, samples.y, samples.sample_weight
    else:
        for begin in range(0, samples.count, size):
            part = samples._part(begin, begin + size)
            yield scaled(part.x), part.y, part.sample_weight


def scaled(pixels):
    """8-bit pixels as float32 in [0, 1]."""
    return pixels.astype("float32") / np.float32(255)


def unpack(element, contract):
    """The (x, y, sample_weight) that one batch, one element of a dataset, or `validation_data` consists of."""
    axes = len(contract.shape)
    if isinstance(element, list) and 1 < len(element) <= 3 and len(np.shape(element[0])) == axes + 1:
        element = tuple(element)  # [x, y], as Keras reads it; a list of samples has one axis less
    if not isinstance(element, (tuple, dict)):
        element = (element,)
    if isinstance(element, tuple):
        if not 1 <= len(element) <= 3:
            raise DataError(
                f"x must yield x, (x, y) or (x, y, sample_weight). Received a tuple of {len(element)} parts."
            )
        x, y, sample_weight = (*element, None, None)[:3]
        return unpack(x, contract)[0] if isinstance(x, dict) else x, y, sample_weight
    if "image" not in element:
        raise DataError(f"x is a dictionary without the key 'image'. Received keys {sorted(element)}.")
    return element["image"], element.get("label"), element.get("sample_weight")


def _is_batches(x):
    """Whether `x` yields batches: a tf.data.Dataset, a PyDataset or another sequence of batches, or an iterator."""
    # Imported already by whoever holds an object of theirs.
    tensorflow, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    return (
        (tensorflow is not None and isinstance(x, tensorflow.data.Dataset))
        or (keras is not None and isinstance(x, keras.utils.PyDataset))
        or hasattr(x, "__next__")
        or (
            hasattr(x, "__getitem__")
            and hasattr(x, "__len__")
            and not isinstance(x, (list, tuple, dict, str, bytes, Source, Stream))
            and not hasattr(x, "__array__")
        )
    )


def _stream(stream, y, sample_weight, contract, target, labels):
    if y is not None or sample_weight is not None:
        raise DataError("A stream is given alone: leave y and sample_weight out.")
    if contract.classes is not None and labels == "required":
        raise DataError(
            "A stream gives samples without labels: pass a Source (stream=False), or a tf.data.Dataset of"
            " (sample, label)."
        )
    checks.check_shape((len(stream), *stream.shape), contract.shape)
    if contract.dtype == "uint8":
        raise DataError("A stream gives pixels divided by 255, and the model takes raw pixels: pass a Source.")
    if not stream.is_pixels:  # which are always finite and in [0, 1]
        options = {"target": target, "labels": "dropped"}
        stream = dataclasses.replace(stream, check=lambda values: check(values, None, None, contract, **options))
    return Samples(stream, count=len(stream), pixels=stream.is_pixels, overlap=stream.overlap)
