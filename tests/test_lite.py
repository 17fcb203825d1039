import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo.errors import DataError, DataNotFoundError, ExportError


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    zoo.export(zoo.load_encoder("mnist-feed-forward-8"), root / "encoder", formats=("tflite", "onnx"))
    zoo.export(zoo.load("mnist-feed-forward-8"), root / "whole", formats=("tflite", "onnx"))
    return root


@pytest.mark.parametrize("file", ["model.tflite", "model.onnx"])
def test_verbs_equal_keras(exported, mnist_like, file):
    model, x = zoo.load("mnist-feed-forward-8"), mnist_like[:30]
    encoder = zoo.lite.load(exported / "encoder" / file)
    assert (encoder.input_shape, encoder.output_name) == ((28, 28, 1), "latent")
    np.testing.assert_allclose(encoder.encode(x), model.encode(x), atol=1e-5)
    np.testing.assert_array_equal(encoder(x), encoder.encode(x))
    whole = zoo.lite.load(exported / "whole" / file, threads=2)
    np.testing.assert_allclose(whole.reconstruct(x), model.reconstruct(x), atol=1e-5)
    with pytest.raises(ExportError, match="returns 'reconstruction', not 'latent'"):
        whole.encode(x)


def test_needs_no_tensorflow(exported):
    code = (
        "import sys, numpy, zoo;"
        f"z = zoo.lite.load({str(exported / 'encoder' / 'model.tflite')!r})(numpy.ones((3, 28, 28, 1), 'float32'));"
        "print(z.shape, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "(3, 8) False False"


def test_errors(exported, tmp_path, mnist_like):
    with pytest.raises(DataNotFoundError, match="No such file"):
        zoo.lite.load(tmp_path / "absent.tflite")
    with pytest.raises(ExportError, match="Expected a .tflite or .onnx file"):
        zoo.lite.load(tmp_path / "model.h5")
    for name in ("broken.tflite", "broken.onnx"):
        (tmp_path / name).write_bytes(b"not a model at all")
        with pytest.raises(ExportError, match="is not a model that its runtime can load"):
            zoo.lite.load(tmp_path / name)
    encoder = zoo.lite.load(exported / "encoder" / "model.tflite")
    for spoiled, message in (
        (mnist_like[:2, :, :, 0], "Add the channel axis"),
        ((mnist_like[:2] * 255).astype("uint8"), "integer pixels"),
        (mnist_like[:0], "empty"),
    ):
        with pytest.raises(DataError, match=message):
            encoder(spoiled)
