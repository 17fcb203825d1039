import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import zoo
from zoo.core.errors import ConfigError, DataError, UnknownNameError
from zoo.families.coreset import k_centre
from zoo.families.patch_detector import PatchDetector

SIDE = 48


def _stripes(count, seed):
    """Pictures of stripes with noise, float32 (count, 48, 48, 1)."""
    random = np.random.default_rng(seed)
    columns = np.arange(SIDE)[None, None] / 2.5 + random.uniform(0, 2 * np.pi, (count, 1, 1))
    noise = random.normal(0, 0.03, (count, SIDE, SIDE))
    return np.clip(0.5 + 0.2 * np.sin(columns) + noise, 0, 1).astype("float32")[..., None]


@pytest.fixture(scope="module")
def normal():
    return _stripes(60, 0)


@pytest.fixture(scope="module")
def held_out():
    return _stripes(40, 1)


@pytest.fixture(scope="module")
def scratched():
    """(pictures with a horizontal bright scratch, its upper left corners)."""
    pictures, corners = _stripes(40, 2), np.random.default_rng(3).integers(8, 28, (40, 2))
    for picture, (row, column) in zip(pictures, corners, strict=True):
        picture[row : row + 4, column : column + 12] = 0.95
    return pictures, corners


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return zoo.convolutional((28, 28, 1), 16, (8, 16), batch_normalization=True).encoder


SETTINGS = {
    "coreset": {"coreset": 300, "dimensions": 16},
    "gaussian": {"memory": "gaussian", "dimensions": 12, "stride": 2},
    "relative": {"coreset": 0.01, "dimensions": 16, "score": "relative"},
    "one block": {"layers": 1, "coreset": 200, "dimensions": 8},
}


