import json

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError, UnknownNameError
from zoo.engine.contract import class_weights
from zoo.exporting import metadata, runtime
from zoo.exporting.formats import FORMATS


class TestShape:
    def test_shape_and_compilation(self, encoder, digits):
        model = zoo.classifier(encoder, 10, hidden_units=(12,), dropout=0.2)
        assert model.output_shape == (None, 10)
        assert model.compiled
        assert model.jit_compile is True
        probabilities = model.predict(digits.samples[:7], verbose=0)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        head = 4 * 6 + (6 * 12 + 12) + (12 * 10 + 10)
        assert model.count_params() == encoder.count_params() + head

    def test_learns_digits(self):
        keras.utils.set_random_seed(0)
        train, test = zoo.data.load("digits", "train"), zoo.data.load("digits", "test")
        model = zoo.classifier(zoo.feed_forward((8, 8, 1), 32).encoder, 10)
        model.fit(train.samples, train.labels, epochs=30, verbose=0)
        assert model.evaluate(test.samples, test.labels, verbose=0)[1] > 0.93

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

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_mixed_precision_gives_float32(self, digits, policy):
        x = digits.samples[:20]
        keras.utils.set_random_seed(0)
        model = zoo.classifier(zoo.feed_forward((8, 8, 1), 6).encoder, 10)
        expected, weights = model.predict(x, verbose=0), model.get_weights()
        keras.config.set_dtype_policy(policy)
        try:
            half = zoo.classifier(zoo.feed_forward((8, 8, 1), 6).encoder, 10)
            half.set_weights(weights)
            half.compile("adam", half.loss, jit_compile=False)
            probabilities = half(x, training=False)
            assert probabilities.dtype == "float32"
            assert half.predict(x, verbose=0).dtype == "float32"
            np.testing.assert_allclose(probabilities, expected, atol=2e-3 if policy == "mixed_float16" else 2e-2)
            history = zoo.fine_tune(half, x, digits.labels[:20], head_epochs=1, epochs=1, verbose=0)
            assert np.isfinite(history.history["loss"]).all()
            is_scaled = isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
            assert is_scaled == (policy == "mixed_float16")
            zoo.fine_tune(half, digits.samples[:100], digits.labels[:100], head="auto", epochs=0)
            accuracy = np.mean(half.predict(digits.samples[:100], verbose=0).argmax(axis=1) == digits.labels[:100])
            assert accuracy > 0.5
        finally:
            keras.config.set_dtype_policy("float32")


class TestEncoder:
    def test_normalisation_keeps_its_statistics_and_no_flag_is_set(self, encoder, digits):
        flags = [layer.trainable for layer in encoder.layers]
        before = {w.path: w.numpy() for w in encoder.weights}
        model = zoo.classifier(encoder, 10)
        model.fit(digits.samples[:64], digits.labels[:64], verbose=0)
        moved = {w.path: not np.array_equal(w, before[w.path]) for w in encoder.weights}
        assert sum("normalization" in path for path in moved) == 8
        assert {path for path, m in moved.items() if m} == {path for path in moved if "normalization" not in path}
        assert [layer.trainable for layer in encoder.layers] == flags == [True] * len(flags)

    def test_features_in_training_are_those_of_inference(self, encoder, digits):
        """The head's own normalisation sees the batch, the encoder's its statistics."""
        x = digits.samples[:32]
        encoder.set_weights([np.random.default_rng(i).uniform(0.5, 1, w.shape) for i, w in enumerate(encoder.weights)])
        model = zoo.classifier(encoder, 3)
        features = encoder.predict(x, verbose=0)
        normalised = (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0) + 1e-3)
        kernel, bias = model.layers[-1].get_weights()
        expected = keras.ops.softmax(normalised @ kernel + bias)
        np.testing.assert_allclose(model(x, training=True), expected, atol=1e-5)
        assert np.abs(model(x, training=False) - expected).max() > 1e-2

    def test_a_frozen_encoder_stays_frozen(self, mnist_like, digits):
        x, y = mnist_like[:64], digits.labels[:64]
        for raw_input in (False, True):
            encoder = zoo.load_encoder("mnist-feed-forward-16", trainable=False, raw_input=raw_input)
            before = encoder.get_weights()
            model = zoo.classifier(encoder, 10)
            samples = np.rint(x * 255).astype("uint8") if raw_input else x
            model.fit(samples, y, verbose=0)
            zoo.fine_tune(model, samples, y, head_epochs=1, epochs=1, learning_rate=0.1, verbose=0)
            assert encoder.trainable is False
            assert all(np.array_equal(a, b) for a, b in zip(encoder.get_weights(), before, strict=True))
            assert len(model.trainable_weights) == 4

    def test_two_classifiers_on_one_encoder(self, digits):
        x, y = digits.samples[:64], digits.labels[:64]
        encoder = zoo.feed_forward((8, 8, 1), 6).encoder
        trained = zoo.classifier(encoder, 10)
        frozen = zoo.classifier(encoder, 10, freeze_encoder=True)
        assert encoder.trainable
        assert (len(trained.trainable_weights), len(frozen.trainable_weights)) == (6, 4)
        assert (len(trained.non_trainable_weights), len(frozen.non_trainable_weights)) == (2, 4)

        def change(model):
            before = encoder.get_weights()[0]
            model.compile("adam", model.loss)
            model.fit(x, y, verbose=0)
            return np.abs(encoder.get_weights()[0] - before).max()

        for _ in range(2):
            assert change(frozen) == 0
            assert change(trained) > 1e-4
        zoo.freeze(trained)
        zoo.unfreeze(frozen)
        assert change(trained) == 0
        assert change(frozen) > 1e-4

    def test_the_autoencoder_of_the_encoder_trains_on(self, digits):
        autoencoder = zoo.convolutional((8, 8, 1), 4, (3,), batch_normalization=True)
        zoo.classifier(autoencoder.encoder, 10, freeze_encoder=True)
        before = autoencoder.encoder.get_weights()
        autoencoder.fit(digits.samples[:64], verbose=0)
        assert not any(np.array_equal(a, b) for a, b in zip(autoencoder.encoder.get_weights(), before, strict=True))


