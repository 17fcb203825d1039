"""zoo.lite.Stream: the scores of windows cut offline, alarms of k of n, gaps, and what is refused."""

import math
import subprocess
import sys
import tracemalloc

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError, ExportError, UnknownNameError
from zoo.engine.contract import Contract
from zoo.lite import Stream

SHAPES = {"flat": (20,), "channels": (20, 3)}


class Model:
    """Scores a window with its largest value."""

    signatures = ("score",)

    def __init__(self, shape=(4,), dtype="float32", *, unit_range=False, threshold=1.0, **facts):
        self.input_shape, self.contract = shape, Contract(shape, dtype, unit_range, **facts)
        self.threshold = threshold

    def score(self, x):
        assert x.shape == (1, *self.input_shape)
        assert x.dtype == self.contract.dtype
        assert np.isfinite(x).all()
        return x.reshape(1, -1).max(axis=1).astype("float32")


def chunks(samples, pieces):
    return np.split(samples, np.sort(np.random.default_rng(pieces).integers(0, len(samples) + 1, pieces)))


def pushed(stream, parts):
    return [window for part in parts for window in stream.push(part)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model without channel axis and one of three channels, in Keras and as both kinds of file."""
    root, models = tmp_path_factory.mktemp("exported"), {}
    for name, shape in SHAPES.items():
        model = zoo.feed_forward(shape, 4, (16,), output_activation="linear")
        zoo.export(model, root / name, ("tflite", "onnx"), threshold=1.0)
        models |= {
            f"{name} keras": model,
            f"{name} tflite": zoo.lite.load(root / name / "model.tflite"),
            f"{name} onnx": zoo.lite.load(root / name / "model.onnx"),
        }
    zoo.export(zoo.feed_forward((20,), 4, (16,), output_activation="linear"), root / "batch", "tflite", batch_size=7)
    models["flat batches"] = zoo.lite.load(root / "batch" / "model.tflite")
    return models


@pytest.mark.parametrize("kind", ["flat batches", *(f"{s} {k}" for s in SHAPES for k in ("keras", "tflite", "onnx"))])
@pytest.mark.parametrize("hop", [1, 7, 20, 33])
def test_scores_are_those_of_windows_cut_offline(exported, kind, hop):
    model = exported[kind]
    signal = np.random.default_rng(0).normal(size=(100, *SHAPES[kind.split()[0]][1:])).astype("float32")
    starts = list(range(0, 81, hop))
    expected = [model.score(signal[None, start : start + 20])[0] for start in starts]
    for parts in ([signal], list(np.split(signal, 100)), chunks(signal, 30), [signal[:19], signal[19:]]):
        windows = pushed(Stream(model, hop=hop, threshold=1.2, sampling_rate=50), parts)
        assert [w.start for w in windows] == starts
        assert [w.time for w in windows] == [start / 50 for start in starts]
        np.testing.assert_array_equal(np.float32([w.score for w in windows]), expected)
        assert [w.is_anomaly for w in windows] == [w.alarm for w in windows] == list(np.array(expected) > 1.2)
    stream = Stream(model, hop=hop, threshold=1.2, sampling_rate=50)
    assert list(stream.follow(chunks(signal, 5))) == windows


def test_what_a_sample_may_be(exported):
    stream = Stream(exported["flat tflite"])
    for samples in (0.5, [0.5, 1.5], np.float64(2), np.zeros((3, 1)), np.zeros(0), [], np.float16([1, 2])):
        assert stream.push(samples) == []
    assert (stream.received, stream.due) == (9, 11)
    assert Stream(exported["channels tflite"]).push(np.zeros((0, 3), "float32")) == []
    whole = Stream(Model(dtype="int16"))
    assert whole.push(np.int16([-9, 300, -7, 5]))[0].score == 300


def test_hop_is_the_length_by_default():
    assert [w.start for w in Stream(Model()).push(np.zeros(13))] == [0, 4, 8]


def alarms(scores, k, n, **options):
    return "".join(str(int(w.alarm)) for w in Stream(Model((1,)), k=k, n=n, **options).push(np.float32(scores)))


def test_alarms():
    scores = [0, 2, 0, 2, 2, 0, 0, 0, 1, 2]  # the threshold itself, 1, is no anomaly
    assert alarms(scores, 1, 1) == "0101100001"
    assert alarms(scores, 2, 2) == "0000100000"
    assert alarms(scores, 2, 3) == "0001110000"
    assert alarms(scores, 1, 3) == "0111111001"
    assert alarms(scores, 1, 1, threshold=3) == alarms(scores, 1, 1, threshold=math.inf) == "0" * 10
    assert alarms(scores, 2, 3, latched=True) == "0001111111"
    # float32 scores are compared as `is_anomaly` compares them: 0.1 is not above 0.1.
    assert alarms([0.1], 1, 1, threshold=0.1) == "0"


def test_acknowledge_and_reset():
    stream = Stream(Model((1,)), k=2, n=3, latched=True)
    assert [w.alarm for w in stream.push(np.float32([2, 2, 0]))] == [False, True, True]
    stream.acknowledge()
    assert [(w.start, w.alarm) for w in stream.push(np.float32([2, 0, 2]))] == [(3, False), (4, False), (5, True)]
    stream = Stream(Model(), hop=3, k=1, n=9)
    first = pushed(stream, chunks(np.arange(20.0), 4))
    stream.push(np.float32([np.nan, 1]))
    stream.reset()
    assert (stream.received, stream.due) == (0, 4)
    assert pushed(stream, chunks(np.arange(20.0), 4)) == first


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_windows_that_touch_what_is_no_number(bad):
    signal = np.full(20, 2.0)
    signal[[6, 7, 13]] = bad
    for parts in ([signal], np.split(signal, 20), chunks(signal, 3)):
        windows = pushed(Stream(Model(sampling_rate=10), hop=2, k=2, n=2), parts)
        assert {w.start: w.missing for w in windows if w.missing} == {4: 6, 6: 6, 10: 13, 12: 13}
        assert [math.isnan(w.score) for w in windows] == [w.missing is not None for w in windows]
        assert not any(w.is_anomaly for w in windows if w.missing)
        # Such windows count as none of the n: the alarm stays as it was.
        assert "".join(str(int(w.alarm)) for w in windows) == "011111111"
    stream = Stream(Model((4, 2), sampling_rate=10), gaps="refuse")
    stream.push(np.zeros((5, 2)))
    two = np.zeros((4, 2))
    two[2, 1] = bad
    with pytest.raises(DataError, match=r"Sample 7 of the stream \(0\.7 s\) is NaN or infinite: \[ *0\. +[-a-z]+\]"):
        stream.push(two)
    assert stream.received == 5
    with pytest.raises(DataError, match="Samples 5 to 7 of the stream are missing"):
        stream.gap(3)


def test_gap():
    """The same as that many NaNs, also where a model's integers have none."""
    signal = np.arange(40, dtype="int16") % 7
    floats = signal.astype("float64")
    floats[11:25] = np.nan
    expected = Stream(Model(), hop=3).push(floats)
    for dtype, parts in (("int16", signal), ("float32", signal.astype("float32"))):
        stream = Stream(Model(dtype=dtype), hop=3)
        windows = stream.push(parts[:11]) + stream.gap(14) + stream.push(parts[25:])
        assert list(map(repr, windows)) == list(map(repr, expected))
    assert [w.missing for w in windows] == [None] * 3 + [11, 12, 15, 18, 21, 24] + [None] * 4
    with pytest.raises(ConfigError, match="count must be a whole number of at least 1. Received: count=0"):
        stream.gap(0)


def test_memory_does_not_grow():
    stream = Stream(Model((500, 2)), hop=100)
    chunk = np.zeros((1000, 2), "float32")

    def peak(times):
        tracemalloc.start()
        for _ in range(times):
            stream.push(chunk)
        return tracemalloc.get_traced_memory()[1], tracemalloc.stop()

    few, many = peak(20)[0], peak(2000)[0]
    assert many < few + 2000, (few, many)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hop": 0}, ConfigError, "hop must be a whole number of at least 1. Received: hop=0"),
        ({"hop": 2.5}, ConfigError, "hop must be a whole number"),
        ({"k": 0}, ConfigError, "k must be a whole number of at least 1"),
        ({"k": 3, "n": 2}, ConfigError, "k must not exceed n. Received k=3, n=2"),
        ({"k": 2}, ConfigError, "Received k=2, n=1"),
        ({"threshold": math.nan}, ConfigError, r"threshold must be a number in \[0, inf\]"),
        ({"threshold": -1}, ConfigError, "threshold must be a number"),
        ({"gaps": "fill"}, UnknownNameError, "Unknown way to treat gaps 'fill'.*'refuse', 'skip'"),
        ({"sampling_rate": 0}, ConfigError, "sampling_rate must be a number"),
        ({"sampling_rate": 16000}, DataError, "sampling rate of 16000 Hz, the model takes 8000 Hz: resample"),
    ],
)
def test_arguments(options, error, message):
    with pytest.raises(error, match=message):
        Stream(Model(sampling_rate=8000), **options)


