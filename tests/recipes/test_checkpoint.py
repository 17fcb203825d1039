"""Exact resume: killed, interrupted or damaged, a training ends with the bits of one that ran through."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, TrainingError
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
