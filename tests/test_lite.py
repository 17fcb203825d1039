import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.core.errors import ConfigError, DataError, DataNotFoundError, ExportError

NAME = "mnist-feed-forward-8"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    zoo.export(zoo.load(NAME), root / "whole", formats=("tflite", "onnx"), threshold=0.014)
    zoo.export(zoo.load_encoder(NAME), root / "encoder", formats=("tflite", "onnx"))
    zoo.export(zoo.load(NAME), root / "batches", formats="tflite", batch_size=7)
    return root


@pytest.mark.parametrize("file", ["whole/model.tflite", "whole/model.onnx", "batches/model.tflite"])
@pytest.mark.parametrize("threads", [1, 2])
def test_verbs_equal_keras_on_batches_and_single_samples(exported, mnist_like, file, threads):
    model, x = zoo.load(NAME), mnist_like[:30]
    lite = zoo.lite.load(exported / file, threads=threads)
    assert (lite.input_shape, lite.latent_shape, lite.output_name) == ((28, 28, 1), (8,), "reconstruction")
    assert lite.dtype == np.float32
    expected = {
        "encode": (x, model.encode(x)),
        "decode": (model.encode(x), model.reconstruct(x)),
        "reconstruct": (x, model.reconstruct(x)),
        "score": (x, model.reconstruction_error(x)),
    }
    if file.endswith(".onnx"):
        del expected["decode"]
    assert set(lite.signatures) == set(expected)
    assert lite.signatures[0] == "reconstruct"
    for verb, (inputs, outputs) in expected.items():
        results = getattr(lite, verb)(inputs)
        np.testing.assert_allclose(results, outputs, atol=1e-5)
        assert results.dtype == np.float32
        single = getattr(lite, verb)(inputs[3])
        assert single.shape == outputs.shape[1:]
        np.testing.assert_allclose(single, results[3], atol=1e-6)
    np.testing.assert_array_equal(lite(x), lite.reconstruct(x))


@pytest.mark.parametrize("file", ["model.tflite", "model.onnx"])
def test_threshold_travels(exported, mnist_like, file):
    lite = zoo.lite.load(exported / "whole" / file)
    assert lite.threshold == 0.014
    scores = zoo.load(NAME).reconstruction_error(mnist_like[:200])
    assert 20 < (scores > 0.014).sum() < 180
    np.testing.assert_array_equal(lite.is_anomaly(mnist_like[:200]), scores > 0.014)
    np.testing.assert_array_equal(lite.is_anomaly(mnist_like[:200], threshold=0.02), scores > 0.02)
    assert lite.is_anomaly(mnist_like[0]) == (scores[0] > 0.014)
    assert lite.is_anomaly(mnist_like[0]).shape == ()


def test_needs_no_tensorflow(exported):
    code = (
        "import sys, numpy, zoo;"
        f"m = zoo.lite.load({str(exported / 'whole' / 'model.tflite')!r});"
        "x = numpy.ones((3, 28, 28, 1), 'float32');"
        "print(m.decode(m.encode(x)).shape, m.is_anomaly(x).shape, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "(3, 28, 28, 1) (3,) False False"


def test_command_is_fast_and_needs_no_tensorflow(exported, mnist_like, tmp_path):
    """From a cold start to the codes of three images in under 0.8 s of computing: the least of several runs."""
    for number, image in enumerate(mnist_like[:3]):
        Image.fromarray(np.rint(image[..., 0] * 255).astype("uint8")).save(tmp_path / f"{number}.png")
    file = exported / "whole" / "model.tflite"
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "zoo.cli", "encode", file, tmp_path, "-o", tmp_path / "codes.npy"], check=True
        )
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))  # of the processes that ended
    pixels = np.rint(mnist_like[:3] * 255).astype("float32") / 255
    np.testing.assert_allclose(np.load(tmp_path / "codes.npy"), zoo.load(NAME).encode(pixels), atol=1e-5)
    assert min(seconds) < 0.8


def test_errors_of_loading(exported, tmp_path):
    with pytest.raises(DataNotFoundError, match="No such file"):
        zoo.lite.load(tmp_path / "absent.tflite")
    with pytest.raises(ExportError, match="Expected a .tflite or .onnx file"):
        zoo.lite.load(tmp_path / "model.h5")
    whole = (exported / "whole" / "model.tflite").read_bytes()
    for name, content in (
        ("broken.tflite", b"not a model at all"),
        ("broken.onnx", b"not a model at all"),
        ("empty.tflite", b""),
        ("cut.tflite", whole[: len(whole) // 2]),
    ):
        (tmp_path / name).write_bytes(content)
        damage = "is not what its seal says" if name == "cut.tflite" else "carries no seal: it was exported by an older"
        with pytest.raises(ExportError, match=damage):
            zoo.lite.load(tmp_path / name)
        with pytest.raises(ExportError, match="is not a model that its runtime can load"):
            zoo.lite.load(tmp_path / name, trust="unsealed")
    with pytest.raises(ConfigError, match="threads must be a whole number of at least 1. Received: threads=0"):
        zoo.lite.load(exported / "whole" / "model.tflite", threads=0)


@pytest.mark.parametrize("file", ["whole/model.tflite", "whole/model.onnx", "batches/model.tflite"])
@pytest.mark.parametrize("threads", [1, 2])
def test_eight_threads_have_one_model(exported, mnist_like, file, threads):
    """Each with its own samples and its own verb, all at once, many times: nobody gets another's numbers."""
    lite = zoo.lite.load(exported / file, threads=threads)
    verbs = [name for name in lite.signatures if name != "decode"] * 8
    samples = [mnist_like[start : start + 9] for start in range(0, 72, 9)]
    expected = [getattr(lite, verb)(x) for verb, x in zip(verbs, samples, strict=False)]
    ready = threading.Barrier(8)

    def run(number):
        ready.wait()
        for _ in range(40):
            outputs = getattr(lite, verbs[number])(samples[number])
            np.testing.assert_allclose(outputs, expected[number], rtol=0, atol=1e-6)
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(8))) == list(range(8))


