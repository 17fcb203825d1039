import keras
import numpy as np
import pytest
from keras import layers

import zoo
from tests.base import ZooTest
from zoo.core.errors import ConfigError, UnknownNameError


def _dense():
    image = keras.Input((64,), name="pixels")
    x = layers.Dense(32, activation="relu", name="first")(image)
    x = layers.Dense(5, name="bottleneck")(x)
    x = layers.Dense(32, activation="relu", name="last_hidden")(x)
    return keras.Model(image, layers.Dense(64, activation="sigmoid", name="pixels_again")(x), name="mine")


def _nested():
    encoder = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(5)], name="down")
    decoder = keras.Sequential(
        [keras.Input((5,)), layers.Dense(64, activation="sigmoid"), layers.Reshape((8, 8, 1))], name="up"
    )
    encoder(keras.Input((8, 8, 1)))  # in another graph first
    image = keras.Input((8, 8, 1))
    return keras.Model(image, decoder(encoder(image)))


def _convolutional():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="code"),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid"),
        ]
    )


class TestWrap(ZooTest):
    @pytest.mark.parametrize(
        ("build", "latent", "latent_shape"),
        [(_dense, "bottleneck", (5,)), (_nested, "down", (5,)), (_convolutional, "code", (4, 4, 4))],
    )
    def test_computes_what_the_keras_model_computes(self, build, latent, latent_shape, digits):
        theirs = build()
        model = zoo.wrap(theirs, latent=latent)
        x = digits.samples[:200].reshape(-1, *theirs.input_shape[1:])
        assert (model.input_shape, model.latent_shape, model.unit_range) == (x.shape[1:], latent_shape, True)
        assert model.name == theirs.name
        np.testing.assert_allclose(model.reconstruct(x), theirs.predict(x, verbose=0), atol=1e-6)
        before = theirs.predict(x, verbose=0)
        model.fit(x, epochs=1, verbose=0)
        assert np.abs(theirs.predict(x, verbose=0) - before).max() > 1e-4  # the weights are shared
        np.testing.assert_allclose(model.decode(model.encode(x)), theirs.predict(x, verbose=0), atol=1e-6)
        metrics = zoo.evaluate(model, x, metrics=["mse", "bce"])
        assert metrics["mse"] == pytest.approx(np.mean((theirs.predict(x, verbose=0) - x) ** 2), rel=1e-4)

    def test_legacy_h5_to_phone(self, digits, tmp_path):
        x = digits.samples.reshape(-1, 64)
        theirs = _dense()
        theirs.compile("adam", "mse")
        theirs.fit(x, x, epochs=1, verbose=0)
        theirs.save(tmp_path / "theirs.h5")
        model = zoo.wrap(keras.models.load_model(tmp_path / "theirs.h5", compile=False), latent="bottleneck")
        self.run_export_test(model, tmp_path / "out", x[:60], self.verbs(model, x[:60]))
        np.testing.assert_allclose(model.reconstruct(x), theirs.predict(x, verbose=0), atol=1e-6)

    def test_the_network_of_mlperf_tiny(self, tmp_path):
        """Anomalous machine sounds: batch normalisation before every ReLU, folded into the dense layers on export."""
        model = zoo.feed_forward(
            (640,),
            8,
            (128, 128, 128, 128),
            batch_normalization=True,
            latent_activation="relu",
            output_activation="linear",
        )
        kinds = [type(layer).__name__ for half in (model.encoder, model.decoder) for layer in half.layers]
        hidden = ["Dense", "BatchNormalization", "Activation"]
        assert kinds == ["InputLayer", *hidden * 5, "InputLayer", *hidden * 4, "Dense"]
        assert model.count_params() == 269_992
        assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 267_928
        # Spectra in decibels: far from [0, 1], correlated, and the statistics of the normalisation not 0 and 1.
        generator = np.random.default_rng(0)
        x = generator.normal(size=(1200, 20)) @ generator.normal(size=(20, 640)) * 2 - 30
        x = (x + generator.normal(size=x.shape)).astype("float32")
        model.fit(x, epochs=3, batch_size=100, verbose=0)
        threshold = zoo.threshold(model, x[:1000])
        report = zoo.export(model, tmp_path, ("tflite", "onnx"), samples=x[1000:], threshold=threshold)
        assert report.files["tflite"].operators == ("FULLY_CONNECTED", "MEAN", "SQUARED_DIFFERENCE")
        expected = model.reconstruction_error(x[1000:])
        for file in ("model.tflite", "model.onnx"):
            opened = zoo.lite.load(tmp_path / file)
            np.testing.assert_allclose(opened.score(x[1000:]), expected, rtol=1e-4)
            assert opened.threshold == report.threshold == threshold
        # Not folded, or with the statistics of another batch, the outputs would be far off.
        assert np.abs(np.asarray(model(x[1000:], training=True)) - model.reconstruct(x[1000:])).max() > 1

    def test_errors(self):
        with pytest.raises(UnknownNameError, match="Unknown layer 'botleneck'. Did you mean 'bottleneck'"):
            zoo.wrap(_dense(), latent="botleneck")
        with pytest.raises(ConfigError, match="takes a functional or built Sequential keras.Model.*Received: str"):
            zoo.wrap("autoencoder.h5", latent="bottleneck")
        with pytest.raises(ConfigError, match="Received: an Autoencoder"):
            zoo.wrap(zoo.feed_forward((4,), 2), latent="features")
        for end in ("pixels", "pixels_again"):
            with pytest.raises(ConfigError, match="leaves nothing to encode or decode"):
                zoo.wrap(_dense(), latent=end)
        image = keras.Input((4,), name="image")
        first = layers.Dense(4, name="first")(image)
        narrow = layers.Dense(2, name="narrow")(first)
        skipping = keras.Model(image, layers.Add()([layers.Dense(4)(narrow), first]))
        with pytest.raises(ConfigError, match="does not follow from layer 'narrow' alone .a skip connection"):
            zoo.wrap(skipping, latent="narrow")
        assert zoo.wrap(skipping, latent="first").latent_shape == (4,)
        with pytest.raises(ConfigError, match=r"gives back its input's shape.*input \(4,\), output \(2,\)"):
            zoo.wrap(keras.Model(image, narrow), latent="first")
        twice = layers.Dense(4, name="twice")
        with pytest.raises(ConfigError, match="Layer 'twice' gives 2 outputs"):
            zoo.wrap(keras.Model(image, twice(twice(image))), latent="twice")
        with pytest.raises(ConfigError, match="one input and one output. Received 1 inputs and 2 outputs"):
            zoo.wrap(keras.Model(image, [first, narrow]), latent="first")


def test_a_sequential_model_that_was_never_called(tmp_path):
    """It has inputs and outputs, but no `output`."""
    parts = [keras.Input((5,)), keras.layers.Dense(2, name="latent"), keras.layers.Dense(5, name="restored")]
    model = zoo.wrap(keras.Sequential(parts), "latent")
    assert (model.input_shape, model.latent_shape) == ((5,), (2,))
    report = zoo.export(keras.Sequential(parts), tmp_path, "tflite", samples=np.ones((3, 5), "float32"))
    assert report.files["tflite"].signatures
