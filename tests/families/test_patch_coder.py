import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError
from zoo.families import patch_coder as module
from zoo.layers.preprocessing.patches import draw
from zoo.recipes.fit import build, fit
from zoo.recipes.recipe import read_recipe

SHAPE = (13, 10, 3)
VALUES = 3 * 3 * 3


def _images(count, shape=SHAPE, seed=0):
    """Stripes of random direction, width and colours, with a little noise, float32 in [0, 1]."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    angle, width = random.uniform(0, np.pi, (2, count, 1, 1))
    waves = np.sin((np.cos(angle) * rows + np.sin(angle) * columns) * (0.5 + width / 3))[..., None]
    colours = random.uniform(0, 1, (2, count, 1, 1, shape[2]))
    mixed = (colours[0] + colours[1]) / 2 + (colours[0] - colours[1]) / 2 * waves
    return (mixed + random.normal(0, 0.02, mixed.shape)).clip(0, 1).astype("float32")


@pytest.fixture(scope="module")
def images():
    return _images(300)


@pytest.fixture(scope="module")
def patches(images):
    return zoo.preprocessing.WhitenedPatches(3).fitted(images)


@pytest.fixture(scope="module")
def model(images, patches):
    keras.utils.set_random_seed(0)
    model = zoo.patch_coder(SHAPE, 12, patches)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PATCHES", 20_000)
        model.training = model.fit(images, epochs=2, batch_size=64, verbose=0).history
    return model


def _whitened(cut, patches):
    """What WhitenedPatches makes of patches (count, size, size, channels), as its docstring has it, in float64."""
    flat = cut.reshape(len(cut), -1).astype("float64")
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.sqrt(flat.var(axis=1, keepdims=True) + 10 / 255**2)
    return (flat - patches.mean) @ np.array(patches.whitening)


def test_patches_are_whitened(images, patches):
    cut = draw(images, 3, 5000, seed=1)
    white = _whitened(cut, patches)
    np.testing.assert_allclose(np.asarray(patches(cut)).reshape(5000, VALUES), white, atol=1e-4)
    variances = np.linalg.eigvalsh(np.cov(white, rowvar=False))
    # 1 where the deviation is large against the floor of 0.1; never more, but for the sample; 0 for the mean.
    assert 0.6 < variances[-1] < 1.2
    assert variances[0] < 1e-6


def test_patches_stand_at_their_places(images, patches):
    strided = zoo.preprocessing.WhitenedPatches(3, 4, mean=patches.mean, whitening=patches.whitening)
    maps = np.asarray(strided(images[:2]))
    assert maps.shape == strided.compute_output_shape((2, *SHAPE)) == (2, 3, 2, VALUES)
    np.testing.assert_allclose(maps[1, 2, 1], _whitened(images[1:2, 8:11, 4:7], patches)[0], atol=1e-4)


def test_a_white_patch_is_the_same_in_any_brightness(patches):
    """Its deviation is the floor alone: what is left of rounding must not be blown up."""
    flat = np.full((2, *SHAPE), [[[[1.0]]], [[[0.3]]]], "float32")
    white = np.asarray(patches(flat))
    np.testing.assert_allclose(white[0], white[1], atol=1e-5)


def test_grid_statistics():
    maps = np.random.default_rng(0).uniform(0, 2, (3, 5, 8, 4)).astype("float32")
    got = np.asarray(zoo.preprocessing.GridStatistics(2, deviation=True)(maps))
    cell = maps[:, 2:5, 0:4]  # the second of two rows of three, which share the middle one; the first of two columns
    expected = np.log(np.concatenate([cell.mean(axis=(1, 2)), cell.std(axis=(1, 2))], axis=-1) + 0.03)
    np.testing.assert_allclose(got[:, 1, 0], expected, atol=1e-5)
    assert got.shape == (3, 2, 2, 8)
    np.testing.assert_allclose(np.asarray(zoo.preprocessing.GridStatistics(2)(maps)), got[..., :4], atol=1e-6)


def test_latent_features_are_those_of_the_paper(model, images, patches):
    kernel, bias = model.features.get_weights()
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(bias, np.float32(-0.25))
    places = [images[0, row : row + 3, column : column + 3] for row in range(5, 11) for column in range(4, 8)]
    codes = np.maximum(_whitened(np.array(places), patches) @ kernel - 0.25, 0)  # of the last cell: rows 5 to 10
    latent = model.encode(images[:1])[0, 1, 1]
    assert latent.shape == (12 + 2 * 4,)
    np.testing.assert_allclose(latent[:12], np.log(codes.mean(axis=0) + 0.03), atol=1e-4)
    colours = np.array(places).mean(axis=(1, 2))
    np.testing.assert_allclose(latent[12:15], np.log(colours.mean(axis=0) + 0.03), atol=1e-4)


def test_fit_trains_on_patches_and_fits_the_decoder(model, images):
    losses = model.training["loss"]
    assert losses[-1] < losses[0] < 0.9 * np.mean(_whitened(draw(images, 3, 2000, seed=2), model.patches) ** 2)
    held_out = _images(50, seed=1)
    flat = held_out.mean(axis=(1, 2), keepdims=True)
    assert model.reconstruction_error(held_out).mean() < 1.2 * np.mean((held_out - flat) ** 2)
    assert model.reconstruction_error(held_out).mean() < 0.8 * held_out.var()


def test_features_serve_a_classifier_better_than_pixels(model):
    """Classes that differ in the width of the stripes alone, 10 labelled images of each."""
    random = np.random.default_rng(3)
    rows, _ = np.mgrid[: SHAPE[0], : SHAPE[1]]
    labels = np.arange(120) % 2
    phase = random.uniform(0, 2 * np.pi, (120, 1, 1))
    waves = np.sin(np.array([0.9, 1.6])[labels][:, None, None] * rows + phase)[..., None]
    x = (0.5 + 0.3 * waves + random.normal(0, 0.05, (120, *SHAPE))).clip(0, 1).astype("float32")

    def accuracy(features):
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        flat = StandardScaler().fit_transform(features.reshape(120, -1))
        return LogisticRegression(max_iter=500).fit(flat[:20], labels[:20]).score(flat[20:], labels[20:])

    assert accuracy(model.encode(x)) > accuracy(x) + 0.1


def test_saved_loaded_and_of_another_size(model, images, tmp_path):
    zoo.save(model, tmp_path / "model")
    loaded = zoo.load(tmp_path / "model", verify=True)
    np.testing.assert_array_equal(loaded.encode(images[:5]), model.encode(images[:5]))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(zoo.load_model(tmp_path / "model.keras").encode(images[:5]), model.encode(images[:5]))
    larger = zoo.from_config({**model.get_config(), "input_shape": [21, 30, 3]})
    larger.encoder.set_weights(model.encoder.get_weights())
    assert larger.encode(_images(2, (21, 30, 3))).shape == (2, *model.latent_shape)


def test_exported(model, images, tmp_path):
    """Within the tolerance of every model, although patches of one colour are divided by almost nothing."""
    samples = np.concatenate([images[:50], np.ones((1, *SHAPE), "float32")])
    report = zoo.export(model.encoder, tmp_path, ["tflite", "onnx"], samples=samples)
    assert max(file.max_difference for file in report.files.values()) < 2e-5


def test_int8_keeps_the_features(model, images, tmp_path):
    zoo.export(model.encoder, tmp_path, "tflite", quantization="int8", calibration=images, samples=images, force=True)
    latent = model.encode(images[:50])
    difference = zoo.lite.load(tmp_path / "model.tflite").encode(images[:50]) - latent
    assert np.sqrt(np.mean(difference**2) / np.mean(latent.var(axis=0))) < 0.25


def test_continued_training_begins_with_the_features(model, images, monkeypatch):
    monkeypatch.setattr(module, "_PATCHES", 2_000)
    loaded = zoo.from_config(model.get_config())
    loaded.set_weights(model.get_weights())
    loaded.pretrained_loss = "mse"
    loaded.fit(images[:50], batch_size=64, verbose=0)
    kernels = loaded.features.get_weights()[0], model.features.get_weights()[0]
    assert np.sum(kernels[0] * kernels[1], axis=0).min() > 0.999


def test_recipe(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATCHES", 2_000)
    (tmp_path / "recipe.toml").write_text(
        'description = "x"\ndataset = "digits"\n[model]\nfamily = "patch_coder"\ninput_shape = [8, 8, 1]\nunits = 6\n'
        'grid = 2\n[[model.preprocessing]]\ntype = "WhitenedPatches"\nsize = 3\n'
        "[training]\nepochs = 2\nvalidation_split = 0.1\n"
    )
    recipe, source = read_recipe(tmp_path), zoo.data.load("digits")
    model = build(recipe, source)
    history = fit(recipe, model, source, checkpoint_directory=tmp_path / "checkpoint", verbose=0).history
    assert len(history["loss"]) == len(history["val_loss"]) == 2
    np.testing.assert_allclose(np.linalg.norm(model.features.get_weights()[0], axis=0), 1, atol=1e-5)


def test_bad_arguments(images, patches):
    with pytest.raises(ConfigError, match=r"needs one fitted preprocessing"):
        zoo.patch_coder(SHAPE, 12)
    with pytest.raises(ConfigError, match=r"needs one fitted preprocessing"):
        zoo.patch_coder(SHAPE, 12, zoo.preprocessing.WhitenedPatches(3))
    with pytest.raises(ConfigError, match=r"at least 3×3 pixels\. Received: \(2, 9, 3\)"):
        zoo.patch_coder((2, 9, 3), 12, patches)
    with pytest.raises(ConfigError, match=r"\(height, width, 3\).*Received: \(9, 9, 1\)"):
        zoo.patch_coder((9, 9, 1), 12, patches)
    with pytest.raises(ConfigError, match=r"too small for a grid of 2×2"):
        zoo.patch_coder((3, 9, 3), 12, patches)
    with pytest.raises(ConfigError, match=r"active=13, units=12"):
        zoo.patch_coder(SHAPE, 12, patches, active=13)
    with pytest.raises(DataError, match="all of one colour"):
        zoo.preprocessing.WhitenedPatches(3).fitted(np.ones((2, *SHAPE), "float32"))
    with pytest.raises(ConfigError, match=r"Received: 27 numbers, and rows of shape \(1, 27\)"):
        zoo.preprocessing.WhitenedPatches(3, mean=patches.mean, whitening=patches.whitening[:1])
    with pytest.raises(ConfigError, match="leave y out"):
        zoo.patch_coder(SHAPE, 12, patches).fit(images, images)
