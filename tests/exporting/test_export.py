import dataclasses
import json

import keras
import numpy as np
import pytest

import zoo
from tests.base import ZooTest
from zoo.core.errors import ConfigError, DataError, ExportError, OutputError, ParityError, UnknownNameError
from zoo.exporting.formats import FORMATS


def _trained(model, x, **arguments):
    """A few steps, so that weights, biases and statistics are not what they started as."""
    keras.utils.set_random_seed(0)
    model.fit(x, epochs=2, batch_size=16, verbose=0, **arguments)
    return model


MODELS = {
    "feed_forward": ((28, 28, 1), lambda: zoo.feed_forward((28, 28, 1), 8, (32,))),
    "tied, normalised": (
        (28, 28, 1),
        lambda: zoo.feed_forward((28, 28, 1), 8, (32,), tied_weights=True, batch_normalization=True),
    ),
    "vector": ((640,), lambda: zoo.feed_forward((640,), 8, (128,), output_activation="linear")),
    "convolutional, odd": ((27, 31, 3), lambda: zoo.convolutional((27, 31, 3), 6, (4, 6), batch_normalization=True)),
    "valid": ((28, 28, 1), lambda: zoo.convolutional((28, 28, 1), 6, (4, 6), padding="valid")),
    "spatial, un-strided": ((12, 12, 1), lambda: zoo.convolutional((12, 12, 1), None, (4, 3), strides=1)),
    "signal": ((65, 2), lambda: zoo.convolutional((65, 2), 6, (4, 6))),
    "denoising": (
        (28, 28, 1),
        lambda: zoo.denoising(
            zoo.convolutional((28, 28, 1), 6, (4, 6)), [zoo.corruption.Affine(10), zoo.corruption.Gaussian(0.2)]
        ),
    ),
    "sparse top-k": ((28, 28, 1), lambda: zoo.sparse(zoo.feed_forward((28, 28, 1), 40), zoo.sparsity.TopK(5))),
    "sparse KL": (
        (28, 28, 1),
        lambda: zoo.sparse(zoo.feed_forward((28, 28, 1), 40, latent_activation="sigmoid"), zoo.sparsity.KL(0.1, 0.01)),
    ),
}


class TestFamilies(ZooTest):
    @pytest.mark.parametrize("name", MODELS)
    def test_autoencoder(self, name, tmp_path):
        shape, build = MODELS[name]
        x = zoo.data.samples_like(shape, 48)
        model = _trained(build(), x)
        self.run_export_test(model, tmp_path / "autoencoder", x, self.verbs(model, x))

    def test_encoder_and_decoder_alone(self, tmp_path):
        model = _trained(zoo.convolutional((28, 28, 1), 6, (4,)), zoo.data.samples_like((28, 28, 1), 48))
        x = zoo.data.samples_like((28, 28, 1), 48)
        self.run_export_test(model.encoder, tmp_path / "encoder", x, {"encode": ("latent", model.encode(x))})
        z = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
        self.run_export_test(model.decoder, tmp_path / "decoder", z, {"decode": ("reconstruction", model.decode(z))})

    def test_classifier(self, tmp_path, mnist_like, digits):
        model = zoo.classifier(
            zoo.convolutional((28, 28, 1), 6, (4,), batch_normalization=True).encoder,
            10,
            hidden_units=(8,),
            dropout=0.3,
        )
        model.fit(mnist_like[:200], digits.labels[:200], epochs=2, verbose=0)
        x = mnist_like[200:300]
        self.run_export_test(model, tmp_path, x, {"classify": ("probabilities", model.predict(x, verbose=0))})