def test_models(tmp_path):
    with pytest.raises(ConfigError, match=r"carries no anomaly threshold: pass threshold= \(math.inf for scores"):
        Stream(Model(threshold=None))
    with pytest.raises(ConfigError, match=r"expected samples of shape \(length,\) or .* model that takes \(8, 8, 1\)"):
        Stream(Model((8, 8, 1)))
    zoo.export(zoo.feed_forward((8,), 2, (4,)).encoder, tmp_path, "tflite")
    with pytest.raises(ExportError, match="file with the signature 'score'. This one has encode: export the whole"):
        Stream(zoo.lite.load(tmp_path / "model.tflite"), threshold=1)
    assert Stream(Model(sampling_rate=8000)).sampling_rate == 8000
    assert Stream(Model(sampling_rate=8000), sampling_rate=np.float32(8000)).sampling_rate == 8000


@pytest.mark.parametrize(
    ("shape", "dtype", "samples", "message"),
    [
        ((4,), "float32", np.zeros((5, 2)), r"expected \(t, 1\) or \(t,\), channels last. Received \(5, 2\)"),
        ((4,), "float32", np.zeros((1, 9)), r"Received \(1, 9\). Transpose them: samples.T"),
        ((4, 3), "float32", np.zeros((3, 9)), r"expected \(t, 3\), channels last.*Transpose them: samples.T"),
        ((4, 3), "float32", np.zeros(3), r"One sample of all channels is samples\[None\]"),
        ((4, 3), "float32", np.zeros(7), r"Received \(7,\)\.$"),
        ((4,), "float32", np.zeros((2, 2, 2)), "wrong shape"),
        ((4,), "float32", np.zeros(9, "int16"), r"dtype float32. Received int16. Multiply integers by what.*1/32768"),
        ((4,), "float32", [1, 2], r"Received int64.*samples.astype\('float32'\)"),
        ((4,), "float32", ["a"], "dtype float32. Received <U1"),
        ((4,), "float32", [[1.0], [2.0, 3.0]], "samples is no array"),
        ((4,), "float32", np.zeros(9, "complex64"), "Received complex64"),
        ((4,), "int16", np.zeros(9), "dtype int16. Received float"),
        ((4,), "int16", np.zeros(9, "uint8"), "dtype int16. Received uint8"),
    ],
)
def test_samples_that_do_not_fit(shape, dtype, samples, message):
    stream = Stream(Model(shape, dtype))
    with pytest.raises(DataError, match=message):
        stream.push(samples)
    assert stream.received == 0
    stream = Stream(Model(scale=0.005, unit="mV"))
    with pytest.raises(DataError, match=r"Received int16. Multiply integers by 0.005, to be in mV; or export"):
        stream.push(np.zeros(9, "int16"))