class TestSaving:
    @pytest.mark.parametrize("freeze_encoder", [False, True])
    def test_round_trip(self, encoder, digits, tmp_path, freeze_encoder):
        x, y = digits.samples[:64], digits.labels[:64]
        model = zoo.classifier(encoder, 10, freeze_encoder=freeze_encoder, dropout=0.1)
        model.fit(x, y, verbose=0)
        model.save(tmp_path / "c.keras")
        loaded = keras.saving.load_model(tmp_path / "c.keras")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
        assert loaded.encoder_frozen is freeze_encoder
        assert len(loaded.trainable_weights) == len(model.trainable_weights) == (4 if freeze_encoder else 8)
        assert loaded.get_encoder().layers[1].trainable
        for mine, kept in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(mine, kept)
        before = loaded.get_encoder().get_weights()
        loaded.fit(x, y, verbose=0)
        moved = [not np.array_equal(a, b) for a, b in zip(loaded.get_encoder().get_weights(), before, strict=True)]
        assert sum(moved) == (0 if freeze_encoder else 4)

    def test_layout_of_weight_files(self, encoder, digits, tmp_path):
        """That of a plain functional model, so files of earlier versions load."""
        import h5py

        model = zoo.classifier(encoder, 10)
        plain = keras.Model(model.input, model.output)
        keys = []
        for name, one in (("ours", model), ("plain", plain)):
            one.save_weights(tmp_path / f"{name}.weights.h5")
            found = []
            with h5py.File(tmp_path / f"{name}.weights.h5") as file:
                file.visit(lambda key, found=found: found.append(key) if "optimizer" not in key else None)
            keys.append(found)
        assert keys[0] == keys[1]
        assert "layers/functional/layers/conv2d/vars/0" in keys[0] or any("conv2d" in key for key in keys[0])

    def test_the_role_is_not_a_name(self, digits, tmp_path):
        encoder = zoo.feed_forward((8, 8, 1), 5).encoder
        model = zoo.classifier(keras.Model(encoder.input, encoder.output, name="anything"), 10)
        assert model.get_encoder().name == "anything"
        zoo.fine_tune(model, digits.samples[:60], digits.labels[:60], head="regression", epochs=0)
        zoo.freeze(model)
        assert len(model.trainable_weights) == 4