class TestRoles:
    """What a model is, its class says; a name says nothing."""

    @pytest.mark.parametrize("name", ["encoder", "decoder", "classifier"])
    def test_a_plain_model_of_any_name(self, name, tmp_path):
        image = keras.Input((6, 6, 1))
        model = keras.Model(image, keras.layers.Flatten()(image), name=name)
        assert zoo.export(model, tmp_path, "onnx").model == "model"
        opened = zoo.lite.load(tmp_path / "model.onnx")
        assert (opened.signatures, opened.output_name) == (("serve",), "output")
        x = np.random.default_rng(0).normal(size=(3, 6, 6, 1)).astype("float32") * 100
        np.testing.assert_array_equal(opened(x), x.reshape(3, 36))

    def test_a_classifier_of_any_name_read_from_a_file(self, tmp_path, mnist_like):
        model = zoo.classifier(zoo.load_encoder("mnist-feed-forward-8"), 10)
        model.save(tmp_path / "model.keras")
        loaded = zoo.load_model(tmp_path / "model.keras")
        loaded.name = "mine"
        report = zoo.export(loaded, tmp_path, "tflite", samples=mnist_like[:20])
        assert report.model == "classifier"
        opened = zoo.lite.load(tmp_path / "model.tflite")
        assert opened.output_name == "probabilities"
        np.testing.assert_allclose(opened(mnist_like), model.predict(mnist_like, verbose=0), atol=1e-5)
        with pytest.raises(DataError, match="integer pixels"):
            opened(np.rint(mnist_like[:2] * 255).astype("uint8"))

    def test_a_classifier_read_from_a_file_finds_its_calibration_data(self, tmp_path, digits):
        encoder = zoo.feed_forward((8, 8, 1), 4).encoder
        encoder.trained_on = "digits"  # as zoo.load sets it
        model = zoo.classifier(encoder, 10)
        model.save(tmp_path / "model.keras")
        for exported in (model, zoo.load_model(tmp_path / "model.keras")):
            report = zoo.export(exported, tmp_path, "tflite", quantization="int8")
            assert report.calibration == {"samples": 1000, "source": "digits (train)"}
            assert report.samples == 359  # of the test split
        with pytest.raises(ExportError, match="needs at least 1,000 real samples of what the model will see"):
            zoo.export(zoo.classifier(zoo.feed_forward((8, 8, 1), 4).encoder, 10), tmp_path, quantization="int8")

    def test_an_encoder_takes_the_samples_that_the_whole_model_takes(self, tmp_path):
        model = zoo.convolutional((8, 8, 1), 4, (3,), output_activation="linear")
        x = np.random.default_rng(0).uniform(-1, 1, (5, 8, 8, 1)).astype("float32")
        for name, part in (("whole", model), ("encoder", model.encoder)):
            zoo.export(part, tmp_path / name, "onnx")
            opened = zoo.lite.load(tmp_path / name / "model.onnx")
            np.testing.assert_allclose(opened.encode(x), model.encode(x), atol=1e-5)
        zoo.export(zoo.convolutional((8, 8, 1), 4, (3,)).encoder, tmp_path / "sigmoid", "onnx")
        with pytest.raises(DataError, match="outside .0, 1."):
            zoo.lite.load(tmp_path / "sigmoid" / "model.onnx")(x)

    def test_a_wrapped_model_has_both_roles(self, tmp_path):
        image = keras.Input((6,))
        model = zoo.wrap(keras.Model(image, keras.layers.Dense(6)(keras.layers.Dense(2, name="code")(image))), "code")
        assert zoo.export(model.encoder, tmp_path / "encoder", "onnx").model == "encoder"
        assert zoo.export(model.decoder, tmp_path / "decoder", "onnx").model == "decoder"


class TestPretrained(ZooTest):
    @pytest.mark.parametrize(
        "name",
        [
            "mnist-feed-forward-8",
            "mnist-tied-feed-forward-32",
            "mnist-sparse-l1-500",
            "mnist-convolutional-16",
            "mnist-denoising-affine-128",
        ],
    )
    def test_one_of_each_architecture(self, name, tmp_path, mnist_like):
        model = zoo.load(name)
        x = mnist_like[::9]
        references = self.verbs(model, x)
        self.run_export_test(model, tmp_path, x, references, tolerance=1e-5 * max(1, np.abs(model.encode(x)).max()))

    def test_raw_pixels(self, tmp_path, mnist_like):
        pixels = np.rint(mnist_like[:50] * 255).astype("uint8")
        encoder = zoo.load_encoder("mnist-convolutional-16", raw_input=True)
        expected = zoo.load("mnist-convolutional-16").encode(pixels / 255)
        report = zoo.export(encoder, tmp_path)
        assert report.input == {"name": "pixels", "shape": [28, 28, 1], "dtype": "uint8", "output": "latent"}
        for name, file in report.files.items():
            opened = FORMATS[name].open(tmp_path / file.file)
            np.testing.assert_allclose(opened.run("encode", pixels), expected, atol=1e-5)


class TestReport:
    def test_names_and_operators(self, tmp_path):
        report = zoo.export(zoo.load("mnist-feed-forward-8"), tmp_path)
        assert report.samples == 64
        assert report.files["tflite"].operators == (
            "FULLY_CONNECTED", "LOGISTIC", "MEAN", "RESHAPE", "SQUARED_DIFFERENCE",
        )  # fmt: skip
        assert report.files["onnx"].operators == (
            "Add", "MatMul", "Mul", "ReduceMean", "Relu", "Reshape", "Sigmoid", "Sub",
        )  # fmt: skip
        assert "MatMul" in report.files["saved_model"].operators
        assert json.loads((tmp_path / "report.json").read_text()) == json.loads(report.to_json())

    def test_one_format_and_a_batch(self, tmp_path):
        report = zoo.export(zoo.feed_forward((8, 8, 1), 4), tmp_path, formats="tflite", batch_size=7)
        assert list(report.files) == ["tflite"]
        assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "model.tflite", "report.json"]
        assert FORMATS["tflite"].open(tmp_path / "model.tflite").signatures["encode"].batch_size == 7


