import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError


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
