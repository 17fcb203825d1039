import json

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import DataError, ExportError, ParityError, UnknownNameError
from zoo.exporting import runtime
from zoo.exporting.formats import FORMATS


@pytest.fixture(scope="module")
def labelled(mnist_like, digits):
    """All digits in MNIST's framing, in an order that mixes the writers, with their labels."""
    order = np.random.default_rng(1).permutation(len(mnist_like))
    return zoo.data.Source(mnist_like[order], digits.labels[order])


@pytest.fixture(scope="module")
def model(labelled):
    """A dense autoencoder of 103,328 parameters."""
    keras.utils.set_random_seed(0)
    model = zoo.feed_forward((28, 28, 1), 16, (64,))
    model.fit(labelled.samples[:1000], epochs=30, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="module")
def exported(model, labelled, tmp_path_factory):
    """(report, directory) of an export in a quantization, made once."""
    made = {}

    def export(quantization):
        if quantization not in made:
            directory = tmp_path_factory.mktemp("quantized")
            options = {"calibration": labelled.samples[:1000]} if quantization == "int8" else {}
            report = zoo.export(
                model,
                directory,
                "tflite",
                quantization=quantization,
                samples=labelled.part(1000, 1797),
                anomalies=1 - labelled.samples[:200],
                threshold=0.05,
                **options,
            )
            made[quantization] = report, directory
        return made[quantization]

    return export


@pytest.mark.parametrize(("quantization", "ratio"), [("float16", 0.54), ("dynamic", 0.32), ("int8", 0.35)])
def test_size_differences_and_metrics(model, labelled, exported, quantization, ratio):
    report, directory = exported(quantization)
    file = report.files["tflite"]
    x, labels = labelled.samples[1000:], labelled.labels[1000:]
    assert model.count_params() > 100_000
    assert file.quantization == quantization
    assert 0.2 < file.size_ratio <= ratio
    assert file.size_bytes == (directory / "model.tflite").stat().st_size

    # Differences and metrics, computed anew.
    opened = zoo.lite.load(directory / "model.tflite")
    assert opened.dtype == np.float32
    reconstruction, expected = opened.reconstruct(x), model.reconstruct(x)
    difference = np.abs(reconstruction - expected)
    assert file.max_difference == pytest.approx(difference.max(), rel=1e-5)
    assert file.mean_difference == pytest.approx(difference.mean(), rel=1e-4)
    assert 0 < file.mean_difference < 0.01
    assert file.signatures["encode"].max_difference == pytest.approx(
        np.abs(opened.encode(x) - model.encode(x)).max(), rel=1e-4
    )
    metrics = file.metrics
    assert set(metrics) == {"mse", "knn_accuracy", "anomaly_auroc", "anomaly_rate"}
    assert metrics["mse"]["before"] == pytest.approx(np.mean((expected - x) ** 2), rel=1e-5)
    assert metrics["mse"]["after"] == pytest.approx(np.mean((reconstruction - x) ** 2), rel=1e-5)
    assert metrics["mse"]["after"] == pytest.approx(metrics["mse"]["before"], rel=0.02)
    from sklearn.neighbors import KNeighborsClassifier

    for state, codes in (("before", model.encode(x)), ("after", opened.encode(x))):
        nearest = KNeighborsClassifier(7).fit(codes[::2], labels[::2])
        assert metrics["knn_accuracy"][state] == nearest.score(codes[1::2], labels[1::2]) > 0.85
    assert metrics["anomaly_rate"]["after"] == np.mean(opened.score(x) > 0.05)
    assert metrics["anomaly_auroc"]["after"] == pytest.approx(metrics["anomaly_auroc"]["before"], abs=1e-3)
    assert metrics["anomaly_auroc"]["before"] > 0.99
    assert report.warnings == ()
    stored = json.loads((directory / "report.json").read_text())
    assert stored["files"]["tflite"]["metrics"] == metrics
    assert (stored["calibration"] is None) == (quantization != "int8")


