import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, UnknownNameError
from zoo.families.trunk import adapted

SIZE = (12, 12, 3)


def _encoder(input_shape=SIZE, latent_dim=5, **arguments):
    encoder = zoo.convolutional(input_shape, latent_dim, (4, 6), batch_normalization=True, **arguments).encoder
    random = np.random.default_rng(0)
    encoder.set_weights([random.uniform(0.1, 0.5, w.shape) for w in encoder.get_weights()])
    return encoder


def _images(*shape):
    return np.random.default_rng(1).random(shape, "float32")


def _maps(encoder):
    return keras.Model(encoder.input, encoder.get_layer("convolution_2_activation").output)


class TestSizes:
    @pytest.mark.parametrize(("pooling", "reduce"), [("avg", np.mean), ("max", np.max)])
    def test_a_part_of_a_larger_image_has_the_features_of_that_part_alone(self, pooling, reduce):
        """Larger images by the same weights: where zeros surround the 12×12 pixels, the maps of these agree."""
        encoder, small = _encoder(padding="valid", kernel_size=2), _images(3, *SIZE)
        maps = np.asarray(_maps(encoder)(small))
        larger = adapted(encoder, (20, 32, 3), pooling)
        assert larger.output_shape == (None, 6)
        tiled = np.tile(small, (1, 2, 3, 1))[:, :20, :32]
        inside = keras.Model(larger.input, larger.layers[-2].output)(tiled)[:, :3, :3]
        np.testing.assert_allclose(inside, maps, rtol=1e-5)
        np.testing.assert_allclose(adapted(encoder, pooling=pooling)(small), reduce(maps, axis=(1, 2)), rtol=1e-5)

    def test_a_spatial_latent_grows_with_the_image(self):
        assert adapted(_encoder(latent_dim=None), (20, 33, 3)).output_shape == (None, 5, 9, 6)
        assert adapted(_encoder((40, 1), None), (100, 1)).output_shape == (None, 25, 6)
        assert adapted(_encoder((40, 1)), (100, 1), "max").output_shape == (None, 6)

    def test_a_size_that_gives_the_same_maps_keeps_the_dense_latent_layer(self):
        encoder, x = _encoder(), _images(2, 11, 11, 3)
        maps = np.asarray(_maps(adapted(encoder, (11, 11, 3)))(x)).reshape(2, -1)
        dense = keras.Model(encoder.get_layer("features").input, encoder.output)
        np.testing.assert_allclose(adapted(encoder, (11, 11, 3))(x), dense(maps), rtol=1e-5)

    def test_the_original_stays_as_it_is(self):
        encoder = _encoder()
        changed = adapted(encoder, pooling="avg")
        before = encoder.get_weights()
        changed.set_weights([w + 1 for w in changed.get_weights()])
        np.testing.assert_array_equal(encoder.get_weights()[0], before[0])
        assert encoder.input_shape == (None, *SIZE)

    def test_preprocessing_and_facts_stay_in_front(self):
        standardize = zoo.preprocessing.Standardize(mean=[0.5], deviation=[0.1])
        model = zoo.preprocessed(
            zoo.convolutional((40, 1), 3, (4,), output_activation="linear"), standardize, sampling_rate=50, unit="g"
        )
        x = _images(2, 40, 1)
        features = keras.Model(model.encoder.layers[-1].input, model.encoder.layers[-1].get_layer("flatten").input)
        expected = np.mean(features(10 * (x - 0.5)), axis=1)
        pooled = adapted(model.encoder, pooling="avg")
        np.testing.assert_allclose(pooled(x), expected, atol=1e-5)
        assert (pooled.sampling_rate, pooled.unit, pooled.unit_range) == (50, "g", False)
        assert adapted(_encoder(), (16, 16, 3), "avg").unit_range is True


class TestChannels:
    @pytest.mark.parametrize(("old", "new"), [(1, 3), (3, 1), (1, 4)])
    def test_a_grey_image_has_the_same_features_in_one_channel_as_in_several(self, old, new):
        encoder, grey = _encoder((12, 12, old)), _images(5, 12, 12, 1)
        other = adapted(encoder, (12, 12, new))
        expected = encoder(np.repeat(grey, old, axis=-1))
        np.testing.assert_allclose(other(np.repeat(grey, new, axis=-1)), expected, rtol=1e-4)
        assert other.count_params() == encoder.count_params() + 9 * 4 * (new - old)

    def test_other_changes_are_refused(self):
        with pytest.raises(
            ConfigError, match=r"'convolution_1' has weights for .*\(12, 12, 3\) that say nothing about"
        ):
            adapted(_encoder(), (12, 12, 4))
        with pytest.raises(ConfigError, match="'features'.* say nothing about.*np.repeat"):
            adapted(zoo.feed_forward((4, 4, 1), 2).encoder, (4, 4, 3))


