"""What float32 can do: models that are ill-conditioned, and models of another precision."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.errors import ExportError, ParityError
from zoo.exporting import precision
from zoo.exporting.formats import FORMATS


@pytest.fixture(scope="module")
def ill_conditioned():
    """The network of MLPerf Tiny in the situation that makes float32 fail: (model, samples).

    The kernels of the first layer see almost nothing of the samples, sums of 640 products of size 30 that cancel; the
    normalisation blows the rest up.
    """
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    model = zoo.feed_forward((640,), 8, (128,) * 4, batch_normalization=True, output_activation="linear")
    mean, directions = random.uniform(-67, 2, 640), random.normal(size=(6, 640)) * 3
    seen = np.linalg.qr(np.vstack([mean, directions]).T)[0]
    x = mean + random.normal(size=(1500, 6)) @ directions + 3e-3 * random.normal(size=(1500, 640))
    h = x.astype("float32").astype("float64")
    for layer in [*model.encoder.layers, *model.decoder.layers]:
        if isinstance(layer, keras.layers.Dense):
            kernel = layer.kernel.numpy() / np.linalg.norm(layer.kernel.numpy(), axis=0)
            if layer is model.encoder.layers[1]:
                kernel -= seen @ (seen.T @ kernel)
            layer.kernel.assign(kernel)
            layer.bias.assign(mean if layer.name == "output" else random.normal(size=layer.units))
            h = h @ layer.kernel.numpy().astype("float64") + layer.bias.numpy()
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(h.mean(axis=0))
            layer.moving_variance.assign(h.var(axis=0))
            layer.gamma.assign(np.full(h.shape[1], 10 if layer is model.encoder.layers[2] else 1))
            h = (h - layer.moving_mean.numpy()) / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
            h = h * layer.gamma.numpy()
        elif isinstance(layer, keras.layers.Activation):
            h = np.maximum(h, 0)
    return model, x[:300].astype("float32")


def test_a_file_is_judged_by_what_float32_can_deliver(ill_conditioned, tmp_path):
    model, x = ill_conditioned
    exact = precision.copied(model, "float64").reconstruct(x).astype("float64")
    own = np.abs(model.reconstruct(x) - exact)
    ordinary = 1e-5 * np.abs(exact).max()
    assert own.max() > 10 * ordinary  # Keras itself fails the ordinary tolerance
    report = zoo.export(model, tmp_path, ("tflite", "onnx"), samples=x)
    for name, file in report.files.items():
        outputs = FORMATS[name].open(tmp_path / file.file).run("reconstruct", x)
        difference = np.abs(outputs.astype("float64") - model.reconstruct(x))
        assert difference.max() > 5 * ordinary
        assert np.abs(outputs - exact).max() < 2 * own.max()  # no worse than Keras
        judged = file.signatures["reconstruct"]
        assert judged.max_difference == pytest.approx(difference.max(), rel=1e-6)
        assert judged.tolerance == pytest.approx(4 * own.max(), rel=1e-3)
        assert judged.reason == "4 times Keras' own distance from float64"
    stored = json.loads((tmp_path / "report.json").read_text())["files"]["tflite"]["signatures"]
    assert stored["decode"]["reason"] == "1e-5 of the largest output"  # well conditioned
    assert stored["decode"]["tolerance"] == pytest.approx(ordinary, rel=1e-2)
    assert stored["reconstruct"]["reason"] == "4 times Keras' own distance from float64"
    with pytest.raises(ParityError, match=r"allowed is 0.0007 \(given\)"):
        zoo.export(model, tmp_path, "tflite", samples=x, tolerance=0.0007)


def _lost_bias(model):
    return model.encoder.layers[4].bias, lambda value: np.zeros_like(value)


def _one_lost_bias(model):
    return model.encoder.layers[4].bias, lambda value: np.where(np.arange(len(value)) == 3, 0, value)


def _transposed_kernel(model):
    return model.decoder.layers[4].kernel, np.transpose


def _swapped_units(model):
    return model.encoder.layers[1].kernel, lambda value: value[:, [1, 0, *range(2, value.shape[1])]]


def _wrong_epsilon(model):
    """1e-3 becomes 2e-3 in the first normalisation: as if its variances were larger."""
    return model.encoder.layers[2].moving_variance, lambda value: value + 1e-3


def _batch_statistics(model):
    return model.decoder.layers[2].moving_mean, lambda value: value * 0.9


@pytest.mark.parametrize(
    "mistake", [_lost_bias, _one_lost_bias, _transposed_kernel, _swapped_units, _wrong_epsilon, _batch_statistics]
)
def test_a_mistake_is_still_refused(ill_conditioned, mistake, monkeypatch, tmp_path):
    model, x = ill_conditioned

    def write(target, path, plan):
        weight, spoil = mistake(model)
        right = weight.numpy()
        weight.assign(spoil(right))
        try:
            return original(target, path, plan)
        finally:
            weight.assign(right)

    original = FORMATS["onnx"].write
    monkeypatch.setitem(FORMATS, "onnx", dataclasses.replace(FORMATS["onnx"], write=write))
    with pytest.raises(ParityError, match="differs from Keras by"):
        zoo.export(model, tmp_path / "out", "onnx", samples=x)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precisions_are_exported_in_float32(policy, digits, mnist_like, tmp_path):
    x = digits.samples[:100]
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(0)
        models = {
            "dense": zoo.feed_forward((8, 8, 1), 4, (12,), batch_normalization=True),
            "tied": zoo.convolutional((8, 8, 1), 4, (3,), tied_weights=True),
            "top-k": zoo.sparse(zoo.feed_forward((8, 8, 1), 9), zoo.sparsity.TopK(3)),
        }
        models["encoder"] = models["dense"].encoder
        models["classifier"] = zoo.classifier(models["dense"].encoder, 10)
        # Half precisions have 11 and 8 bits; TopK may choose another unit.
        allowed = {"mixed_float16": 5e-3, "mixed_bfloat16": 4e-2, "float64": 1e-5}[policy]
        for name, model in models.items():
            formats = ("tflite", "onnx") if name in ("dense", "classifier") else "tflite"
            report = zoo.export(model, tmp_path / name, formats, samples=x)
            assert report.dtype_policy == policy
            assert json.loads((tmp_path / name / "report.json").read_text())["dtype_policy"] == policy
            expected = model.reconstruct(x) if hasattr(model, "reconstruct") else model.predict(x, verbose=0)
            for file in report.files.values():
                outputs = zoo.lite.load(tmp_path / name / file.file)(x)
                assert outputs.dtype == np.float32
                differences = np.abs(outputs - np.asarray(expected, "float32"))
                assert np.quantile(differences, 0.9 if name == "top-k" else 1) < allowed, (name, file)
        with pytest.raises(ExportError, match=f"has the dtype policy '{policy}'.*copies such a model into float32"):
            zoo.export(models["tied"].decoder, tmp_path / "decoder")
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy("float32")
    assert zoo.export(zoo.feed_forward((8, 8, 1), 4), tmp_path / "plain", "onnx").dtype_policy == "float32"


def test_not_inside_the_scope_of_a_strategy(tmp_path):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = zoo.feed_forward((8, 8, 1), 4)
        with pytest.raises(ExportError, match="inside the scope of a tf.distribute strategy: call it after the with"):
            zoo.export(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report = zoo.export(model, tmp_path / "out", "tflite")
    assert report.files["tflite"].max_difference < 1e-5
