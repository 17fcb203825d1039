import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError, UnknownNameError
from zoo.engine.contract import Contract
from zoo.evaluation.anomaly import false_alarms_per_hour
from zoo.evaluation.extreme_value import fit_tail


@pytest.fixture(scope="module")
def model():
    return zoo.feed_forward((8, 8, 1), 4)


@pytest.mark.parametrize(("quantile", "above"), [(0.99, 17), (0.5, 898), (0.999, 1)])
def test_share_of_normal_samples_above(model, digits, quantile, above):
    threshold = zoo.threshold(model, digits.samples, quantile)
    scores = np.sort(model.reconstruction_error(digits.samples))
    assert isinstance(threshold, float)
    assert (scores > threshold).sum() == above == int(1797 * (1 - quantile) + 1e-9)
    # Half-way between two scores, so that rounding moves none across.
    assert threshold == pytest.approx((float(scores[-above]) + float(scores[-above - 1])) / 2, rel=1e-6)


def test_forms_of_data_and_model(model, digits, tmp_path):
    expected = zoo.threshold(model, zoo.data.load("digits", "test").samples)
    assert zoo.threshold(model, "digits") == zoo.threshold(model, zoo.data.load("digits", "test")) == expected
    test = zoo.data.load("digits", "test")
    batches = [(test.pixels()[i : i + 50], test.labels[i : i + 50]) for i in range(0, len(test), 50)]
    assert zoo.threshold(model, (images for images, _ in batches)) == pytest.approx(expected, rel=1e-6)
    zoo.export(model, tmp_path, "tflite", threshold=expected)
    opened = zoo.lite.load(tmp_path / "model.tflite")
    assert opened.threshold == expected
    assert zoo.threshold(opened, "digits") == pytest.approx(expected, rel=1e-5)
    assert zoo.threshold(opened, iter(batches)) == pytest.approx(expected, rel=1e-5)
    assert opened.is_anomaly(digits.samples).mean() == np.mean(model.reconstruction_error(digits.samples) > expected)


def test_errors(model, digits):
    with pytest.raises(DataError, match="quantile 0.99 needs at least 100 normal samples.*Received 99"):
        zoo.threshold(model, digits.samples[:99])
    zoo.threshold(model, digits.samples[:100])
    for quantile in (0, 1, 99, "high"):
        with pytest.raises(ConfigError, match="quantile must be a number in .0, 1."):
            zoo.threshold(model, digits.samples, quantile)
    with pytest.raises(ConfigError, match="takes an Autoencoder.*Received: Encoder"):
        zoo.threshold(model.encoder, digits.samples)
    with pytest.raises(DataError, match="In normal_data: x has the wrong shape"):
        zoo.threshold(model, digits.samples[:, :4])


class Scores:
    """A model whose samples are their own scores."""

    def __init__(self, sampling_rate=None):
        self.contract = Contract((1,), "float32", False, sampling_rate=sampling_rate)

    def score(self, x):
        return np.asarray(x)[:, 0]


@pytest.fixture(scope="module")
def exponential():
    """5,000 scores of an exponential distribution."""
    return np.random.default_rng(0).exponential(size=(5000, 1)).astype("float32")


class TestExtremeValue:
    def test_beyond_the_largest_score(self, exponential):
        threshold = zoo.threshold(Scores(), exponential, 0.99999, method="extreme_value")
        assert threshold > exponential.max()
        assert threshold == pytest.approx(-np.log(1e-5), rel=0.1)
        tail = fit_tail(exponential[:, 0])
        assert threshold == pytest.approx(tail.exceeded_by(1e-5), rel=1e-9)

    def test_where_there_are_scores_it_agrees_with_the_quantile(self, exponential):
        for quantile in (0.99, 0.995, 0.998):
            both = [zoo.threshold(Scores(), exponential, quantile, method=m) for m in ("quantile", "extreme_value")]
            assert both[0] == pytest.approx(both[1], rel=0.05)
        both = [zoo.threshold(Scores(), exponential, 0.5, method=m) for m in ("quantile", "extreme_value")]
        assert both[0] == both[1]  # in the bulk, of which a tail says nothing

    def test_a_model(self, model, digits):
        threshold = zoo.threshold(model, digits, 0.9999, method="extreme_value")
        assert 1 < threshold / model.score(digits).max() < 1.5

    def test_errors(self, exponential):
        with pytest.raises(DataError, match="at least 10 different scores .* Received 99 samples with 99 different"):
            zoo.threshold(Scores(), exponential[:99], method="extreme_value")
        with pytest.raises(DataError, match="Received 5000 samples with 7 different scores"):
            zoo.threshold(Scores(), np.minimum(exponential.round(), 6), method="extreme_value")
        with pytest.raises(UnknownNameError, match="Unknown method 'extreme_values'. Did you mean 'extreme_value'"):
            zoo.threshold(Scores(), exponential, method="extreme_values")


class TestFalseAlarms:
    @pytest.mark.parametrize("method", ["quantile", "extreme_value"])
    def test_rate_of_windows(self, exponential, method):
        threshold = zoo.threshold(Scores(), exponential, method=method, false_alarms_per_hour=18, windows_per_hour=3600)
        assert threshold == zoo.threshold(Scores(), exponential, 0.995, method=method)
        assert false_alarms_per_hour(exponential[:, 0], threshold, 3600) == pytest.approx(18, abs=5)

    def test_windows_without_overlap_at_the_models_rate(self, exponential):
        """Of samples of length 1 at 2 Hz, there are 7,200 in an hour."""
        threshold = zoo.threshold(Scores(sampling_rate=2), exponential, false_alarms_per_hour=72)
        assert threshold == zoo.threshold(Scores(), exponential, 0.99)
        given = {"false_alarms_per_hour": 36, "windows_per_hour": 3600}
        assert zoo.threshold(Scores(sampling_rate=2), exponential, **given) == threshold

    def test_errors(self, exponential):
        with pytest.raises(ConfigError, match="this model has no sampling rate: pass windows_per_hour"):
            zoo.threshold(Scores(), exponential, false_alarms_per_hour=1)
        with pytest.raises(
            ConfigError, match="less than the windows of an hour, 60. Received: false_alarms_per_hour=60"
        ):
            zoo.threshold(Scores(), exponential, false_alarms_per_hour=60, windows_per_hour=60)
        with pytest.raises(ConfigError, match="windows_per_hour is for false_alarms_per_hour"):
            zoo.threshold(Scores(), exponential, windows_per_hour=60)
        with pytest.raises(ConfigError, match="false_alarms_per_hour must be a number in .0, inf"):
            zoo.threshold(Scores(), exponential, false_alarms_per_hour=0, windows_per_hour=60)
        with pytest.raises(DataError, match="needs at least 36,000 normal samples.*or method='extreme_value'"):
            zoo.threshold(Scores(), exponential, false_alarms_per_hour=0.1, windows_per_hour=3600)


@pytest.mark.parametrize("method", ["quantile", "extreme_value"])
def test_scores_that_say_nothing(method):
    with pytest.raises(DataError, match="All 200 normal samples have the same score, 2"):
        zoo.threshold(Scores(), np.full((200, 1), 2, "float32"), method=method)
