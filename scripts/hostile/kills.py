"""Writers that are killed: `zoo.save`, `zoo.export` and `zoo.train`, at any moment and at every step of a replacement.

Afterwards the folder holds the earlier result or the new one, whole; and once the writer has run through, it holds what
it would hold if nobody had been killed.
"""

import contextlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time

import numpy as np

WRITERS = ("save", "export", "train")
EARLIER, NEW = "the earlier result", "the new result"
NEITHER, LEFT = "neither result", "left behind"
_WAYS = ("killed at any moment", "killed before every step", "on a full disk")
_RESUMED = ".checkpoint"  # from which a training goes on
_STEPS = ("rename", "replace", "unlink", "remove", "rmdir", "mkdir", "link", "symlink")
_SAMPLE = np.random.default_rng(0).random((2, 8, 8, 1), "float32")
_RECIPE = """
description = "A small model"
dataset = "digits"

[model]
family = "feed_forward"
input_shape = [8, 8, 1]
latent_dim = 2

[training]
epochs = 3
batch_size = 500
seed = 1
jit_compile = false
"""


def _model(new):
    import keras

    import zoo

    keras.utils.set_random_seed(2 if new else 1)
    return zoo.feed_forward((8, 8, 1), 2)


def _save(folder, new):
    import zoo

    model = _model(new)
    return lambda: zoo.save(model, folder, name="small")


def _export(folder, new):
    import zoo

    model = _model(new)
    return lambda: zoo.export(model, folder, ("tflite", "onnx"), threshold=0.5)


def _train(folder, new):
    import zoo
    from zoo.recipes import checkpoint, train

    if not new:
        return _save(folder, new)
    checkpoint.SECONDS_BETWEEN = 0  # after every chunk of steps
    train._measure = lambda *arguments: {}  # takes long and writes nothing
    recipe = folder.with_name(f"{folder.name}-recipe") / "small" / "recipe.toml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(_RECIPE)
    return lambda: zoo.train(recipe, folder, verbose=0)


_PREPARED = {"save": _save, "export": _export, "train": _train}


def _read(writer, folder):
    """What the result in a folder computes."""
    import zoo

    if writer == "export":
        return [zoo.lite.load(folder / f"model.{form}").reconstruct(_SAMPLE) for form in ("tflite", "onnx")]
    return [zoo.load(folder).reconstruct(_SAMPLE)]


def _work(pipe, writer, folder, new, step, largest):
    """In a process of its own: write, and end before step number `step`; or with files of at most `largest` bytes."""
    output = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    act = _PREPARED[writer](folder, new)
    count = 0

    def counted(call):
        def counting(*arguments, **options):
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return counting

    for name in _STEPS:
        setattr(os, name, counted(getattr(os, name)))
    if largest is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    pipe.send(time.monotonic())
    try:
        act()
    except Exception as error:
        pipe.send(error)
    else:
        pipe.send((time.monotonic(), count))


def write(writer, folder, new=True, *, seconds=None, step=None, largest=None):
    """Run a writer in another process.

    Args:
        writer: one of `WRITERS`.
        folder: where it writes.
        new: whether it writes the new result or the earlier one.
        seconds: kill it after so long.
        step: kill it before step number `step`: the calls that change folders, counted from 1.
        largest: let it write files of at most so many bytes, as on a full disk.

    Returns:
        (seconds, number of steps) of one that ran through, its exception, or None if it was killed.
    """
    context = multiprocessing.get_context("forkserver")
    # The server imports everything once; each writer is a fork of it, which starts in no time.
    context.set_forkserver_preload(["tensorflow", "keras", "zoo.catalog.save", "zoo.exporting.export"])
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, writer, folder, new, step, largest), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(120):
            raise RuntimeError(f"{writer} did not start")
        begin = ours.recv()
        if seconds is not None:
            time.sleep(max(0, begin + seconds - time.monotonic()))
            process.kill()
        if not ours.poll(120):
            raise RuntimeError(f"{writer} did not end")
        ended = ours.recv()
        return ended if isinstance(ended, Exception) else (ended[0] - begin, ended[1])
    except (EOFError, ConnectionError):
        return None
    finally:
        process.kill()
        process.join()