class TestRefusals:
    def test_a_dense_latent_layer_knows_one_size(self):
        with pytest.raises(
            ConfigError, match=r"dense layer.*\(12, 12, 3\).*Received.*\(24, 24, 3\).*pooling=.avg.*resize"
        ):
            adapted(_encoder(), (24, 24, 3))
        with pytest.raises(ConfigError, match="none for others.*or choose a convolutional model"):
            adapted(zoo.feed_forward((4, 4, 1), 2).encoder, (8, 8, 1))

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"pooling": "mean"}, UnknownNameError, "Unknown pooling 'mean'"),
            ({"input_shape": (12, 12)}, ConfigError, r"samples of 3 axes, such as \(12, 12, 3\). Received: \(12, 12\)"),
            ({"input_shape": (12, 0, 3)}, ConfigError, r"input_shape\[1\]"),
            ({"input_shape": (2, 2, 3), "pooling": "avg"}, ConfigError, r"\(2, 2, 3\), which are too small for layer"),
        ],
    )
    def test_bad_arguments(self, arguments, error, message):
        with pytest.raises(error, match=message):
            adapted(_encoder(padding="valid"), **arguments)

    def test_no_convolutions_to_pool(self):
        with pytest.raises(ConfigError, match="this encoder has none before its dense layers"):
            adapted(zoo.feed_forward((4, 4, 1), 2).encoder, pooling="avg")


def test_a_pretrained_encoder_of_another_size_is_trained_saved_and_exported(tmp_path):
    encoder = zoo.load_encoder(
        "cifar10-jpeg-convolutional-64", input_shape=(48, 40, 1), pooling="avg", raw_input=True, trainable=False
    )
    assert (encoder.input_shape, encoder.output_shape) == ((None, 48, 40, 1), (None, 32))
    assert not encoder.trainable_weights
    x = np.random.default_rng(0).integers(0, 256, (6, 48, 40, 1)).astype("uint8")
    classifier = zoo.classifier(encoder, 3)
    classifier.compile("adam", classifier.loss, jit_compile=False)
    classifier.fit(x, np.arange(6) % 3, epochs=1, verbose=0)
    expected = classifier(x, training=False)
    classifier.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(zoo.load_model(tmp_path / "model.keras")(x, training=False), expected)
    zoo.export(classifier, tmp_path / "exported", ("tflite", "onnx"), samples=x)
    for file in ("model.tflite", "model.onnx"):
        np.testing.assert_allclose(zoo.lite.load(tmp_path / "exported" / file)(x), expected, atol=1e-5)
    with pytest.raises(zoo.ZooError, match=r"expected \(samples, 48, 40, 1\)"):
        classifier.predict(x[:, :32, :32])


class TestLevels:
    def test_each_is_a_convolution_with_its_normalisation_and_activation(self):
        encoder, x = _encoder(), _images(2, *SIZE)
        found = adapted(encoder, features=("block2", "block1"))(x)
        assert list(found) == ["block2", "block1"]
        for number in (1, 2):
            maps = keras.Model(encoder.input, encoder.get_layer(f"convolution_{number}_activation").output)(x)
            np.testing.assert_allclose(found[f"block{number}"], maps, rtol=1e-5)
        pooled = adapted(encoder, pooling="max", features=["block1"])(x)["block1"]
        np.testing.assert_allclose(pooled, np.max(found["block1"], axis=(1, 2)), rtol=1e-5)

    def test_a_dense_latent_layer_is_no_hindrance(self):
        shapes = adapted(_encoder(), (20, 32, 1), features=["block1", "block2"]).output
        assert {name: x.shape[1:] for name, x in shapes.items()} == {"block1": (10, 16, 4), "block2": (5, 8, 6)}

    @pytest.mark.parametrize(
        ("names", "error", "message"),
        [
            (("block3",), UnknownNameError, "Unknown level of features 'block3'.*Valid: 'block1', 'block2'"),
            ("block1", ConfigError, "must name levels, each once.*Received: 'block1'"),
            ((), ConfigError, "must name levels"),
            (("block1", "block1"), ConfigError, "must name levels"),
        ],
    )
    def test_wrong_names(self, names, error, message):
        with pytest.raises(error, match=message):
            adapted(_encoder(), features=names)

    def test_no_convolutions(self):
        with pytest.raises(ConfigError, match="takes the maps of convolutions, and this encoder has none"):
            adapted(zoo.feed_forward((4, 4, 1), 2).encoder, features=["block1"])

    def test_they_are_saved_and_exported(self, tmp_path):
        x = _images(5, *SIZE)
        encoder = adapted(_encoder(), features=("block2", "block1"))
        expected = {name: np.asarray(maps) for name, maps in encoder(x).items()}
        encoder.save(tmp_path / "encoder.keras")
        loaded = zoo.load_model(tmp_path / "encoder.keras")
        assert loaded.unit_range is True
        assert list(loaded(x)) == ["block2", "block1"]
        report = zoo.export(loaded, tmp_path / "exported", samples=x)
        assert {file.file: list(file.signatures) for file in report.files.values()} == {
            file: ["block2", "block1"] for file in ("saved_model", "model.tflite", "model.onnx")
        }
        for file in ("model.tflite", "model.onnx"):
            found = zoo.lite.load(tmp_path / "exported" / file).features(x)
            assert list(found) == ["block2", "block1"]
            for name, maps in found.items():
                np.testing.assert_allclose(maps, expected[name], rtol=1e-5, atol=1e-5)
        with pytest.raises(ConfigError, match="one input and one output. Received 1 inputs and 2 outputs"):
            zoo.classifier(loaded, 3)
        single = adapted(_encoder(), features=["block1"])
        with pytest.raises(ConfigError, match="zoo.classifier takes"):
            zoo.classifier(single, 3)


def test_a_pretrained_encoder_with_raw_pixels_has_levels():
    encoder = zoo.load_encoder(
        "cifar10-jpeg-convolutional-64", input_shape=(48, 40, 3), features=("block3",), raw_input=True
    )
    assert encoder.inputs[0].dtype == "uint8"
    assert encoder.output["block3"].shape == (None, 6, 5, 32)
