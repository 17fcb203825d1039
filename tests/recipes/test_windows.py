"""Recipes that name a recording."""

import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError
from zoo.recipes.recipe import read_recipe

RECIPE = """
description = "A sine with noise."
dataset = "{folder}/normal.csv"
threshold_quantile = 0.9

[windows]
length = 16
hop = 2
test = "{folder}/test.csv"
channels = ["x"]
sampling_rate = 10
unit = "g"

[model]
family = "detector"

[model.backbone]
family = "feed_forward"
input_shape = [16]
latent_dim = 2
output_activation = "linear"

[training]
epochs = 2
validation_split = 0.25
"""


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for name, begin, end in (("normal", 0, 0), ("test", 400, 500)):
        x = np.sin(np.arange(1000) / 3) + random.normal(0, 0.1, 1000)
        x[begin:end] += 2
        labels = np.zeros(1000)
        labels[begin:end] = 1
        columns = [x, random.random(1000), *([labels] if end else [])]
        header = "x,y,label" if end else "x,y"
        np.savetxt(tmp_path / f"{name}.csv", np.stack(columns, 1), "%.5g", ",", header=header, comments="")
    (tmp_path / "pump").mkdir()
    (tmp_path / "pump" / "recipe.toml").write_text(RECIPE.format(folder=tmp_path))
    return tmp_path


def test_training(folder):
    model = zoo.train(folder / "pump", folder / "trained", verbose=0)
    card = zoo.card(folder / "trained")
    assert (card.dataset.name, card.dataset.split, card.dataset.samples) == ("normal.csv", "train", 493)
    assert model.threshold is not None
    expected = zoo.data.windows(folder / "test.csv", 16, 2, channels=["x"], flat=True)
    normal, anomalous = (model.score(expected.normals(which)) for which in (True, False))
    from zoo.evaluation.anomaly import auroc

    assert card.metrics["auroc"] == pytest.approx(auroc(normal, anomalous), abs=1e-4)
    assert card.metrics["pca_auroc"] > 0.5  # fitted on the windows of the recording for training


def test_without_a_recording_for_the_test_nothing_is_measured(folder):
    path = folder / "pump" / "recipe.toml"
    path.write_text(path.read_text().replace(f'test = "{folder}/test.csv"\n', ""))
    zoo.train(folder / "pump", folder / "trained", verbose=0)
    assert not zoo.card(folder / "trained").metrics


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("length = 16\n", "", ConfigError, "length"),
        ("hop = 2", "hop = 0", ConfigError, "hop"),
        ("sampling_rate = 10", 'gaps = "fill"', ConfigError, "gaps"),
        ('channels = ["x"]', 'channels = ["z"]', DataError, "no channel 'z'"),
    ],
)
def test_what_is_wrong_is_said(folder, old, new, error, message):
    path = folder / "pump" / "recipe.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(error, match=message):
        zoo.train(path, folder / "trained", verbose=0)


def test_defaults(folder):
    windows = read_recipe(folder / "pump").windows
    assert (windows.length, windows.hop, windows.gaps, windows.channels) == (16, 2, "error", ("x",))
