"""Evaluation of a detector on a long series, against its parts computed by hand; the command, and its picture."""

import json
import os
import pathlib

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import zoo
from zoo.cli import main
from zoo.core.errors import ConfigError, DataError
from zoo.data import Series
from zoo.evaluation import anomaly
from zoo.evaluation.nab import best_nab_score, nab_score
from zoo.evaluation.series import point_scores
from zoo.evaluation.volume import volume_under_surface

LENGTH, HOP, POINTS, NORMAL = 16, 4, 4000, 1000
FAULTS = [(1800, 1850), (3000, 3099)]  # first and last moment


def recording(seed=0, rate=10.0):
    random = np.random.default_rng(seed)
    time = np.arange(POINTS)
    values = np.sin(time / 3) + random.normal(0, 0.1, POINTS)
    labels = np.zeros(POINTS, int)
    for first, last in FAULTS:
        labels[first : last + 1] = 1
        values[first : last + 1] += np.sin(time[first : last + 1] * 1.7)
    return Series(values.astype("float32"), rate, "g", labels=labels, name="pump")


@pytest.fixture(scope="module")
def model():
    """PCA with two components as an autoencoder, which finds a wave that the others have not."""
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.feed_forward((LENGTH,), 2, latent_activation="linear", output_activation="linear")
    normal = zoo.data.windows(recording(1), LENGTH, HOP, flat=True).normals().values()
    _, _, axes = np.linalg.svd(normal, full_matrices=False)
    model.set_weights([axes[:2].T, np.zeros(2), axes[:2], np.zeros(LENGTH)])
    return model


@pytest.fixture(scope="module")
def found(model):
    return zoo.evaluate_series(model, recording(), HOP, normal_until=NORMAL)


def test_metrics_are_those_of_the_judged_part(model, found):
    series = recording()
    source = zoo.data.windows(series, LENGTH, HOP, flat=True)
    scores = model.score(source).astype("float64")
    np.testing.assert_array_equal(found.scores["model"], scores)
    starts = np.arange(len(source)) * HOP
    normal, anomalous = ((starts >= NORMAL) & (source.labels == label) for label in (0, 1))
    assert found.metrics["auroc"] == pytest.approx(anomaly.auroc(scores[normal], scores[anomalous]))
    assert found.metrics["average_precision"] == anomaly.average_precision(scores[normal], scores[anomalous])
    of_points = point_scores(scores, LENGTH, HOP, POINTS)
    expected = volume_under_surface(of_points[NORMAL:], series.labels[NORMAL:], LENGTH).pr
    assert found.metrics["vus_pr"] == pytest.approx(expected)
    threshold = found.thresholds["model"]
    alarms, known = np.zeros(POINTS, bool), np.full(POINTS, scores.min() - 1)
    alarms[starts + LENGTH - 1], known[starts + LENGTH - 1] = scores > threshold, scores
    alarms[:NORMAL], known[:NORMAL] = False, scores.min() - 1
    assert found.metrics["nab_score"] == pytest.approx(nab_score([(alarms, FAULTS)]))
    assert found.metrics["best_nab_score"] == pytest.approx(best_nab_score([(known, FAULTS)]).score)
    share = (scores[normal] > threshold).mean()
    assert found.metrics["false_alarms_per_hour"] == pytest.approx(share * 3600 * 10 / HOP)
    assert found.metrics["f1_at_threshold"] == anomaly.at_threshold(scores[normal], scores[anomalous], threshold)["f1"]
    assert found.anomalies == FAULTS


def test_a_detector_that_is_pca_is_as_good_as_pca(found):
    assert found.metrics["auroc"] == pytest.approx(found.metrics["pca_auroc"], abs=0.01)
    assert found.metrics["auroc"] > 0.97
    assert found.metrics["vus_pr"] == pytest.approx(found.metrics["pca_vus_pr"], abs=0.02)
    assert list(found.metrics)[:4] == ["auroc", "pca_auroc", "isolation_forest_auroc", "nearest_neighbours_auroc"]


