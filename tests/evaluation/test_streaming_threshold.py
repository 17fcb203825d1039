"""SPOT against the rates of known distributions, against the fit that it begins with, and in a stream."""

import math

import numpy as np
import pytest
from scipy import stats

import zoo
from zoo.core.errors import ConfigError, DataError
from zoo.evaluation.extreme_value import fit_tail
from zoo.evaluation.threshold import by_extreme_values
from zoo.lite import Stream


def alarms(threshold, scores):
    return np.array([threshold.update(score) for score in scores])


@pytest.mark.parametrize("distribution", [stats.expon(), stats.norm(10), stats.lognorm(0.5)])
def test_rate_of_alarms(distribution):
    """Of 3 times 20,000 normal scores, one in 1,000 is to be an alarm: within a factor of 2, from 500 known ones."""
    counts, ends = [], []
    for seed in range(3):
        scores = distribution.rvs(20_500, random_state=seed)
        threshold = zoo.StreamingThreshold(0.999, scores[:500])
        counts.append(alarms(threshold, scores[500:]).sum())
        ends.append(distribution.sf(threshold.value))
    assert 30 < np.sum(counts) < 120
    assert 0.5e-3 < np.mean(ends) < 2e-3


def test_it_becomes_better_than_the_fit_that_it_begins_with():
    """Of scores that one in 10,000 exceeds, from 300 known ones."""
    before, after = [], []
    for seed in range(5):
        scores = stats.expon().rvs(10_300, random_state=seed)
        threshold = zoo.StreamingThreshold(0.9999, scores[:300])
        before.append(threshold.value)
        alarms(threshold, scores[300:])
        after.append(threshold.value)
    wrong_before, wrong_after = (np.abs(np.array(values) + math.log(1e-4)).mean() for values in (before, after))
    assert wrong_after < 0.7 * wrong_before


def test_it_begins_with_the_offline_fit_and_ends_near_that_of_all():
    scores = stats.chi2(8).rvs(6000, random_state=0)
    threshold = zoo.StreamingThreshold(0.999, scores[:1000])
    assert threshold.value == pytest.approx(by_extreme_values(scores[:1000], 0.999), rel=1e-9)
    own = zoo.StreamingThreshold(0.999, first=1000)
    assert not alarms(own, scores[:999]).any() and own.value == math.inf
    own.update(scores[999])
    assert own.value == threshold.value
    below = scores[1000:][scores[1000:] <= threshold.value]
    alarms(threshold, below)
    tail = threshold._tail
    assert tail.start == fit_tail(scores[:1000]).start
    everything = np.concatenate([scores[:1000], below])
    assert threshold._count / threshold._scores == pytest.approx((everything > tail.start).mean(), abs=2e-3)
    assert threshold.value == pytest.approx(by_extreme_values(everything, 0.999), rel=0.1)


def test_anomalies_beyond_the_expected_are_left_out_and_a_slow_rise_is_followed():
    random = np.random.default_rng(0)
    known = random.normal(10, 1, 1000)
    threshold = zoo.StreamingThreshold(0.9999, known)
    before = threshold.value
    assert alarms(threshold, np.full(500, 1e6)).all()
    assert threshold.value == before  # of 1,500 normal scores less than half a one is above it
    calm = zoo.StreamingThreshold(0.99, known)
    alarms(calm, [1e6] * 500)
    assert calm._anomalies == 20  # twice as many as the 1 % of these 1,000
    assert calm.value < 10 + 2 * (np.quantile(known, 0.99) - 10)
    rising = random.normal(10, 1, 20_000) + np.linspace(0, 2, 20_000)
    assert alarms(threshold, rising).mean() < (rising > before).mean() / 2
    assert before + 0.3 < threshold.value < before + 4
    assert len(threshold._peaks) == 1000 < threshold._count


def test_of_a_stream():
    class Largest:
        signatures, input_shape, threshold = ("score",), (4,), None
        contract = zoo.feed_forward((4,), 1, output_activation="linear").contract

        def score(self, x):
            return x.max(axis=1)

    signal = stats.expon().rvs(8000, random_state=1).astype("float32")
    signal[6000:6004] = 100
    threshold = zoo.StreamingThreshold(0.99, first=500)
    stream = Stream(Largest(), threshold=threshold)
    found = [window for begin in range(0, 8000, 37) for window in stream.push(signal[begin : begin + 37])]
    expected = zoo.StreamingThreshold(0.99, first=500)
    largest = signal.reshape(-1, 4).max(axis=1)
    np.testing.assert_array_equal([window.is_anomaly for window in found], alarms(expected, largest))
    assert not any(window.is_anomaly for window in found[:500])
    assert found[1500].is_anomaly
    assert stream.threshold is threshold and threshold.value == expected.value


def test_errors():
    scores = np.random.default_rng(0).random(1000)
    with pytest.raises(ConfigError, match=r"quantile must be a number in \(0, 1\). Received: quantile=1"):
        zoo.StreamingThreshold(1)
    with pytest.raises(ConfigError, match=r"quantile must be a number in \[0.9, 1\]. Received: quantile=0.8"):
        zoo.StreamingThreshold(0.8, scores)
    with pytest.raises(ConfigError, match="first must be a whole number of at least 100"):
        zoo.StreamingThreshold(first=10)
    with pytest.raises(DataError, match="at least 100 normal scores to begin with.* Received 50 with 50 different"):
        zoo.StreamingThreshold(0.99, scores[:50])
    with pytest.raises(DataError, match="Received 200 with 1 different"):
        alarms(zoo.StreamingThreshold(0.99, first=200), np.ones(200))
    with pytest.raises(DataError, match="finite scores. Received: nan"):
        zoo.StreamingThreshold(0.99).update(math.nan)
    with pytest.raises(DataError, match="Some normal scores are not"):
        zoo.StreamingThreshold(0.99, [*scores, math.inf])