def test_samples_out_of_range():
    stream = Stream(Model(unit_range=True))
    stream.push(np.float32([0, 1, np.nan]))
    with pytest.raises(DataError, match=r"samples lies outside \[0, 1\].* Received values from 0 to 2"):
        stream.push(np.float32([0, 2, np.nan]))
    assert stream.received == 3


def test_a_detector_with_preprocessing_that_takes_integers(tmp_path):
    """From the counts of a converter to the score: the model knows rate, unit and threshold."""
    signal = np.random.default_rng(0).integers(-900, 900, 200, dtype="int16")
    model = zoo.detector(
        zoo.preprocessed(
            zoo.feed_forward((20,), 4, (16,), output_activation="linear"),
            zoo.preprocessing.PerWindowStandardize(),
            sampling_rate=180,
            unit="mV",
            raw=zoo.preprocessing.Rescale(1 / 200, integers="int16"),
        ),
        threshold=1.0,
    )
    zoo.export(model, tmp_path / "raw", "tflite", raw_input=True)
    zoo.export(model, tmp_path / "float", "tflite")
    raw = Stream(zoo.lite.load(tmp_path / "raw" / "model.tflite"), hop=7)
    windows = pushed(raw, chunks(signal, 9))
    assert (raw.dtype, raw.sampling_rate, raw.threshold) == (np.int16, 180, 1.0)
    assert [w.time for w in windows] == [start / 180 for start in range(0, 181, 7)]
    expected = model.score(np.stack([signal[w.start : w.start + 20] for w in windows]) / np.float32(200))
    for other in (model, zoo.lite.load(tmp_path / "float" / "model.tflite")):
        floats = pushed(Stream(other, hop=7, sampling_rate=180), chunks(signal / 200, 9))
        for found in (windows, floats):
            np.testing.assert_allclose([w.score for w in found], expected, rtol=1e-4)
            # Of its own scores: one that all but meets the threshold may lie on the other side in another runtime.
            assert [w.is_anomaly for w in found] == [w.score > 1.0 for w in found]
        assert {w.is_anomaly for w in windows} == {False, True}
        with pytest.raises(DataError, match=r"Received int16. Multiply integers by 0.005, to be in mV"):
            Stream(other).push(signal)
        with pytest.raises(DataError, match="sampling rate of 360 Hz, the model takes 180 Hz"):
            Stream(other, sampling_rate=360)
    with pytest.raises(DataError, match="dtype int16. Received float32"):
        raw.push(signal / 200)


