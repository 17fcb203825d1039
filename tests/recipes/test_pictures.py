import numpy as np
import PIL.Image
import pytest

import zoo
from zoo.autoencoder import Autoencoder
from zoo.recipes import pictures

MODELS = {
    "plain": (lambda: zoo.feed_forward((8, 8, 1), 4), ["original", "reconstructed", "feature low", "feature high"]),
    "denoising": (
        lambda: zoo.denoising(zoo.feed_forward((8, 8, 1), 4), zoo.corruption.Gaussian(0.5)),
        ["original", "corrupted", "reconstructed", "feature low", "feature high"],
    ),
    "sparse": (
        lambda: zoo.sparse(zoo.feed_forward((8, 8, 1), 30), zoo.sparsity.TopK(5)),
        ["original", "reconstructed", "filters", ""],
    ),
    "spatial and sparse": (
        lambda: zoo.sparse(zoo.convolutional((8, 8, 1), None, (12,)), zoo.sparsity.L1(0.1)),
        ["original", "reconstructed", "filters", ""],
    ),
    "spatial": (lambda: zoo.convolutional((8, 8, 1), None, (3,)), ["original", "reconstructed"]),
}


@pytest.mark.parametrize("kind", MODELS)
def test_rows_and_panels(kind, digits, tmp_path):
    build, titles = MODELS[kind]
    card = zoo.save(build(), tmp_path / "set", history={"loss": [3.0, 2.0], "val_loss": [4.0, 3.0]})
    source = zoo.data.load("digits", "test")
    figure = pictures.of_model(card, zoo.load(tmp_path / "set"), source)
    upper, lower = figure.subfigs
    assert [row.get_ylabel() for row in upper.axes[::10]] == titles
    first = [axis.images[0].get_array() for axis in upper.axes[:10]]
    expected = [source.samples[np.flatnonzero(source.labels == c)[0], ..., 0] for c in range(10)]
    np.testing.assert_array_equal(first, expected)
    scatter, errors, loss = lower.axes
    assert len(scatter.collections[0].get_offsets()) == len(source)
    assert sum(bar.get_height() for bar in errors.patches) == len(source)
    assert [list(line.get_ydata()) for line in loss.lines] == [[3.0, 2.0], [4.0, 3.0]]
    pictures.save(figure, tmp_path / "x.png")
    picture = PIL.Image.open(tmp_path / "x.png")
    assert picture.mode == "P"
    assert picture.width == 640


def test_samples_that_are_no_images(digits, tmp_path):
    from zoo.data.source import Source

    model = zoo.feed_forward((64,), 4)
    source = Source(digits.samples.reshape(-1, 64)[:50])
    figure = pictures.of_model(zoo.save(model, tmp_path / "set"), model, source)
    assert len(figure.subfigs[1].axes) == 3
    assert not figure.subfigs[0].axes


def test_filters_of_maps_lie_around_the_unit_that_is_on():
    """A decoder that copies: each map's filter is one bright pixel in the middle, whatever else is bright."""
    import keras

    latent = keras.Input((9, 9, 2))
    copies = keras.Model(latent, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(latent))
    model = Autoencoder(keras.Model(latent, latent), copies)
    codes = np.random.default_rng(0).random((5, 9, 9, 2), "float32")
    filters = pictures._weights_of_maps(model, codes)["filters"]
    assert filters.shape == (2, 4, 4, 1)
    assert [np.unravel_index(f.argmax(), f.shape) for f in filters] == [(1, 1, 0), (1, 1, 0)]
    assert (np.delete(filters.reshape(2, -1), 5, axis=1) == 0.5).all()
