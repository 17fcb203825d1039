"""Families, corruptions and penalties under every number format and image layout of Keras: near float32 or refused."""

import functools

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError

# setting -> how far features and reconstructions of the same weights may be from those of float32, and the losses of a
# training, as a share of what the training gains
SETTINGS = {
    "mixed_float16": (2e-3, 3e-2),
    "mixed_bfloat16": (1e-2, 0.3),
    "float64": (1e-6, 1e-4),
    "floatx float64": (1e-6, 1e-4),
    "channels_first": (1e-6, 1e-4),
}
CORRUPTIONS = {
    "Gaussian": lambda: zoo.corruption.Gaussian(0.3),
    "Masking": lambda: zoo.corruption.Masking(0.3, block=3),
    "SaltAndPepper": lambda: zoo.corruption.SaltAndPepper(0.2),
    "Affine": lambda: zoo.corruption.Affine(rotation=10, shift=1, scale=0.1, shear=0.1),
    "Elastic": lambda: zoo.corruption.Elastic(2),
    "Stroke": lambda: zoo.corruption.Stroke(0.7),
    "Blur": lambda: zoo.corruption.Blur(0.7),
    "Contrast": lambda: zoo.corruption.Contrast(0.4, 0.2),
}


def _dense(**arguments):
    return zoo.feed_forward((8, 8, 1), 6, (12,), **arguments)


def _sparse(sparsity):
    return zoo.sparse(_dense(latent_activation="sigmoid"), sparsity)


MODELS = {
    "feed_forward": _dense,
    "feed_forward of two channels, tied, normalised": lambda: zoo.feed_forward(
        (8, 4, 2), 6, (12,), tied_weights=True, batch_normalization=True
    ),
    "convolutional": lambda: zoo.convolutional((7, 9, 2), 6, (3, 4), pooling=2),
    "convolutional, spatial": lambda: zoo.convolutional((9, 7, 2), None, (3, 4), padding="valid", kernel_size=2),
    "convolutional, tied": lambda: zoo.convolutional((7, 9, 2), 6, (3, 4), tied_weights=True),
    "convolutional, signals": lambda: zoo.convolutional((15, 2), 6, (3, 4), pooling=2, strides=3),
    "denoising": lambda: zoo.denoising(_dense(), [make() for make in CORRUPTIONS.values()]),
    "sparse L1": lambda: _sparse(zoo.sparsity.L1(0.1)),
    "sparse L2": lambda: _sparse(zoo.sparsity.L2(0.1)),
    "sparse KL": lambda: _sparse(zoo.sparsity.KL(0.05, 0.1)),
    "sparse TopK": lambda: _sparse(zoo.sparsity.TopK(3)),
}


@pytest.fixture(autouse=True)
def defaults():
    yield
    _set("float32")


def _set(setting):
    keras.config.set_floatx(setting.removeprefix("floatx ") if setting.startswith("floatx") else "float32")
    keras.config.set_image_data_format("channels_first" if setting == "channels_first" else "channels_last")
    keras.config.set_dtype_policy("float32" if setting == "channels_first" else setting.removeprefix("floatx "))


def _samples(shape):
    return np.random.default_rng(0).random((32, *shape), dtype="float32") ** 3


def _run(name, weights=None):
    """Weights, what a model of these weights gives (features, reconstructions), and its losses in `fit`, `evaluate`."""
    keras.utils.set_random_seed(0)
    model = MODELS[name]()
    if weights is None:
        weights = model.get_weights()
    model.set_weights(weights)
    x = _samples(model.input_shape)
    outputs = model.encode(x), model.reconstruct(x)
    # A dtype that does not fit is found when the step is traced; compiling each of these with XLA would take minutes.
    model.compile(keras.optimizers.SGD(x[0].size / 4), jit_compile=name == "sparse KL")
    losses = model.fit(x, epochs=2, batch_size=16, shuffle=False, verbose=0).history["loss"]
    losses.append(model.evaluate(x, verbose=0))
    return weights, *outputs, losses


@functools.cache
def _reference(name):
    _set("float32")
    return _run(name)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_numbers_are_near_those_of_float32(setting, name):
    weights, *expected = _reference(name)
    assert expected[-1][-1] < 0.97 * expected[-1][0], "the training changes too little to compare"
    _set(setting)
    _, *received = _run(name, weights)
    tolerance, share = SETTINGS[setting]
    for ours, reference in zip(received[:2], expected[:2], strict=True):
        assert ours.dtype == np.float32
        far = np.abs(ours - reference).reshape(32, -1).max(axis=1) > tolerance * max(1, np.abs(reference).max())
        # Rounding to 16 bits may change which of two nearly equal features is among the largest.
        assert far.sum() <= (name == "sparse TopK" and setting.startswith("mixed"))
    gain = expected[-1][0] - expected[-1][-1]
    np.testing.assert_allclose(received[-1], expected[-1], rtol=0, atol=share * gain)


@pytest.mark.parametrize("setting", SETTINGS)
def test_classifiers_train(setting):
    encoder, x = _reference("convolutional")[0][:6], _samples((7, 9, 2))
    labels = np.arange(32) % 3

    def losses():
        keras.utils.set_random_seed(0)
        model = MODELS["convolutional"]()
        model.encoder.set_weights(encoder)
        classifier = zoo.classifier(model.encoder, 3)
        classifier.layers[-1].set_weights([np.full((6, 3), 0.1) * np.arange(3), np.zeros(3)])
        classifier.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        return classifier.fit(x, labels, epochs=2, batch_size=16, shuffle=False, verbose=0).history["loss"]

    expected = losses()
    _set(setting)
    np.testing.assert_allclose(losses(), expected, rtol=SETTINGS[setting][0])


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_corruptions_are_computed_in_float32(setting, name):
    def corrupted():
        keras.utils.set_random_seed(0)
        return np.asarray(CORRUPTIONS[name]()(_samples((8, 8, 1)), training=True))

    expected = corrupted()
    _set(setting)
    received = corrupted()
    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("setting", ["floatx {}", "{}"])
def test_variables_of_half_precision_are_refused(setting, dtype):
    _set(setting.format(dtype))
    with pytest.raises(
        ConfigError, match=rf"float32 or float64; for {dtype} .*'mixed_{dtype}'.* Received: .* = '{dtype}'"
    ):
        _dense()
