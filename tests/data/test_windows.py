import subprocess
import sys

import numpy as np
import pytest
import soundfile

import zoo
from zoo.core.errors import ConfigError, DataError, DataNotFoundError
from zoo.data import Series, Stream, windows
from zoo.engine import inputs
from zoo.engine.contract import Contract

_VALUES = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")


@pytest.fixture
def series():
    return Series(_VALUES.copy(), 50.0, "g", channels=("x", "y", "z"), name="pump")


@pytest.mark.parametrize(
    ("length", "hop", "count"), [(10, None, 10), (10, 3, 31), (100, 1, 1), (7, 20, 5), (1, 1, 100)]
)
def test_what_a_window_holds(series, length, hop, count):
    source = windows(series, length, hop)
    assert (len(source), source.shape) == (count, (length, 3))
    for number in range(count):
        begin = number * (hop or length)
        np.testing.assert_array_equal(source.samples[number], _VALUES[begin : begin + length])
    assert (source.sampling_rate, source.unit, source.channels, source.name) == (50.0, "g", ("x", "y", "z"), "pump")
    assert source.labels is None
    assert np.shares_memory(source.samples, series.values)
    stream = windows(series, length, hop, stream=True)
    assert (len(stream), stream.shape, stream.channels) == (count, (length, 3), ("x", "y", "z"))
    np.testing.assert_array_equal(np.concatenate(list(stream.batches(4))), source.samples)
    assert sorted(map(bytes, np.concatenate(list(stream.batches(4, seed=1))))) == sorted(map(bytes, source.samples))
    if count > 1:
        np.testing.assert_array_equal(stream.part(1, 3).head(9).samples, source.samples[1:3])


def test_channels(series):
    for channels, numbers in ((("z", "x"), [2, 0]), ([1], [1]), ("y", [1]), (["x", 2, "y"], [0, 2, 1])):
        for stream in (False, True):
            found = windows(series, 10, channels=channels, stream=stream)
            samples = found.head(99).samples if stream else found.samples
            np.testing.assert_array_equal(samples, _VALUES[:, numbers].reshape(10, 10, -1))
            assert found.channels == tuple("xyz"[number] for number in numbers)
    for channels, message in (
        (["w"], r"pump has no channel 'w': it has the channels \['x', 'y', 'z'\], and 3 in all"),
        ([3], "pump has no channel 3"),
        ([-1], "pump has no channel -1"),
        (["x", 0], "each once"),
        ([], "at least one channel"),
    ):
        with pytest.raises(DataError, match=message):
            windows(series, 10, channels=channels)
    with pytest.raises(DataError, match="array has no channel 'x': it has no names of channels, and 3 in all"):
        windows(_VALUES, 10, channels=["x"])


def test_flat(series):
    for stream in (False, True):
        found = windows(series, 10, 5, channels=["y"], flat=True, stream=stream)
        assert found.shape == (10,)
        samples = found.head(99).samples if stream else found.samples
        np.testing.assert_array_equal(samples[3], _VALUES[15:25, 1])
    with pytest.raises(DataError, match=r"flat needs a single channel: pass channels=\[...\]. pump has 3"):
        windows(series, 10, flat=True)


def test_double_precision_is_given_up_once():
    source = windows(np.arange(20.0), 4, 1)
    assert source.samples.dtype == np.float32
    assert source.samples.strides == (4, 4, 4)  # overlapping windows share their memory


def test_integers_keep_their_scale():
    counts = np.arange(20, dtype="int16")
    source = windows(Series(counts, 10.0, "mV", scale=0.5), 4)
    assert (source.samples.dtype, source.scale, source.shape) == (np.int16, 0.5, (4, 1))
    assert source.values()[1, :, 0].tolist() == [2, 2.5, 3, 3.5]
    stream = windows(Series(counts, 10.0, "mV", scale=0.5), 4, stream=True)
    assert next(stream.batches(2)).dtype == np.int16
    assert next(stream.value_batches(2))[1, :, 0].tolist() == [2, 2.5, 3, 3.5]


