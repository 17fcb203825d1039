"""The compiled training engine: Keras' own `fit` and `evaluate`, fed with compiled chunks instead of batches."""

import contextlib
import dataclasses
import math
import types

import keras
import tensorflow as tf

from zoo.core import checks
from zoo.core.batches import TRAINING_BATCH_SIZE
from zoo.data.stream import Stream
from zoo.engine import compilation, inputs, keras_internals
from zoo.engine.chunks import Begin, Chunks, Program, StopAtNaN, chunk_length, sees_every_batch, whole_divisor
from zoo.engine.in_memory import Resident
from zoo.engine.streaming import Streamed

_STREAMED_STEPS = 32  # steps per call, at most, when batches come from a stream
_STREAMED_BYTES = 16e6  # of a chunk, at most


class CompiledTraining:
    """Mixin before `keras.Model`: `fit` and `evaluate` on arrays run in compiled chunks.

    The arrays stay in memory once, 8-bit pixels as such; each epoch draws one permutation; batches are gathered inside
    the compiled program, which takes many steps per call. Keras runs the epochs, callbacks, validation and history as
    always: this class hands it another `train_function`, through the hook `make_train_function`, and a dataset that
    only counts.

    What is not an array (a `tf.data.Dataset`, a generator) streams through Keras' own loop, and so do the rare cases
    that chunks do not know: eager execution, several replicas, a `train_step` of one's own, `steps_per_epoch`.

    Attributes:
        chunks: the running `Chunks`, as ``chunks.train`` and ``chunks.test``; None outside of `fit` and `evaluate`.
    """

    _steps_asked = None

    def compile(self, optimizer="adam", loss=None, *, jit_compile=True, steps_per_execution="auto", **keras_arguments):
        """`keras.Model.compile`, with XLA and an automatic chunk length as defaults.

        Args:
            optimizer, loss: as for Keras.
            jit_compile: True, False, or "auto": XLA except for convolutions on a CPU, which it slows down. A layer that
                XLA cannot compile is named in a warning, and training then runs without XLA.
            steps_per_execution: the chunk length: steps per call of the compiled program. Callbacks and the progress
                bar see the end of each chunk. "auto" is about a quarter of a second's work on two CPU cores, or one
                step if a callback looks at every batch.
            **keras_arguments: all others of `keras.Model.compile`.
        """
        automatic = steps_per_execution == "auto"
        self._steps_asked = None if automatic else checks.positive_integer("steps_per_execution", steps_per_execution)
        self.chunks = types.SimpleNamespace(train=None, test=None)
        self._programs = types.SimpleNamespace(train=None, test=None)
        jit_compile = compilation.choose(self, jit_compile) and not keras_arguments.get("run_eagerly")
        with compilation.verified(self, jit_compile):
            super().compile(
                optimizer=optimizer,
                loss=loss,
                jit_compile=jit_compile,
                steps_per_execution=self._steps_asked or 1,
                **keras_arguments,
            )

    def recompile(self, optimizer):
        """`compile` again with the very objects of the last time, and `optimizer`: trainable flags are read anew."""
        arguments = keras_internals.compile_arguments(self)
        arguments["steps_per_execution"] = self._steps_asked or "auto"
        CompiledTraining.compile(self, optimizer, auto_scale_loss=False, **arguments)

    def get_compile_config(self):
        """Arguments of `compile`, as Keras stores them."""
        config = super().get_compile_config()
        if config and self._steps_asked is None:
            config["steps_per_execution"] = "auto"
        return config

    def compile_from_config(self, config):
        """Compile from `get_compile_config()`; Keras calls this for a `.keras` file."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)  # so that its state can be loaded

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        *,
        callbacks=None,
        validation_data=None,
        validation_split=0.0,
        validation_batch_size=None,
        validation_steps=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        steps_per_epoch=None,
        **keras_arguments,
    ):
        """`keras.Model.fit` on samples in any of the forms of `inputs.take`."""
        callbacks = listed(callbacks)
        batch_size = checks.positive_integer("batch_size", batch_size or TRAINING_BATCH_SIZE)
        test_batch_size = validation_batch_size or batch_size
        train = inputs.take(
            self.contract, x, y, sample_weight, class_weight=class_weight, batch_size=batch_size, steps=steps_per_epoch
        )
        held_out = None
        if validation_data is not None:
            held_out = inputs.take(
                self.contract,
                *inputs.unpack(validation_data, self.contract),
                batch_size=test_batch_size,
                steps=validation_steps,
                steps_name="validation_steps",
                name="validation_data",
            )
        elif validation_split:
            train, held_out = train.split(validation_split)
            if class_weight is not None:  # as for Keras, not for validation
                held_out = dataclasses.replace(held_out, sample_weight=None)
        tolerant = any(isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in callbacks)
        if _is_batches(train) or steps_per_epoch or shuffle not in (True, False) or not self._chunks_apply():
            steps = self._steps_asked or self._steps(callbacks, _STREAMED_STEPS, batch_size)
            self._stream(whole_divisor(steps, steps_per_epoch, validation_steps))
            with _reraising(train, held_out):
                return super().fit(
                    **_for_keras(train, batch_size),
                    epochs=epochs,
                    callbacks=callbacks if tolerant else [StopAtNaN(), *callbacks],
                    validation_data=_validation_for_keras(held_out, test_batch_size),
                    validation_batch_size=test_batch_size,
                    validation_steps=validation_steps,
                    shuffle=shuffle if train.in_memory or _is_sequence(train) else False,
                    steps_per_epoch=steps_per_epoch,
                    **keras_arguments,
                )
        train = self._data(train, batch_size, callbacks, shuffle)
        length, test = train.length, None
        if held_out is None or _is_batches(held_out) or validation_steps:
            length = whole_divisor(length, validation_steps)
            validation_data = _validation_for_keras(held_out, test_batch_size)
        else:
            test = self._data(held_out, test_batch_size, callbacks)
            test = Chunks(self, self._program("test"), test, length)
            validation_data, validation_steps = endless(), test.data.steps
        train = Chunks(self, self._program("train"), train, length, stop_at_nan=not tolerant)
        with self._taking(length, train, test), _reraising(held_out):
            return super().fit(
                endless(),
                epochs=epochs,
                steps_per_epoch=train.data.steps,
                callbacks=[Begin(train, test), *callbacks],
                validation_data=validation_data,
                validation_batch_size=test_batch_size,
                validation_steps=validation_steps,
                shuffle=False,
                **keras_arguments,
            )

    def evaluate(self, x=None, y=None, batch_size=None, *, sample_weight=None, steps=None, callbacks=None, **more):
        """`keras.Model.evaluate` on samples in any of the forms that `fit` takes."""
        if "_use_cached_eval_dataset" in more:  # called by Keras' `fit`, which has prepared everything
            return super().evaluate(
                x, y, batch_size, sample_weight=sample_weight, steps=steps, callbacks=callbacks, **more
            )
        batch_size = checks.positive_integer("batch_size", batch_size or TRAINING_BATCH_SIZE)
        samples = inputs.take(
            self.contract, x, y, sample_weight, batch_size=batch_size, steps=steps, steps_name="steps"
        )
        if _is_batches(samples) or steps or not self._chunks_apply():
            with self._by_keras(steps), _reraising(samples):
                return super().evaluate(**_for_keras(samples, batch_size), steps=steps, callbacks=callbacks, **more)
        callbacks = listed(callbacks)
        data = self._data(samples, batch_size, callbacks)
        test = Chunks(self, self._program("test"), data, data.length)
        with self._taking(data.length, self.chunks.train, test):
            return super().evaluate(endless(), steps=data.steps, callbacks=[Begin(None, test), *callbacks], **more)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """`keras.Model.predict` on samples in any of the forms that `fit` takes; floats of any precision as float32."""
        samples = inputs.take(
            self.contract,
            x,
            batch_size=batch_size,
            target=False,
            labels="dropped",
            steps=steps,
            steps_name="steps",
        )
        # Batch by batch also where a callback calls it during `fit`.
        before, self.steps_per_execution = self.steps_per_execution, 1
        try:
            with _reraising(samples):
                outputs = super().predict(
                    **_for_keras(samples, batch_size or TRAINING_BATCH_SIZE, predict=True),
                    verbose=verbose,
                    steps=steps,
                    callbacks=callbacks,
                )
        finally:
            self.steps_per_execution = before
        return outputs if outputs.dtype.kind in "iub" else outputs.astype("float32", copy=False)

    def train_on_batch(self, *arguments, **keras_arguments):
        """`keras.Model.train_on_batch`."""
        with self._by_keras():
            return super().train_on_batch(*arguments, **keras_arguments)

    def test_on_batch(self, *arguments, **keras_arguments):
        """`keras.Model.test_on_batch`."""
        with self._by_keras():
            return super().test_on_batch(*arguments, **keras_arguments)

    def make_train_function(self, force=False):
        """Keras' hook: the running chunks, or what Keras makes itself."""
        if self.chunks.train is None:
            return super().make_train_function(force)
        self.train_function = self.chunks.train

    def make_test_function(self, force=False):
        """Keras' hook: the running chunks, or what Keras makes itself."""
        if self.chunks.test is None:
            return super().make_test_function(force)
        self.test_function = self.chunks.test

    def _chunks_apply(self):
        """Whether chunks do the same as Keras' own loop would."""
        own_steps = (
            type(self).train_step is not keras.Model.train_step or type(self).test_step is not keras.Model.test_step
        )
        return (
            self.compiled
            and not self.run_eagerly
            and not own_steps
            and self._distribute_strategy is None  # else Keras builds the model on what it counts its steps on
            and self.distribute_strategy.num_replicas_in_sync == 1
        )

    def _data(self, samples, batch_size, callbacks, shuffle=False):
        """`samples` for `Chunks`."""
        length = self._steps(callbacks, -(-samples.count // batch_size), batch_size)
        if isinstance(samples.x, Stream):
            length = max(1, min(length, int(_STREAMED_BYTES / (batch_size * math.prod(samples.x.shape)))))
            return Streamed(samples.x, batch_size=batch_size, length=length, shuffle=shuffle)
        return Resident(
            samples.x,
            samples.y,
            samples.sample_weight,
            batch_size=batch_size,
            length=length,
            shuffle=shuffle,
            scale_pixels=samples.pixels,
            xla=self.jit_compile,
        )

    def _program(self, kind):
        """The compiled program of training or test chunks, made once after each `compile`."""
        if getattr(self._programs, kind) is None:
            setattr(self._programs, kind, Program(self, getattr(self, f"{kind}_step")))
        return getattr(self._programs, kind)

    def _steps(self, callbacks, most, batch_size):
        """Steps per call, `most` at most."""
        if self._steps_asked is not None:
            return min(self._steps_asked, most)
        return 1 if any(map(sees_every_batch, callbacks)) else chunk_length(self, batch_size, most)

    def _stream(self, steps):
        """Make Keras' own loop take `steps` steps per call; its functions keep the number they were traced with."""
        if steps != self.steps_per_execution:
            self.steps_per_execution = steps
            self.train_function = self.test_function = None

    def _by_keras(self, *step_counts):
        """Around what Keras' own functions do, also in the middle of a `fit` that takes chunks."""
        if self.compiled and (self.chunks.train or self.chunks.test):
            return self._taking(1, None, None)
        self._stream(whole_divisor(self.steps_per_execution, *step_counts))
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def _taking(self, steps, train, test):
        """Hand `train` and `test` to Keras as its functions, and take them back at the end."""
        before = self.steps_per_execution, self.train_function, self.test_function
        chunks = self.chunks.train, self.chunks.test
        self.steps_per_execution, self.train_function, self.test_function = steps, train, test
        self.chunks.train, self.chunks.test = train, test
        try:
            yield
        finally:
            self.steps_per_execution, self.train_function, self.test_function = before
            self.chunks.train, self.chunks.test = chunks


def listed(callbacks):
    """`callbacks` of `fit` as a list."""
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return keras.tree.flatten(callbacks)


def endless():
    """What Keras counts its steps on: it is never read, the chunks know their samples."""
    return tf.data.Dataset.from_tensors(0).repeat()


def _is_batches(samples):
    return not samples.in_memory and not isinstance(samples.x, Stream)


def _is_sequence(samples):
    return _is_batches(samples) and isinstance(samples.x.data, keras.utils.PyDataset)


@contextlib.contextmanager
def _reraising(*several):
    """Around Keras' loop: what a check of a batch raised, as it was."""
    with contextlib.ExitStack() as stack:
        for samples in several:
            if samples is not None and _is_batches(samples):
                stack.enter_context(samples.x.reraising())
        yield


def _for_keras(samples, batch_size, *, predict=False):
    """Arguments of Keras' own loop."""
    if isinstance(samples.x, Stream):
        batches = samples.x.images().batch(batch_size)
        return {"x": batches.map(lambda x: tf.cast(x, tf.float32) / 255.0).prefetch(tf.data.AUTOTUNE)}
    if _is_batches(samples):
        return {"x": samples.x.data}
    x, y, sample_weight = samples.x, samples.y, samples.sample_weight
    x = inputs.scaled(x) if samples.pixels else x
    if predict:
        return {"x": x, "batch_size": batch_size}
    y = x if y is None and sample_weight is not None else y  # Keras drops weights that come without a target
    return {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}


def _validation_for_keras(samples, batch_size):
    if samples is None:
        return None
    given = _for_keras(samples, batch_size)
    x, y, sample_weight = (given.get(name) for name in ("x", "y", "sample_weight"))
    return x if y is None else (x, y) if sample_weight is None else (x, y, sample_weight)
