import keras
import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

import zoo
from zoo.core.errors import ConfigError, DataError, UnknownNameError


@pytest.fixture(scope="module")
def normal():
    """A line in 6 dimensions with noise that differs from element to element, float32 (400, 6)."""
    random = np.random.default_rng(0)
    line = random.normal(size=(400, 1)) * np.array([3.0, -2.0, 1.0, 0.0, 0.0, 0.0])
    return (line + random.normal(size=(400, 6)) * [0.1, 0.1, 0.1, 2.0, 0.01, 0.5]).astype("float32")


def _trained(normal, score):
    keras.utils.set_random_seed(0)
    model = zoo.detector(zoo.feed_forward((6,), 2, latent_activation="linear", output_activation="linear"), score)
    model.compile(keras.optimizers.Adam(0.02))
    model.fit(normal, epochs=30, verbose=0)
    return model


@pytest.mark.parametrize("of", ["error", "latent"])
def test_mahalanobis_distance(normal, of):
    """Against scikit-learn's."""
    model = _trained(normal, f"mahalanobis_{of}").fit_score(normal)
    values = model.reconstruct(normal) - normal if of == "error" else model.encode(normal)
    expected = LedoitWolf().fit(values.astype("float64")).mahalanobis(values) / values.shape[1]
    np.testing.assert_allclose(model.score(normal), expected, rtol=2e-3, atol=1e-4)


def test_weighs_elements_by_what_is_normal_there(normal):
    model = _trained(normal, "mahalanobis_error").fit_score(normal)
    odd = normal[:50].copy()
    odd[:, 4] += 0.2  # 20 deviations of an element that hardly varies
    ours = np.mean(model.score(odd)[:, None] > model.score(normal)[None])
    plain = np.mean(model.reconstruction_error(odd)[:, None] > model.reconstruction_error(normal)[None])
    assert ours > 0.99
    assert plain < 0.8


@pytest.mark.parametrize("score", ["mean_squared_error", "mahalanobis_error", "mahalanobis_latent"])
def test_is_saved_and_exported_whole(normal, score, tmp_path):
    model = _trained(normal, score)
    if model.distance is not None:
        model.fit_score(normal)
    model.threshold = zoo.threshold(model, normal, 0.95)
    alarms = model.score(normal) > model.threshold
    assert alarms.sum() == 20
    zoo.save(model, tmp_path / "saved")
    model.save(tmp_path / "model.keras")
    for loaded in (zoo.load(tmp_path / "saved", verify=True), zoo.load_model(tmp_path / "model.keras")):
        assert loaded.threshold == model.threshold
        np.testing.assert_array_equal(loaded.score(normal), model.score(normal))
    report = zoo.export(loaded, tmp_path / "exported", samples=normal)
    assert report.threshold == model.threshold
    assert sorted(report.files["tflite"].signatures) == ["decode", "encode", "error", "reconstruct", "score"]
    for file in ("model.tflite", "model.onnx"):
        lite = zoo.lite.load(tmp_path / "exported" / file)
        np.testing.assert_array_equal(lite.is_anomaly(normal), alarms)
        np.testing.assert_allclose(lite.score(normal), model.score(normal), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(lite.error(normal), model.explain(normal), atol=1e-4)


def test_int8_keeps_the_distance_in_float(normal, tmp_path):
    model = _trained(normal, "mahalanobis_latent").fit_score(normal)
    zoo.export(model, tmp_path, "tflite", quantization="int8", calibration=normal, samples=normal)
    lite = zoo.lite.load(tmp_path / "model.tflite")
    assert np.corrcoef(lite.score(normal), model.score(normal))[0, 1] > 0.999
    assert len(np.unique(lite.score(normal))) > 300


def test_what_is_not_fitted_is_refused(normal, tmp_path):
    model = zoo.detector(zoo.feed_forward((6,), 2), "mahalanobis_error")
    for use in (lambda: model.score(normal), lambda: zoo.export(model, tmp_path / "out", samples=normal)):
        with pytest.raises(ConfigError, match=r"not fitted: call model\.fit_score\(normal_samples\)"):
            use()
    with pytest.raises(DataError, match="at least two normal samples. Received 1"):
        model.fit_score(np.full((1, 6), 0.5, "float32"))
    with pytest.raises(DataError, match="the 3 normal samples are all the same"):
        model.fit_score(np.full((3, 6), 0.5, "float32"))
    with pytest.raises(ConfigError, match="mean squared error, which needs no fitting"):
        zoo.detector(zoo.feed_forward((6,), 2)).fit_score(normal)


@pytest.mark.parametrize("saved", [False, True])
def test_the_score_of_a_detector_is_replaced(saved, normal, tmp_path):
    """Also of a loaded one: it shares the network, and is saved as a detector of the new score alone."""
    keras.utils.set_random_seed(0)
    network = zoo.feed_forward((6,), 2, latent_activation="linear", output_activation="linear")
    first = zoo.detector(network, "mahalanobis_error").fit_score(normal)
    first.threshold = 1.5
    if saved:
        zoo.save(first, tmp_path / "first")
        first = zoo.load(tmp_path / "first")
    second = zoo.detector(first, "mahalanobis_latent")
    assert second.threshold is None
    assert second.get_config() == {**first.get_config(), "score": "mahalanobis_latent", "threshold": None}
    with pytest.raises(ConfigError, match="not fitted"):
        second.score(normal)
    second.fit_score(normal)
    np.testing.assert_array_equal(second.reconstruct(normal), first.reconstruct(normal))
    latent = first.encode(normal)
    expected = LedoitWolf().fit(latent.astype("float64")).mahalanobis(latent) / 2
    np.testing.assert_allclose(second.score(normal), expected, rtol=2e-3, atol=1e-4)
    zoo.save(second, tmp_path / "second")
    np.testing.assert_allclose(zoo.load(tmp_path / "second").score(normal), second.score(normal), rtol=1e-5)
    assert (first.threshold, first.distance.of) == (1.5, "error")


def test_a_config_around_a_detector_is_that_of_one():
    backbone = zoo.feed_forward((6,), 2).get_config()
    inner = {"family": "detector", "backbone": backbone, "score": "mahalanobis_error", "threshold": 2.0}
    config = zoo.detector(inner, threshold=1.0).get_config()
    assert config == {"family": "detector", "backbone": backbone, "score": "mean_squared_error", "threshold": 1.0}


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda inner: zoo.detector(inner, "mahalanobis"), UnknownNameError, "mahalanobis_error"),
        (lambda inner: zoo.detector(inner, threshold=-1), ConfigError, r"threshold must be a number in \[0, "),
        (
            lambda inner: zoo.detector(zoo.feed_forward((5000,), 2), "mahalanobis_error"),
            ConfigError,
            r"'mahalanobis_error' keeps .* at most 4,096 of them. Received 5,000 \(100 MB\), of shape \(5000,\): use"
            " score='mahalanobis_latent' or 'mean_squared_error'",
        ),
        (
            lambda inner: zoo.detector(zoo.feed_forward((6,), 5000), "mahalanobis_latent"),
            ConfigError,
            r"'mahalanobis_latent' keeps .* of shape \(5000,\): use score='mean_squared_error'",
        ),
    ],
)
def test_wrong_arguments(build, error, message):
    with pytest.raises(error, match=message):
        build(zoo.feed_forward((6,), 2))
