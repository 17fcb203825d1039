"""Checkpoints from which a training goes on exactly: killed at any moment, it ends with the same bits."""

import contextlib
import dataclasses
import json
import pathlib
import signal
import threading
import time
import warnings
from typing import Any

import keras
import numpy as np

from zoo.core import arrays_file, files
from zoo.core.errors import ConfigError
from zoo.core.schema import Count, convert

SECONDS_BETWEEN = 15
_KEPT = 2
_PATTERN = "checkpoint-*.npz"
_HEADER = "header"


@dataclasses.dataclass(frozen=True)
class _State:
    """Of a callback: its numbers, and how many arrays its lists of them have."""

    numbers: dict[str, Any]
    lists: dict[str, Count]


@dataclasses.dataclass(frozen=True)
class _Header:
    recipe: dict[str, Any]
    epoch: Count
    step: Count
    callbacks: list[_State]


class Checkpoint(keras.callbacks.Callback):
    """Saves everything that a training of `Autoencoder.fit` depends on, and restores it.

    That is: weights, optimizer state, states of the random generators, metrics of the begun epoch, the number of the
    epoch and of its steps taken, history, and the states of other callbacks. The order of the samples follows from the
    seed and the epoch, and needs no saving.

    A checkpoint is written when `SECONDS_BETWEEN` have passed since the last one, at the end of a chunk or an epoch,
    and when the process is asked to stop (Ctrl-C, SIGTERM). It is written under another name and renamed, so a kill
    leaves the last one. The newest two are kept; one that is damaged is passed over with a warning.

    Args:
        directory: where checkpoints are kept.
        recipe: JSON dictionary of all that the training follows; a checkpoint of another one is refused.
        callbacks: list of callbacks whose state is part of the training's; they come before this one in `fit`.
    """

    def __init__(self, directory, recipe, callbacks=()):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self.recipe = json.loads(json.dumps(recipe))
        self.callbacks = list(callbacks)
        self.damaged = set()
        self.restored = self._newest()
        self.asked_to_stop = False

    @property
    def epoch(self):
        """The epoch to go on with, counted from 0: `initial_epoch` for `fit`."""
        return self.restored[0].epoch if self.restored else 0

    @property
    def place(self):
        """Where the training goes on, in words."""
        header, _ = self.restored
        return f"epoch {header.epoch + 1}" + (f", step {header.step + 1}" if header.step else "")

    def exists(self):
        """Whether there is a checkpoint in the directory."""
        return any(self.directory.glob(_PATTERN))

    # Restoring

    def _newest(self):
        """Header and arrays of the newest undamaged checkpoint, or None."""
        # A name sorts by epoch and step, so the newest comes last.
        for path in sorted(self.directory.glob(_PATTERN), reverse=True):
            try:
                content = arrays_file.read_arrays(path, follow_links=False)
                header = convert(json.loads(str(content.pop(_HEADER))), _Header, "the header")
            except Exception as error:  # whatever it is, an earlier checkpoint or none is better than no training
                warnings.warn(
                    f"Checkpoint {str(path)!r} is damaged ({type(error).__name__}) and is passed over; the training"
                    " goes on from the one before it, if there is one.",
                    stacklevel=3,
                )
                self.damaged.add(path)
                continue
            self._check_recipe(header.recipe, path)
            return header, content
        return None

    def _check_recipe(self, other, path):
        differences = [
            f"{name}: {_shown(theirs)} in the checkpoint, {_shown(ours)} now"
            for name, theirs, ours in _pairs(other, self.recipe)
            if theirs != ours
        ]
        if differences:
            raise ConfigError(
                f"The checkpoint {str(path)!r} is of another recipe ({'; '.join(differences)}). Train into another"
                " directory, or start anew with resume=False (zoo train --no-resume)."
            )

    def on_train_begin(self, logs=None):
        self.saved_at = time.monotonic()
        if not self.restored:
            return
        header, arrays = self.restored
        self.model.optimizer.build(self.model.trainable_variables)
        for variable, name in self._variables():
            if _fits(variable, arrays.get(name)):
                variable.assign(arrays[name])
            elif not name.startswith("metric"):
                raise ConfigError(f"The checkpoint in {str(self.directory)!r} lacks {variable.path!r}.")
        try:
            for i, (callback, state) in enumerate(zip(self.callbacks, header.callbacks, strict=True)):
                _restore(callback, state, arrays, f"callback{i}/")
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"The checkpoint in {str(self.directory)!r} has other callbacks than this training: start anew with"
                " resume=False (zoo train --no-resume)."
            ) from error
        sample = np.zeros((1, *self.model.input_shape), "float32")
        self.model.compute_metrics(sample, None, self.model(sample))  # makes the metrics' variables

    def on_epoch_begin(self, epoch, logs=None):
        self.current = epoch
        self.states = [_state(callback) for callback in self.callbacks]
        if self.restored:
            header, arrays = self.restored
            self.restored = None
            if header.step:
                self.model.engine.progress.resume(header.step)
                for variable, name in self._variables():
                    if name.startswith("metric") and _fits(variable, arrays.get(name)):
                        variable.assign(arrays[name])

    # Saving

    def on_train_batch_end(self, batch, logs=None):
        progress = self.model.engine.progress
        if progress is not None and not progress.epoch_ends:  # else the end of the epoch saves
            self._save_if_due(self.current, progress.taken)

    def on_epoch_end(self, epoch, logs=None):
        self.states = [_state(callback) for callback in self.callbacks]
        if not self.model.stop_training:
            self._save_if_due(epoch + 1, 0)

    def _save_if_due(self, epoch, step):
        if self.asked_to_stop or time.monotonic() - self.saved_at >= SECONDS_BETWEEN:
            self._save(epoch, step)
        if self.asked_to_stop:
            raise KeyboardInterrupt

    def _save(self, epoch, step):
        header = dataclasses.asdict(_Header(self.recipe, epoch, step, [state for state, _ in self.states]))
        arrays = {name: np.asarray(variable) for variable, name in self._variables()}
        for i, (_, lists) in enumerate(self.states):
            arrays |= {f"callback{i}/{name}/{j}": a for name, values in lists.items() for j, a in enumerate(values)}
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with files.replacing(self.directory / f"checkpoint-{epoch:06d}-{step:09d}.npz") as file:
                np.savez(file, **{_HEADER: np.array(json.dumps(header))}, **arrays)
            for old in sorted(set(self.directory.glob(_PATTERN)) - self.damaged)[:-_KEPT]:
                old.unlink()
        except OSError as error:
            warnings.warn(
                f"No checkpoint of epoch {epoch + 1} could be written to {str(self.directory)!r} ({error}). The"
                " training goes on; the checkpoint before it is still there.",
                stacklevel=2,
            )
        self.saved_at = time.monotonic()

    def _variables(self):
        """Pairs of a variable and its name in the checkpoint; metrics begin with "metric"."""
        groups = {
            "model": [v for v in self.model.variables if not any(v is m for m in self.model.metrics_variables)],
            "optimizer": self.model.optimizer.variables,
            "metric": self.model.metrics_variables,
        }
        return [
            (variable, f"{group}/{i}") for group, variables in groups.items() for i, variable in enumerate(variables)
        ]

    # Stopping

    @contextlib.contextmanager
    def stopping(self, announce):
        """Around `fit`: Ctrl-C and SIGTERM stop after the running chunk, with a checkpoint; a second one at once.

        Args:
            announce: called once with a sentence for the user.
        """

        def ask(signum, frame):
            if self.asked_to_stop:
                raise KeyboardInterrupt
            self.asked_to_stop = True
            announce("Stopping after the running steps, with a checkpoint; press Ctrl-C again to stop at once.")

        if threading.current_thread() is not threading.main_thread():
            yield  # signals go to the main thread
            return
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _state(callback):
    """Numbers and history of a callback as a `_State`, and its lists of arrays (such as the best weights)."""
    values = {name: value for name, value in vars(callback).items() if not name.startswith("_")}
    numbers = {name: _plain(v) for name, v in values.items() if isinstance(v, (bool, int, float, np.number))}
    if isinstance(callback, keras.callbacks.History):
        numbers |= {
            "epoch": list(callback.epoch),
            "history": {k: list(map(float, v)) for k, v in callback.history.items()},
        }
    lists = {
        name: [np.array(a) for a in value]
        for name, value in values.items()
        if isinstance(value, list) and value and all(isinstance(a, np.ndarray) for a in value)
    }
    return _State(numbers, {name: len(value) for name, value in lists.items()}), lists


def _restore(callback, state, arrays, prefix):
    for name in {**state.numbers, **state.lists}:
        if name.startswith("_") or hasattr(type(callback), name):
            raise ValueError(f"{name!r} is no state of a callback")
    for name, value in state.numbers.items():
        if type(vars(callback).get(name)) in (list, dict) and type(value) is not type(vars(callback)[name]):
            raise ValueError(f"{name!r} has another type")
        setattr(callback, name, value)
    for name, count in state.lists.items():
        setattr(callback, name, [arrays[f"{prefix}{name}/{i}"] for i in range(count)])


def _fits(variable, array):
    return array is not None and (array.shape, str(array.dtype)) == (tuple(variable.shape), variable.dtype)


def _plain(value):
    return value.item() if isinstance(value, np.number) else value


def _pairs(theirs, ours, prefix=""):
    """Triples (dotted name, value in one, value in the other) of two nested dictionaries."""
    for name in sorted({*theirs, *ours}):
        a, b = theirs.get(name), ours.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _pairs(a, b, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", a, b


def _shown(value):
    return "nothing" if value is None else json.dumps(value)
