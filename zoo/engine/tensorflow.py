"""Compiled chunks: one step of Keras is a program of many steps.

Keras reads a dataset whose elements are chunks: which steps to take, and all the samples (as the one tensor that they
are, never copied). `run_chunk` takes these steps in a compiled loop around Keras' own `train_step`. Epochs, validation,
history and callbacks are Keras'. What changes with every epoch, the order of the samples, lies in variables that the
program reads. What decides which program it is (8-bit pixels, targets, weights, a short last batch) is in the structure
of the elements, so Keras traces anew when it changes.

Keras' own `steps_per_execution` is 1 here; the user's number is the length of a chunk. Samples that the program
captured, instead of reading them from the dataset, would be stale in the next `fit`, or mean another compilation.
"""

import math

import keras
import tensorflow as tf

from zoo.core.errors import diverged
from zoo.data.stream import Stream
from zoo.engine import keras_default
from zoo.engine.in_memory import ArrayChunks, index_type
from zoo.engine.loop import functions
from zoo.engine.steps import steps_per_call
from zoo.engine.streaming import StreamChunks

_STREAMED_BYTES = 16e6  # of a chunk, at most, when samples come from a stream


class ChunkState:
    """Variables that a compiled chunk reads and writes. Their shapes are open: programs of other data read them too.

    Attributes:
        order: indices of the samples of an epoch, (full steps, batch size).
        rest: those of a short last step, (1, fewer).
        done: number of steps of the epoch that are taken already, when a training is resumed.
        failed: number of the first step whose loss was not finite, or -1.
    """

    def __init__(self):
        index = index_type()
        matrix = {"shape": tf.TensorShape([None, None]), "trainable": False}
        self.order = tf.Variable(tf.zeros((1, 1), index), **matrix)
        self.rest = tf.Variable(tf.zeros((1, 1), index), **matrix)
        self.done = tf.Variable(tf.zeros((), index), trainable=False)
        self.assigned_done = 0
        self.failed = tf.Variable(tf.zeros((), index), trainable=False)


class CompiledLoop:
    """A `loop.Loop` in chunks."""

    def fit(self, model, train, held_out, settings):
        length = _length(model, train, settings)
        train = _chunks(model, "train", train, settings.batch_size, length, shuffle=settings.shuffle)
        test, validation_steps = None, settings.validation_steps
        if held_out is None or held_out.batches is not None or validation_steps:
            held_out = keras_default.batched(held_out, settings.validation_batch_size)
            validation_data = keras_default.validation_for_keras(held_out, settings.validation_batch_size)
        else:
            test = _chunks(model, "test", held_out, settings.validation_batch_size, length)
            validation_data, validation_steps = test.dataset, len(test.ends)
        callbacks = ChunkCallbacks(
            settings.callbacks,
            train,
            test,
            stop_at_nan=settings.stop_at_nan,
            add_history=True,
            add_progbar=settings.verbose != 0,
            model=model,
            verbose=settings.verbose,
            epochs=settings.keras["epochs"],
            steps=train.steps,
        )
        before, model.engine.progress = model.engine.progress, callbacks
        key = (train.ranks, test.ranks if test else held_out and held_out.ranks)
        try:
            with functions(model, key), keras_default.reraising(held_out, train, test):
                return keras.Model.fit(
                    model,
                    train.dataset,
                    steps_per_epoch=len(train.ends),
                    callbacks=callbacks,
                    validation_data=validation_data,
                    validation_batch_size=settings.validation_batch_size,
                    validation_steps=validation_steps,
                    shuffle=False,
                    verbose=settings.verbose,
                    **settings.keras,
                )
        finally:
            model.engine.progress = before

    def evaluate(self, model, samples, settings):
        test = _chunks(model, "test", samples, settings.batch_size, _length(model, samples, settings))
        callbacks = ChunkCallbacks(
            settings.callbacks,
            None,
            test,
            add_progbar=settings.verbose != 0,
            model=model,
            verbose=settings.verbose,
            epochs=1,
            steps=test.steps,
        )
        with functions(model, test.ranks), keras_default.reraising(test):
            return keras.Model.evaluate(
                model,
                test.dataset,
                steps=len(test.ends),
                callbacks=callbacks,
                verbose=settings.verbose,
                **settings.keras,
            )


