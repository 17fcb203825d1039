"""`fit`, `evaluate` and `predict` of the zoo's models, and the interface of the loops that run them.

The samples pass `inputs.take`; then one of two loops runs them through Keras' own `fit` and `evaluate`:

- `tensorflow.CompiledLoop`, for what is in memory or a `zoo.data.Stream`: one step of Keras is a *chunk*, a compiled
  program of many steps;
- `keras_default.KerasLoop`, for batches that come from elsewhere, and for what chunks do not know: eager execution,
  several replicas, a `train_step` of one's own, `steps_per_epoch`, another backend than TensorFlow.
"""

import contextlib
import dataclasses
import math
from typing import Any, Protocol

import keras

from zoo.core import checks
from zoo.core.batches import TRAINING_BATCH_SIZE
from zoo.engine import compilation, inputs, keras_internals


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a loop needs to know in addition to the samples.

    Attributes:
        batch_size, validation_batch_size: samples per step.
        callbacks: list.
        shuffle: another order in every epoch.
        steps: batches to take in an epoch or evaluation; None for all.
        validation_steps: the same of the validation samples.
        verbose: as for Keras.
        keras: all other arguments of Keras' `fit` or `evaluate`.
    """

    batch_size: int
    validation_batch_size: int | None = None
    callbacks: list = dataclasses.field(default_factory=list)
    shuffle: bool = False
    steps: int | None = None
    validation_steps: int | None = None
    verbose: Any = "auto"
    keras: dict = dataclasses.field(default_factory=dict)

    @property
    def stop_at_nan(self):
        """Raise `TrainingError` for a loss that is not finite; Keras' own callback stops quietly instead."""
        return not any(isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in self.callbacks)


class Loop(Protocol):
    """Runs checked samples through Keras."""

    def fit(self, model, train: inputs.Samples, held_out: inputs.Samples | None, settings: Settings):
        """Train; returns Keras' History."""

    def evaluate(self, model, samples: inputs.Samples, settings: Settings):
        """Loss and metrics, as `keras.Model.evaluate` returns them."""


class EngineState:
    """What a compiled model keeps for its loops, out of sight of Keras, which would track and save it.

    Attributes:
        steps_per_execution: as the user asked for; None for automatic.
        functions: compiled functions of Keras by what they were traced for; see `functions`.
        chunks: "train" and "test" to the variables that compiled chunks read, once there were any.
        progress: of the running training in chunks: `tensorflow.ChunkCallbacks`, or None.
    """

    def __init__(self, steps_per_execution=None):
        self.steps_per_execution = steps_per_execution
        self.functions = {}
        self.chunks = {}
        self.progress = None


@contextlib.contextmanager
def functions(model, key, steps_per_execution=1):
    """Around calls of Keras: its functions that were traced for `key`, and what was there before at the end.

    Keras traces `steps_per_execution` into its functions, and relaxes the shapes of their arguments from one call to
    the next until even the rank is unknown. So the functions are kept by the number of steps and the ranks of the
    arrays; and a callback may use the model in the middle of a `fit` that runs on others.
    """
    state, key = model.engine, (steps_per_execution, key)
    names = ("train_function", "test_function", "predict_function")
    before = model.steps_per_execution, [getattr(model, name) for name in names]
    _set(model, names, steps_per_execution, state.functions.get(key, [None] * 3))
    try:
        yield
    finally:
        state.functions[key] = [getattr(model, name) for name in names]
        _set(model, names, *before)


def _set(model, names, steps, values):
    model.steps_per_execution = steps
    for name, value in zip(names, values, strict=True):
        setattr(model, name, value)


