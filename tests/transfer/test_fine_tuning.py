import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError
from zoo.transfer import fine_tuning


def _changed(model, before):
    return [not np.array_equal(w.numpy(), b) for w, b in zip(model.weights, before, strict=True)]


class TestClassifier:
    def test_shape_and_compilation(self, encoder, digits):
        model = zoo.classifier(encoder, 10, hidden_units=(12,), dropout=0.2)
        assert model.output_shape == (None, 10)
        assert model.compiled
        assert model.jit_compile is True
        probabilities = model.predict(digits.images[:7], verbose=0)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        head = 4 * 6 + (6 * 12 + 12) + (12 * 10 + 10)
        assert model.count_params() == encoder.count_params() + head

    def test_learns_digits(self, digits):
        keras.utils.set_random_seed(0)
        train, test = zoo.data.load("digits", "train"), zoo.data.load("digits", "test")
        model = zoo.classifier(zoo.feed_forward((8, 8, 1), 32).encoder, 10)
        model.fit(train.images, train.labels, epochs=30, verbose=0)
        assert model.evaluate(test.images, test.labels, verbose=0)[1] > 0.93

    def test_spatial_features_are_flattened(self):
        model = zoo.classifier(zoo.convolutional((8, 8, 1), None, (4,)).encoder, 3)
        assert model.output_shape == (None, 3)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"num_classes": 0}, "num_classes must be a whole number of at least 1"),
            ({"num_classes": 3, "dropout": 1.0}, "dropout must be a number"),
            ({"num_classes": 3, "hidden_units": (0,)}, r"hidden_units\[0\]"),
        ],
    )
    def test_bad_arguments(self, encoder, arguments, message):
        with pytest.raises(ConfigError, match=message):
            zoo.classifier(encoder, **arguments)

    def test_a_whole_autoencoder_is_not_an_encoder(self):
        with pytest.raises(ConfigError, match="pass model.encoder. Received a whole Autoencoder"):
            zoo.classifier(zoo.feed_forward((4,), 2), 3)
        with pytest.raises(ConfigError, match="takes an encoder.*Received: str"):
            zoo.classifier("mnist-feed-forward-8", 3)


class TestFreezing:
    def test_frozen_encoder_does_not_move_and_unfrozen_does(self, encoder, digits):
        model = zoo.classifier(encoder, 10)
        x, y = digits.images[:64], digits.labels[:64]
        before = encoder.get_weights()
        assert zoo.freeze(model) is model
        model.fit(x, y, verbose=0)
        assert not any(_changed(encoder, before))
        zoo.unfreeze(model, learning_rate=5e-4)
        assert float(model.optimizer.learning_rate) == pytest.approx(5e-4)
        assert model.jit_compile is True
        model.fit(x, y, verbose=0)
        moved = dict(zip([w.path for w in encoder.weights], _changed(encoder, before), strict=True))
        normalisation = {path: m for path, m in moved.items() if "normalization" in path}
        assert len(normalisation) == 8
        assert not any(normalisation.values()), "batch normalisation lost the statistics of its pretraining"
        assert all(m for path, m in moved.items() if path not in normalisation)

    def test_recompiling_keeps_loss_and_metrics(self, encoder, digits):
        model = zoo.classifier(encoder, 10, freeze_encoder=True)
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        zoo.unfreeze(model, learning_rate=0.1)
        assert isinstance(model.optimizer, keras.optimizers.SGD)
        assert model.jit_compile is False
        assert set(model.fit(digits.images, digits.labels, verbose=0).history) == {"loss", "accuracy"}

    def test_autoencoder(self, digits):
        model = zoo.feed_forward((8, 8, 1), 4)
        model.compile(loss="binary_crossentropy")
        zoo.freeze(model)
        before = model.get_weights()
        model.fit(digits.images[:64], verbose=0)
        assert _changed(model, before) == [False, False, True, True]
        assert model.loss == "binary_crossentropy"


