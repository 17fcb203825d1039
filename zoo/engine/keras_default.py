"""Keras' own loop: for batches that come from elsewhere, and with every backend."""

import contextlib
import dataclasses
import math

import keras

from zoo.core.errors import diverged
from zoo.data.stream import Stream
from zoo.engine import inputs
from zoo.engine.batches import KeepsFailure, StreamBatches
from zoo.engine.loop import functions
from zoo.engine.steps import steps_per_call, whole_divisor

_STEPS = 32  # steps per call, at most


class KerasLoop:
    """A `loop.Loop` of plain `keras.Model.fit` and `evaluate`."""

    def fit(self, model, train, held_out, settings):
        train, held_out = batched(train, settings.batch_size), batched(held_out, settings.validation_batch_size)
        steps = 1
        if keras.backend.backend() == "tensorflow":
            most = model.engine.steps_per_execution or _STEPS
            steps = steps_per_call(model, settings.callbacks, settings.batch_size, most)
            steps = whole_divisor(steps, settings.steps, settings.validation_steps)
        given = for_keras(train, settings.batch_size)
        sequence = isinstance(given["x"], keras.utils.PyDataset) and train.count is not None
        with functions(model, _ranks(train, held_out), steps), reraising(train, held_out):
            return keras.Model.fit(
                model,
                **given,
                callbacks=[*[StopAtNaN()][: settings.stop_at_nan], *settings.callbacks],
                validation_data=validation_for_keras(held_out, settings.validation_batch_size),
                validation_batch_size=settings.validation_batch_size,
                validation_steps=settings.validation_steps,
                shuffle=settings.shuffle if train.in_memory or sequence else False,
                steps_per_epoch=settings.steps,
                verbose=settings.verbose,
                **settings.keras,
            )

    def evaluate(self, model, samples, settings):
        samples = batched(samples, settings.batch_size)
        with functions(model, _ranks(samples)), reraising(samples):
            return keras.Model.evaluate(
                model,
                **for_keras(samples, settings.batch_size),
                steps=settings.steps,
                callbacks=settings.callbacks,
                verbose=settings.verbose,
                **settings.keras,
            )

    def predict(self, model, samples, settings):
        """Outputs for all samples, as `keras.Model.predict` returns them."""
        samples = batched(samples, settings.batch_size)
        given = for_keras(samples, settings.batch_size)
        given = {name: given[name] for name in ("x", "batch_size") if name in given}
        with functions(model, _ranks(samples)), reraising(samples):
            return keras.Model.predict(
                model, **given, steps=settings.steps, callbacks=settings.callbacks, verbose=settings.verbose
            )


class StopAtNaN(keras.callbacks.Callback):
    """Raises `TrainingError` for a loss that is not finite; the step is that of the call's end."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            last = (self.params.get("steps") or batch + 1) - 1
            raise diverged(loss, self.epoch, min(batch, last))


@contextlib.contextmanager
def reraising(*several):
    """Around Keras: what reading one of them raised, as it was; of `Samples`, chunks, or None."""
    with contextlib.ExitStack() as stack:
        for samples in several:
            reader = getattr(samples, "batches", samples)
            if isinstance(reader, KeepsFailure):
                stack.enter_context(reader.reraising())
        yield


def batched(samples, batch_size):
    """`Samples` with a `zoo.data.Stream` as batches, which Keras takes; None stays None."""
    if samples is None or not isinstance(samples.x, Stream):
        return samples
    return dataclasses.replace(samples, x=StreamBatches(samples.x, batch_size))


def for_keras(samples, batch_size):
    """`Samples` as arguments of Keras' `fit` and `evaluate`."""
    if samples.batches is not None:
        return {"x": samples.batches.data}
    x, y, sample_weight = samples.x, samples.y, samples.sample_weight
    x = inputs.scaled(x) if samples.pixels else x
    y = x if y is None and sample_weight is not None else y  # Keras drops weights that come without a target
    return {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}


def validation_for_keras(samples, batch_size):
    """`Samples` or None as `validation_data` of Keras' `fit`."""
    if samples is None:
        return None
    given = for_keras(samples, batch_size)
    return given["x"] if len(given) == 1 else tuple(given[name] for name in ("x", "y", "sample_weight"))


def _ranks(*several):
    """What Keras' functions are traced for: the parts of a batch and their numbers of axes."""
    return tuple(samples.ranks for samples in several if samples is not None)