class Trainer:
    """Mixin before `keras.Model`: `fit`, `evaluate` and `predict` take samples in any form, and run in compiled chunks.

    A subclass has the property `contract`, a `contract.Contract`.
    """

    # Of keras.Model.
    compiled: bool
    run_eagerly: bool

    @property
    def engine(self):
        """`EngineState`; a new one after every `compile`."""
        return self.__dict__.setdefault("_engine", EngineState())  # not by `setattr`, which is Keras'

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
        if steps_per_execution == "auto":
            steps_per_execution = None
        else:
            steps_per_execution = checks.positive_integer("steps_per_execution", steps_per_execution)
        jit_compile = compilation.choose(self, jit_compile) and not keras_arguments.get("run_eagerly")
        with compilation.verified(self, jit_compile):
            super().compile(optimizer=optimizer, loss=loss, jit_compile=jit_compile, **keras_arguments)
        self.__dict__["_engine"] = EngineState(steps_per_execution)

    def recompile(self, optimizer):
        """`compile` again with the very objects of the last time, and `optimizer`: trainable flags are read anew."""
        arguments = keras_internals.compile_arguments(self)
        arguments["steps_per_execution"] = self.engine.steps_per_execution or "auto"
        Trainer.compile(self, optimizer, auto_scale_loss=False, **arguments)

    def get_compile_config(self):
        """Arguments of `compile`, as Keras stores them."""
        config = super().get_compile_config()
        if config:
            config["steps_per_execution"] = self.engine.steps_per_execution or "auto"
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
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """`keras.Model.fit` on samples in any of the forms of `inputs.take`."""
        train = inputs.take(
            self.contract, x, y, sample_weight, class_weight=class_weight, batch_size=batch_size, steps=steps_per_epoch
        )
        batch_size = _batch_size(batch_size, train, steps_per_epoch)
        settings = Settings(
            batch_size,
            checks.positive_integer("validation_batch_size", validation_batch_size or batch_size),
            _listed(callbacks),
            shuffle,
            steps_per_epoch,
            validation_steps,
            verbose,
            {"epochs": epochs, "initial_epoch": initial_epoch, "validation_freq": validation_freq},
        )
        held_out = None
        if validation_data is not None:
            named = isinstance(validation_data, dict)
            held_out = inputs.take(
                self.contract,
                *((validation_data,) if named else inputs.unpack(validation_data, self.contract)),
                batch_size=settings.validation_batch_size,
                steps=validation_steps,
                steps_name="validation_steps",
                name="validation_data",
            )
        elif validation_split:
            train, held_out = train.split(validation_split)
            if class_weight is not None:  # as for Keras, not for validation
                held_out = dataclasses.replace(held_out, sample_weight=None)
        return self._loop(train, settings).fit(self, train, held_out, settings)

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **keras_arguments,
    ):
        """`keras.Model.evaluate` on samples in any of the forms that `fit` takes."""
        if isinstance(callbacks, keras.callbacks.CallbackList):  # Keras' `fit` calls, with what a loop has prepared
            return super().evaluate(
                x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict, **keras_arguments
            )
        samples = inputs.take(
            self.contract, x, y, sample_weight, batch_size=batch_size, steps=steps, steps_name="steps"
        )
        settings = Settings(
            _batch_size(batch_size, samples, steps),
            callbacks=_listed(callbacks),
            steps=steps,
            verbose=verbose,
            keras={"return_dict": return_dict, **keras_arguments},
        )
        return self._loop(samples, settings).evaluate(self, samples, settings)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """`keras.Model.predict` on samples in any of the forms that `fit` takes; floats of any precision as float32."""
        from zoo.engine.keras_default import KerasLoop

        samples = inputs.take(
            self.contract,
            x,
            batch_size=batch_size,
            target=False,
            labels="dropped",
            steps=steps,
            steps_name="steps",
        )
        batch_size = _batch_size(batch_size, samples, steps)
        settings = Settings(batch_size, callbacks=_listed(callbacks), steps=steps, verbose=verbose)
        outputs = KerasLoop().predict(self, samples, settings)
        return outputs if outputs.dtype.kind in "iub" else outputs.astype("float32", copy=False)

    def train_on_batch(self, *arguments, **keras_arguments):
        """`keras.Model.train_on_batch`."""
        with functions(self, "batch"):
            return super().train_on_batch(*arguments, **keras_arguments)

    def test_on_batch(self, *arguments, **keras_arguments):
        """`keras.Model.test_on_batch`."""
        with functions(self, "batch"):
            return super().test_on_batch(*arguments, **keras_arguments)

    def train_step(self, *arguments):
        """`keras.Model.train_step`; on a chunk, all of its steps."""
        return self._step(super().train_step, arguments)

    def test_step(self, *arguments):
        """`keras.Model.test_step`; on a chunk, all of its steps."""
        return self._step(super().test_step, arguments)

    def _step(self, step, arguments):
        if isinstance(arguments[-1], dict) and "span" in arguments[-1]:  # samples are tuples, see `inputs.take`
            from zoo.engine.tensorflow import run_chunk

            return run_chunk(self, step, *arguments)
        return step(*arguments)

    def _loop(self, samples, settings) -> Loop:
        """Chunks where they do the same as Keras' own loop."""
        own_steps = type(self).train_step is not Trainer.train_step or type(self).test_step is not Trainer.test_step
        if (
            samples.batches is None
            and settings.steps is None
            and settings.shuffle in (True, False)
            and keras.backend.backend() == "tensorflow"
            and self.compiled
            and not self.run_eagerly
            and not own_steps
            and not keras_internals.is_distributed(self)
        ):
            from zoo.engine.tensorflow import CompiledLoop

            return CompiledLoop()
        from zoo.engine.keras_default import KerasLoop

        return KerasLoop()


def _batch_size(given, samples, steps):
    """As given; else so large that arrays are `steps` batches, as Keras has it, or 32."""
    if given is None and steps and samples.in_memory:
        return math.ceil(samples.count / steps)
    return checks.positive_integer("batch_size", TRAINING_BATCH_SIZE if given is None else given)


def _listed(callbacks):
    """`callbacks` of `fit` as a list."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return keras.tree.flatten(callbacks or [])