def test_int8_computes_in_integers_but_scores_in_floats(labelled, exported):
    _, directory = exported("int8")
    x = labelled.samples[1000:]
    opened = zoo.lite.load(directory / "model.tflite")
    # 8 bits of output at most in the network ...
    assert len(np.unique(opened.reconstruct(x[:50]))) <= 256
    assert len(np.unique(opened.encode(x)[:, 0])) <= 256
    # ... and none lost in the score of that network.
    scores = opened.score(x)
    np.testing.assert_allclose(scores, np.mean((opened.reconstruct(x) - x) ** 2, axis=(1, 2, 3)), rtol=1e-5)
    assert len(np.unique(scores)) > 700


def test_int8_spends_its_steps_where_a_sigmoid_is_steep(model, labelled, exported):
    from tensorflow.lite.tools import flatbuffer_utils

    opened = flatbuffer_utils.read_model(str(exported("int8")[1] / "model.tflite"))
    scales = [
        graph.tensors[operator.inputs[0]].quantization.scale[0]
        for graph in opened.subgraphs
        for operator in graph.operators
        if flatbuffer_utils.opcode_to_name(opened, operator.opcodeIndex) == "LOGISTIC"
    ]
    reconstruction = model.reconstruct(labelled.samples[:1000]).astype("float64")
    logits = np.log(np.clip(reconstruction, 1e-30, None)) - np.log1p(-np.clip(reconstruction, None, 1 - 1e-7))
    assert np.ptp(logits) > 1.4 * 13  # the range that was calibrated
    assert len(scales) == 3  # decode, reconstruct, score
    assert max(scales) < 13.01 / 255  # from -6.5 to 6.5


def _weights(path, at_least):
    """Sizes in bytes of the buffers of a .tflite file that have at least so many."""
    from tensorflow.lite.tools import flatbuffer_utils

    sizes = [len(b.data) for b in flatbuffer_utils.read_model(str(path)).buffers if b.data is not None]
    return sorted(size for size in sizes if size >= at_least)


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_signatures_share_their_weights(model, exported, tmp_path, quantization):
    if quantization:
        path = exported(quantization)[1] / "model.tflite"
    else:
        zoo.export(model, tmp_path, "tflite")
        path = tmp_path / "model.tflite"
    bytes_per_weight = 1 if quantization else 4
    # One kernel of the encoder, one of the decoder.
    assert _weights(path, 784 * 64 * bytes_per_weight) == [784 * 64 * bytes_per_weight] * 2
    # "decode" is calibrated on Keras' latent features: if a last bit differs, its largest bias has scales of its own.
    own_scales = 8 * 784 if quantization else 0
    assert path.stat().st_size < model.count_params() * bytes_per_weight + 31_000 + own_scales


def test_signatures_share_a_normalised_linear_latent_layer(digits, tmp_path):
    """Its normalisation is folded into its own weights: the converter alone would do so in one signature only."""
    keras.utils.set_random_seed(0)
    model = zoo.convolutional((8, 8, 1), 12, (16,), batch_normalization=True)
    model.compile(jit_compile=False)
    model.fit(digits.samples[:200], epochs=3, batch_size=16, verbose=0)
    for part, count in ((model, 2), (model.encoder, 1)):
        zoo.export(part, tmp_path, "tflite")
        assert _weights(tmp_path / "model.tflite", 256 * 12 * 4) == [256 * 12 * 4] * count
    opened = FORMATS["tflite"].open(tmp_path / "model.tflite")
    np.testing.assert_allclose(opened.run("encode", digits.samples[:50]), model.encode(digits.samples[:50]), atol=1e-5)


