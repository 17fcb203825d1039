"""zoo.pretrain: what the rules choose, what fits into a budget, and the folder that it writes."""

import dataclasses
import subprocess
import sys
import tomllib

import numpy as np
import PIL.Image
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError
from zoo.pretraining import budget, pretrain, rules, toml
from zoo.recipes.recipe import Recipe, Training, read_recipe
from zoo.recommending import accuracy


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    """40 pictures of 12 × 8 pixels in two classes, without splits."""
    root = tmp_path_factory.mktemp("data") / "photos"
    images = (zoo.data.resize(digits.samples[:40], (12, 8, 1)) * 255).astype("uint8")
    for i, image in enumerate(images):
        path = root / ("even", "odd")[digits.labels[i] % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image[:, :, 0]).save(path)
    return root


@pytest.fixture
def two_epochs(monkeypatch):
    """A budget into which two epochs fit, on any machine."""
    monkeypatch.setattr(budget, "epochs", lambda recipe, source, minutes: (2, 0.1))


def facts(*shape, count=1000, is_image=False, **about):
    return rules.Facts(count, shape, is_image, **about)


@pytest.mark.parametrize(
    ("data", "shape", "latent", "corruptions"),
    [
        (facts(8, 8, 1, is_image=True), (8, 8, 1), (128,), ["Affine", "Elastic", "Contrast"]),
        (facts(64, 47, 3, is_image=True), (64, 48, 3), (256,), ["Affine", "Contrast", "Masking"]),
        (facts(5, 30, 1, is_image=True), (8, 32, 1), (128,), ["Affine", "Elastic", "Contrast"]),
        (facts(140), (140,), (16,), ["Gaussian"]),
        (facts(256, 2, sampling_rate=100.0, unit="g"), (256, 2), (16,), ["Gaussian"]),
        (facts(16), (16,), (4,), ["Gaussian"]),
    ],
)
def test_rules(data, shape, latent, corruptions):
    """Each choice is a model, and survives the recipe's TOML."""
    choice = rules.choose(data)
    config = tomllib.loads(toml.written({"model": choice.model, "training": {"epochs": 3, **choice.training}}))
    assert config["model"] == choice.model
    assert Training(**config["training"]).epochs == 3
    recipe = Recipe("name", "", "data", config["model"], Training(epochs=1))
    assert recipe.input_shape == shape
    random = np.random.default_rng(0)
    source = zoo.data.Source(random.random((20, *shape), "float32"))
    model = budget.build(recipe, source)
    assert model.input_shape == shape
    assert model.latent_shape == latent
    while "corruption" not in config["model"]:
        config["model"] = config["model"]["backbone"]
    assert [c["type"] for c in config["model"]["corruption"]] == corruptions
    contract = model.contract
    assert (contract.sampling_rate, contract.unit or "") == (data.sampling_rate, data.unit)


@pytest.mark.parametrize(("count", "batch"), [(16, 8), (320, 16), (1000, 32), (5120, 256), (10**6, 256)])
def test_batches(count, batch):
    assert rules.choose(facts(16, count=count)).training["batch_size"] == batch


def test_what_no_rule_is_made_for():
    with pytest.raises(DataError, match=r"at most 2,048 values. Received samples of shape \(8000,\)\. Cut a long"):
        rules.choose(facts(8000, sampling_rate=8000.0))


def test_text_in_a_recipe():
    text = 'C:\\photos "of\x7f\nLöwen"'
    assert tomllib.loads(toml.written({"dataset": text, "a": {"b": [{"c": True}, {"d": -0.5}]}}, ("x",))) == {
        "dataset": text,
        "a": {"b": [{"c": True}, {"d": -0.5}]},
    }


