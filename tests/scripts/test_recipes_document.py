"""docs/recipes.md: it is what the script writes, and its examples train."""

import importlib.util
import pathlib

import numpy as np
import PIL.Image
import pytest

import zoo

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("recipes_document", ROOT / "scripts" / "recipes_document.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_is_what_the_script_writes(script):
    assert (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8") == script.document()


def _photos(random):
    for i in range(24):
        path = pathlib.Path("photos") / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(random.integers(0, 256, (20, 30, 3), "uint8")).save(path)
    return (64, 64, 3), (256,)


def _machine(random):
    values = np.sin(np.arange(20_000)[:, None] / [3, 5, 7]) + 0.1 * random.normal(size=(20_000, 3))
    np.savetxt("pump.csv", values, delimiter=",", header="x,y,z", comments="")
    return (128, 3), (8,)


def _table(random):
    rows = random.normal(size=(300, 12)).astype("float32")
    labels = (np.arange(300) % 10 == 0).astype("int64")
    rows[labels == 1] += 4
    parts = {"x_train": rows[:200], "y_train": labels[:200], "x_test": rows[200:], "y_test": labels[200:]}
    np.savez("readings.npz", **parts)
    return (12,), (4,)


@pytest.mark.parametrize(("name", "data"), [("photos", _photos), ("machine", _machine), ("table", _table)])
def test_examples_train(script, name, data, tmp_path, monkeypatch):
    assert name in {example for example, _ in script.EXAMPLES}
    monkeypatch.chdir(tmp_path)
    shape, latent = data(np.random.default_rng(0))
    text = (ROOT / "docs" / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    epochs = {"photos": 1, "machine": 2, "table": 5}[name]
    lines = [f"epochs = {epochs}" if line.startswith("epochs") else line for line in text.splitlines()]
    pathlib.Path("recipe.toml").write_text("\n".join(lines), encoding="utf-8")
    model = zoo.train("recipe.toml", "mine", verbose=0)
    assert (model.input_shape, model.latent_shape) == (shape, latent)
    loaded = zoo.load("mine")
    assert loaded.threshold == model.threshold
    assert (loaded.threshold is None) == (name == "photos")
    if name == "table":
        assert zoo.card("mine").metrics["auroc"] > 0.9
