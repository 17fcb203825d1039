"""VUS against values that the authors' package (vus 0.0.6, RangeAUC_volume_opt) gives for the same series."""

import time

import numpy as np
import pytest

from zoo.core.errors import ConfigError, DataError
from zoo.evaluation.volume import volume_under_surface


def series(points, ranges, shift):
    """Scores of a sine that is raised where the anomalies are, but some points later; and the labels."""
    labels = np.zeros(points, int)
    for begin, end in ranges:
        labels[begin:end] = 1
    return np.sin(np.arange(points) / 3.0) + 2 * np.roll(labels, shift), labels


@pytest.mark.parametrize(
    ("of", "window", "thresholds", "roc", "pr"),
    [
        ((300, [(40, 60), (150, 180)], 5), 20, 250, 0.9705631477002096, 0.8777130935271997),
        ((300, [(40, 60), (66, 90), (290, 300)], -4), 25, 50, 0.9377274706810698, 0.8561323986581431),
        ((400, [(0, 12), (200, 201)], 0), 0, 250, 1.0, 1.0),
        ((1000, [(100, 130), (131, 160), (500, 560)], 12), 100, 250, 0.9701395455609921, 0.9082798902581681),
    ],
)
def test_published_implementation(of, window, thresholds, roc, pr):
    found = volume_under_surface(*series(*of), window, thresholds=thresholds)
    assert found == (pytest.approx(roc, abs=1e-12), pytest.approx(pr, abs=1e-12))


def test_without_a_buffer_it_is_near_the_area_at_points():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    labels = np.zeros(5000, int)
    labels[1000:1400] = 1
    scores = labels + generator.normal(size=5000)
    found = volume_under_surface(scores, labels, 0)
    assert found.roc == pytest.approx(roc_auc_score(labels, scores), abs=0.002)
    late = volume_under_surface(np.roll(scores, 30), labels, 0), volume_under_surface(np.roll(scores, 30), labels, 200)
    assert late[0].pr < late[1].pr  # a buffer forgives that alarms are late


def test_long_series_in_less_than_five_seconds():
    generator = np.random.default_rng(0)
    labels = np.zeros(22_000, int)
    for begin in (3000, 9000, 15_000, 20_000):
        labels[begin : begin + 500] = 1
    start = time.process_time()
    volume_under_surface(labels + generator.normal(size=22_000), labels, 288)
    assert time.process_time() - start < 5  # 0.2 s; the published implementation takes minutes


def test_errors():
    scores, labels = series(100, [(10, 20)], 0)
    with pytest.raises(DataError, match=r"one number per point. Received shapes \(99,\) and \(100,\)"):
        volume_under_surface(scores[1:], labels, 5)
    with pytest.raises(DataError, match="points of both kinds. Received 0."):
        volume_under_surface(scores, 0 * labels, 5)
    with pytest.raises(DataError, match="must be 0 and 1, .* Received 0, 2."):
        volume_under_surface(scores, 2 * labels, 5)
    with pytest.raises(DataError, match="first that is not is at point 7"):
        volume_under_surface(np.where(np.arange(100) == 7, np.nan, scores), labels, 5)
    with pytest.raises(ConfigError, match="window must be a whole number of at least 0"):
        volume_under_surface(scores, labels, -1)
