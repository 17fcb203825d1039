"""Evaluating by name: what is read, how often, and what stays in memory."""

import subprocess
import sys
import weakref

import pytest

import zoo
from zoo.catalog.evaluate import Evaluator
from zoo.data import digits as embedded
from zoo.evaluation.baselines import Baselines


@pytest.fixture
def read(monkeypatch):
    """The splits of the embedded digits that are read, and weak references to them."""
    splits, sources, original = [], [], embedded.load_digits

    def load_digits(split):
        source = original(split)
        splits.append(split)
        sources.append(weakref.ref(source))
        return source

    monkeypatch.setattr(embedded, "load_digits", load_digits)
    return splits, sources


@pytest.fixture
def saved(tmp_path):
    for name, latent in (("a", 4), ("b", 4), ("c", 6)):
        zoo.save(zoo.feed_forward((8, 8, 1), latent), tmp_path / name, dataset={"name": "digits"})
    return [tmp_path / name for name in "abc"]


METRICS = ["pca_mse", "pixels_knn_accuracy", "knn_accuracy"]


def test_nothing_stays_in_memory():
    """In a process of its own: what other tests leave in Keras may hold the latest model."""
    code = """
import gc, weakref, zoo
from zoo.data import digits
read, original = [], digits.load_digits
def load_digits(split):
    source = original(split)
    read.append(weakref.ref(source))
    return source
digits.load_digits = load_digits
model = zoo.feed_forward((8, 8, 1), 4)
results = zoo.evaluate(model, "digits")
objects = [weakref.ref(model), weakref.ref(model.encoder), *read]
del model
gc.collect()
print(results["pixels_knn_accuracy"] > 0.9, [reference() for reference in objects])
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "True [None, None, None, None]\n"


def test_only_what_the_metrics_need_is_read(saved, read):
    assert list(zoo.evaluate(saved[0], metrics=["mse"])) == ["mse"]
    assert read[0] == ["test"]


def test_one_name_is_a_metric_too(saved):
    results = [zoo.evaluate(saved[0], metrics=metrics) for metrics in ("mse", ["mse"], iter(["mse"]))]
    assert results[0] == results[1] == results[2]
    assert list(results[0]) == ["mse"]


def test_several_models_share_the_data_and_its_baselines(saved, read, monkeypatch):
    fitted, original = [], Baselines._fit_pca
    monkeypatch.setattr(Baselines, "_fit_pca", lambda self, n: fitted.append(n) or original(self, n))
    evaluator = Evaluator()
    results = [evaluator.evaluate(name, metrics=METRICS) for name in saved]
    assert read[0] == ["test", "train"]
    assert fitted == [4, 6]
    assert results[0]["pca_mse"] == results[1]["pca_mse"] > results[2]["pca_mse"]
    assert len({r["pixels_knn_accuracy"] for r in results}) == 1
    assert results[0]["knn_accuracy"] != results[1]["knn_accuracy"]
    assert results[2] == zoo.evaluate(saved[2], metrics=METRICS)


def test_arrays_of_one_shape_are_not_mixed_up(digits):
    model, evaluator = zoo.feed_forward((8, 8, 1), 4), Evaluator()
    for part in (digits.samples[:100], digits.samples[100:]):
        assert evaluator.evaluate(model, part, ["mse"]) == zoo.evaluate(model, part, ["mse"])