def test_uint8_inputs_and_outputs(model, labelled, exported, tmp_path):
    x = np.rint(labelled.samples[1000:1300] * 255).astype("float32") / 255
    zoo.export(
        model,
        tmp_path,
        "tflite",
        quantization="int8",
        integer_io="uint8",
        calibration=labelled.samples[:1000],
        samples=x,
    )
    details = FORMATS["tflite"].open(tmp_path / "model.tflite").signatures
    assert {name: d.dtype.name for name, d in details.items()} == dict.fromkeys(details, "uint8")
    scale, zero_point = details["encode"].input_scale
    assert (scale, zero_point) == (pytest.approx(1 / 255), 0)  # images: the bytes of a camera
    assert details["score"].output_scale is None
    floats, integers = zoo.lite.load(exported("int8")[1] / "model.tflite"), zoo.lite.load(tmp_path / "model.tflite")
    for verb in ("encode", "reconstruct", "score"):
        expected = getattr(floats, verb)(x)
        given = getattr(integers, verb)(x)
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected, atol=1e-4 if verb == "score" else 0.02)
        np.testing.assert_array_equal(getattr(integers, verb)(np.rint(x * 255).astype("uint8")), given)
    assert len(np.unique(integers.score(x))) > 290
    latent = floats.encode(x)
    np.testing.assert_allclose(integers.decode(latent), floats.decode(latent), atol=0.02)


def test_floats_become_the_integers_of_a_file():
    x = np.array([-9.0, -1.28, 0.0, 0.006, 1.0, 9.0])
    integers = runtime.quantized(x, np.dtype("uint8"), scale=0.01, zero_point=128)
    assert integers.dtype == np.uint8
    assert integers.tolist() == [0, 0, 128, 129, 228, 255]