class Killing:
    """Kills one kind of writer in many ways, and says what was there afterwards.

    Args:
        writer: one of `WRITERS`.
        place: an empty folder to work in.
        earlier: whether there is an earlier result.
    """

    def __init__(self, writer, place, earlier=True):
        self.writer, self.place, self.earlier = writer, place, earlier
        self._before, whole = place / "before", place / "whole"
        self._before.mkdir()
        if earlier:
            _check(write(writer, self._before, new=False))
            shutil.copytree(self._before, whole)
            self._old = _read(writer, self._before)
        write(writer, place / "first", new=True)  # the first one imports more
        self.seconds, self.steps = _check(write(writer, whole))
        self._new, self._names = _read(writer, whole), _names(whole)

    def kill(self, **how):
        """The outcome of a writer that is killed as `write` says: (outcome, message)."""
        folder = self.place / "folder"
        shutil.copytree(self._before, folder)
        try:
            killed = write(self.writer, folder, **how)
            outcome = self._state(folder)
            if outcome is None:
                return NEITHER, f"{how}, {killed}: {self._error(folder)}; {sorted(_names(folder))}"
            if isinstance(killed, Exception):
                _check_refusal(killed)
                left = {name for name in _names(folder) - _names(self._before) if not name.startswith(_RESUMED)}
                if left:
                    return LEFT, f"{how}: {sorted(left)}"
            _check(write(self.writer, folder))
            if self._state(folder) != NEW:
                return NEITHER, f"{how}, then run again: {self._error(folder)}"
            if left := _names(folder) ^ self._names:
                return LEFT, f"{how}: {sorted(left)}"
            return outcome, ""
        finally:
            shutil.rmtree(folder)
            shutil.rmtree(self.place / "folder-recipe", ignore_errors=True)

    def _state(self, folder):
        from zoo.core.errors import ZooError

        try:
            found = _read(self.writer, folder)
        except ZooError:
            found = None
        if _same(found, self._new):
            return NEW
        if self.earlier:
            return EARLIER if _same(found, self._old) else None
        return EARLIER if found is None and not _complete(folder) else None

    def _error(self, folder):
        try:
            _read(self.writer, folder)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:300]
        return "other numbers"


def _complete(folder):
    return (folder / "metadata.json").exists() or (folder / "report.json").exists()


def _same(found, expected):
    return found is not None and all(
        np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(found, expected, strict=True)
    )


def _check(ended):
    if not isinstance(ended, tuple):
        raise RuntimeError(f"A writer that nobody killed failed: {ended!r}")
    return ended


def _check_refusal(error):
    from zoo.core.errors import ZooError

    if not isinstance(error, ZooError):
        raise error


def _names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def moments(seconds, count, rng):
    """`count` moments of an action that takes so many seconds: one in each of as many equal parts."""
    return [seconds * (i + rng.random()) / count for i in range(count)]


def rows():
    """The rows of the table."""
    return [f"`zoo.{writer}`, {way}" for writer in WRITERS for way in _WAYS]


def campaign(place, seed, done=(), count=20):
    """Kill every writer at `count` moments, half of them over an earlier result and half of them into an empty folder,
    and at each of its steps; yields results like those of other cases.

    Args:
        place: folder to work in.
        seed: of the moments.
        done: names of cases to leave out.
        count: moments.
    """
    for writer in WRITERS:
        for earlier in (True, False):
            name = f"kills/{writer}-{'again' if earlier else 'first'}"
            if f"{name}-end" in done:
                continue
            folder = place / f"{writer}-{earlier}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            killing = Killing(writer, folder, earlier)
            rng = random.Random(f"{seed} {writer} {earlier}")
            ways = [(_WAYS[0], {"seconds": moment}) for moment in moments(killing.seconds, count // 2, rng)]
            ways += [(_WAYS[1], {"step": step}) for step in range(1, killing.steps + 1)]
            ways += [(_WAYS[2], {"largest": 2**power}) for power in (4, 8, 12, 15, 18)]
            for number, (way, how) in enumerate(ways):
                case = f"{name}-{number if number < len(ways) - 1 else 'end'}"
                if case in done:
                    continue
                try:
                    outcome, message = killing.kill(**how)
                except Exception as error:
                    outcome, message = "foreign exception", f"{type(error).__name__}: {error}"
                about = f"{how}, {'over an earlier result' if earlier else 'into an empty folder'}"
                row = f"`zoo.{writer}`, {way}"
                yield {"case": case, "row": row, "detail": about, "outcome": outcome, "message": message[:300]}
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