class TestLabels:
    """The rules are tested for all doors in tests/engine; here that a classifier has them."""

    @pytest.fixture(scope="class")
    def model(self):
        return zoo.classifier(zoo.feed_forward((8, 8, 1), 8).encoder, 10)

    @pytest.mark.parametrize("door", ["fit", "fine_tune", "validation_data"])
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda y: y + 1, "int label from 0 to 9 .*values from 1 to 10"),
            (lambda y: (y + 1).tolist(), "values from 1 to 10"),
            (lambda y: y[:, None] - 1, "values from -1 to 8"),
            (lambda y: np.eye(10)[y], "y is one-hot"),
            (lambda y: [f"digit {label}" for label in y], "Number the names of classes"),
            (lambda y: y + 0.5, "int label from 0 to 9"),
            (lambda y: None, "Labels are missing"),
        ],
    )
    def test_wrong_labels(self, model, digits, door, change, message):
        x, y = digits.samples[:60], digits.labels[:60]
        doors = {
            "fit": lambda: model.fit(x, change(y), verbose=0),
            "fine_tune": lambda: zoo.fine_tune(model, x, change(y), epochs=0, head="auto"),
            "validation_data": lambda: zoo.fine_tune(model, x, y, validation_data=(x, change(y)), verbose=0),
        }
        before = model.get_weights()
        with pytest.raises(DataError, match=message):
            doors[door]()
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))

    def test_forms_of_right_labels(self, digits):
        x, y = digits.samples[:60], digits.labels[:60]
        found = []
        for labels in (y, y.tolist(), y[:, None], y.astype("float32"), y.astype("uint8")):
            keras.utils.set_random_seed(0)
            model = zoo.classifier(zoo.feed_forward((8, 8, 1), 8).encoder, 10)
            history = zoo.fine_tune(model, x, labels, head_epochs=1, epochs=1, verbose=0)
            zoo.fine_tune(model, x, labels, head="regression", epochs=0)
            found.append([*history.history["loss"], *model.predict(x, verbose=0).ravel()])
        for other in found[1:]:
            np.testing.assert_allclose(other, found[0], rtol=1e-5)

    def test_one_hot_labels_for_a_loss_that_takes_them(self, digits):
        x, y = digits.samples[:60], digits.labels[:60]
        found = []
        for loss, labels in (("sparse_categorical_crossentropy", y), ("categorical_crossentropy", np.eye(10)[y])):
            keras.utils.set_random_seed(0)
            model = zoo.classifier(zoo.feed_forward((8, 8, 1), 8).encoder, 10)
            model.compile("adam", loss)
            augmentation = zoo.corruption.Gaussian(0.1)
            history = zoo.fine_tune(
                model, x, labels, head="discriminant", epochs=2, augmentation=augmentation, verbose=0
            )
            found.append(history.history["loss"])
        np.testing.assert_allclose(found[1], found[0], rtol=1e-4)
        with pytest.raises(DataError, match="takes one-hot labels"):
            zoo.fine_tune(model, x, y)


class TestNamesOfClasses:
    NAMES = ("bolt", "nut", "Unterlegscheibe ø 4")

    def test_they_are_saved_and_exported(self, encoder, digits, tmp_path):
        chosen = digits.labels < 3
        x = digits.samples[chosen][:40]
        model = zoo.classifier(encoder, 3, class_names=list(self.NAMES))
        assert model.class_names == self.NAMES
        model.save(tmp_path / "model.keras")
        assert zoo.load_model(tmp_path / "model.keras").class_names == self.NAMES
        report = zoo.export(model, tmp_path / "exported", samples=x)
        assert report.class_names == self.NAMES
        assert json.loads((tmp_path / "exported" / "report.json").read_text("utf-8"))["class_names"] == [*self.NAMES]
        for file in ("model.tflite", "model.onnx"):
            opened = zoo.lite.load(tmp_path / "exported" / file)
            assert (opened.class_names, opened.output_name) == (self.NAMES, "probabilities")
        assert FORMATS["saved_model"].open(tmp_path / "exported" / "saved_model").metadata.class_names == self.NAMES

    def test_a_file_of_another_number_of_classes_is_refused(self):
        names = {"serve": metadata.Names("x", "y")}
        known = metadata.Metadata("model", "serve", names, None, None, class_names=("a", "b"))
        found = {"serve": runtime.Details("x", "y", (4,), (3,), np.dtype("float32"))}
        with pytest.raises(zoo.ZooError, match=r"names 2 classes, but the file's outputs have the shape \(3,\)"):
            known.check_signatures(found)

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["a", "b"], "one name for each of the 3 classes, all different. Received 2 different names"),
            (["a", "b", "a"], "Received 2 different names"),
            ("abc", "Received 1 different names"),
            (["a", "b", "c\n"], r"printable text of at most 200 characters. Received: 'c\\n'"),
            (["a", "b", 3], "printable text of at most 200 characters. Received: 3"),
        ],
    )
    def test_wrong_ones(self, encoder, names, message):
        with pytest.raises(ConfigError, match=message):
            zoo.classifier(encoder, 3, class_names=names)