FAMILIES = {
    "convolutional, normalised": lambda: zoo.convolutional((8, 8, 1), 12, (8,), batch_normalization=True),
    "top-k": lambda: zoo.sparse(zoo.feed_forward((8, 8, 1), 64, latent_activation="linear"), zoo.sparsity.TopK(8)),
    "tied": lambda: zoo.feed_forward((8, 8, 1), 12, (32,), tied_weights=True),
    "denoising": lambda: zoo.denoising(zoo.feed_forward((8, 8, 1), 12, (32,)), zoo.corruption.Gaussian(0.1)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_int8_of_every_family(name, digits, tmp_path):
    keras.utils.set_random_seed(0)
    model = FAMILIES[name]()
    model.compile(jit_compile=False)
    model.fit(digits.samples, epochs=5, batch_size=32, verbose=0)
    report = zoo.export(
        model,
        tmp_path,
        "tflite",
        quantization="int8",
        calibration=digits.part(0, 1000),
        samples=digits.part(1000, 1797),
    )
    metrics = report.files["tflite"].metrics
    assert metrics["mse"]["after"] == pytest.approx(metrics["mse"]["before"], rel=0.03)
    assert metrics["knn_accuracy"]["after"] == pytest.approx(metrics["knn_accuracy"]["before"], abs=0.03)
    scores = zoo.lite.load(tmp_path / "model.tflite").score(digits.samples[1000:])
    assert np.corrcoef(scores, model.reconstruction_error(digits.samples[1000:]))[0, 1] > 0.995


def test_int8_of_a_latent_layer_with_more_scales_than_it_is_worth(labelled, tmp_path):
    """16 latent features expanded to 3,136 units: one scale for each of these would be a quarter of the file."""
    with pytest.warns(UserWarning, match="calibrated on 150 samples"):
        report = zoo.export(
            zoo.load("mnist-convolutional-16"),
            tmp_path,
            "tflite",
            quantization="int8",
            calibration=labelled.samples[:150],
            samples=labelled.samples[1000:1200],
        )
    file = report.files["tflite"]
    assert zoo.card("mnist-convolutional-16").parameters > 100_000
    assert file.size_ratio <= 0.32
    assert file.metrics["mse"]["after"] == pytest.approx(file.metrics["mse"]["before"], rel=0.01)


def test_classifier(digits, tmp_path):
    keras.utils.set_random_seed(0)
    classifier = zoo.classifier(zoo.feed_forward((8, 8, 1), 12, (32,)).encoder, 10)
    classifier.fit(digits.samples[:1000], digits.labels[:1000], epochs=10, verbose=0)
    test = digits.part(1000, 1797)
    options = {"quantization": "int8", "calibration": digits.samples[:1000]}
    report = zoo.export(classifier, tmp_path, "tflite", samples=test, **options)
    accuracy = report.files["tflite"].metrics["accuracy"]
    predicted = zoo.lite.load(tmp_path / "model.tflite")(test.samples).argmax(axis=1)
    assert accuracy["after"] == np.mean(predicted == test.labels)
    assert accuracy["after"] == pytest.approx(accuracy["before"], abs=0.01)
    assert accuracy["before"] > 0.8
    # Without labels: how often the class is Keras'.
    unlabelled = zoo.export(classifier, tmp_path, "tflite", samples=test.samples, **options)
    same = np.mean(predicted == classifier.predict(test.samples, verbose=0).argmax(axis=1))
    assert unlabelled.files["tflite"].metrics == {"agreement": {"before": 1.0, "after": same}}


@pytest.mark.needs_dataset("mnist")
def test_calibration_is_drawn_from_the_dataset_of_the_card(tmp_path):
    report = zoo.export(zoo.load("mnist-feed-forward-8"), tmp_path, "tflite", quantization="int8")
    assert report.calibration == {"samples": 1000, "source": "mnist (train)"}
    assert report.samples == 2000
    metrics = report.files["tflite"].metrics
    assert metrics["mse"]["before"] == pytest.approx(zoo.card("mnist-feed-forward-8").metrics["mse"], rel=0.03)
    assert metrics["mse"]["after"] == pytest.approx(metrics["mse"]["before"], rel=0.01)
    assert metrics["knn_accuracy"]["after"] == pytest.approx(metrics["knn_accuracy"]["before"], abs=0.01)
    # A classifier gets images of its encoder's dataset, but not its labels.
    classifier = zoo.classifier(zoo.load_encoder("mnist-feed-forward-8", raw_input=True), 3)
    report = zoo.export(classifier, tmp_path, "tflite", quantization="int8")
    assert report.calibration == {"samples": 1000, "source": "mnist (train)"}
    assert set(report.files["tflite"].metrics) == {"agreement"}


def test_raw_pixels_in_every_signature_and_in_int8(model, labelled, tmp_path):
    pixels = np.rint(labelled.samples * 255).astype("uint8")
    x = (pixels[1000:1060] / 255).astype("float32")
    report = zoo.export(model, tmp_path / "float", raw_input=True, samples=pixels[1000:1060])
    assert report.input == {"name": "pixels", "shape": [28, 28, 1], "dtype": "uint8", "output": "reconstruction"}
    assert report.files["onnx"].metrics["mse"]["after"] == pytest.approx(
        np.mean(model.reconstruction_error(x)), rel=1e-4
    )
    zoo.export(
        model,
        tmp_path / "int8",
        "tflite",
        raw_input=True,
        quantization="int8",
        calibration=pixels[:1000],
        samples=pixels[1000:1060],
    )
    files = {"float/model.tflite": 1e-5, "float/model.onnx": 1e-5, "int8/model.tflite": 0.25}
    for file, tolerance in files.items():
        opened = zoo.lite.load(tmp_path / file)
        assert opened.dtype == np.uint8
        np.testing.assert_allclose(opened.reconstruct(pixels[1000:1060]), model.reconstruct(x), atol=tolerance)
        np.testing.assert_allclose(
            opened.score(pixels[1000]), model.reconstruction_error(x[:1])[0], atol=tolerance / 50
        )
        with pytest.raises(DataError, match="takes raw pixels: expected dtype uint8. Received float32"):
            opened.encode(x)


class TestRefusals:
    def test_what_does_not_go_together(self, model, labelled, tmp_path):
        calibration = labelled.samples[:1000]
        for arguments, error, message in (
            ({"quantization": "int4"}, UnknownNameError, "Unknown quantization 'int4'. Did you mean 'int8'"),
            ({"calibration": calibration}, ExportError, 'calibration goes with quantization="int8".*=None'),
            ({"quantization": "dynamic", "integer_io": "uint8"}, ExportError, "integer_io goes with.*'dynamic'"),
            ({"quantization": "int8", "integer_io": "int8"}, UnknownNameError, "Unknown integer_io 'int8'"),
            (
                {"quantization": "int8", "integer_io": "uint8", "raw_input": True},
                ExportError,
                "both make the input uint8: leave one out",
            ),
            ({"quantization": "int8", "formats": "onnx"}, ExportError, "quantization is for the format 'tflite'"),
            ({"quantization": "int8"}, ExportError, "needs at least 1,000 real samples.*pass calibration="),
            (
                {"raw_input": True, "samples": calibration},
                DataError,
                "raw pixels: expected dtype uint8. Received float32",
            ),
            ({"threshold": float("nan")}, ValueError, "threshold must be a number in"),
            ({"anomalies": calibration}, ExportError, "compared with normal samples: pass samples= as well"),
        ):
            with pytest.raises(error, match=message):
                zoo.export(model, tmp_path / "out", **{"formats": "tflite", **arguments})
        with pytest.raises(ExportError, match="threshold goes with the score of an Autoencoder. Received: encoder"):
            zoo.export(model.encoder, tmp_path / "out", threshold=0.1)
        with pytest.raises(ExportError, match="anomalies goes with the score of an Autoencoder. Received: decoder"):
            zoo.export(model.decoder, tmp_path / "out", anomalies=calibration)
        with pytest.raises(ExportError, match="takes pixels. Received a decoder"):
            zoo.export(model.decoder, tmp_path / "out", raw_input=True)
        assert not (tmp_path / "out").exists()

    def test_calibration_samples(self, model, labelled, tmp_path):
        x = labelled.samples
        for calibration, message in (
            (x[:99], "at least 100 calibration samples, better 1,000. Received 99. Pass more, or force=True"),
            (np.repeat(x[:1], 1000, axis=0), "calibration is constant: all 1000 samples are the same"),
            (x[:1000, :, :, 0], "In calibration: x has the wrong shape.*Add the channel axis"),
            (x[:1000, :20], "In calibration: x has the wrong shape: expected .samples, 28, 28, 1."),
            (x[:1000] * np.nan, "In calibration: x holds NaN or infinite values in 1000 of 1000 samples"),
            (x[:0], "In calibration: x is empty"),
        ):
            with pytest.raises(DataError, match=message):
                zoo.export(model, tmp_path / "out", "tflite", quantization="int8", calibration=calibration)
        assert not (tmp_path / "out").exists()
        with pytest.warns(UserWarning, match="calibrated on 60 samples"):
            report = zoo.export(
                model,
                tmp_path / "out",
                "tflite",
                quantization="int8",
                calibration=x[:60],
                samples=x[:9],
                force=True,
                batch_size=7,
            )
        assert FORMATS["tflite"].open(tmp_path / "out" / "model.tflite").signatures["score"].batch_size == 7
        assert report.calibration == {"samples": 60, "source": "given"}

    def test_what_quantises_badly(self, model, labelled, tmp_path):
        """Calibrated on faint digits, the activations of real ones are cut off."""
        x = labelled.samples
        options = {"formats": "tflite", "quantization": "int8", "samples": x[1000:]}
        with pytest.warns(UserWarning, match="model.tflite quantises badly: mse rises from 0.0"):
            report = zoo.export(model, tmp_path / "out", calibration=x[:1000] * 0.6, **options)
        assert len(report.warnings) >= 1
        with pytest.raises(ParityError, match=r"model.tflite \(reconstruct\) is off by 0.*the model is useless"):
            zoo.export(model, tmp_path / "gross", calibration=x[:1000] * 0.05, **options)
        with pytest.raises(ParityError, match="allowed is 0.001"):
            zoo.export(model, tmp_path / "gross", calibration=x[:1000], tolerance=0.001, **options)
        assert not (tmp_path / "gross").exists()
