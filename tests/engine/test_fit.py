"""`fit` of an Autoencoder: what it accepts, what it refuses, and that it is Keras' own."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.errors import DataError


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return zoo.feed_forward((8, 8, 1), 4)


def _losses(model, x, **arguments):
    arguments = {"epochs": 2, "verbose": 0, "shuffle": False, **arguments}
    return model.fit(x, **arguments).history["loss"]


class TestInputs:
    def test_every_form_of_the_same_data_trains_alike(self, model, digits):
        x, labels = digits.samples[:96], digits.labels[:96]
        start = model.get_weights()
        expected = _losses(model, x, batch_size=32)
        images = tf.data.Dataset.from_tensor_slices(x)
        labelled = tf.data.Dataset.from_tensor_slices((x, labels))
        forms = {
            "source": (digits.subset(slice(0, 96)), {"batch_size": 32}),
            "dataset of images": (images.batch(32), {}),
            "dataset of images, unbatched": (images, {}),
            "dataset of (image, label)": (labelled.batch(32), {}),
            "dataset of dictionaries": (
                labelled.map(lambda image, label: {"image": image, "label": label}).batch(32),
                {},
            ),
            "dataset of (image, target)": (images.map(lambda i: (i, i)).batch(32), {}),
            "explicit target": (x, {"y": x, "batch_size": 32}),
        }
        for name, (data, arguments) in forms.items():
            model.set_weights(start)
            model.compile()
            np.testing.assert_allclose(_losses(model, data, **arguments), expected, rtol=1e-6, err_msg=name)

    def test_generators(self, model, digits):
        def batches():
            while True:
                yield (digits.samples[:32],)

        history = model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0)
        assert history.history["loss"][1] < history.history["loss"][0]

    def test_another_target(self, model, digits):
        x = digits.samples[:64]
        model.compile(keras.optimizers.SGD(0.0))
        loss = _losses(model, x, y=1 - x, batch_size=64, epochs=1)[0]
        np.testing.assert_allclose(loss, np.mean((model.reconstruct(x) - (1 - x)) ** 2), rtol=1e-5)

    def test_validation_in_every_form(self, model, digits):
        x = digits.samples[:64]
        held_out = digits.subset(slice(64, 128))
        model.compile(metrics=["mae"])
        dataset = tf.data.Dataset.from_tensor_slices((held_out.samples, held_out.labels)).batch(16)
        for validation in (held_out.samples, held_out, dataset, (held_out.samples, held_out.samples)):
            history = model.fit(x, validation_data=validation, verbose=0).history
            expected = np.mean((model.reconstruct(held_out) - held_out.samples) ** 2)
            np.testing.assert_allclose(history["val_loss"][-1], expected, rtol=1e-5)
            assert set(history) == {"loss", "mae", "val_loss", "val_mae"}

    def test_validation_split_callbacks_and_sample_weight(self, model, digits):
        stop = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=10, patience=1)
        history = model.fit(digits.samples[:100], validation_split=0.2, epochs=9, callbacks=[stop], verbose=0)
        assert len(history.epoch) == 2
        model.compile(keras.optimizers.SGD(0.0))
        weights = np.r_[np.ones(50), np.zeros(50)].astype("float32")
        loss = model.fit(digits.samples[:100], sample_weight=weights, batch_size=100, verbose=0).history["loss"][0]
        halves = model.reconstruction_error(digits.samples[:100])[:50]
        np.testing.assert_allclose(loss, halves.sum() / 100, rtol=1e-5)

    def test_evaluate_takes_the_same_forms(self, model, digits):
        expected = np.mean((model.reconstruct(digits) - digits.samples) ** 2)
        dataset = tf.data.Dataset.from_tensor_slices((digits.samples, digits.labels)).batch(100)
        for data in (digits, digits.samples, dataset):
            np.testing.assert_allclose(model.evaluate(data, verbose=0), expected, rtol=1e-5)


class TestBadInput:
    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda x: x[:0], "x is empty: expected at least one sample"),
            (lambda x: (x * 255).astype("uint8"), "integer pixels: expected floats in .* Received dtype uint8. Divide"),
            (lambda x: x * 255, r"outside \[0, 1\].* from 0 to 255. Divide 8-bit pixels by 255"),
            (lambda x: x - 20, r"outside \[0, 1\].* from -20 to -19. Rescale"),
            (
                lambda x: np.where(np.arange(len(x))[:, None, None, None] == 7, np.nan, x),
                "NaN .* in 1 of 20 .* index 7",
            ),
            (lambda x: x[..., 0], r"expected \(samples, 8, 8, 1\). Received \(20, 8, 8\). Add the channel axis"),
            (lambda x: x[0], "single sample: add the batch axis"),
            (lambda x: np.repeat(x, 3, axis=-1), "number of channels differs: the model takes 1, the samples have 3"),
            (lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), r"zoo.data.resize\(images, \(8, 8, 1\)\)"),
            (lambda x: x.astype(str), "not numeric"),
        ],
    )
    def test_arrays(self, model, digits, spoil, message):
        x = spoil(digits.samples[:20])
        for verb in (model.fit, model.encode, model.reconstruct, model.reconstruction_error, model.evaluate):
            with pytest.raises(DataError, match=message):
                verb(x)

    def test_datasets(self, model, digits):
        x = digits.samples[:20]
        from_arrays = tf.data.Dataset.from_tensor_slices
        for data, message in (
            ((x * 255).astype("uint8"), "integer pixels"),
            (x * 255, "Divide 8-bit pixels by 255"),
            (np.repeat(x, 3, axis=-1), "number of channels differs"),
            (x[:0], "empty"),
        ):
            with pytest.raises(DataError, match=message):
                model.fit(from_arrays(data).batch(4))
        with pytest.raises(DataError, match=r"without the key 'image'. Received keys \['pixels'\]"):
            model.fit(from_arrays({"pixels": x}).batch(4))

    def test_labels_are_not_targets(self, model, digits):
        with pytest.raises(DataError, match="Leave y out to reconstruct x; to learn labels, use zoo.classifier"):
            model.fit(digits.samples[:20], digits.labels[:20])

    def test_linear_outputs_take_any_range(self):
        model = zoo.feed_forward((4,), 2, output_activation="linear")
        x = np.arange(40).reshape(10, 4) - 20
        assert model.encode(x).shape == (10, 2)
        with pytest.raises(DataError, match="NaN"):
            model.encode(np.full((2, 4), np.nan))

    def test_decode_checks_its_codes(self, model):
        with pytest.raises(DataError, match=r"latent has the wrong shape: expected \(samples, 4\). Received \(3, 5\)"):
            model.decode(np.zeros((3, 5)))


class TestKeras:
    def test_survives_a_keras_file(self, model, digits, tmp_path):
        model.fit(digits.samples[:64], verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert isinstance(loaded, zoo.Autoencoder)
        np.testing.assert_array_equal(loaded.reconstruct(digits), model.reconstruct(digits))
        assert loaded.jit_compile is True

    def test_an_autoencoder_of_ones_own_parts_has_the_config_of_its_layers(self, model):
        config = zoo.Autoencoder(model.encoder, model.decoder).get_config()
        assert config["family"] == "wrapped"
        assert [layer["name"] for layer in config["encoder"]["layers"]] == [x.name for x in model.encoder.layers]

    def test_config_is_json(self):
        model = zoo.sparse(zoo.denoising(zoo.feed_forward((4,), 2), [zoo.corruption.Gaussian(0.1)]), zoo.sparsity.L1(1))
        config = model.get_config()
        assert json.loads(json.dumps(config)) == config
        assert config["family"] == "sparse"
        assert config["backbone"]["corruption"] == [{"type": "Gaussian", "stddev": 0.1}]
