"""Exact resume: killed, interrupted or damaged, a training ends with the bits of one that ran through."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, OutputError, TrainingError
from zoo.recipes import checkpoint

RECIPE = """
description = "A test on the embedded digits."
dataset = "digits"

[model]
family = "denoising"
corruption = [{type = "Affine", shift = 1}, {type = "Gaussian", stddev = 0.2}]

[model.backbone]
family = "feed_forward"
input_shape = [8, 8, 1]
latent_dim = 4

[training]
jit_compile = false
epochs = 6
batch_size = 100
schedule = "cosine"
validation_split = 0.2
patience = 2
seed = 7
"""


@pytest.fixture(autouse=True, scope="module")
def without_evaluation():
    """These tests compare weights; measuring the sets would take most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.recipes.train._measure", lambda recipe, model, train, test: {})
        yield


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "digits-test" / "recipe.toml"
    path.parent.mkdir()
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of a training that ran through."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "recipe.toml").write_text(RECIPE)
    zoo.train(folder / "recipe.toml", folder / "out", verbose=0)
    return _weights(folder / "out")


@pytest.fixture
def often(monkeypatch):
    """A checkpoint after every chunk, of which an epoch has several."""
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
    monkeypatch.setattr("zoo.engine.steps._WORK_PER_CHUNK", 2e6)


def _stop_after(monkeypatch, saves, action):
    """Do `action` after so many checkpoints."""
    original, count = checkpoint.Checkpoint._save, []

    def save(self, epoch, step):
        original(self, epoch, step)
        count.append((epoch, step))
        if len(count) == saves:
            action(self)

    monkeypatch.setattr(checkpoint.Checkpoint, "_save", save)
    return count


def _interrupt(self):
    raise KeyboardInterrupt


def _weights(directory):
    return (directory / "model.weights.h5").read_bytes()


class TestExactResume:
    @pytest.mark.parametrize("saves", [1, 4, 9])
    def test_in_the_same_process(self, recipe, tmp_path, whole, monkeypatch, often, saves):
        with monkeypatch.context() as patch:
            _stop_after(patch, saves, _interrupt)
            with pytest.raises(KeyboardInterrupt):
                zoo.train(recipe, tmp_path / "parts", verbose=0)
        assert not (tmp_path / "parts" / "metadata.json").exists()
        seconds = tmp_path / "parts" / ".checkpoint" / "seconds.txt"
        assert 0 < float(seconds.read_text()) < 100
        seconds.write_text("1000.0")
        zoo.train(recipe, tmp_path / "parts", verbose=0)
        assert _weights(tmp_path / "parts") == whole
        assert zoo.card(tmp_path / "parts").reproduction.seconds > 1000
        assert not (tmp_path / "parts" / ".checkpoint").exists()

    def test_killed_processes(self, recipe, tmp_path):
        recipe.write_text(RECIPE.replace("jit_compile = false", "jit_compile = true"))
        code = (
            "import sys, zoo; from zoo.recipes import checkpoint; from zoo.engine import steps;"
            " checkpoint.SECONDS_BETWEEN = 0; steps._WORK_PER_CHUNK = 2e6;"
            " zoo.train(sys.argv[1], sys.argv[2], verbose=0)"
        )

        def start(directory):
            arguments = [sys.executable, "-c", code, str(recipe), str(directory)]
            return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        assert start(tmp_path / "whole").wait() == 0
        folder = tmp_path / "parts" / ".checkpoint"
        before = set()
        for _ in range(2):
            process = start(tmp_path / "parts")
            # Kill it as soon as it has gone on: at an arbitrary place, which may be in the middle of a write.
            while process.poll() is None and not set(folder.glob("*.npz")) - before:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            before = set(folder.glob("*.npz"))
        assert start(tmp_path / "parts").wait() == 0
        assert _weights(tmp_path / "parts") == _weights(tmp_path / "whole")

    def test_history_and_best_so_far_go_on(self, recipe, tmp_path, monkeypatch, often):
        from zoo import data
        from zoo.recipes.fit import build, fit
        from zoo.recipes.recipe import read_recipe

        parsed, source = read_recipe(recipe), data.load("digits")

        def train(directory):
            model = build(parsed)
            return fit(parsed, model, source, checkpoint_directory=tmp_path / directory, verbose=0).history

        whole = train("a")
        with monkeypatch.context() as patch:
            saved = _stop_after(patch, 8, _interrupt)
            with pytest.raises(KeyboardInterrupt):
                train("b")
        assert saved[-1][0] >= 2
        assert train("b") == whole
        assert set(whole) == {"loss", "mse", "val_loss", "val_mse"}

    def test_no_resume_starts_anew(self, recipe, tmp_path, monkeypatch, often):
        with monkeypatch.context() as patch:
            _stop_after(patch, 5, _interrupt)
            with pytest.raises(KeyboardInterrupt):
                zoo.train(recipe, tmp_path / "out", verbose=0)
        saved = _stop_after(monkeypatch, 10**9, None)
        zoo.train(recipe, tmp_path / "out", resume=False, verbose=0)
        assert saved[0][0] == 0

    def test_checkpoints_are_few_and_small(self, recipe, tmp_path, monkeypatch, often):
        sizes = []

        def look(self):
            files = sorted(self.directory.glob("checkpoint-*"))
            sizes.append(([f.name for f in files], files[-1].stat().st_size))
            raise KeyboardInterrupt

        _stop_after(monkeypatch, 5, look)
        with pytest.raises(KeyboardInterrupt):
            zoo.train(recipe, tmp_path / "out", verbose=0)
        names, size = sizes[0]
        assert len(names) == 2
        assert all(re.fullmatch(r"checkpoint-\d{6}-\d{9}.npz", name) for name in names)
        weights = zoo.from_config({"family": "feed_forward", "input_shape": [8, 8, 1], "latent_dim": 4}).count_params()
        # Weights, the two moments of Adam, the best weights; and the names of some thirty small arrays.
        assert size < 4 * 4 * 2 * weights + 30_000