def test_needs_no_tensorflow(tmp_path):
    zoo.export(zoo.feed_forward((8,), 2, (4,)), tmp_path, "tflite", threshold=0.1)
    code = (
        "import sys, numpy, zoo;"
        f"stream = zoo.lite.Stream(zoo.lite.load({str(tmp_path / 'model.tflite')!r}), hop=2);"
        "print(len(stream.push(numpy.zeros(20))), 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == [
        "7", "False", "False",
    ]  # fmt: skip


def test_alarm_where_other_windows_stand():
    """A model of zeros watches a signal made of the rows of digits: zeros, ones, zeros."""
    source = zoo.data.load("digits")
    keras.utils.set_random_seed(0)
    images, labels = source.pixels().reshape(-1, 64), source.labels
    model = zoo.feed_forward((64,), 8, (32,))
    model.fit(images[labels == 0], epochs=60, verbose=0)
    threshold = zoo.threshold(model, images[labels == 0], 0.99)
    signal = np.concatenate([images[labels == 0][:6], images[labels == 1][:6], images[labels == 0][6:12]]).reshape(-1)
    found = [w.alarm for w in pushed(Stream(model, threshold=threshold, k=2, n=3), chunks(signal, 9))]
    assert found == [False] * 7 + [True] * 6 + [False] * 5
