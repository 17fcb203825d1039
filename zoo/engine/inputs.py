"""What `fit`, `evaluate` and the verbs of an `Autoencoder` accept, brought into the one form that Keras takes."""

import dataclasses
import itertools
import sys

import numpy as np

from zoo.core import checks
from zoo.core.errors import DataError
from zoo.data.source import Source
from zoo.data.stream import Stream

_DEFAULT_BATCH_SIZE = 32


def array(model, x, name="x", *, target=True):
    """Samples as a checked float32 array (samples, *input_shape); from an array or a `Source`.

    Without `target` they are input alone, which may leave the range of a sigmoid output: noise is not clipped.
    """
    if isinstance(x, Source):
        x = x.pixels()
    return checks.images(x, model.input_shape, unit_range=model.unit_range and target, name=name)


def samples(model, x, y, batch_size, name="x"):
    """The arguments x, y and batch_size for `keras.Model.fit`; y None means that the target is the input."""
    if x is None:
        raise DataError(f"{name} is missing: expected samples. Received None.")
    if _is_dataset(x):
        if y is not None:
            raise DataError(f"{name} is a dataset, so targets must come from it: leave y out.")
        return _dataset(model, x, batch_size, name), None, None
    if isinstance(x, Stream):
        checks.check_shape((len(x), *x.shape), model.input_shape, name=name)
        return x, y, batch_size
    if hasattr(x, "__next__"):
        return _generator(model, x, name), y, batch_size
    if hasattr(x, "__getitem__") and hasattr(x, "num_batches"):  # a keras.utils.PyDataset goes to Keras as it is
        return x, y, batch_size
    if isinstance(x, Source) and x.images.dtype == np.uint8:  # in range by its type, and a quarter of the memory
        checks.check_shape(x.images.shape, model.input_shape, name=name)
        x = dataclasses.replace(x, labels=None)
    else:
        x = array(model, x, name, target=y is None)
    if y is not None:
        if len(getattr(y, "shape", ())) <= 1:
            raise DataError(
                "The target of an autoencoder has the shape of its input, (samples,"
                f" {', '.join(map(str, model.input_shape))}). Received y with shape {getattr(y, 'shape', None)}."
                " Leave y out to reconstruct x; to learn labels, use zoo.classifier(model.encoder, num_classes)."
            )
        y = checks.images(y, model.input_shape, unit_range=model.unit_range, name="y")
        if len(x) != len(y):
            raise DataError(f"x and y must have the same number of samples. Received {len(x)} and {len(y)}.")
    return x, y, batch_size


def validation_samples(model, data, batch_size):
    """`validation_data` for `keras.Model.fit`, from any form that `samples` takes or a tuple (x, y)."""
    x, y, *weight = data if isinstance(data, tuple) else (data, None)
    x, y, _ = samples(model, x, y, batch_size, name="validation_data")
    return (x, y, *weight) if y is not None or weight else x


def _is_dataset(x):
    tensorflow = sys.modules.get("tensorflow")  # whoever holds a tf.data.Dataset has imported it
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def _generator(model, batches, name):
    """A generator of batches, or of tuples of them, in the tuples that Keras demands; the first batch is checked."""
    first = next(batches, None)
    if first is None:
        raise DataError(f"{name} is empty: expected a generator of batches, which yielded none.")
    images = np.asarray(first[0] if isinstance(first, tuple) else first)
    checks.images(images, model.input_shape, unit_range=model.unit_range, name=f"the first batch of {name}")
    return (batch if isinstance(batch, tuple) else (batch,) for batch in itertools.chain([first], batches))


def _dataset(model, dataset, batch_size, name):
    """`dataset` as batches of images, or of (image, target) where the second element has the image's shape."""

    def is_sample(spec, axes):
        return getattr(spec, "shape", None) is not None and spec.shape.rank == axes

    spec = dataset.element_spec
    if isinstance(spec, dict):
        if "image" not in spec:
            raise DataError(f"{name} yields dictionaries without the key 'image'. Received keys {sorted(spec)}.")
        dataset = dataset.map(lambda element: element["image"])
    elif isinstance(spec, (tuple, list)):
        axes = spec[0].shape.rank
        if len(spec) > 1 and is_sample(spec[1], axes) and spec[1].shape[-1] == spec[0].shape[-1] and axes > 1:
            dataset = dataset.map(lambda image, target, *rest: (image, target))
        else:
            dataset = dataset.map(lambda image, *label: image)
    spec = dataset.element_spec
    image = spec[0] if isinstance(spec, tuple) else spec
    if image.shape.rank == len(model.input_shape):
        dataset = dataset.batch(batch_size or _DEFAULT_BATCH_SIZE)
        image = dataset.element_spec[0] if isinstance(spec, tuple) else dataset.element_spec
    if image.shape.rank is not None:
        checks.check_shape(tuple(image.shape), model.input_shape, name=name)
    checks.check_dtype(image.dtype.as_numpy_dtype, unit_range=model.unit_range, name=name)
    first = next(iter(dataset.take(1)), None)
    if first is None:
        raise DataError(
            f"{name} is empty: expected at least one batch of samples of shape {model.input_shape}. A dataset that is"
            " batched with drop_remainder=True has no batch if it has fewer samples than the batch size."
        )
    first = first[0] if isinstance(first, tuple) else first
    checks.images(first.numpy(), model.input_shape, unit_range=model.unit_range, name=f"the first batch of {name}")
    return dataset