class TestDamage:
    @pytest.mark.parametrize(
        "spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b.replace(b"\0" * 8, b"\1" * 8)]
    )
    def test_falls_back_to_the_one_before(self, recipe, tmp_path, whole, monkeypatch, often, spoil):
        with monkeypatch.context() as patch:
            _stop_after(patch, 5, _interrupt)
            with pytest.raises(KeyboardInterrupt):
                zoo.train(recipe, tmp_path / "parts", verbose=0)
        newest = max((tmp_path / "parts" / ".checkpoint").glob("checkpoint-*"))
        newest.write_bytes(spoil(newest.read_bytes()))
        with pytest.warns(UserWarning, match=f"{newest.name}.* is damaged .* goes on from the one before"):
            zoo.train(recipe, tmp_path / "parts", verbose=0)
        assert _weights(tmp_path / "parts") == whole

    def test_a_full_disk_keeps_the_checkpoint_before(self, recipe, tmp_path, whole, monkeypatch, often):
        kept, original = [], np.savez

        def full(file, **arrays):
            if kept:
                file.write(b"half a checkpoint")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            kept.append(file.name)
            original(file, **arrays)

        with monkeypatch.context() as patch:
            patch.setattr(np, "savez", full)
            _stop_after(patch, 4, _interrupt)
            warned = pytest.warns(UserWarning, match="No checkpoint of epoch 1 could be written .*No space left")
            with warned, pytest.raises(KeyboardInterrupt):
                zoo.train(recipe, tmp_path / "parts", verbose=0)
        assert [p.suffix for p in (tmp_path / "parts" / ".checkpoint").glob("checkpoint-*")] == [".npz"]
        zoo.train(recipe, tmp_path / "parts", verbose=0)
        assert _weights(tmp_path / "parts") == whole

    def test_another_recipe_is_refused(self, recipe, tmp_path, monkeypatch, often):
        with monkeypatch.context() as patch:
            _stop_after(patch, 2, _interrupt)
            with pytest.raises(KeyboardInterrupt):
                zoo.train(recipe, tmp_path / "out", verbose=0)
        recipe.write_text(RECIPE.replace("latent_dim = 4", "latent_dim = 5").replace("seed = 7", "seed = 8"))
        message = (
            r"of another recipe \(model.backbone.latent_dim: 4 in the checkpoint, 5 now;"
            r" training.seed: 7 in the checkpoint, 8 now\).*--no-resume"
        )
        with pytest.raises(ConfigError, match=message):
            zoo.train(recipe, tmp_path / "out", verbose=0)


