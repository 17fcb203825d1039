"""Batches that come from elsewhere: a tf.data.Dataset, a generator, a PyDataset; each is checked as it passes."""

import contextlib
import itertools
import sys

import keras
import numpy as np

from zoo.core import checks
from zoo.core.errors import DataError, ZooError
from zoo.engine import inputs
from zoo.engine.contract import check, class_weights, labels_for, naming, refuse_target


class KeepsFailure:
    """Reads samples inside of TensorFlow, which turns an error of ours into one of its own."""

    error = None

    @contextlib.contextmanager
    def keeping(self):
        """Around what may raise a `ZooError`."""
        try:
            yield
        except ZooError as error:
            self.error = error
            raise

    @contextlib.contextmanager
    def reraising(self):
        """Around Keras or TensorFlow: the error that was kept, as it was."""
        try:
            yield
        except Exception:
            if self.error is None:
                raise
            error, self.error = self.error, None
            raise error from None


class StreamBatches(KeepsFailure):
    """The samples of a `zoo.data.Stream` as float32 batches (x,), for Keras' own loop; see `Batches`."""

    def __init__(self, stream, batch_size):
        import tensorflow as tf

        self.stream, self.batch_size = stream, batch_size
        spec = (tf.TensorSpec((None, *stream.shape), "float32"),)
        batches = tf.data.Dataset.from_generator(lambda: iter(self), output_signature=spec)
        count = tf.data.experimental.assert_cardinality(-(-len(stream) // batch_size))
        self.data = batches.apply(count).prefetch(tf.data.AUTOTUNE)
        self.ranks = (1 + len(stream.shape),)

    def __iter__(self):
        with self.keeping():
            for values in self.stream.value_batches(self.batch_size):
                yield (values,)


class Batches(KeepsFailure):
    """Batches that a `Contract` accepts, in the form that Keras' own loop takes.

    Each batch becomes (x,), (x, y) or (x, y, sample_weight); an autoencoder's weights without a target get the samples
    as such, since Keras drops weights that come alone.

    Args:
        given: tf.data.Dataset, keras.utils.PyDataset or another sequence of batches, or an iterator of batches.
        contract: `Contract`.
        batch_size: for a dataset of single samples.
        class_weight: checked dictionary, or None.
        name: what to call the samples in a message.
        options: `target` and `labels` of `inputs.take`.

    Attributes:
        data: tf.data.Dataset, keras.utils.PyDataset or generator, for Keras.
        count: number of batches; None if unknown or endless.
        ranks: the parts of a batch: the number of axes of each.
        endless: whether it is known never to end.
    """

    def __init__(self, given, contract, batch_size, class_weight, name, options):
        self.contract, self.class_weight, self.name, self.options = contract, class_weight, name, options
        self.count, self.endless = None, False
        if _is_dataset(given):
            self._take_dataset(given, batch_size)
        elif isinstance(given, keras.utils.PyDataset) or not hasattr(given, "__next__"):
            self.data = _Sequence(given, self.check)
            self.count = self.data.num_batches
            self.endless = self.count is None
            self.ranks = None if self.count == 0 else _ranks(self.data[0])
        else:
            first = next(given, None)
            if first is None:
                raise self._empty()
            first = self.check(first)
            self.ranks = _ranks(first)
            # A generator, since Keras takes no other iterator.
            self.data = (batch for batch in itertools.chain([first], map(self.check, given)))
        if self.count == 0:
            raise self._empty()

    def __iter__(self):
        """Checked NumPy batches (x, y, sample_weight)."""
        batches = self.data
        if _is_dataset(batches):
            batches = batches.as_numpy_iterator()
        elif isinstance(batches, _Sequence):
            batches = map(batches.__getitem__, range(self.count))
        with self.reraising():
            for batch in batches:
                yield (*batch, None, None)[:3]

    def check(self, batch, expected=None):
        """One batch of the given ones as a tuple of checked NumPy arrays for Keras, of `expected` parts."""
        with self.keeping(), naming(f"a batch of {self.name}"):
            given = inputs.unpack(tuple(batch) if expected else batch, self.contract)
            x, y, sample_weight = check(*given, self.contract, given=False, **self.options)
            if self.class_weight is not None:
                if sample_weight is not None:
                    raise DataError("class_weight cannot be combined with the sample weights of the batches.")
                sample_weight = class_weights(self.class_weight, y)
            if expected and expected > 1 and y is None and sample_weight is None:
                refuse_target(np.asarray(given[1]), self.contract)
        checked = (x,) if y is None else (x, y)
        if sample_weight is not None:
            checked = (x, x if y is None else y, sample_weight)
        return checked

    def _empty(self):
        return DataError(
            f"x is empty: expected at least one batch of samples of shape {self.contract.shape}. A dataset that is"
            " batched with drop_remainder=True has no batch if it has fewer samples than the batch size."
        )

    def _take_dataset(self, dataset, batch_size):
        import tensorflow as tf

        contract = self.contract
        specs = inputs.unpack(dataset.element_spec, contract)
        if self.options["labels"] == "dropped":
            specs = (specs[0], None, None)
        present = [spec is not None for spec in specs]
        ranks = [spec.shape.rank for spec in specs if spec is not None]
        if None in ranks:  # as `from_generator` without shapes gives them
            first = next(dataset.take(1).as_numpy_iterator(), None)
            if first is None:
                raise self._empty()
            ranks = [
                np.ndim(a) for a, is_there in zip(inputs.unpack(first, contract), present, strict=True) if is_there
            ]

        @tf.autograph.experimental.do_not_convert
        def split(*element):
            given = inputs.unpack(element if len(element) > 1 else element[0], contract)
            there = [part for part, is_there in zip(given, present, strict=True) if is_there]
            return tuple(tf.ensure_shape(part, [None] * rank) for part, rank in zip(there, ranks, strict=True))

        dataset = dataset.map(split)
        if ranks[0] == len(contract.shape):
            dataset = dataset.batch(batch_size)
        cardinality = int(dataset.cardinality())
        self.endless = cardinality == tf.data.INFINITE_CARDINALITY
        self.count = cardinality if cardinality >= 0 else None
        if cardinality == 0:
            return
        specs = iter(dataset.element_spec)
        specs = [next(specs) if is_there else None for is_there in present]
        checks.check_shape(tuple(specs[0].shape), contract.shape)
        if contract.dtype != "uint8":
            checks.check_dtype(specs[0].dtype.as_numpy_dtype, unit_range=contract.unit_range)
        outputs = self._outputs(*specs)
        self.ranks = tuple(1 + len(shape) for _, shape in outputs)

        @tf.autograph.experimental.do_not_convert
        def checked(*batch):
            def run(*arrays):
                arrays = iter(arrays)
                return self.check([next(arrays) if is_there else None for is_there in present], len(outputs))

            results = tf.numpy_function(run, batch, [dtype for dtype, _ in outputs])
            for result, (_, shape) in zip(results, outputs, strict=True):
                result.set_shape([specs[0].shape[0], *shape])
            return tuple(results)

        dataset = dataset.map(checked)
        if cardinality == tf.data.UNKNOWN_CARDINALITY or not self._has_labels(specs[1]):
            with self.reraising():  # a check of the first batch says more than Keras would
                if next(dataset.take(1).as_numpy_iterator(), None) is None:
                    raise self._empty()
        self.data = dataset.prefetch(tf.data.AUTOTUNE)

    def _has_labels(self, spec):
        """Whether labels of this spec of a dataset, or none, may be what the model takes; else no batch is."""
        if self.contract.classes is None or self.options["labels"] != "required":
            return True
        try:
            shape = None if spec is None else [size or 1 for size in spec.shape]
            labels_for(self.contract, None if spec is None else np.zeros(shape, spec.dtype.as_numpy_dtype))
        except DataError:
            return False
        return True

    def _outputs(self, x, y, sample_weight):
        """(dtype, shape of a sample) of each part of a checked batch, from the specs of a dataset's."""
        contract, parts = self.contract, [(self.contract.dtype, self.contract.shape)]
        weighted = sample_weight is not None or self.class_weight is not None
        if contract.classes is None and self.options["labels"] == "required":
            target = y is not None and y.shape.is_compatible_with([None, *contract.shape])
            if target or weighted:
                parts.append(parts[0])
        elif y is not None:
            labels = y.shape[1:] if y.shape[1:].as_list() != [1] or self.options["labels"] == "optional" else ()
            parts.append(("float32" if y.dtype.is_floating else y.dtype.name, labels))
        if weighted:
            parts.append(("float32", () if sample_weight is None else sample_weight.shape[1:]))
        return parts


class _Sequence(keras.utils.PyDataset):
    """A sequence of batches, each of which passes `check`."""

    def __init__(self, given, check):
        options = ("workers", "use_multiprocessing", "max_queue_size")
        super().__init__(**{name: getattr(given, name) for name in options if hasattr(given, name)})
        self._given, self._check = given, check

    @property
    def num_batches(self):
        given = self._given
        return given.num_batches if hasattr(given, "num_batches") else len(given)

    def __getitem__(self, index):
        return self._check(self._given[index])

    def on_epoch_begin(self):
        getattr(self._given, "on_epoch_begin", lambda: None)()

    def on_epoch_end(self):
        getattr(self._given, "on_epoch_end", lambda: None)()


def _ranks(batch):
    return tuple(part.ndim for part in batch)


def _is_dataset(x):
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)