class TestMetadata:
    def test_where_each_format_keeps_it(self, tmp_path):
        report = zoo.export(zoo.feed_forward((8, 8, 1), 4), tmp_path, threshold=0.25)
        expected = {
            "model": "autoencoder",
            "default": "reconstruct",
            "signatures": {
                "reconstruct": {"input": "image", "output": "reconstruction"},
                "encode": {"input": "image", "output": "latent"},
                "decode": {"input": "latent", "output": "reconstruction"},
                "score": {"input": "image", "output": "score"},
            },
            "unit_range": True,
            "threshold": 0.25,
        }
        assert json.loads((tmp_path / "saved_model" / "assets.extra" / "zoo.json").read_text()) == expected
        import onnx
        from tensorflow.lite.tools import flatbuffer_utils

        seals = {form: file.seal for form, file in report.files.items()}
        assert seals["saved_model"] is None
        properties = {p.key: p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props}
        without_decode = {name: names for name, names in expected["signatures"].items() if name != "decode"}
        in_onnx = {**expected, "signatures": without_decode, "seal": seals["onnx"]}
        assert json.loads(properties["zoo"]) == in_onnx
        model = flatbuffer_utils.read_model(str(tmp_path / "model.tflite"))
        (entry,) = (m for m in model.metadata if m.name == b"zoo")
        in_tflite = {**expected, "seal": seals["tflite"]}
        assert json.loads(bytes(model.buffers[entry.buffer].data)) == in_tflite
        assert {m.name for m in model.metadata} >= {b"min_runtime_version"}  # the converter's own are kept
        in_saved_model = {**expected, "seal": None}
        for name, stated in (("saved_model", in_saved_model), ("tflite", in_tflite), ("onnx", in_onnx)):
            read = dataclasses.asdict(FORMATS[name].open(tmp_path / FORMATS[name].file).metadata)
            assert read == {**stated, "sampling_rate": None, "unit": None, "scale": None, "class_names": None}
        assert json.loads((tmp_path / "report.json").read_text())["threshold"] == 0.25

    def test_serving_default_reconstructs(self, tmp_path):
        import tensorflow as tf

        model = zoo.feed_forward((8, 8, 1), 4)
        zoo.export(model, tmp_path, "saved_model")
        x = zoo.data.samples_like((8, 8, 1), 5)
        served = tf.saved_model.load(str(tmp_path / "saved_model")).signatures["serving_default"](image=x)
        np.testing.assert_allclose(served["reconstruction"], model.reconstruct(x), atol=1e-6)


class TestSamples:
    """Samples, calibration and anomalies come in every form that `fit` takes."""

    def test_every_form_gives_the_same_report(self, tmp_path, digits):
        import tensorflow as tf

        keras.utils.set_random_seed(0)
        model = zoo.feed_forward((8, 8, 1), 4)
        x, y = digits.samples[:160], digits.labels[:160]
        anomalies = 1 - x[:32]
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        model.fit(x, epochs=20, verbose=0)

        class Batches(keras.utils.PyDataset):
            def __len__(self):
                return 10

            def __getitem__(self, i):
                return x[16 * i : 16 * i + 16], y[16 * i : 16 * i + 16]

        def one_by_one(images):
            return (images[i : i + 16] for i in range(0, len(images), 16))

        forms = {
            "array": lambda: (x, x, anomalies),
            "list": lambda: (list(x), list(x), list(anomalies)),
            "generator": lambda: (one_by_one(x), one_by_one(x), one_by_one(anomalies)),
            "dataset": lambda: [tf.data.Dataset.from_tensor_slices(a).batch(7) for a in (x, x, anomalies)],
            "labelled": lambda: (Batches(), zoo.data.Source(x, y), tf.data.Dataset.from_tensor_slices(anomalies)),
        }
        reports = {}
        for name, form in forms.items():
            samples, calibration, abnormal = form()
            with pytest.warns(UserWarning, match="calibrated on 160 samples"):
                reports[name] = zoo.export(
                    model, tmp_path, "tflite", quantization="int8", samples=samples, calibration=calibration,
                    anomalies=abnormal,
                )  # fmt: skip
        expected = reports["array"].files["tflite"]
        assert expected.metrics["anomaly_auroc"]["before"] > 0.9
        for name, report in reports.items():
            file = report.files["tflite"]
            assert (report.samples, report.calibration["samples"], file.sha256) == (160, 160, expected.sha256), name
            assert ("knn_accuracy" in file.metrics) == (name == "labelled")
            assert {key: file.metrics[key] for key in expected.metrics} == expected.metrics

    def test_bad_ones_are_refused_by_their_name(self, tmp_path, digits):
        model, x = zoo.feed_forward((8, 8, 1), 4), digits.samples[:120]
        for bad, message in (
            (x * np.nan, "NaN or infinite"),
            (x * 255, "outside .0, 1."),
            (x[:0], "empty"),
            (iter([x[:, :4]]), "wrong shape"),
        ):
            with pytest.raises(DataError, match=f"In (a batch of )?samples: .*{message}"):
                zoo.export(model, tmp_path / "out", samples=bad)
        with pytest.raises(DataError, match="In a batch of calibration: .*NaN or infinite"):
            zoo.export(model, tmp_path / "out", "tflite", quantization="int8", calibration=iter([x, x * np.nan]))


