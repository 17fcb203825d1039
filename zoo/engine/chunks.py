"""Compiled chunks: many steps as one program."""

import math

import keras
import tensorflow as tf

from zoo.core.errors import diverged
from zoo.engine.in_memory import gather

# A chunk should take about a quarter of a second on two CPU cores: long enough that calling it costs nothing, short
# enough for a progress bar and Ctrl-C. Counted in multiply-adds of the forward pass; see `chunk_length`.
_WORK_PER_CHUNK = 6e9
_WORK_PER_ACTIVATION = 20  # an element that is written and read again costs like so many multiply-adds


class Program:
    """The compiled program of a chunk, ``(data, tensors, order, begin, end) -> (failed, logs)``.

    It takes the batches `begin` to `end` of `order` one after the other, and stops after the first whose loss is not
    finite, whose number is `failed`, else -1. How many steps it takes is decided when it is called, so one compiled
    program serves all chunks of an epoch, and a second one a short last batch. They are kept for data of the same
    shape.

    Args:
        model: compiled keras.Model.
        step: ``model.train_step`` or ``model.test_step``.
    """

    def __init__(self, model, step):
        self.model, self.step, self.compiled = model, step, {}

    def __call__(self, data, tensors, order, begin, end):
        key = data.scale_pixels, data.shapes, *[(t.shape, t.dtype) for t in (*tf.nest.flatten(tensors), order)]
        arguments = tensors, order, tf.constant(begin), tf.constant(end)
        if key not in self.compiled:
            self.compiled[key] = self._compile(data.shapes, data.scale_pixels).get_concrete_function(*arguments)
        return self.compiled[key](*arguments)

    def _compile(self, shapes, scale_pixels):
        @tf.function(jit_compile=self.model.jit_compile, autograph=False)
        def run(tensors, order, begin, end):
            def body(i, failed):
                logs = self.step(gather(tensors, shapes, order[i], scale_pixels))
                return i + 1, tf.where(tf.math.is_finite(logs["loss"]), failed, i)

            _, failed = tf.while_loop(
                lambda i, failed: (i < end) & (failed < 0), body, (begin, tf.constant(-1)), parallel_iterations=1
            )
            return failed, self.model.get_metrics_result()

        return run


class Chunks:
    """Runs the steps of one epoch after the other, a chunk per call; stands in for a model's `train_function`.

    Args:
        model: compiled keras.Model.
        run: its `Program`.
        data: Resident or Streamed.
        length: steps per call.
        stop_at_nan: raise `TrainingError` when the loss is not finite.
    """

    def __init__(self, model, run, data, length, *, stop_at_nan=False):
        self.model, self.run, self.data, self.length, self.stop_at_nan = model, run, data, length, stop_at_nan
        data.length = length

    def begin(self, epoch=0, done=0):
        """Start an epoch; its first `done` steps are taken already."""
        self.epoch, self.taken, self.done = epoch, 0, done
        self.data.begin(epoch, done)

    def __call__(self, iterator):
        """Take the next chunk; returns the metrics so far as a dictionary of tensors."""
        begin = max(self.taken, self.done)
        self.taken = min(self.taken + self.length, self.data.steps)
        logs = None
        if begin < self.taken:
            for tensors, order, start, stop, first in self.data.take(begin, self.taken):
                failed, logs = self.run(self.data, tensors, order, start, stop)
                if self.stop_at_nan and int(failed) >= 0:
                    raise diverged(float(logs["loss"]), self.epoch, int(failed) + first)
        return self.model.get_metrics_result() if logs is None else logs


class Begin(keras.callbacks.Callback):
    """Tells chunks that Keras begins an epoch, or a pass over the validation samples."""

    def __init__(self, train, test):
        super().__init__()
        self.train, self.test = train, test

    def on_epoch_begin(self, epoch, logs=None):
        self.train.begin(epoch)

    def on_test_begin(self, logs=None):
        if self.test is not None:
            self.test.begin()


class StopAtNaN(keras.callbacks.Callback):
    """Raises `TrainingError` in Keras' own loop; the step is that of the call's end."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            last = (self.params.get("steps") or batch + 1) - 1
            raise diverged(loss, self.epoch, min(batch, last))


def sees_every_batch(callback):
    """Whether a callback does something at every batch; Keras' own do so only if told by their frequency."""
    batches = [f"on_{kind}batch_{when}" for kind in ("train_", "test_", "") for when in ("begin", "end")]
    for hook in batches:
        method = getattr(callback, hook)
        if hook in vars(callback):
            return True  # as `LambdaCallback` sets it
        if getattr(keras.callbacks.Callback, hook) is not method.__func__ and not _is_keras(method):
            return True
    frequency = getattr(callback, "save_freq", getattr(callback, "update_freq", "epoch"))
    return frequency != "epoch"


def _is_keras(method):
    return method.__module__.startswith(("keras.", "zoo."))  # `Checkpoint` of zoo saves at the end of any chunk


def chunk_length(model, batch_size, steps):
    """Steps per chunk: about a quarter of a second's work, in chunks as equal as whole steps allow."""
    chunks = min(steps, math.ceil(steps * batch_size * work(model) / _WORK_PER_CHUNK))
    return math.ceil(steps / chunks)


def work(model):
    """Rough cost of the forward pass of one sample, in multiply-adds."""
    total = 0
    for layer in model._flatten_layers():
        if isinstance(layer, keras.Model) or not getattr(layer, "built", False):
            continue
        try:
            sizes = [_positions(layer.input.shape), _positions(layer.output.shape)]
            total += _WORK_PER_ACTIVATION * sizes[1] * layer.output.shape[-1]
        except (AttributeError, ValueError, TypeError):
            continue  # a layer outside of the functional models
        if getattr(layer, "kernel", None) is not None:
            total += min(sizes) * layer.kernel.shape.num_elements()
    return max(total, 1)


def _positions(shape):
    """Positions of a (batch, ..., channels) tensor."""
    positions = 1
    for size in shape[1:-1]:
        positions *= size or 1
    return positions


def whole_divisor(length, *step_counts):
    """The largest number of steps up to `length` that divides all given `step_counts`; Keras would overrun others."""
    return next(n for n in range(length, 0, -1) if not any(count % n for count in step_counts if count))