def test_thresholds_are_of_normal_windows_that_nothing_was_fitted_on(found):
    """Of 247 windows up to moment 1,000 the last 50; the fit ends before the first of these begins."""
    held_out = slice(247 - 50, 247)
    for name, scores in found.scores.items():
        level = found.thresholds[name]
        assert (scores[held_out] > level).sum() == 0
        assert level == scores[held_out].max()
    from zoo.evaluation.detectors import pca
    from zoo.evaluation.long_series import _parted

    samples = zoo.data.windows(recording(), LENGTH, HOP, flat=True).values()
    fitted, kept = _parted(np.arange(247), LENGTH, HOP, recording())
    assert (kept[0], fitted[-1]) == (197, 193)  # windows 194 to 196 share moments with 197
    np.testing.assert_allclose(pca(samples[:194], 2)(samples), found.scores["pca"])


def test_threshold_and_normal_part_by_default(model):
    series = recording()
    found = zoo.evaluate_series(model, series, HOP, threshold=0.5)
    assert (found.normal_until, found.thresholds["model"]) == (600, 0.5)
    assert zoo.evaluate_series(model, series).hop == LENGTH
    unknown_rate = zoo.evaluate_series(model, recording(rate=None), HOP)
    assert "false_alarms_per_hour" not in unknown_rate.metrics
    early = series.labels.copy()
    early[500:600] = 1  # known anomalies are not fitted on
    from dataclasses import replace

    fewer = zoo.evaluate_series(model, replace(series, labels=early), HOP)
    assert fewer.scores["pca"][0] != found.scores["pca"][0]


@pytest.mark.skipif(
    not (pathlib.Path(os.environ.get("ZOO_DATA_DIR", "absent")) / "nab_v1.1.zip").is_file(),
    reason="nab_v1.1.zip is not in ZOO_DATA_DIR",
)
def test_series_of_the_benchmark(model):
    found = zoo.evaluate_series(model, "nab/realKnownCause/ambient_temperature_system_failure", 4)
    assert (found.normal_until, len(found.anomalies)) == (750, 2)  # 15 % were 1,090
    assert 0 < found.metrics["vus_pr"] < 1


def test_errors(model):
    with pytest.raises(DataError, match=r"pump has no labels: .* read_series\(..., anomalies=...\)"):
        zoo.evaluate_series(model, Series(np.arange(99.0), name="pump"))
    with pytest.raises(DataError, match="with and without anomalies from moment 3,500.* Received 0 anomalous of 122"):
        zoo.evaluate_series(model, recording(), HOP, normal_until=3500)
    with pytest.raises(DataError, match="has 3 windows of 16 moments, one every 4.*Received 0 and 1"):
        zoo.evaluate_series(model, recording(), HOP, normal_until=25)
    with pytest.raises(ConfigError, match="normal_until must be a whole number of at least 1"):
        zoo.evaluate_series(model, recording(), normal_until=0)
    with pytest.raises(ConfigError, match=r"pump is read already. Received \['unit'\]"):
        zoo.evaluate_series(model, recording(), unit="g")


def test_command(model, tmp_path, found):
    zoo.save(model, tmp_path / "detector", description="PCA as a network.")
    series = recording()
    lines = [f"{index / 10:.1f},{value:.9g}" for index, value in enumerate(series.values[:, 0])]
    (tmp_path / "pump.csv").write_text("\n".join(["time,x", *lines]))
    (tmp_path / "faults.csv").write_text("from,to\n180,185\n300,309.9\n")

    def run(*arguments):
        command = ["evaluate", str(tmp_path / "detector"), "--series", str(tmp_path / "pump.csv"), *map(str, arguments)]
        return CliRunner().invoke(main, command)

    options = ["--anomalies", tmp_path / "faults.csv", "--hop", HOP, "--normal-until", NORMAL]
    rows = json.loads(run(*options, "--json", "--plot", tmp_path / "pump.png").stdout)
    assert {row["metric"]: row["measured"] for row in rows} == pytest.approx(dict(found.metrics), rel=1e-6)
    with Image.open(tmp_path / "pump.png") as picture:
        assert picture.size == (1200, 576)
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    reddish = (colours[:, 0] - colours[:, 1] > 20) & (colours[:, 0] > 200)
    assert 0.02 < reddish.mean() < 0.1  # 151 of 4,000 moments, in both axes
    chosen = run(*options, "--metric", "vus_pr")
    assert "vus_pr" in chosen.stdout and "auroc" not in chosen.stdout
    assert "no labels" in run("--hop", 4).stderr
    assert "--hop goes with --series" in CliRunner().invoke(main, ["evaluate", "x", "--hop", "3"]).stderr