class TestRefusals:
    def test_a_wrong_file_raises_and_leaves_the_previous_export(self, tmp_path, monkeypatch):
        model = zoo.feed_forward((8, 8, 1), 4)
        zoo.export(model, tmp_path, formats="tflite")
        before = (tmp_path / "model.tflite").read_bytes()
        original = FORMATS["tflite"].write

        def lose_a_bias(target, path, plan):
            layer = model.decoder.layers[1]
            bias = layer.bias.numpy()
            layer.bias.assign(bias + 0.01)
            original(target, path, plan)
            layer.bias.assign(bias)

        monkeypatch.setitem(FORMATS, "tflite", dataclasses.replace(FORMATS["tflite"], write=lose_a_bias))
        with pytest.raises(
            ParityError,
            match=r"model.tflite \(reconstruct\) differs from Keras by 0.00.* allowed is 1e-05 \(1e-5 of the largest"
            r" output\). Nothing was written",
        ):
            zoo.export(model, tmp_path)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "model.tflite", "report.json"]
        assert (tmp_path / "model.tflite").read_bytes() == before
        zoo.export(model, tmp_path, formats="tflite", tolerance=0.01)

    @pytest.mark.parametrize("quantization", [None, "int8"])
    def test_operator_that_tflite_lacks(self, quantization, tmp_path):
        """Named, with its layer, also where that is inside a nested model."""

        class Erfinv(keras.layers.Layer):
            def call(self, x):
                return keras.ops.erfinv(x)

        image = keras.Input((6,), name="image")
        latent = keras.layers.Dense(4, name="latent")(image)
        decoder = keras.Sequential([keras.Input((4,)), Erfinv(name="inverse"), keras.layers.Dense(6)], name="nested")
        model = zoo.wrap(keras.Model(image, decoder(latent)), latent="latent")
        samples = np.random.default_rng(0).random((1000, 6))
        message = r"TFLite lacks the operator Erfinv, in the layer inverse \(Erfinv\): phones cannot run this model."
        with pytest.raises(ExportError, match=message):
            zoo.export(
                model,
                tmp_path / "out",
                formats=("tflite", "onnx"),
                quantization=quantization,
                calibration=samples if quantization else None,
                samples=samples[:9],
            )
        assert not (tmp_path / "out").exists()

    def test_arguments(self, tmp_path):
        model = zoo.feed_forward((8, 8, 1), 4)
        with pytest.raises(UnknownNameError, match="Unknown export format 'tflit'. Did you mean 'tflite'"):
            zoo.export(model, tmp_path, formats=["tflit"])
        with pytest.raises(ExportError, match="No format"):
            zoo.export(model, tmp_path, formats=())
        with pytest.raises(ConfigError, match="batch_size must be a whole number"):
            zoo.export(model, tmp_path, batch_size=0)
        with pytest.raises(ExportError, match="takes an Autoencoder, an encoder.*Received: str"):
            zoo.export("mnist-feed-forward-8", tmp_path)
        with pytest.raises(DataError, match="In samples: x has the wrong shape"):
            zoo.export(model, tmp_path, samples=np.zeros((2, 7)))
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="Cannot write to"):
            zoo.export(model, tmp_path / "file" / "out")
        a, b = keras.Input((3,)), keras.Input((3,))
        with pytest.raises(ExportError, match="one input and one output. Received 2 inputs and 1 outputs"):
            zoo.export(keras.Model([a, b], a + b), tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