@pytest.mark.parametrize(("seconds", "minutes", "expected"), [(2.0, 1, 16), (2.0, 20, 100), (10.0, 1, 2)])
def test_epochs_that_fit(monkeypatch, seconds, minutes, expected):
    """12 steps of 8 samples of 960 take a tenth of an epoch; compiling takes 12 s of the 45 s for the training."""
    ticks = iter([0, 12, 12, 12 + seconds / 10])
    monkeypatch.setattr(budget.time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(zoo.Autoencoder, "fit", lambda *arguments, **keywords: None)
    recipe = Recipe("n", "", "d", {"family": "feed_forward", "input_shape": [4], "latent_dim": 2}, Training(1, 8))
    source = zoo.data.Source(np.zeros((960, 4), "float32"))
    if expected > 2:
        assert budget.epochs(recipe, source, minutes) == (expected, pytest.approx(seconds))
        return
    assert budget.epochs(recipe, source, minutes)[0] == 3
    ticks = iter([0, 12, 12, 13])
    with pytest.raises(
        ConfigError, match=r"0.5 minutes are too few: a pass over 960 samples of shape \(4,\) takes abo"
    ):
        budget.epochs(recipe, source, 0.5)


def test_a_folder_becomes_a_pretrained_model(folder, two_epochs, tmp_path):
    done = zoo.pretrain(folder, tmp_path / "mine", compare=False, verbose=0)
    assert (done.recommendation, done.sentence) == (None, "")
    recipe = read_recipe(tmp_path / "mine")
    assert (recipe.dataset, recipe.training.epochs, recipe.license) == (str(folder), 2, "LicenseRef-unstated")
    card = zoo.card(tmp_path / "mine")
    assert (card.name, card.dataset.samples, card.input.shape) == ("mine", 40, (12, 8, 1))
    assert (tmp_path / "mine" / "card.png").is_file()
    loaded = zoo.load(tmp_path / "mine", verify=True)
    x = zoo.data.load(folder).values()
    np.testing.assert_array_equal(loaded.encode(x), done.model.encode(x))
    assert zoo.load_encoder(tmp_path / "mine").output_shape == (None, 128)
    with pytest.raises(ConfigError, match="mine' holds a finished model: choose another directory, or remove it"):
        zoo.pretrain(folder, tmp_path / "mine")


def test_goes_on_with_the_recipe_of_the_first_call(folder, two_epochs, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "train", lambda *arguments, **keywords: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            zoo.pretrain(folder, tmp_path / "mine", verbose=0)
    first = (tmp_path / "mine" / "recipe.toml").read_bytes()
    monkeypatch.setattr(budget, "epochs", lambda *arguments: pytest.fail("the budget is that of the first call"))
    with pytest.raises(ConfigError, match=r"holds a training on '.*photos', not 'digits'"):
        zoo.pretrain("digits", tmp_path / "mine", verbose=0)
    zoo.pretrain(folder, tmp_path / "mine", compare=False, verbose=0)
    assert (tmp_path / "mine" / "recipe.toml").read_bytes() == first


def test_comparison(folder, two_epochs, tmp_path, monkeypatch):
    """With labels the new encoder is measured next to pretrained ones, and the sentence says which is better."""
    monkeypatch.setattr(pretrain, "list_pretrained", lambda: ["mnist-feed-forward-8"])
    monkeypatch.setattr(accuracy, "_STEPS", 20)
    monkeypatch.setattr(accuracy, "_LEAST_EPOCHS", 1)
    done = zoo.pretrain(folder, tmp_path / "mine", verbose=0)
    rows = {row.model: row for row in done.recommendation.rows}
    assert {"mine", "mnist-feed-forward-8", "values as they are"} <= set(rows)
    assert done.recommendation.samples == 40
    assert done.sentence.startswith(f"mine reaches accuracy {rows['mine'].value:.3f} ± ")
    better = dataclasses.replace(rows["mine"], value=1.1)
    found = dataclasses.replace(done.recommendation, rows=(better, *(r for n, r in rows.items() if n != "mine")))
    assert pretrain._comparison("mine", found).endswith("it is the best of them.")
    worse = dataclasses.replace(found, rows=(*found.rows[1:], dataclasses.replace(better, value=0.0)))
    assert "is better; more samples or minutes may change that." in pretrain._comparison("mine", worse)


def test_refusals(tmp_path):
    random = np.random.default_rng(0)
    np.save(tmp_path / "few.npy", random.random((15, 8, 8, 1)))
    np.save(tmp_path / "same.npy", np.ones((20, 8, 8, 1)))
    with pytest.raises(DataError, match=r"at least 16 samples. Received 15 in '.*few.npy'"):
        zoo.pretrain(tmp_path / "few.npy", tmp_path / "out")
    with pytest.raises(DataError, match="All 20 samples of '.*same.*' are equal"):
        zoo.pretrain(tmp_path / "same.npy", tmp_path / "out")
    with pytest.raises(DataError, match=r"Received a ndarray: save it by numpy.savez"):
        zoo.pretrain(np.zeros((20, 8, 8, 1)), tmp_path / "out")
    with pytest.raises(ConfigError, match="minutes"):
        zoo.pretrain(tmp_path / "few.npy", tmp_path / "out", minutes=-1)
    assert not (tmp_path / "out").exists()


def test_command(folder, tmp_path):
    command = [sys.executable, "-m", "zoo.cli", "pretrain", folder, "-o", tmp_path / "mine", "--minutes", "0.01"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert "0.01 minutes are too few: a pass over 40 samples of shape (12, 8, 1) takes about" in done.stderr
    assert not (tmp_path / "mine" / "recipe.toml").exists()