_FORKING = """
import os, sys, threading, time, numpy, zoo
path, threads = sys.argv[1], int(sys.argv[2])
if threads:
    model = zoo.lite.load(path, threads=threads)
    x = numpy.load(sys.argv[3])
    expected = model.encode(x)
    busy = threading.Thread(target=lambda: [model.encode(x) for _ in range(10**9)], daemon=True)
    busy.start()  # so that the lock, where there is one, is held at the moment of the fork
else:
    import zoo.lite
for number in range(6):
    child = os.fork()
    if not child:
        if not threads:
            model = zoo.lite.load(path)
            model(numpy.zeros((1, *model.input_shape), "float32"))
        elif number % 2:
            assert numpy.array_equal(model.encode(x), expected)
        sys.exit(7)  # with everything that Python and the runtimes do at the end
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    assert done, "it hangs"
    assert os.waitstatus_to_exitcode(status) == 7, os.waitstatus_to_exitcode(status)
print("sound", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
@pytest.mark.parametrize("file", ["model.tflite", "model.onnx"])
@pytest.mark.parametrize("threads", [0, 1, 4])
def test_fork(exported, mnist_like, tmp_path, file, threads):
    """After the import, and after loading, in the middle of another thread's call; the child computes, or just ends."""
    np.save(tmp_path / "x.npy", mnist_like[:20])
    command = [sys.executable, "-c", _FORKING, exported / "whole" / file, str(threads), tmp_path / "x.npy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (done.stdout.strip(), done.returncode) == ("sound", 0), done.stderr


@pytest.mark.parametrize("file", ["model.tflite", "model.onnx"])
def test_errors_of_running(exported, mnist_like, file):
    encoder = zoo.lite.load(exported / "encoder" / file)
    np.testing.assert_array_equal(encoder(mnist_like[:3]), encoder.encode(mnist_like[:3]))
    for verb in ("decode", "reconstruct", "score", "is_anomaly"):
        with pytest.raises((ExportError, ConfigError), match="no signature '|carries no anomaly threshold"):
            getattr(encoder, verb)(mnist_like[:3])
    with pytest.raises(ExportError, match="no signature 'score', only 'encode'. Export the whole Autoencoder"):
        encoder.is_anomaly(mnist_like[:3], threshold=0.1)
    for spoiled, message in (
        (mnist_like[:2, :, :, 0], "Add the channel axis"),
        (mnist_like[:2, :20], r"expected \(samples, 28, 28, 1\). Received \(2, 20, 28, 1\)"),
        (np.zeros((5, 5)), r"expected \(samples, 28, 28, 1\). Received \(5, 5\)"),
        ((mnist_like[:2] * 255).astype("uint8"), "integer pixels"),
        (mnist_like[:2] * 255, "outside .0, 1."),
        (mnist_like[:2] * np.nan, "NaN or infinite"),
        (mnist_like[:2].astype(str), "not numeric"),
        (mnist_like[:0], "empty"),
    ):
        with pytest.raises(DataError, match=message):
            encoder(spoiled)
    whole = zoo.lite.load(exported / "whole" / file)
    if "decode" in whole.signatures:
        with pytest.raises(DataError, match=r"expected \(samples, 8\). Received \(4, 9\)"):
            whole.decode(np.zeros((4, 9), "float32"))
        assert whole.decode(np.full((4, 8), 7, "float32")).shape == (4, 28, 28, 1)  # latent features have no range


def test_samples_of_any_range_for_a_linear_output(tmp_path):
    """What the file knows of its samples: no [0, 1] for a model with a linear output."""
    model = zoo.feed_forward((16,), 3, output_activation="linear")
    zoo.export(model, tmp_path, ("tflite", "onnx"))
    x = np.random.default_rng(0).normal(scale=30, size=(9, 16)).astype("float32")
    for file in ("model.tflite", "model.onnx"):
        np.testing.assert_allclose(zoo.lite.load(tmp_path / file).score(x), model.reconstruction_error(x), rtol=1e-5)