def _header(**changes):
    header = {"recipe": {"a": 1}, "epoch": 3, "step": 0, "callbacks": []} | changes
    return {"header": np.array(json.dumps(header))}


class TestOfOthers:
    """Checkpoints that somebody else put there: passed over, or refused; never followed, never obeyed."""

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "out" / ".checkpoint"
        folder.mkdir(parents=True)
        return folder

    @staticmethod
    def _bomb(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("header.npy", bytes(2**28 + 1))

    @pytest.mark.parametrize(
        "make",
        [
            os.mkfifo,
            lambda path: path.mkdir(),
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.symlink_to(path.name),
            lambda path: (np.savez(path.parent / "other.npz", **_header()), path.symlink_to("other.npz")),
            lambda path: TestOfOthers._bomb(path),
            lambda path: path.write_bytes(b"hello"),
            lambda path: np.savez(path, header=np.array([{}], object)),
            lambda path: np.savez(path, header=np.array("[" * 100_000)),
            lambda path: np.savez(path, header=np.array("[]")),
            lambda path: np.savez(path, header=np.array("{}")),
            lambda path: np.savez(path, **_header(epoch=-1)),
            lambda path: np.savez(path, **_header(epoch="3")),
            lambda path: np.savez(path, **_header(recipe=[])),
            lambda path: np.savez(path, **_header(callbacks=[{"numbers": 3, "lists": {}}])),
            lambda path: np.savez(path, **_header(callbacks=[{"numbers": {}, "lists": {"a": -1}}])),
            lambda path: np.savez(path, other=np.zeros(3)),
        ],
    )
    def test_passed_over(self, folder, make):
        np.savez(folder / "checkpoint-000001-000000000.npz", **_header(epoch=1))
        make(folder / "checkpoint-000003-000000000.npz")
        begin = time.process_time()
        with pytest.warns(UserWarning, match=r"checkpoint-000003-000000000.npz' is damaged \(\w+\) and is passed over"):
            found = checkpoint.Checkpoint(folder, {"a": 1})
        assert time.process_time() - begin < 5
        assert found.epoch == 1

    def test_damaged_ones_do_not_displace_those_that_are_written(self, recipe, tmp_path, often, monkeypatch):
        folder = tmp_path / "parts" / ".checkpoint"
        folder.mkdir(parents=True)
        for number in (8, 9):
            (folder / f"checkpoint-00000{number}-000000000.npz").write_bytes(b"hello")
        with monkeypatch.context() as patch, pytest.warns(UserWarning, match="passed over"):
            saves = _stop_after(patch, 3, _interrupt)
            with pytest.raises(KeyboardInterrupt):
                zoo.train(recipe, tmp_path / "parts", verbose=0)
        names = {path.name for path in folder.glob("checkpoint-*")}
        written = [f"checkpoint-{epoch:06d}-{step:09d}.npz" for epoch, step in saves]
        assert names == {"checkpoint-000008-000000000.npz", "checkpoint-000009-000000000.npz", *written[-2:]}

    @pytest.mark.parametrize(
        ("numbers", "lists"),
        [({"on_epoch_begin": 3}, {}), ({"_model": 3}, {}), ({"epoch": 3}, {}), ({}, {"best_weights": 2}), (None, None)],
    )
    def test_other_callbacks_are_refused(self, folder, numbers, lists):
        """What would replace a method, a history by a number, arrays that are not there, too few callbacks."""
        states = [] if numbers is None else [{"numbers": numbers, "lists": lists}]
        model = zoo.feed_forward((8, 8, 1), 4)
        model.compile("adam")
        model.optimizer.build(model.trainable_variables)
        variables = {f"model/{i}": np.asarray(v) for i, v in enumerate(model.variables)}
        variables |= {f"optimizer/{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
        np.savez(folder / "checkpoint-000003-000000000.npz", **_header(callbacks=states), **variables)
        history = keras.callbacks.History()
        history.on_train_begin()
        found = checkpoint.Checkpoint(folder, {"a": 1}, [history])
        found.set_model(model)
        with pytest.raises(ConfigError, match="has other callbacks than this training: start anew with resume=False"):
            found.on_train_begin()
        assert history.epoch == []

    @pytest.mark.parametrize("text", ["nan", "inf", "-5", "9" * 200, "x", "\xff", None])
    def test_seconds(self, tmp_path, text):
        from zoo.recipes.train import _Stopwatch

        path = tmp_path / "seconds.txt"
        os.mkfifo(path) if text is None else path.write_text(text, encoding="latin-1")
        assert _Stopwatch(path, True).seconds == 0
        with _Stopwatch(path, True):
            pass
        assert path.is_fifo() if text is None else path.read_text() == "0.0"

    def test_nothing_is_written_through_a_link(self, recipe, tmp_path):
        (tmp_path / "precious").mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / ".checkpoint").symlink_to(tmp_path / "precious")
        with pytest.raises(OutputError, match=r".checkpoint' is a link, through which no checkpoint is written"):
            zoo.train(recipe, tmp_path / "out", verbose=0)
        assert list((tmp_path / "precious").iterdir()) == []
        (tmp_path / "out" / ".checkpoint").unlink()
        (tmp_path / "out" / ".checkpoint").mkdir()
        (tmp_path / "precious" / "file").write_text("kept")
        (tmp_path / "out" / ".checkpoint" / "seconds.txt").symlink_to(tmp_path / "precious" / "file")
        zoo.train(recipe, tmp_path / "out", verbose=0)
        assert (tmp_path / "precious" / "file").read_text() == "kept"


class TestStopping:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_saves_and_stops(self, recipe, tmp_path, whole, monkeypatch, capsys, number):
        """No checkpoint is due for 15 seconds, so the one that is there was written because of the signal."""
        monkeypatch.setattr("zoo.engine.steps._WORK_PER_CHUNK", 2e6)
        original, calls = checkpoint.Checkpoint.on_train_batch_end, []

        def signalled(self, batch, logs=None):
            calls.append(batch)
            if len(calls) == 7:
                os.kill(os.getpid(), number)
            original(self, batch, logs)

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.Checkpoint, "on_train_batch_end", signalled)
            with pytest.raises(KeyboardInterrupt):
                zoo.train(recipe, tmp_path / "parts", verbose=0)
        assert len(calls) == 7
        assert "Stopping after the running steps" in capsys.readouterr().err
        (saved,) = (tmp_path / "parts" / ".checkpoint").glob("checkpoint-*")
        with np.load(saved) as content:
            assert json.loads(str(content["header"]))["step"] > 0
        zoo.train(recipe, tmp_path / "parts", verbose=2)
        assert "Going on from epoch" in capsys.readouterr().err
        assert _weights(tmp_path / "parts") == whole

    def test_nan_keeps_the_last_good_checkpoint(self, recipe, tmp_path, monkeypatch, often):
        def poison(self):
            kernel = self.model.decoder.weights[0]
            kernel.assign(kernel * np.nan)

        _stop_after(monkeypatch, 3, poison)
        message = r"The loss became nan at step \d+ of epoch \d.*diverged.* The checkpoint before that is kept in .*out"
        with pytest.raises(TrainingError, match=message):
            zoo.train(recipe, tmp_path / "out", verbose=0)
        kept = list((tmp_path / "out" / ".checkpoint").glob("*.npz"))
        assert len(kept) == 2
        for path in kept:
            with np.load(path) as content:
                assert all(np.isfinite(content[name]).all() for name in content.files if name.startswith("model"))

    def test_inf_at_the_first_step(self, recipe, tmp_path):
        text = RECIPE.replace("stddev = 0.2", "stddev = 1e30")
        recipe.write_text(text.replace("latent_dim", 'output_activation = "linear"\nlatent_dim'))
        message = "The loss became inf at step 1 of epoch 1.* There is no checkpoint yet"
        with pytest.raises(TrainingError, match=message):
            zoo.train(recipe, tmp_path / "out", verbose=0)
