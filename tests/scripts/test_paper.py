import pathlib

import keras
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]

import reproduce_paper  # noqa: E402
from paper import denoising, features  # noqa: E402
from paper.common import Row  # noqa: E402


def test_bands():
    row = Row("E1", "x", "", "", 0.5, -np.inf, 0.5)
    assert row.inside
    assert row.band() == "≤ 0.5000"
    assert not Row("E1", "x", "", "", 0.51, 0.2, 0.5).inside
    assert Row("E1", "x", "", "", 0.3, 0.2, 0.4, ".2f").band() == "0.20 to 0.40"


def test_the_curse_of_dimensionality_is_inside_its_bands_and_drawn(tmp_path):
    rows, text = features.e7(tmp_path)
    assert [round(row.measured, 4) for row in rows] == [0.0316, 0.5012, 0.9333, 0.9931]
    assert all(row.inside for row in rows)
    assert "not .003" in text
    assert (tmp_path / "dimensions.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_training_goes_on_and_has_all_its_epochs(tmp_path):
    """E10 takes half an hour: what an interrupted run had done must count."""
    x = np.random.default_rng(0).random((50, 6), "float32")

    def model():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6)])
        model.compile("sgd", "mse")
        return model

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole = denoising.fit(model(), x, x, 5)
    with pytest.raises(KeyboardInterrupt):
        denoising.fit(model(), x, x, 5, tmp_path, [Stop()])
    history = denoising.fit(model(), x, x, 5, tmp_path)
    assert history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert len(whole["loss"]) == 5
    assert len(history["val_loss"]) == 5
    assert history["val_loss"][-1] < history["val_loss"][0]


def test_the_report_names_what_is_outside(tmp_path):
    rows = [Row("E1", "good", "p", "a", 1.0, 0.0, 2.0), Row("E2", "bad", "p", "a", 3.0, 0.0, 2.0)]
    done = {"E1–E2": {"rows": [vars(row) for row in rows], "text": "A picture.", "seconds": 60.0}}
    text = reproduce_paper.report(done, 30)
    assert "| E1 | good | p | a | 0.0000 to 2.0000 | 1.0000 | inside |" in text
    assert "| E2 | bad | p | a | 0.0000 to 2.0000 | 3.0000 | **outside** |" in text
    assert "1 minutes on" in text
