"""Metrics of anomaly scores against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn import metrics

from zoo.evaluation import anomaly


@pytest.fixture(scope="module")
def scores():
    """Scores of 400 normal samples and 60 anomalies, with ties."""
    generator = np.random.default_rng(0)
    return generator.normal(0, 1, 400).round(1), generator.normal(1.5, 1, 60).round(1)


def pooled(scores):
    return np.repeat([0, 1], [400, 60]), np.concatenate(scores)


def test_auroc_is_the_share_of_pairs_in_order(scores):
    assert anomaly.auroc([0.1, 0.4], [0.3, 0.5]) == 0.75
    normal, anomalous = scores
    pairs = np.sign(anomalous[:, None] - normal[None])
    assert anomaly.auroc(*scores) == pytest.approx((pairs.mean() + 1) / 2, abs=1e-12)


def test_average_precision_is_scikit_learns(scores):
    assert anomaly.average_precision([0, 1, 2], [0.5, 3]) == pytest.approx((1 + 2 / 4) / 2)
    assert anomaly.average_precision(*scores) == pytest.approx(metrics.average_precision_score(*pooled(scores)))


def test_partial_auroc_is_rescaled_as_by_mcclish(scores):
    """Not the share of the largest possible area: 0.5 is chance."""
    truth, values = pooled(scores)
    false, true, _ = metrics.roc_curve(truth, values)
    inside = false < 0.1
    area = np.trapezoid([*true[inside], np.interp(0.1, false, true)], [*false[inside], 0.1])
    expected = (1 + (area - 0.005) / (0.1 - 0.005)) / 2
    assert anomaly.partial_auroc(*scores) == pytest.approx(expected, abs=1e-12)
    assert anomaly.partial_auroc(*scores) != pytest.approx(area / 0.1, abs=0.05)
    assert anomaly.partial_auroc(np.arange(10), [11, 12]) == 1
    assert anomaly.partial_auroc(*scores, 1.0) == pytest.approx(anomaly.auroc(*scores))
    uniform = np.random.default_rng(1).random((2, 100_000))
    assert anomaly.partial_auroc(*uniform) == pytest.approx(0.5, abs=0.005)


def test_at_a_threshold_every_sample_counts_as_it_is(scores):
    truth, values = pooled(scores)
    for threshold in (-1.0, 1.5, 2.3):
        found = anomaly.at_threshold(*scores, threshold)
        alarms = values > threshold
        assert found == {
            "precision": pytest.approx(metrics.precision_score(truth, alarms)),
            "recall": pytest.approx(metrics.recall_score(truth, alarms)),
            "f1": pytest.approx(metrics.f1_score(truth, alarms)),
        }
    assert anomaly.at_threshold(*scores, 99) == {"precision": 0, "recall": 0, "f1": 0}
    assert anomaly.at_threshold([1.0], [1.0, 2.0], 1.0) == {"precision": 1, "recall": 0.5, "f1": pytest.approx(2 / 3)}


def test_false_alarms_per_hour():
    assert anomaly.false_alarms_per_hour([0, 1, 2, 3], 1, 3600) == 1800
    assert anomaly.false_alarms_per_hour([0, 1, 2, 3], 3, 3600) == 0
