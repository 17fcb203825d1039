import json
import shutil

import numpy as np
import pytest

import zoo
from tests.base import resealed
from zoo.catalog import golden
from zoo.core.errors import IntegrityError
from zoo.evaluation import metrics
from zoo.recipes import verify as verification

RECIPE = """
description = "A test."
dataset = "digits"
version = 3

[model]
family = "feed_forward"
input_shape = [8, 8, 1]
latent_dim = 4

[training]
epochs = 2
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A catalog of one set, trained on the embedded digits."""
    directory = tmp_path_factory.mktemp("catalog") / "digits-feed-forward-4"
    directory.mkdir()
    (directory / "recipe.toml").write_text(RECIPE)
    zoo.train(directory, directory, verbose=0)
    return directory


@pytest.fixture
def catalog(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "catalog" / made.name)
    monkeypatch.setattr("zoo.catalog.lookup.catalog_directory", lambda: tmp_path / "catalog")
    return tmp_path / "catalog" / made.name


def _change(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    resealed(path.parent)


class TestVerify:
    def test_a_trained_set_is_what_its_card_says(self, catalog):
        compared = verification.verify(catalog.name)
        card = zoo.card(catalog.name)
        assert card.version == 3
        assert card.metrics.keys() == compared.keys()
        assert all(stated == pytest.approx(measured, rel=1e-5) for stated, measured in compared.values())
        assert len(card.history["loss"]) == 2
        assert card.dataset.title == "digits"

    def test_a_wrong_number(self, catalog):
        _change(catalog / "metadata.json", lambda m: m["metrics"].update(mse=m["metrics"]["mse"] * 1.01))
        with pytest.raises(IntegrityError, match="states mse .* Measured: .*--write"):
            verification.verify(catalog.name)
        assert verification.verify(catalog.name, metrics=False) == {}
        verification.rewrite(catalog.name)
        verification.verify(catalog.name)

    def test_a_missing_number(self, catalog):
        _change(catalog / "metadata.json", lambda m: m["metrics"].pop("ssim"))
        with pytest.raises(IntegrityError, match=r"lists other metrics than zoo.evaluate measures: \['ssim'\]"):
            verification.verify(catalog.name)

    def test_other_outputs_than_the_golden_ones(self, catalog):
        with np.load(catalog / "golden.npz") as stored:
            arrays = dict(stored)
        arrays["latent"] = arrays["latent"] + 1e-3
        np.savez(catalog / "golden.npz", **arrays)
        resealed(catalog)
        with pytest.raises(IntegrityError, match="no longer gives its golden latent: .* Received 1.0e-03"):
            verification.verify(catalog.name, metrics=False)
        (catalog / "golden.npz").unlink()
        with pytest.raises(IntegrityError, match=r"golden.npz is missing"):
            verification.verify(catalog.name, metrics=False)

    def test_rewriting_keeps_the_weights(self, catalog):
        before = {name: (catalog / name).read_bytes() for name in ("model.weights.h5", "metadata.json", "README.md")}
        (catalog / "README.md").write_text("lost")
        verification.rewrite(catalog.name)
        assert {name: (catalog / name).read_bytes() for name in before} == before

    def test_what_quantisation_costs(self, catalog, monkeypatch):
        with pytest.raises(IntegrityError, match="says nothing about quantised files. .*--quantize"):
            verification.verify_quantization(catalog.name)
        verification.quantize(catalog.name)
        card, test = zoo.card(catalog.name), zoo.data.load("digits", "test")
        measured = card.quantization
        assert measured.samples == len(test)
        assert list(measured.files) == ["float32", "float16", "dynamic", "int8"]
        assert measured.files["float32"]["mse"] == pytest.approx(card.metrics["mse"], rel=1e-5)
        # The same by another way: the files and their reconstructions.
        report = zoo.export(zoo.load(catalog.name), catalog / "exported", "tflite")
        assert measured.files["float32"]["size_bytes"] == report.files["tflite"].size_bytes
        report = zoo.export(zoo.load(catalog.name), catalog / "exported", "tflite", quantization="int8")
        phone = zoo.lite.load(catalog / "exported" / "model.tflite")
        x = test.samples.astype("float32")
        int8 = measured.files["int8"]
        assert int8["mse"] == pytest.approx(np.mean((phone.reconstruct(x) - x) ** 2), rel=1e-4)
        assert int8["size_bytes"] == report.files["tflite"].size_bytes
        text = (catalog / "README.md").read_text()
        change = int8["mse"] / measured.files["float32"]["mse"] - 1
        assert f"| int8 | {int8['size_bytes']:,} (" in text
        assert f" {int8['mse']:.5f} ({change:+.2%}) |" in text
        monkeypatch.setattr(verification, "_measured_cost", lambda name: measured)
        verification.verify_quantization(catalog.name)
        _change(catalog / "metadata.json", lambda m: m["quantization"]["files"]["int8"].update(mse=int8["mse"] * 1.01))
        with pytest.raises(IntegrityError, match="states mse .* for its int8 file. Measured: .*--quantize"):
            verification.verify_quantization(catalog.name)

    def test_a_set_that_quantises_badly_is_named(self, catalog, monkeypatch):
        monkeypatch.setitem(metrics._CLEARLY_WORSE, "error", -1)
        verification.quantize(catalog.name)
        mse = zoo.card(catalog.name).quantization.files["int8"]["mse"]
        text = (catalog / "README.md").read_text()
        assert "**The int8 file quantises badly: mse rises from " in text
        assert f" to {mse:.5g}.**" in text


def test_golden_outputs_are_those_of_the_first_test_samples(made):
    model, test = zoo.load(made), zoo.data.load("digits", "test")
    with np.load(made / "golden.npz") as stored:
        np.testing.assert_array_equal(stored["samples"], test.samples[: golden.SAMPLES])
        np.testing.assert_allclose(stored["reconstruction"], model.reconstruct(test.part(0, golden.SAMPLES)), atol=1e-6)
