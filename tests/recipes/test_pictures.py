import io
import types

import keras
import numpy as np
import PIL.Image
import pytest

import zoo
from zoo.autoencoder import Autoencoder
from zoo.data.source import Source
from zoo.recipes import pictures, signal_pictures

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


def signals(count, *shape, **about):
    """Sines of class 0 and square waves of class 1, in turns, as a Source."""
    time = np.linspace(0, 6, shape[0]) + np.random.default_rng(0).uniform(0, 6, (count, 1))
    waves = np.where(np.arange(count)[:, None] % 2, np.sign(np.sin(time)), np.sin(time))
    waves = waves.reshape(count, shape[0], *[1] * len(shape[1:])) * np.ones((count, *shape))
    return Source(waves.astype("float32"), np.arange(count) % 2, class_names=("sine", "square"), **about)


def drawn(model, source, normal=None):
    """The card's name, and the axes of the samples and of the histogram of a model's figure."""
    dataset = types.SimpleNamespace(normal=normal)
    card = types.SimpleNamespace(name="name", history={"loss": [2.0, 1.0]}, dataset=dataset)
    figure = pictures.of_model(card, model, source)
    figure.savefig(io.BytesIO())  # what is laid out only then, too
    upper, lower = figure.subfigs
    scatter, scores, loss = lower.axes
    assert [list(line.get_ydata()) for line in loss.lines] == [[2.0, 1.0]]
    return upper, scatter, scores


@pytest.mark.parametrize("shape", [(50,), (50, 2), (16,)])
def test_waveforms(shape):
    keras.utils.set_random_seed(0)
    source = signals(3001, *shape, sampling_rate=100, unit="mV")
    model = zoo.detector(zoo.feed_forward(shape, 2, (16,), output_activation="linear"))
    model.fit(source.samples[::2], epochs=3, verbose=0)
    model.threshold = float(np.median(model.score(source)))
    upper, scatter, scores = drawn(model, source, normal=("sine",))
    # Three samples of each class, in two rows: the original and the reconstruction of each channel.
    indices, channels = [0, 2, 4, 1, 3, 5], (*shape, 1)[1]
    clean, made = source.samples[indices], model.reconstruct(source.samples[indices])
    many = source.subset(np.unique(np.linspace(0, 3000, 2000).astype(int)))
    usual = np.sqrt(model.explain(many.samples[many.labels == 0]).mean(axis=0)).reshape(shape[0], -1)
    assert len(upper.axes) == 6
    for number, axis in enumerate(upper.axes):
        assert len(axis.lines) == len(axis.collections) * 2 == 2 * channels
        for channel in range(channels):
            given, reconstructed = axis.lines[2 * channel : 2 * channel + 2]
            band = axis.collections[channel].get_paths()[0].vertices
            np.testing.assert_allclose(given.get_xdata(), np.arange(shape[0]) / 100)
            np.testing.assert_array_equal(given.get_ydata(), clean[number].reshape(shape[0], -1)[:, channel])
            expected = made[number].reshape(shape[0], -1)[:, channel]
            np.testing.assert_allclose(reconstructed.get_ydata(), expected, atol=1e-6)
            below, above = expected - 2 * usual[:, channel], expected + 2 * usual[:, channel]
            np.testing.assert_allclose([band[:, 1].min(), band[:, 1].max()], [below.min(), above.max()], atol=1e-5)
            assert given.get_marker() == ("." if shape == (16,) else "None")
    values = model.score(clean)
    assert [a.get_title() for a in upper.axes] == [
        f"{'sine' if n < 3 else 'square'}: {v:.3g}" for n, v in enumerate(values)
    ]
    assert [a.title.get_color() == "tab:red" for a in upper.axes] == list(values > model.threshold)
    assert len({a.title.get_color() for a in upper.axes}) == 2
    assert [axis.get_xlabel() for axis in upper.axes] == [""] * 3 + ["s"] * 3
    assert [axis.get_ylabel() for axis in upper.axes] == ["mV", "", "", "mV", "", ""]
    labels = [text.get_text() for text in upper.legends[0].get_texts()]
    assert labels == ["± 2 usual errors", "original", "reconstructed"]
    # Of the histogram, each group is one; the samples are spread over all.
    assert [text.get_text() for text in scores.get_legend().get_texts()] == ["normal", "anomalous", "threshold"]
    found = dict(zip(("normal", "anomalous"), scores.containers, strict=True))
    assert {name: round(sum(bar.get_height() for bar in bars), 6) for name, bars in found.items()} == {
        "normal": 1, "anomalous": 1
    }  # fmt: skip
    mean = sum(bar.get_height() * (bar.get_x() + bar.get_width() / 2) for bar in found["anomalous"])
    np.testing.assert_allclose(mean, model.score(many)[many.labels == 1].mean(), rtol=0.1)
    (line,) = scores.lines
    assert list(line.get_xdata()) == [model.threshold] * 2
    np.testing.assert_array_equal(scatter.collections[0].get_array(), many.labels)