@pytest.fixture(scope="module")
def detector(encoder, normal, held_out):
    """A function from the name of a setting to its detector, made once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = zoo.patch_detector(encoder, normal, **SETTINGS[name])
            made[name].threshold = zoo.threshold(made[name], held_out, 0.9)
        return made[name]

    return of


@pytest.mark.parametrize("name", SETTINGS)
def test_finds_the_scratch(detector, held_out, scratched, name):
    model, (bad, corners) = detector(name), scratched
    scores = np.concatenate([model.score(held_out), model.score(bad)])
    assert scores.dtype == np.float32
    assert roc_auc_score(np.repeat([0, 1], 40), scores) > 0.95
    maps = model.explain(bad)
    assert maps.shape == (40, SIDE, SIDE)
    rows, columns = np.divmod(maps.reshape(40, -1).argmax(axis=1), SIDE)
    near = 6  # what a feature of the last block sees around its place
    inside = (rows > corners[:, 0] - near) & (rows < corners[:, 0] + 4 + near)
    inside &= (columns > corners[:, 1] - near) & (columns < corners[:, 1] + 12 + near)
    assert inside.mean() > 0.5  # by chance 0.15


def test_distances_are_those_to_the_nearest(detector, held_out):
    model = detector("coreset")
    features, memory = model.encode(held_out[:2]), np.asarray(model.distance.memory)
    assert features.shape == (2, 24, 24, 16)
    expected = np.square(features[..., None, :] - memory).mean(axis=-1).min(axis=-1)
    np.testing.assert_allclose(np.asarray(model.distance(features)), expected, atol=2e-5)
    np.testing.assert_allclose(model.score(held_out[:2]), expected.max(axis=(1, 2)), atol=2e-5)


def test_relative_score(detector, held_out):
    model = detector("relative")
    distances = np.asarray(model.distance(model.encode(held_out[:3])))
    expected = distances.max(axis=(1, 2)) / np.sqrt(distances).mean(axis=(1, 2)) ** 2
    np.testing.assert_allclose(model.score(held_out[:3]), expected, rtol=1e-4)


def test_gaussian_has_mean_one_on_its_pictures(detector, normal):
    model = detector("gaussian")
    distances = np.asarray(model.distance(model.encode(normal)))
    assert 0.8 < distances.mean() < 1.1
    shifted = np.asarray(model.distance(model.encode(normal) + 10.0))
    assert shifted.min() > distances.max()


def test_features_are_whitened(detector, normal):
    flat = detector("coreset").encode(normal).reshape(-1, 16)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=0.05)
    covariance = np.cov(flat.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.03
    assert np.diag(covariance)[0] > 0.95


def test_k_centre_takes_the_farthest():
    points = np.array([[0.0], [1.0], [10.0], [4.0]], "float32")
    chosen = k_centre(points, 3, np.random.default_rng(0))
    assert sorted(chosen[:2]) == sorted({int(chosen[0]), 2 if chosen[0] != 2 else 0})
    assert set(k_centre(points, 4, np.random.default_rng(1))) == {0, 1, 2, 3}


@pytest.mark.parametrize("name", ["coreset", "gaussian"])
def test_is_saved_whole(detector, scratched, name, tmp_path):
    model, (bad, _) = detector(name), scratched
    zoo.save(model, tmp_path / "saved")
    model.save(tmp_path / "model.keras")
    for loaded in (zoo.load(tmp_path / "saved", verify=True), zoo.load_model(tmp_path / "model.keras")):
        assert type(loaded) is PatchDetector
        assert loaded.threshold == model.threshold
        np.testing.assert_array_equal(loaded.score(bad), model.score(bad))
        np.testing.assert_array_equal(loaded.explain(bad[:2]), model.explain(bad[:2]))


@pytest.mark.parametrize("name", ["gaussian", "relative"])
def test_is_exported_whole(detector, held_out, scratched, name, tmp_path):
    model, (bad, _) = detector(name), scratched
    report = zoo.export(model, tmp_path, samples=held_out, anomalies=bad)
    assert report.files["tflite"].metrics["anomaly_auroc"]["after"] > 0.95
    scores, maps = model.score(bad), model.explain(bad)
    for file in ("model.tflite", "model.onnx"):
        phone = zoo.lite.load(tmp_path / file)
        assert phone.signatures == ("score", "error")
        assert phone.threshold == model.threshold
        np.testing.assert_allclose(phone.score(bad), scores, rtol=1e-4)
        np.testing.assert_allclose(phone.error(bad), maps, atol=1e-4 * maps.max())
        assert phone.is_anomaly(bad).mean() > 0.9


def test_in_8_bits_the_trunk_is_and_the_distance_is_not(detector, held_out, normal, scratched, tmp_path):
    model, (bad, _) = detector("coreset"), scratched
    samples = np.concatenate([normal, held_out])
    with pytest.warns(UserWarning, match="calibrated on 100"):
        report = zoo.export(
            model, tmp_path, "tflite", quantization="int8", calibration=samples, samples=held_out, anomalies=bad
        )
    assert report.files["tflite"].metrics["anomaly_auroc"]["after"] > 0.9
    phone = zoo.lite.load(tmp_path / "model.tflite")
    assert len(np.unique(phone.error(bad[:1]))) > 256
    assert np.corrcoef(phone.error(held_out).ravel(), model.explain(held_out).ravel())[0, 1] > 0.7


def test_errors_of_an_autoencoder(normal, held_out, scratched, tmp_path):
    """A linear one, solved by principal components; a Gaussian of its errors at each place."""
    from sklearn.decomposition import PCA

    pca = PCA(8).fit(normal[:30].reshape(30, -1))
    backbone = zoo.feed_forward((SIDE, SIDE, 1), 8, (), latent_activation="linear", output_activation="linear")
    kernel = pca.components_.astype("float32")
    mean = pca.mean_.astype("float32")
    backbone.set_weights([kernel.T, -mean @ kernel.T, kernel, mean])
    model = zoo.patch_detector(backbone, normal[30:], features="error", memory="gaussian", stride=2)
    bad, _ = scratched
    assert roc_auc_score(np.repeat([0, 1], 40), np.concatenate([model.score(held_out), model.score(bad)])) > 0.95
    difference = np.pad((bad[:1] - backbone.reconstruct(bad[:1]))[0, ..., 0], ((0, 1), (0, 1)))
    features = np.stack([difference[i : i + 47 : 2, j : j + 47 : 2] for i in range(3) for j in range(3)], axis=-1)
    kernel, bias = model.encoder.layers[-1].get_weights()
    np.testing.assert_allclose(model.encode(bad[:1])[0], features @ kernel[0, 0] + bias, atol=1e-3)
    zoo.save(model, tmp_path / "saved")
    np.testing.assert_array_equal(zoo.load(tmp_path / "saved").score(bad), model.score(bad))
    zoo.export(model, tmp_path / "exported", "tflite", samples=held_out)
    np.testing.assert_allclose(
        zoo.lite.load(tmp_path / "exported" / "model.tflite").score(bad), model.score(bad), rtol=1e-3
    )


def test_grey_pictures_for_a_colour_encoder(normal):
    keras.utils.set_random_seed(0)
    encoder = zoo.convolutional((32, 32, 3), None, (6,), kernel_size=5).encoder
    grey = zoo.patch_detector(encoder, normal[:10], layers=1, coreset=50, dimensions=6)
    colour = zoo.patch_detector(encoder, np.repeat(normal[:10], 3, axis=-1), layers=1, coreset=50, dimensions=6)
    assert grey.input_shape == (SIDE, SIDE, 1)
    np.testing.assert_allclose(
        grey.score(normal[:4]), colour.score(np.repeat(normal[:4], 3, axis=-1)), rtol=1e-2, atol=1e-3
    )


def test_the_encoder_may_be_trained_on(encoder, normal):
    model = zoo.patch_detector(encoder, normal[:10], coreset=50)
    before = model.score(normal[:2])
    kernel = next(layer for layer in encoder.layers if layer.name == "convolution_1").kernel
    kept = kernel.numpy()
    kernel.assign(kept + 1)
    np.testing.assert_array_equal(model.score(normal[:2]), before)
    kernel.assign(kept)


def test_nothing_is_learnt_twice(encoder, normal):
    one, same, other = (zoo.patch_detector(encoder, normal[:10], coreset=50, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.distance.memory, same.distance.memory)
    assert not np.array_equal(one.distance.memory, other.distance.memory)


REFUSED = [
    ({"memory": "mean"}, UnknownNameError, "mean"),
    ({"features": "pixels"}, UnknownNameError, "pixels"),
    ({"score": "sum"}, UnknownNameError, "sum"),
    ({"layers": 3}, ConfigError, "has 2 convolutional blocks"),
    ({"coreset": 30_000}, ConfigError, "at most 20,000"),
    ({"coreset": 1.5}, ConfigError, "coreset must be a number in"),
    ({"coreset": 0}, ConfigError, "coreset must be a whole number"),
    ({"features": "error"}, ConfigError, "pass the Autoencoder"),
    ({"threshold": -1}, ConfigError, "threshold"),
    ({"normals": np.zeros((0, SIDE, SIDE, 1), "float32")}, DataError, "normals"),
    ({"normals": np.zeros((1, SIDE, SIDE, 1), "float32")}, DataError, "at least two pictures"),
    ({"normals": np.zeros((9, SIDE, SIDE, 3), "float32")}, ConfigError, "takes pictures of 1 channels"),
    ({"normals": [np.zeros((8, 8, 1)), np.zeros((9, 9, 1))]}, DataError, "one size"),
    ({"normals": np.full((9, SIDE, SIDE, 1), 255.0, "float32")}, DataError, "Divide 8-bit pixels"),
    ({"normals": np.full((9, SIDE, SIDE, 1), np.nan, "float32")}, DataError, "NaN"),
]


@pytest.mark.parametrize(("settings", "error", "message"), REFUSED)
def test_refused(encoder, normal, settings, error, message):
    settings = {"normals": normal[:20], **settings}
    with pytest.raises(error, match=message):
        zoo.patch_detector(encoder, **settings)


def test_features_that_are_all_the_same(normal):
    encoder = zoo.convolutional((28, 28, 1), None, (4,)).encoder
    encoder.set_weights([np.zeros_like(weight) for weight in encoder.get_weights()])
    with pytest.raises(DataError, match="all the same"):
        zoo.patch_detector(encoder, normal[:10], layers=1)


def test_a_dense_encoder_has_no_trunk(normal):
    with pytest.raises(ConfigError, match=r"Take a convolutional encoder, or zoo\.detector"):
        zoo.patch_detector(zoo.feed_forward((SIDE, SIDE, 1), 8).encoder, normal)


def test_a_picture_of_another_size(detector):
    with pytest.raises(DataError, match=r"48, 48, 1"):
        detector("coreset").score(_stripes(2, 0)[:, :40])


@pytest.mark.parametrize("verb", ["fit", "fit_score", "reconstruct", "reconstruction_error"])
def test_what_a_patch_detector_does_not_do(detector, normal, verb):
    with pytest.raises(ConfigError, match="is not trained"):
        getattr(detector("coreset"), verb)(normal)


def test_an_empty_memory_scores_nothing(detector, normal):
    empty = zoo.from_config(detector("coreset").get_config())
    with pytest.raises(ConfigError, match="seen no normal pictures"):
        empty.score(normal)


def test_a_config_cannot_name_foreign_layers(detector):
    config = detector("coreset").get_config()
    config["trunk"]["layers"][1]["class_name"] = "Lambda"
    with pytest.raises(ConfigError, match="Lambda"):
        zoo.from_config(config)
    config["trunk"] = None
    with pytest.raises(ConfigError, match="either a backbone or a trunk"):
        zoo.from_config(config)