class TestLogits:
    def test_their_softmax_are_the_probabilities(self, encoder, digits, tmp_path):
        x, y = digits.samples[:100], digits.labels[:100]
        models = [zoo.classifier(encoder, 10, activation=activation) for activation in ("softmax", None)]
        models[1].set_weights(models[0].get_weights())
        for model in models:
            model.compile("adam", model.loss, metrics=["accuracy"], jit_compile=False)
        losses = [model.evaluate(x, y, verbose=0) for model in models]
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
        logits = models[1](x, training=False)
        np.testing.assert_allclose(keras.ops.softmax(logits), models[0](x, training=False), atol=1e-6)
        zoo.fine_tune(models[1], x, y, head="regression", epochs=1, verbose=0)
        assert models[1].evaluate(x, y, verbose=0)[1] > 0.8
        models[1].save(tmp_path / "model.keras")
        loaded = zoo.load_model(tmp_path / "model.keras")
        assert loaded.gives_logits
        np.testing.assert_allclose(loaded.evaluate(x, y, verbose=0), models[1].evaluate(x, y, verbose=0), rtol=1e-5)
        zoo.export(loaded, tmp_path / "exported", "tflite", samples=x)
        opened = zoo.lite.load(tmp_path / "exported" / "model.tflite")
        assert opened.output_name == "logits"
        np.testing.assert_allclose(opened(x), models[1](x, training=False), atol=1e-4)

    def test_other_activations(self, encoder):
        with pytest.raises(UnknownNameError, match="Unknown activation of a classifier 'sigmoid'.*None gives logits"):
            zoo.classifier(encoder, 2, activation="sigmoid")


class TestBalancedClasses:
    """Weights as scikit-learn has them: samples / (classes · samples of the class)."""

    def test_they_are_those_of_scikit_learn(self, digits):
        from sklearn.utils.class_weight import compute_class_weight

        y = digits.labels[:200]
        y = y[(y != 4) & ((y != 7) | (np.arange(200) < 50))]  # one class without a sample, one rare one
        classes = np.unique(y)
        table = dict(zip(classes, compute_class_weight("balanced", classes=classes, y=y), strict=True))
        np.testing.assert_allclose(class_weights("balanced", y), [table[label] for label in y], rtol=1e-6)
        one_hot = keras.utils.to_categorical(y, 10)
        np.testing.assert_array_equal(class_weights("balanced", one_hot), class_weights("balanced", y))

    def test_fit_and_fine_tune_take_them(self, encoder, digits):
        x, y = digits.samples[:90], np.where(digits.labels[:90] == 3, 1, 0)
        table = {label: 90 / (2 * np.sum(y == label)) for label in (0, 1)}
        model = zoo.classifier(encoder, 2, freeze_encoder=True)
        weights, losses, biases = model.get_weights(), [], []
        for class_weight in ("balanced", table, None):
            model.set_weights(weights)
            model.compile("sgd", model.loss, jit_compile=False)  # fine_tune leaves another learning rate
            options = {"class_weight": class_weight, "verbose": 0}
            losses.append(model.fit(x, y, shuffle=False, **options).history["loss"][0])
            zoo.fine_tune(model, x, y, head="regression", epochs=0, **options)
            biases.append(model.get_weights()[-1])
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
        np.testing.assert_allclose(biases[0], biases[1], rtol=1e-3)
        assert abs(losses[0] - losses[2]) > 1e-2
        assert np.abs(biases[0] - biases[2]).max() > 0.1

    def test_batches_have_no_counts(self, encoder, digits):
        batches = iter([(digits.samples[:8], digits.labels[:8])])
        with pytest.raises(DataError, match="'balanced' needs all labels at once, and x yields batches.*dictionary"):
            zoo.classifier(encoder, 10).fit(batches, class_weight="balanced")
        with pytest.raises(DataError, match="must be a dictionary of classes from 0 to 9.*or 'balanced'.*'equal'"):
            zoo.classifier(encoder, 10).fit(digits.samples[:8], digits.labels[:8], class_weight="equal")
