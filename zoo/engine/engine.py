"""The compiled training engine: Keras' own `fit` and `evaluate`, fed with compiled chunks instead of batches."""

import contextlib
import math
import types

import keras

from zoo.core import checks
from zoo.data.stream import Stream
from zoo.engine import arrays, compilation, keras_forms
from zoo.engine.chunks import Begin, Chunks, Program, StopAtNaN, chunk_length, sees_every_batch, whole_divisor
from zoo.engine.in_memory import Resident
from zoo.engine.keras_forms import DEFAULT_BATCH_SIZE
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
        """`keras.Model.fit`; `x` may also be a `zoo.data.Source`, with its labels as `y`."""
        callbacks = arrays.listed(callbacks)
        samples = arrays.known(x, y, sample_weight)
        tolerant = any(isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in callbacks)
        if samples is None or steps_per_epoch or shuffle not in (True, False) or not self._chunks_apply():
            arrays.check_dataset(x)
            steps = self._steps_asked or self._steps(callbacks, _STREAMED_STEPS, batch_size or DEFAULT_BATCH_SIZE)
            self._stream(whole_divisor(steps, steps_per_epoch, validation_steps))
            (x, y, sample_weight), size = keras_forms.of(self, (x, y, sample_weight), samples, batch_size)
            return super().fit(
                x,
                y,
                size,
                epochs,
                callbacks=callbacks if tolerant else [StopAtNaN(), *callbacks],
                validation_data=keras_forms.validation(self, validation_data, batch_size),
                validation_split=validation_split,
                validation_batch_size=validation_batch_size,
                validation_steps=validation_steps,
                shuffle=shuffle and isinstance(samples, tuple),
                class_weight=class_weight,
                sample_weight=sample_weight,
                steps_per_epoch=steps_per_epoch,
                **keras_arguments,
            )
        held_out = arrays.known(*(validation_data if isinstance(validation_data, tuple) else (validation_data,)))
        if validation_split and validation_data is None:
            samples, held_out = arrays.split(samples, validation_split)
        if class_weight is not None and isinstance(samples, tuple):  # as for Keras, not for validation
            samples = (*samples[:2], arrays.class_weights(class_weight, *samples[1:]))
        batch_size = checks.positive_integer("batch_size", batch_size or DEFAULT_BATCH_SIZE)
        train = self._data(x, samples, batch_size, callbacks, shuffle)
        length, test = train.length, None
        if held_out is None or validation_steps:
            length = whole_divisor(length, validation_steps)
        else:
            given = x if validation_data is None else validation_data
            test = self._data(given, held_out, validation_batch_size or batch_size, callbacks)
            test = Chunks(self, self._program("test"), test, length)
            validation_data, validation_steps = arrays.endless(), test.data.steps
        train = Chunks(self, self._program("train"), train, length, stop_at_nan=not tolerant)
        with self._taking(length, train, test):
            return super().fit(
                arrays.endless(),
                epochs=epochs,
                steps_per_epoch=train.data.steps,
                callbacks=[Begin(train, test), *callbacks],
                validation_data=keras_forms.validation(self, validation_data, batch_size),
                validation_batch_size=validation_batch_size or batch_size,
                validation_steps=validation_steps,
                shuffle=False,
                **keras_arguments,
            )

    def evaluate(self, x=None, y=None, batch_size=None, *, sample_weight=None, steps=None, callbacks=None, **more):
        """`keras.Model.evaluate`; `x` may also be a `zoo.data.Source`, with its labels as `y`."""
        if "_use_cached_eval_dataset" in more:  # called by Keras' `fit`, which has prepared everything
            return super().evaluate(
                x, y, batch_size, sample_weight=sample_weight, steps=steps, callbacks=callbacks, **more
            )
        samples = arrays.known(x, y, sample_weight)
        if samples is None or steps or not self._chunks_apply():
            (x, y, sample_weight), size = keras_forms.of(self, (x, y, sample_weight), samples, batch_size)
            more = {**more, "sample_weight": sample_weight, "steps": steps, "callbacks": callbacks}
            with self._by_keras(steps):
                return super().evaluate(x, y, size, **more)
        batch_size = checks.positive_integer("batch_size", batch_size or DEFAULT_BATCH_SIZE)
        callbacks = arrays.listed(callbacks)
        data = self._data(x, samples, batch_size, callbacks)
        test = Chunks(self, self._program("test"), data, data.length)
        with self._taking(data.length, self.chunks.train, test):
            return super().evaluate(
                arrays.endless(), steps=data.steps, callbacks=[Begin(None, test), *callbacks], **more
            )

    def predict(self, *arguments, **keras_arguments):
        """`keras.Model.predict`, batch by batch also where a callback calls it during `fit`."""
        before, self.steps_per_execution = self.steps_per_execution, 1
        try:
            return super().predict(*arguments, **keras_arguments)
        finally:
            self.steps_per_execution = before

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

    def _data(self, given, samples, batch_size, callbacks, shuffle=False):
        """`samples`, which were `given` in this form, for `Chunks`."""
        given = given[0] if isinstance(given, tuple) else given
        count = len(samples[0] if isinstance(samples, tuple) else samples)
        length = self._steps(callbacks, -(-count // batch_size), batch_size)
        if isinstance(samples, Stream):
            length = max(1, min(length, int(_STREAMED_BYTES / (batch_size * math.prod(samples.shape)))))
            return Streamed(samples, batch_size=batch_size, length=length, shuffle=shuffle)
        return Resident(
            *samples,
            batch_size=batch_size,
            length=length,
            shuffle=shuffle,
            scale_pixels=keras_forms.are_pixels(self, given, samples),
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