def test_signals_without_labels():
    model = zoo.feed_forward((50,), 2, (16,), output_activation="linear")
    samples = signals(4, 50).samples
    upper, _, scores = drawn(model, Source(samples))
    assert [axis.get_title() for axis in upper.axes] == [f"{value:.3g}" for value in model.score(samples)]
    assert (len(upper.axes), upper.axes[2].get_xlabel(), len(scores.containers)) == (4, "index", 1)
    assert scores.get_legend() is None
    assert {axis.title.get_color() for axis in upper.axes} == {"black"}


def test_what_a_denoiser_of_signals_sees():
    model = zoo.denoising(zoo.feed_forward((50,), 2, (16,), output_activation="linear"), zoo.corruption.Gaussian(0.5))
    upper, *_ = drawn(model, signals(6, 50))
    for axis in upper.axes:
        corrupted, original, made = (line.get_ydata() for line in axis.lines)
        assert 0.3 < (corrupted - original).std() < 0.7
        np.testing.assert_allclose(made, model.reconstruct(corrupted[None])[0], atol=1e-6)
    assert len(upper.legends[0].get_texts()) == 4


class Frames(zoo.preprocessing.Preprocessing):
    """A signal of 60 samples as 10 frames of 6."""

    def call(self, x):
        return keras.ops.reshape(x, (-1, 10, 6, 1)) * 2

    def compute_output_shape(self, shape):
        return (shape[0], 10, 6, 1)


def test_spectrograms():
    source = signals(20, 60)
    backbone = zoo.feed_forward((10, 6, 1), 2, (16,), output_activation="linear")
    model = zoo.preprocessed(backbone, [Frames()], input_shape=(60,))
    upper, *_ = drawn(model, source)
    rows = [upper.axes[n : n + 6] for n in (0, 6, 12)]
    assert [row[0].get_ylabel() for row in rows] == ["preprocessed", "reconstructed", "squared error"]
    indices = [0, 2, 4, 1, 3, 5]
    clean = source.samples[indices].reshape(6, 10, 6) * 2
    made = model.reconstruct(source.samples[indices])[..., 0]
    for row, images in zip(rows, (clean, made, np.square(clean - made)), strict=True):
        shown = np.stack([axis.images[0].get_array() for axis in row])
        np.testing.assert_allclose(shown, images.transpose(0, 2, 1), atol=1e-5)
    assert rows[0][0].images[0].get_clim() == rows[1][3].images[0].get_clim() == tuple(np.percentile(clean, (1, 99)))
    noisy = zoo.preprocessed(zoo.denoising(backbone, zoo.corruption.Gaussian(0.5)), [Frames()], input_shape=(60,))
    upper, *_ = drawn(noisy, source)
    assert [axis.get_ylabel() for axis in upper.axes[::6]][1] == "corrupted"
    difference = upper.axes[6].images[0].get_array() - upper.axes[0].images[0].get_array()
    assert 0.3 < difference.std() < 0.7


def test_which_samples_are_normal():
    source = signals(4, 5)
    assert signal_pictures.is_normal(source, ("sine",)).tolist() == [True, False] * 2
    assert signal_pictures.is_normal(source, (1,)).tolist() == [False, True] * 2
    assert signal_pictures.is_normal(source) is None
    assert signal_pictures.is_normal(source, (0, 1)) is None
    assert signal_pictures.is_normal(Source(source.samples), (0,)) is None


def test_filters_of_maps_lie_around_the_unit_that_is_on():
    """A decoder that copies: each map's filter is one bright pixel in the middle, whatever else is bright."""
    latent = keras.Input((9, 9, 2))
    copies = keras.Model(latent, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(latent))
    model = Autoencoder(keras.Model(latent, latent), copies)
    codes = np.random.default_rng(0).random((5, 9, 9, 2), "float32")
    filters = pictures._weights_of_maps(model, codes)["filters"]
    assert filters.shape == (2, 4, 4, 1)
    assert [np.unravel_index(f.argmax(), f.shape) for f in filters] == [(1, 1, 0), (1, 1, 0)]
    assert (np.delete(filters.reshape(2, -1), 5, axis=1) == 0.5).all()