def test_labels(series):
    labels = np.zeros(100, "int64")
    labels[[9, 55]] = (1, 3)
    for stream in (False, True):
        for given in (windows(series, 10, labels=labels, stream=stream), windows(series, 10, labels=labels > 0)):
            found = given.head(99) if isinstance(given, Stream) else given
            assert found.labels.tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]
            assert (found.class_names, found.normal_class) == (("normal", "anomalous"), 0)
    source = windows(series, 10, 9, labels=labels)  # its first two windows both hold moment 9
    assert source.labels.tolist() == [1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert len(source.normals()) == 8
    np.testing.assert_array_equal(source.normals(False).samples[2], _VALUES[54:64])
    with pytest.raises(DataError, match=r"expected labels, integers \(time,\), of 100 moments.*shape \(99,\)"):
        windows(series, 10, labels=labels[1:])


class TestGaps:
    def test_missing_values(self, series):
        series.values[[31, 77], [1, 2]] = (np.nan, np.inf)
        for stream in (False, True):
            with pytest.raises(DataError) as caught:
                windows(series, 10, 5, stream=stream)
            assert str(caught.value) == (
                "pump has missing or infinite values in 2 moments, first at moment 31 (0.62 s), channel 'y'. Fill them,"
                " or pass gaps='skip' to leave out the windows that hold any."
            )
            found = windows(series, 10, 5, gaps="skip", stream=stream)
            samples = found.head(99).samples if stream else found.samples
            kept = [s for s in range(0, 91, 5) if not (s <= 31 < s + 10 or s <= 77 < s + 10)]
            np.testing.assert_array_equal(samples, np.stack([_VALUES[s : s + 10] for s in kept]))
        np.testing.assert_array_equal(windows(series, 10, channels=["x"]).samples[3, :, 0], _VALUES[30:40, 0])
        with pytest.raises(DataError, match="first at moment 31, channel 1"):
            windows(series.values, 10)

    def test_of_time(self):
        series = Series(_VALUES, 50.0, breaks=(30, 64), name="pump")
        assert len(windows(series, 10, gaps="skip")) == 9
        with pytest.raises(
            DataError, match=r"pump has 2 gaps in time, the first .* before moment 64 \(1.28 s\). Pass its parts one by"
        ):
            windows(series, 10)
        starts = [s for s in range(91) if not any(s < b < s + 10 for b in (30, 64))]
        skipped = windows(series, 10, 1, gaps="skip").samples
        np.testing.assert_array_equal(skipped, np.stack([_VALUES[s : s + 10] for s in starts]))

    def test_everywhere(self):
        with pytest.raises(DataError, match="array: every window holds missing values or a gap"):
            windows(np.full(20, np.nan), 10, gaps="skip")

    def test_in_a_file_that_is_streamed(self, tmp_path):
        """Found when it is read, by whoever takes its values."""
        sound = np.zeros(1000)
        sound[700] = np.nan
        soundfile.write(tmp_path / "x.wav", sound, 100, subtype="FLOAT")
        stream = windows(tmp_path / "x.wav", 100, flat=True, stream=True)
        blocks = inputs.blocks(Contract((100,), unit_range=False), stream, size=5)
        assert next(blocks)[0].shape == (5, 100)
        with pytest.raises(DataError, match="x holds NaN or infinite values in 1 of 5 samples, first at index 2"):
            next(blocks)


class TestRefused:
    def test_too_short(self, series):
        with pytest.raises(
            DataError, match=r"pump is too short: a window takes 101 moments \(2.02 s\). Received 100 \(2"
        ):
            windows(series, 101)
        with pytest.raises(DataError, match="array is too short: a window takes 101 moments. Received 100.$"):
            windows(_VALUES, 101)

    @pytest.mark.parametrize(("length", "hop"), [(0, 1), (10, 0), (10, -1), (2.5, 1), (10, "5"), (True, 1)])
    def test_lengths(self, series, length, hop):
        with pytest.raises(ConfigError, match="(length|hop) must be a whole number of at least 1"):
            windows(series, length, hop)

    def test_what_is_no_recording(self):
        for given in (np.zeros((2, 3, 4)), "no/such/file.csv", [], np.array(["a"]), 5.0):
            with pytest.raises((DataError, DataNotFoundError)):
                windows(given, 1)
        with pytest.raises(ConfigError, match="gaps must be 'error' or 'skip'. Received: gaps='fill'"):
            windows(_VALUES, 10, gaps="fill")
        with pytest.raises(DataError, match="expected 3 different names of channels"):
            Series(_VALUES, channels=("x", "y"))

    def test_constant_channels(self, series):
        series.values[:, 1] = 2.5
        text = r"pump: channel 'y' is constant \(2.5 in all 100 moments\): .* or pass constant='allow'"
        with pytest.raises(DataError, match=text):
            windows(series, 10)
        assert len(windows(series, 10, constant="allow")) == 10
        assert windows(series, 10, channels=("z", "x")).shape == (10, 2)
        with pytest.raises(DataError, match="array: channel 0 is constant"):
            windows([series.values[:, 0], np.ones(50)], 10)
        with pytest.raises(ConfigError, match="constant must be 'error' or 'allow'. Received: constant='ignore'"):
            windows(series, 10, constant="ignore")


def test_sampling_rate_and_unit_are_stated_of_a_file_or_an_array(series, tmp_path):
    np.savetxt(tmp_path / "pump.csv", _VALUES, "%.6f", ",", header="x,y,z", comments="")
    for given in (tmp_path / "pump.csv", _VALUES, [_VALUES[:50], _VALUES[50:]], Series(_VALUES)):
        source = windows(given, 10, sampling_rate=50, unit="g")
        assert (source.sampling_rate, source.unit, source.shape) == (50.0, "g", (10, 3))
    assert windows(series, 10, sampling_rate=50, unit="g").sampling_rate == 50
    with pytest.raises(DataError, match="pump has another sampling_rate: expected 60. Received 50.0"):
        windows(series, 10, sampling_rate=60)
    with pytest.raises(DataError, match="pump has another unit: expected 'mV'. Received 'g'"):
        windows(series, 10, unit="mV")


def test_several_recordings(tmp_path):
    for name, begin in (("b.wav", 30), ("a.flac", 0)):
        soundfile.write(tmp_path / name, np.arange(begin, begin + 25, dtype="int16"), 100)
    (tmp_path / "notes.txt").write_text("no sound")
    for stream in (False, True):
        found = windows(tmp_path, 10, stream=stream)
        samples = found.head(9).samples if stream else found.samples
        assert samples[:, 0, 0].tolist() == [0, 10, 30, 40]
        assert (found.name, found.sampling_rate, found.scale) == ("2 recordings", 100.0, 1 / 32768)
    both = windows([_VALUES[:25, :1], _VALUES[40:60, :1]], 10, labels=[np.zeros(25, int), np.ones(20, int)])
    assert both.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(both.samples[3], _VALUES[50:60, :1])
    soundfile.write(tmp_path / "c.wav", np.zeros(25, "int16"), 200)
    with pytest.raises(DataError, match=r"The recordings differ in sampling_rate: .* \['100.0', '200.0'\]"):
        windows(tmp_path, 10)
    with pytest.raises(DataNotFoundError, match="No recordings in '.*': expected .wav or .flac"):
        (tmp_path / "empty").mkdir()
        windows(tmp_path / "empty", 10)


def test_numpy_files(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(20.0))
    assert windows(tmp_path / "x.npy", 5).samples[2, :, 0].tolist() == [10, 11, 12, 13, 14]
    with pytest.raises(DataError, match=r"shape \(20,\). One long recording becomes samples by zoo.data.windows"):
        zoo.data.load(tmp_path / "x.npy")
    labels = np.arange(20) > 14
    np.savez(tmp_path / "x.npz", values=_VALUES[:20], sampling_rate=4, unit="g", channels=list("abc"), labels=labels)
    series = zoo.data.read_series(tmp_path / "x.npz")
    assert (series.sampling_rate, series.unit, series.channels) == (4.0, "g", ("a", "b", "c"))
    assert windows(tmp_path / "x.npz", 5).labels.tolist() == [0, 0, 0, 1]
    np.savez(tmp_path / "x.npz", a=_VALUES, b=_VALUES)
    with pytest.raises(DataError, match=r"x.npz' has no array 'values', the recording. Received keys \['a', 'b'\]"):
        zoo.data.read_series(tmp_path / "x.npz")
    with pytest.raises(DataError, match="No recording at '.*': expected a file with one of the endings .wav"):
        zoo.data.read_series(tmp_path)


def test_windows_take_no_memory(tmp_path):
    """4 GB of windows of a recording of 8 MB, in memory and from a file, one batch after the other."""
    soundfile.write(tmp_path / "x.wav", np.zeros((2_000_000, 1), "int16"), 8000)
    code = f"""
import resource, zoo, numpy as np, soundfile
values = np.zeros((2_000_000, 1), "float32")
values[::2] = 1
zoo.data.windows({str(tmp_path / "x.wav")!r}, 1000, 1000, stream=True).head(2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = zoo.data.windows(values, 1000, 2)
stream = zoo.data.windows({str(tmp_path / "x.wav")!r}, 1000, 2, stream=True)
assert len(source) == len(stream) == 999_501 and source.samples.nbytes == 999_501 * 4000
for data in (stream, zoo.data.windows(values, 1000, 2, stream=True)):
    for number, batch in zip(range(50), data.value_batches(256, seed=0)):
        assert batch.shape == (256, 1000, 1)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(found.stdout.split()[-1]) < 100  # MB: numbers of windows, and a few batches


def test_training_on_a_stream_equals_training_on_its_source():
    import keras

    values = np.random.default_rng(1).normal(size=2000).astype("float32")
    series = Series((values * 1000).astype("int16"), 100.0, scale=1 / 1000)
    losses = []
    for stream in (False, True):
        keras.utils.set_random_seed(0)
        model = zoo.feed_forward((16,), 4, output_activation="linear")
        data = windows(series, 16, 4, flat=True, stream=stream)
        history = model.fit(data, epochs=2, batch_size=32, shuffle=False, verbose=0, validation_data=data)
        losses.append([*history.history["loss"], *history.history["val_loss"]])
        scores = model.reconstruction_error(data)
    np.testing.assert_allclose(*losses, rtol=1e-5)
    np.testing.assert_allclose(
        scores, model.reconstruction_error(windows(series, 16, 4, flat=True).values()), rtol=1e-4
    )
    with pytest.raises(DataError, match=r"x lies outside \[0, 1\]"):
        zoo.feed_forward((16,), 4, output_activation="sigmoid").fit(data, verbose=0)