class TestFineTune:
    def test_is_two_calls_of_fit(self, encoder, digits):
        x, y = digits.images[:60], digits.labels[:60]
        keras.utils.set_random_seed(1)
        ours = zoo.classifier(encoder, 10)
        start = ours.get_weights()
        history = zoo.fine_tune(
            ours, x, y, head_epochs=3, epochs=2, learning_rate=1e-3, batch_size=20, verbose=0, shuffle=False
        )
        assert history.epoch == [0, 1, 2, 3, 4]

        ours.set_weights(start)
        encoder.trainable = False
        keywords = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "jit_compile": True}
        ours.compile(keras.optimizers.Adam(1e-2), **keywords)
        expected = ours.fit(x, y, epochs=3, batch_size=20, verbose=0, shuffle=False).history["loss"]
        zoo.unfreeze(ours, 1e-3)
        expected += ours.fit(x, y, epochs=2, batch_size=20, verbose=0, shuffle=False).history["loss"]
        np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-5)

    def test_without_second_phase_the_encoder_is_as_it_was(self, encoder, digits):
        before = encoder.get_weights()
        model = zoo.classifier(encoder, 10)
        zoo.fine_tune(model, digits.subset(slice(0, 50)), head_epochs=2, epochs=0, verbose=0)
        assert not any(_changed(encoder, before))

    def test_raw_pixels(self, digits, tmp_path):
        zoo.save(zoo.feed_forward((8, 8, 1), 4), tmp_path / "set")
        model = zoo.classifier(zoo.load_encoder(tmp_path / "set", raw_input=True), 10)
        pixels = np.rint(digits.images[:40] * 255).astype("uint8")
        zoo.fine_tune(model, pixels, digits.labels[:40], head_epochs=1, epochs=1, verbose=0)
        assert model.predict(pixels, verbose=0).shape == (40, 10)
        with pytest.raises(DataError, match="takes raw pixels: expected dtype uint8. Received float32"):
            zoo.fine_tune(model, digits.images[:40], digits.labels[:40])

    @pytest.mark.parametrize(
        ("x", "y", "message"),
        [
            (np.zeros((4, 8, 8, 3)), np.zeros(4, int), "number of channels differs"),
            (np.zeros((4, 8, 8, 1)), np.zeros(3, int), r"one label per sample, shape \(4,\). Received shape \(3,\)"),
            (np.zeros((4, 8, 8, 1)), np.full(4, 10), "values from 10 to 10"),
            (np.zeros((4, 8, 8, 1)), np.zeros(4), "dtype float64"),
            (np.zeros((4, 8, 8, 1)), None, "Labels are missing"),
            (np.full((4, 8, 8, 1), 200.0), np.zeros(4, int), "Divide 8-bit pixels by 255"),
        ],
    )
    def test_bad_input(self, encoder, x, y, message):
        with pytest.raises(DataError, match=message):
            zoo.fine_tune(zoo.classifier(encoder, 10), x, y)

    def test_nothing_to_train(self, encoder, digits):
        with pytest.raises(ConfigError, match="head_epochs and epochs are both 0"):
            zoo.fine_tune(zoo.classifier(encoder, 10), digits, head_epochs=0, epochs=0)


class TestAugmentation:
    def test_copies_follow_the_samples(self, digits):
        x, y = digits.images[:5], digits.labels[:5]
        noise = {"type": "Gaussian", "stddev": 0.1}
        images, labels = fine_tuning.augmented(x, y, noise, copies=3)
        assert images.shape == (20, 8, 8, 1)
        assert labels.tolist() == y.tolist() * 4
        np.testing.assert_array_equal(images[:5], x)
        assert images.min() >= 0 and images.max() <= 1
        assert not np.array_equal(images[5:10], images[10:15])
        np.testing.assert_array_equal(fine_tuning.augmented(x, y, noise, copies=3)[0], images)
        assert not np.array_equal(fine_tuning.augmented(x, y, noise, copies=3, seed=1)[0][5:], images[5:])

    def test_one_label_per_class_is_enough_with_it(self, encoder, digits):
        one_each = digits.subset(np.unique(digits.labels, return_index=True)[1])
        model = zoo.classifier(encoder, 10)
        zoo.fine_tune(model, one_each, head="discriminant", epochs=0, augmentation=zoo.corruption.Affine(8, 0.5))
        assert (model.predict(one_each.images, verbose=0).argmax(axis=1) == one_each.labels).mean() == 1


def test_equal_batches():
    assert fine_tuning.equal_batches(100) == 25
    assert fine_tuning.equal_batches(101) == 26
    assert fine_tuning.equal_batches(5) == 5
    assert fine_tuning.equal_batches(64, most=32) == 32