class ChunkCallbacks(keras.callbacks.CallbackList):
    """The callbacks of `fit` or `evaluate`, which see numbers of steps where Keras counts chunks.

    Args:
        callbacks: list.
        train, test: chunks, or None where Keras counts steps itself.
        stop_at_nan: raise `TrainingError` when the loss is not finite.
        **keras_arguments: of `keras.callbacks.CallbackList`.

    Attributes:
        taken: steps of the running epoch that are taken.
    """

    def __init__(self, callbacks, train, test, *, stop_at_nan=False, **keras_arguments):
        self.train, self.test, self.stop_at_nan = train, test, stop_at_nan
        super().__init__(callbacks, **keras_arguments)

    @property
    def epoch_ends(self):
        """Whether the running epoch has no more steps."""
        return self.taken == self.train.steps

    def resume(self, done):
        """Let the epoch that begins start after its first `done` steps."""
        self.train.begin(self.epoch, done)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.taken = epoch, 0
        self.train.begin(epoch)
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(self.taken, logs)

    def on_train_batch_end(self, batch, logs=None):
        self.taken = self.train.ends[batch]
        if self.stop_at_nan and not math.isfinite(loss := float(logs["loss"])) and self.train.failed >= 0:
            raise diverged(loss, self.epoch, self.train.failed)
        super().on_train_batch_end(self.taken - 1, logs)

    def on_test_begin(self, logs=None):
        if self.test:
            self.test.begin()
        super().on_test_begin(logs)

    def on_test_batch_begin(self, batch, logs=None):
        super().on_test_batch_begin(self.test.ends[batch - 1] if self.test and batch else batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        super().on_test_batch_end(self.test.ends[batch] - 1 if self.test else batch, logs)


def run_chunk(model, step, chunk):
    """Take the steps of a chunk, one after the other, up to the first whose loss is not finite.

    Args:
        model: keras.Model.
        step: Keras' `train_step` or `test_step` of a batch, bound to the model.
        chunk: element of `ArrayChunks.dataset` or `StreamChunks.dataset`.

    Returns:
        dict of metrics, as `step` returns them.
    """
    state = model.engine.chunks[step.__name__.removesuffix("_step")]
    shape, data, span, sizes = model.contract.shape, chunk["data"], chunk["span"], chunk["sizes"]

    def loop(order, size, begin, end, failed):
        order = tf.ensure_shape(order.read_value(), (None, size.shape[0]))

        def body(i, failed):
            logs = step(_batch(data, order[i], shape))
            return i + 1, tf.where(tf.math.is_finite(logs["loss"]), failed, span["first"] + i)

        def goes_on(i, failed):
            return (i < end) & (failed < 0)

        _, failed = tf.while_loop(goes_on, body, (begin, failed), parallel_iterations=1)
        return failed

    begin, none = tf.maximum(span["begin"], state.done), tf.constant(-1, span["begin"].dtype)
    failed = loop(state.order, sizes["step"], begin, span["end"], none)
    if "last" in span:  # 1 in the last chunk of an epoch, else 0
        rest = loop(state.rest, sizes["last"], tf.zeros_like(begin), span["last"], failed)
        failed = tf.where((failed < 0) & (rest >= 0), span["end"] + span["first"], failed)
    state.failed.assign(failed)
    return model.get_metrics_result()


def _batch(data, indices, shape):
    """The batch (x, y, sample_weight) at `indices`, inside of a compiled program; None for what there is not."""

    def gather(name, *inner):
        if name not in data:
            return None
        rows = tf.gather(data[name], indices)
        return tf.reshape(rows, (-1 if indices.shape[0] is None else indices.shape[0], *inner)) if inner else rows

    x = gather("x", *shape)
    if x is None:
        x = tf.cast(gather("pixels", *shape), tf.float32) / 255.0
    target = gather("target", *shape)
    return x, gather("labels") if target is None else target, gather("sample_weight")


def _length(model, samples, settings):
    steps = math.ceil(samples.count / settings.batch_size)
    return steps_per_call(model, settings.callbacks, settings.batch_size, steps)


def _chunks(model, kind, samples, batch_size, length, *, shuffle=False):
    if kind not in model.engine.chunks:
        model.engine.chunks[kind] = ChunkState()
    state = model.engine.chunks[kind]
    if isinstance(samples.x, Stream):
        size = math.prod(samples.x.shape) * (1 if samples.pixels else 4)
        length = max(1, min(length, int(_STREAMED_BYTES / (batch_size * size))))
        return StreamChunks(state, samples.x, batch_size=batch_size, length=length, shuffle=shuffle)
    return ArrayChunks(state, samples, batch_size=batch_size, length=length, shuffle=shuffle, xla=model.jit_compile)
