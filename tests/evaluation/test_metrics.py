"""The table of metrics agrees with itself and with what computes them."""

import fnmatch
import re

import pytest

import zoo
from zoo.evaluation import denoising, measure
from zoo.evaluation.metrics import EVALUATED, HEADLINES, METRICS, OF_THE_MODEL, REQUIREMENTS, metric


@pytest.mark.parametrize("name", METRICS)
def test_an_entry_refers_to_what_there_is(name):
    entry = METRICS[name]
    assert entry.kind in ("error", "share", "dB", "count")
    assert entry.better in ("lower", "higher", "")
    assert (entry.kind == "error") == (entry.better == "lower")
    assert set(entry.needs) <= set(REQUIREMENTS)
    assert entry.format.format(0.5) != entry.format
    for baseline in map(METRICS.get, entry.baselines):
        assert baseline.as_baseline
        assert (baseline.kind, baseline.better, baseline.format) == (entry.kind, entry.better, entry.format)


def test_titles_are_different_and_everything_is_used():
    assert len({entry.title for entry in METRICS.values()}) == len(METRICS)
    assert set(OF_THE_MODEL) <= set(REQUIREMENTS)
    assert set(REQUIREMENTS) == {need for entry in METRICS.values() for need in entry.needs}
    baselines = {baseline for entry in METRICS.values() for baseline in entry.baselines}
    assert baselines == {name for name, entry in METRICS.items() if entry.as_baseline}
    assert {METRICS[name].computed_by for name in EVALUATED} == set(measure._COMPUTED_BY)
    assert all(METRICS[name].column for name in HEADLINES)
    assert [name for name in METRICS if name.startswith("psnr_denoised_")] == [
        f"psnr_denoised_{level}" for level in denoising.LEVELS
    ]


def test_zoo_evaluate_documents_each_metric():
    words = re.findall(r"[a-z][a-z0-9_]*[a-z*]", zoo.evaluate.__doc__)
    assert not [name for name in EVALUATED if not any(fnmatch.fnmatchcase(name, word) for word in words)]


def test_a_card_may_have_a_metric_of_its_own():
    assert metric("mse") is METRICS["mse"]
    assert metric("mine").title == "mine"
    assert metric("mine").format.format(1 / 3) == "0.33333"


@pytest.mark.parametrize(
    ("name", "value", "samples", "expected"),
    [
        ("mse", 0.02, 10_000, 2e-5),
        ("bce", 0.1, 2000, 1e-4),
        ("pca_mse", 0.02, 10_000, 2e-5),
        ("knn_accuracy", 0.9, 10_000, 2e-3),
        ("knn_accuracy", 0.9, 2000, 5e-3),
        ("psnr", 20.0, 10_000, 2e-2),
        ("cluster_ari", -0.5, 10_000, 2e-3),
    ],
)
def test_tolerance_of_a_number_measured_again(name, value, samples, expected):
    assert METRICS[name].tolerance(value, samples) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "value", "reference", "worse"),
    [
        ("mse", 0.0106, 0.01, True),
        ("mse", 0.0104, 0.01, False),
        ("mse", 0.001, 0.01, False),
        ("knn_accuracy", 0.88, 0.9, True),
        ("knn_accuracy", 0.895, 0.9, False),
        ("accuracy", 0.95, 0.9, False),
        ("agreement", 0.98, 1.0, True),
        ("anomaly_auroc", 0.5, 0.9, True),
        ("psnr", 18.0, 20.0, True),
        ("psnr", 19.5, 20.0, False),
        ("anomaly_rate", 0.0, 0.5, False),
        ("anomaly_rate", 0.9, 0.5, False),
    ],
)
def test_what_is_clearly_worse(name, value, reference, worse):
    assert METRICS[name].is_clearly_worse(value, reference) is worse


def test_changes_are_points_of_shares_and_percent_of_errors():
    mse, accuracy = METRICS["mse"], METRICS["knn_accuracy"]
    assert mse.change_text(mse.change(0.0102, 0.01)) == "+2.00%"
    assert accuracy.change_text(accuracy.change(0.875, 0.9)) == "-2.5 points"
    assert (mse.short(0.01234), accuracy.short(0.98765)) == ("0.0123", "0.988")
