"""Preprocessing against NumPy, scikit-learn and librosa; its files, its exports, and what it refuses."""

import json
import subprocess
import sys

import keras
import librosa
import numpy as np
import pytest
import scipy.signal
from sklearn.preprocessing import StandardScaler

import zoo
from zoo.core.errors import ConfigError, DataError, UnknownNameError
from zoo.layers.preprocessing import Preprocessing, scaling

P = zoo.preprocessing
RATE = 8000


def _apply(layer, x):
    return keras.ops.convert_to_numpy(layer(x))


@pytest.fixture(scope="module")
def sound():
    """Three seconds of sound: rising tones that fade by 80 dB, noise, and tones in silence."""
    seconds = np.arange(RATE) / RATE
    rising = scipy.signal.chirp(seconds, 100, 1, 3500) * 10 ** (-4 * seconds)
    noise = np.random.default_rng(0).normal(0, 0.3, RATE)
    beeps = np.sin(2 * np.pi * 440 * seconds) * (seconds % 0.5 < 0.2)
    return np.stack([rising, noise, beeps]).astype("float32")


@pytest.fixture(scope="module")
def signals():
    return np.random.default_rng(1).normal([3, -40], [2, 0.1], (60, 50, 2)).astype("float32")


class TestRescale:
    def test_values(self):
        x = np.array([[-3, 0, 7]], "float32")
        np.testing.assert_allclose(_apply(P.Rescale(0.5, 2), x), [[0.5, 2, 5.5]])

    @pytest.mark.parametrize("integers", ["uint8", "int16"])
    def test_every_integer(self, integers):
        """Exact to float32's precision, and back."""
        layer, limits = P.Rescale(1 / 200, -3.0, integers=integers), np.iinfo(integers)
        raw = np.arange(limits.min, limits.max + 1, dtype=integers)[None]
        y = _apply(layer, raw)
        assert y.dtype == "float32"
        np.testing.assert_allclose(y, raw.astype("float64") / 200 - 3, rtol=3e-7, atol=3e-7)
        np.testing.assert_array_equal(layer.to_integers(y), raw)

    def test_to_integers_clips_and_rounds(self):
        raw = P.Rescale(1 / 255, integers="uint8").to_integers(np.array([-1, 0.0019, 0.0021, 9]))
        np.testing.assert_array_equal(raw, np.array([0, 0, 1, 255], "uint8"))
        assert raw.dtype == "uint8"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: P.Rescale(0), "scale must not be 0"),
            (lambda: P.Rescale(float("nan")), "scale must be a number"),
            (lambda: P.Rescale(1, integers="int8"), "must be None, 'uint8' or 'int16'. Received: integers='int8'"),
            (lambda: P.Rescale(1).to_integers(np.ones(1)), "made with integers=None"),
        ],
    )
    def test_what_cannot_be(self, make, message):
        with pytest.raises(ConfigError) as error:
            make()
        assert message in str(error.value)


class TestStandardize:
    def test_tables_equal_scikit_learn(self, signals):
        table = signals[:, :, 0]
        scaler, layer = StandardScaler().fit(table.astype("float64")), P.Standardize().fitted(table)
        np.testing.assert_allclose(layer.mean, scaler.mean_, rtol=1e-12)
        np.testing.assert_allclose(layer.deviation, scaler.scale_, rtol=1e-12)
        np.testing.assert_allclose(_apply(layer, table), scaler.transform(table), atol=1e-5)

    def test_channels_equal_scikit_learn(self, signals, monkeypatch):
        """In chunks of three samples as well."""
        monkeypatch.setattr(scaling, "_CHUNK", 300)
        rows = signals.reshape(-1, 2)
        scaler, layer = StandardScaler().fit(rows.astype("float64")), P.Standardize().fitted(signals)
        np.testing.assert_allclose(layer.mean, scaler.mean_, rtol=1e-12)
        np.testing.assert_allclose(layer.deviation, scaler.scale_, rtol=1e-12)
        expected = scaler.transform(rows).reshape(signals.shape)
        np.testing.assert_allclose(_apply(layer, signals), expected, atol=1e-4)  # of 400 deviations from 0

    def test_a_small_deviation_far_from_zero(self):
        x = np.array([[1000.0], [1000.001]])
        layer = P.Standardize().fitted(x)
        np.testing.assert_allclose(layer.deviation, [0.0005], rtol=1e-6)

    def test_integers(self):
        layer = P.Standardize().fitted(np.array([[-32768, 1], [32767, 3]], "int16"))
        assert (layer.mean, layer.deviation) == ([-0.5, 2.0], [32767.5, 1.0])

    def test_fitting_makes_a_new_object(self, signals):
        unfitted = P.Standardize()
        first, second = unfitted.fitted(signals), unfitted.fitted(signals).fitted(2 * signals)
        assert (unfitted.is_fitted, unfitted.mean, unfitted.describe()) == (
            False,
            None,
            {"type": "Standardize", "mean": None, "deviation": None},
        )
        assert first.is_fitted
        np.testing.assert_allclose(second.mean, 2 * np.array(first.mean))

    def test_unfitted_is_refused_when_called(self, signals):
        message = (
            r"Standardize has no statistics of training data yet\. Fit it before the model is built: standardize ="
        )
        with pytest.raises(ConfigError, match=message):
            P.Standardize()(signals)
        with pytest.raises(ConfigError, match=message):
            P.Standardize()(keras.Input((50, 2)))
        assert P.Standardize().compute_output_shape((None, 50, 2)) == (None, 50, 2)

    def test_other_channels_are_refused(self, signals):
        layer = P.Standardize().fitted(signals)
        with pytest.raises(ConfigError, match=r"fitted on 2 channels. Received samples of shape \(2, 50\)"):
            layer(signals.transpose(0, 2, 1))

    @pytest.mark.parametrize("constant", [0.0, 0.1, -1e4])
    def test_a_constant_channel_is_named(self, signals, constant):
        x = np.concatenate([signals, np.full((60, 50, 1), constant, "float32")], axis=2)
        with pytest.raises(DataError, match=rf"Channel 2 of the training data is constant \({constant:g}\)"):
            P.Standardize().fitted(x)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_the_place_of_a_gap_is_named(self, signals, bad, monkeypatch):
        monkeypatch.setattr(scaling, "_CHUNK", 1000)
        x = signals.copy()
        x[37, 4, 1] = x[50, 0, 0] = bad
        with pytest.raises(DataError, match=rf"first at x\[37, 4, 1\] \({bad}\)"):
            P.Standardize().fitted(x)

    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: P.Standardize([1.0]), ConfigError, "Received: mean of 1 numbers, deviation of None"),
            (lambda: P.Standardize([1.0], [1.0, 2.0]), ConfigError, "mean of 1 numbers, deviation of 2 numbers"),
            (lambda: P.Standardize([1.0], [0.0]), ConfigError, "deviation[0] must be a number in (0, inf)"),
            (lambda: P.Standardize([1.0], 2.0), ConfigError, "deviation must be a list of numbers"),
            (lambda: P.Standardize().fitted(np.ones((0, 3))), DataError, "at least one sample. Received shape (0, 3)"),
            (lambda: P.Standardize().fitted(np.ones(3)), DataError, "shape (samples, ...)"),
            (lambda: P.Standardize().fitted(np.array([["a"]])), DataError, "dtype <U1"),
        ],
    )
    def test_what_cannot_be(self, make, error, message):
        with pytest.raises(error) as raised:
            make()
        assert message in str(raised.value)


class TestPerWindowStandardize:
    @pytest.mark.parametrize("shape", [(50,), (50, 3), (8, 6, 2)])
    def test_equals_numpy(self, shape):
        x = np.random.default_rng(2).normal(5, 3, (4, *shape)).astype("float32")
        axes = tuple(range(1, max(2, len(shape))))
        centred = x - x.mean(axis=axes, keepdims=True)
        np.testing.assert_allclose(_apply(P.PerWindowStandardize(deviation=False), x), centred, atol=1e-5)
        expected = centred / np.sqrt(x.var(axis=axes, keepdims=True) + 0.5)
        np.testing.assert_allclose(_apply(P.PerWindowStandardize(0.5), x), expected, atol=1e-5)

    def test_a_constant_window_becomes_zeros(self):
        np.testing.assert_array_equal(_apply(P.PerWindowStandardize(), np.full((2, 8, 1), 7.0)), np.zeros((2, 8, 1)))

    @pytest.mark.parametrize("arguments", [{"epsilon": 0}, {"deviation": 1}])
    def test_what_cannot_be(self, arguments):
        with pytest.raises(ConfigError, match=f"{next(iter(arguments))} must be"):
            P.PerWindowStandardize(**arguments)


FRAMES = {  # frame_length, frame_step, fft_length, window, center
    "power of two": (256, 128, None, "hann", False),
    "padded to a power of two": (200, 80, 256, "hann", False),
    "centred": (200, 80, 256, "hamming", True),
    "step that divides nothing": (400, 163, 512, "blackman", False),
    "steps without overlap": (64, 100, None, "rectangular", False),
    "many frames over each value": (256, 9, None, "hann", True),
    "prime length": (251, 100, None, "hann", False),
    "odd length, centred": (225, 100, None, "hann", True),
    "a single frame": (8000, 8000, None, "hann", False),
}


def _librosa_names(layer):
    return {
        "n_fft": layer.size,
        "hop_length": layer.frame_step,
        "win_length": layer.frame_length,
        "window": {"rectangular": "boxcar"}.get(layer.window, layer.window),
        "center": layer.center,
    }


class TestAlignTime:
    def test_place_and_duration_are_taken_out(self):
        """A smooth sound, and the same later and twice as slow."""

        def sound(middle, width):
            times = np.arange(80)[:, None]
            u = (times - middle) / width
            return (np.exp(-(u**2)) * (1 + np.tanh(u * [[1.0, -2.0, 0.0]])))[None, ..., None].astype("float32")

        layer = P.AlignTime(9, span=2.0)
        first, second = _apply(layer, sound(20, 6)), _apply(layer, sound(45, 12))
        np.testing.assert_allclose(second, first, atol=0.02)
        assert np.abs(sound(45, 12) - sound(20, 6)).max() > 0.9
        assert first[0, 4, 2, 0] == pytest.approx(1, abs=0.02)  # its middle

    def test_equals_interpolation(self):
        x = np.random.default_rng(0).uniform(0, 1, (2, 12, 3, 2)).astype("float32")
        weights = np.maximum(x.mean(axis=(2, 3)) - 0.4, 0)
        for sample, weight, aligned in zip(x, weights, _apply(P.AlignTime(5, threshold=0.4, span=1.2), x), strict=True):
            middle = np.average(np.arange(12), weights=weight)
            deviation = np.sqrt(np.average((np.arange(12) - middle) ** 2, weights=weight) + 0.25)
            places = middle + deviation * np.linspace(-1.2, 1.2, 5)
            padded = np.concatenate([np.zeros((1, 6)), sample.reshape(12, 6), np.zeros((1, 6))])
            expected = np.stack([np.interp(places, np.arange(-1, 13), column) for column in padded.T], axis=1)
            np.testing.assert_allclose(aligned.reshape(5, 6), expected, atol=1e-4)

    def test_silence_stays_silent(self):
        np.testing.assert_array_equal(_apply(P.AlignTime(4), np.zeros((1, 9, 2, 1), "float32")), np.zeros((1, 4, 2, 1)))

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: P.AlignTime(1), "frames must be a whole number of at least 2"),
            (lambda: P.AlignTime(4, span=0.0), "span must be a number in (0, inf)"),
            (lambda: P.AlignTime(4)(np.zeros((1, 9, 2))), "(frames, bands, channels), all known. Received: (9, 2)"),
        ],
    )
    def test_what_cannot_be(self, make, message):
        with pytest.raises(ConfigError) as raised:
            make()
        assert message in str(raised.value)


class TestSpectrogram:
    @pytest.mark.parametrize("power", [1, 2])
    @pytest.mark.parametrize("case", FRAMES)
    def test_equals_librosa(self, sound, case, power):
        """Within 2e-6 of the largest value; librosa's own error in float32 is 3e-7."""
        length, step, fft_length, window, center = FRAMES[case]
        layer = P.Spectrogram(length, step, fft_length, window, power, center)
        expected = np.abs(librosa.stft(sound.astype("float64"), **_librosa_names(layer))) ** power
        y = _apply(layer, sound)
        assert y.shape == layer.compute_output_shape((3, RATE))
        assert y.dtype == "float32"
        for found, wanted in zip(y[..., 0], expected.transpose(0, 2, 1), strict=True):
            np.testing.assert_allclose(found, wanted, atol=2e-6 * wanted.max())

    def test_channels_are_independent(self, sound):
        layer = P.Spectrogram(256, 100)
        stereo = np.stack([sound, sound[::-1]], axis=2)
        y = _apply(layer, stereo)
        assert y.shape == layer.compute_output_shape((3, RATE, 2)) == (3, 78, 129, 2)
        np.testing.assert_allclose(y[..., 0], _apply(layer, sound)[..., 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(y[..., 1], _apply(layer, sound[::-1].copy())[..., 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(_apply(layer, sound[..., None]), _apply(layer, sound), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("power", [1, 2])
    def test_logarithms(self, sound, power):
        s = _apply(P.Spectrogram(256, 128, power=power), sound)
        decibels = _apply(P.Spectrogram(256, 128, power=power, logarithm="decibel", reference=3, floor=1e-4), sound)
        to_decibels = librosa.power_to_db if power == 2 else librosa.amplitude_to_db
        amin = 1e-4  # both of librosa's functions take it of what they are given
        np.testing.assert_allclose(decibels, to_decibels(s, ref=3, amin=amin, top_db=None), atol=1e-4)
        natural = _apply(P.Spectrogram(256, 128, power=power, logarithm="natural", reference=3, floor=1e-4), sound)
        np.testing.assert_allclose(natural, np.log(np.maximum(s, 1e-4) / 3), atol=1e-5)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"frame_length": 256, "frame_step": 0}, "frame_step must be a whole number of at least 1"),
            ({"frame_length": 256, "frame_step": 128, "fft_length": 128}, "fft_length=128, frame_length=256"),
            ({"frame_length": 256, "frame_step": 128, "window": "kaiser"}, "or 'blackman'. Received: 'kaiser'"),
            ({"frame_length": 256, "frame_step": 128, "power": 3}, "power must be 1 or 2. Received: 3"),
            ({"frame_length": 256, "frame_step": 128, "center": 1}, "center must be False or True. Received: 1"),
            ({"frame_length": 256, "frame_step": 128, "logarithm": "log"}, "logarithm must be None, 'natural' or"),
            ({"frame_length": 256, "frame_step": 128, "floor": 0}, "floor must be a number"),
            ({"frame_length": 256, "frame_step": 3}, "at least 1/64 of what is transformed at a time (256 values)"),
            ({"frame_length": 4001, "frame_step": 999}, "Choose fft_length=4096"),
            ({"frame_length": 10**18 + 9, "frame_step": 10**18}, "at most 65,536 values"),
        ],
    )
    def test_what_cannot_be(self, arguments, message):
        with pytest.raises(ConfigError) as error:
            P.Spectrogram(**arguments)
        assert message in str(error.value)

    def test_short_signals_and_images_are_refused(self):
        with pytest.raises(ConfigError, match="at least 256 values, for one frame of 256. Received signals of 200 v"):
            P.Spectrogram(200, 100, 256)(np.zeros((1, 200)))
        with pytest.raises(ConfigError, match=r"takes signals of shape \(length,\) or"):
            P.Spectrogram(4, 2)(np.zeros((1, 8, 8, 1)))


MELS = {
    "slaney": {"mel_bins": 40},
    "htk, part of the range": {
        "mel_bins": 30,
        "mel_scale": "htk",
        "normalized": False,
        "lower_frequency": 50,
        "upper_frequency": 3500.0,
    },
    "htk, normalised": {"mel_bins": 20, "mel_scale": "htk"},
}


def _mel_names(layer):
    return {
        "sr": layer.sampling_rate,
        "n_mels": layer.mel_bins,
        "fmin": layer.lower_frequency,
        "fmax": layer.upper_frequency,
        "htk": layer.mel_scale == "htk",
        "norm": "slaney" if layer.normalized else None,
    }


class TestLogMel:
    @pytest.mark.parametrize("case", MELS)
    def test_filters_equal_librosa(self, case):
        layer = P.LogMel(RATE, 256, 128, **MELS[case])
        expected = librosa.filters.mel(n_fft=256, dtype=np.float64, **_mel_names(layer))
        np.testing.assert_allclose(layer.filters().T, expected, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("frames", [(256, 128, None), (200, 80, 256), (1024, 512, None)])
    @pytest.mark.parametrize("center", [False, True])
    @pytest.mark.parametrize("case", MELS)
    def test_equals_librosa(self, sound, case, frames, center):
        """Within 0.003 dB, also 80 dB below the loudest band, where float32 ends."""
        layer = P.LogMel(RATE, *frames, center=center, **MELS[case])
        mel = librosa.feature.melspectrogram(
            y=sound.astype("float64"), power=2.0, **_librosa_names(layer), **_mel_names(layer)
        )
        expected = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None).transpose(0, 2, 1)
        y = _apply(layer, sound)
        assert y.shape == layer.compute_output_shape((3, RATE)) == (*expected.shape, 1)
        audible = expected > expected.max(axis=(1, 2), keepdims=True) - 80
        assert audible.mean() > 0.4
        np.testing.assert_allclose(y[..., 0][audible], expected[audible], atol=0.003)

    def test_silence_is_the_floor(self):
        y = _apply(P.LogMel(RATE, 256, 128, floor=1e-6, reference=0.01), np.zeros((1, 1000)))
        np.testing.assert_allclose(y, np.full((1, 6, 40, 1), -40), atol=1e-4)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"upper_frequency": 5000}, "at most half the sampling rate, 4000 Hz: a signal holds no higher ones."),
            ({"lower_frequency": 300, "upper_frequency": 200}, "less than upper_frequency. Received: 300 and 200 Hz"),
            ({"mel_bins": 200}, "mel_bins=200 are more than the 129 frequencies of fft_length=256"),
            (
                {"mel_bins": 80, "upper_frequency": 1000},
                "18 of 80 mel bands, first number 0, are so narrow that they hold none of the frequencies of"
                " fft_length=256, 31.25 Hz apart.",
            ),
            ({"mel_scale": "bark"}, "mel_scale must be 'slaney' or 'htk'"),
            ({"sampling_rate": -1}, "sampling_rate must be a number in (0, inf)"),
        ],
    )
    def test_what_cannot_be(self, arguments, message):
        with pytest.raises(ConfigError) as error:
            P.LogMel(**{"sampling_rate": RATE, "frame_length": 256, "frame_step": 128, **arguments})
        assert message in str(error.value)


class Flip(Preprocessing):
    """One of a user's own."""

    def __init__(self, offset=1.0):
        super().__init__(offset=offset)

    def call(self, x):
        return self.offset - x


class TestRelative:
    def test_values(self, signals):
        """Of two channels, in either order; a third stays as it is."""
        x = np.concatenate([signals, signals[:, ::-1, :1]], axis=2)
        a, b = (x[..., i] - x[..., i].mean(axis=1, keepdims=True, dtype="float64") for i in (1, 2))
        scale = np.sqrt(np.square(b).mean(axis=1, keepdims=True) + 0.25)
        y = _apply(P.Relative(1, 2, epsilon=0.25), x)
        np.testing.assert_allclose(y[..., 1], (a - b) / scale, atol=1e-5)
        np.testing.assert_allclose(y[..., 2], b / scale, atol=1e-5)
        np.testing.assert_array_equal(y[..., 0], x[..., 0])

    def test_level_and_gain_do_not_matter(self, signals):
        layer = P.Relative(epsilon=1e-9)
        np.testing.assert_allclose(_apply(layer, 5 * signals + 2), _apply(layer, signals), atol=2e-3)

    def test_flat_reference(self):
        np.testing.assert_array_equal(_apply(P.Relative(), np.full((1, 8, 2), 7.0)), np.zeros((1, 8, 2)))

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: P.Relative(1, 1), "must be two channels. Received: 1 for both"),
            (lambda: P.Relative(-1), "signal must be a whole number of at least 0. Received: signal=-1"),
            (lambda: P.Relative(epsilon=0), "epsilon"),
            (lambda: P.Relative()(np.ones((1, 8))), r"the channels 0 and 1. Received samples of shape (8,)"),
            (lambda: P.Relative(0, 2)(np.ones((1, 8, 2))), r"the channels 0 and 2. Received samples of shape (8, 2)"),
        ],
    )
    def test_what_cannot_be(self, make, message):
        with pytest.raises(ConfigError) as error:
            make()
        assert message in str(error.value)


LAYERS = {
    "Rescale": (P.Rescale(2.0, 1.0), (64, 2)),
    "Standardize": (P.Standardize([1.0, 2.0], [0.5, 0.3]), (64, 2)),
    "PerWindowStandardize": (P.PerWindowStandardize(), (64, 2)),
    "Relative": (P.Relative(2, 0, 0.1), (64, 3)),
    "Spectrogram": (P.Spectrogram(32, 12, power=1), (64, 2)),
    "LogMel": (P.LogMel(RATE, 64, 24, mel_bins=8, center=True, reference=0.5), (400,)),
    "AlignTime": (P.AlignTime(6, threshold=0.5), (20, 4, 2)),
    "Flip": (Flip(), (64, 2)),
}


def _model(name, **input_options):
    """A model with the layer twice in its graph, if its output can be its input, and another layer behind."""
    layer, shape = LAYERS[name]
    layer = Preprocessing.from_description(layer.describe())
    x = keras.Input(shape, **input_options)
    y = layer(x)
    if y.shape == x.shape:
        y = Preprocessing.from_description(layer.describe())(y)
    return keras.Model(x, y)


def _input(name, count=3):
    return np.random.default_rng(3).normal(1, 1, (count, *LAYERS[name][1])).astype("float32")


@pytest.mark.parametrize("name", LAYERS)
class TestEach:
    def test_shape_without_a_call(self, name):
        layer, shape = LAYERS[name]
        model = _model(name)
        assert layer.compute_output_shape((None, *shape)) == model.output_shape
        assert _apply(layer, _input(name)).shape[1:] == model.output_shape[1:]

    def test_json(self, name):
        layer, _ = LAYERS[name]
        again = P.get(json.loads(json.dumps([layer.describe()])))[0]
        assert type(again) is type(layer)
        assert again.describe() == layer.describe()

    def test_keras_config_and_file(self, name, tmp_path):
        model, x = _model(name), _input(name)
        config = json.loads(json.dumps(model.get_config()))
        model.save(tmp_path / "model.keras")
        for again in (
            keras.Model.from_config(config),
            keras.models.clone_model(model),
            zoo.load_model(tmp_path / "model.keras"),
        ):
            np.testing.assert_array_equal(again(x), model(x))
            assert [layer.name for layer in again.layers[1:]] == [layer.name for layer in model.layers[1:]]

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_float32_under_every_policy(self, name, policy):
        expected = _model(name)(_input(name))
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            model = _model(name)
        finally:
            keras.config.set_dtype_policy(before)
        assert model.output.dtype == "float32"
        np.testing.assert_array_equal(model(_input(name)), expected)

    def test_compiled(self, name):
        model, x = _model(name), _input(name)
        model.compile(jit_compile=True)
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-4, atol=1e-5)


def test_files_are_found_in_a_new_process(tmp_path):
    """`import zoo` makes the classes known to Keras, without importing them."""
    x = keras.Input((400,))
    layers = [P.Rescale(2.0), P.PerWindowStandardize(), LAYERS["LogMel"][0], P.Standardize([1.0], [2.0])]
    y = x
    for layer in layers:
        y = layer(y)
    model = keras.Model(x, [y, P.Spectrogram(64, 32)(x)])
    model.save(tmp_path / "model.keras")
    values = _input("LogMel")
    np.savez(tmp_path / "values.npz", x=values, **{f"y{i}": y for i, y in enumerate(model(values))})
    code = """
import sys, numpy as np, zoo, keras
model, values = keras.saving.load_model(sys.argv[1] + "/model.keras"), np.load(sys.argv[1] + "/values.npz")
for i, y in enumerate(model(values["x"])):
    np.testing.assert_array_equal(y, values[f"y{i}"])
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


# What TFLite Micro has as well.
MICRO = {
    "ADD", "CAST", "CONCATENATION", "FULLY_CONNECTED", "LOG", "MAXIMUM", "MEAN", "MUL", "PAD", "RELU", "RESHAPE",
    "RSQRT", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM", "TRANSPOSE",
}  # fmt: skip
EXPORTED = {
    **{name: LAYERS[name] for name in LAYERS if name != "Flip"},
    "Rescale of int16": (P.Rescale(1 / 200, 0.5, integers="int16"), (64, 2)),
    "Spectrogram of two channels": (P.Spectrogram(30, 12, 32, logarithm="natural"), (64, 2)),
}


@pytest.mark.parametrize("name", EXPORTED)
def test_tflite_and_onnx_agree(name, tmp_path):
    """Within 1e-5 of the largest value, with operators that every runtime has."""
    import onnxruntime
    import tensorflow as tf
    import tf2onnx
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    layer, shape = EXPORTED[name]
    dtype = getattr(layer, "integers", None) or "float32"
    x = (100 * np.random.default_rng(4).normal(1, 1, (3, *shape))).astype(dtype)
    values = keras.Input(shape, dtype=dtype)
    model = keras.Model(values, Preprocessing.from_description(layer.describe())(values))
    expected = keras.ops.convert_to_numpy(model(x))

    def function(batch):
        return tf.function(lambda x: model(x, training=False), input_signature=[tf.TensorSpec((batch, *shape), dtype)])

    module = tf.Module()
    module.serve = function(1)
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(
        model_content=converter.convert(),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    found = []
    for sample in x:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    tolerance = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=tolerance)
    assert {operator["op_name"] for operator in interpreter._get_ops_details()} <= MICRO

    onnx, _ = tf2onnx.convert.from_function(function(None), function(None).input_signature, opset=15)
    session = onnxruntime.InferenceSession(onnx.SerializeToString())
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


class TestLists:
    def test_get(self):
        layers = P.get([P.Rescale(2.0), {"type": "Standardize"}])
        assert [type(layer) for layer in layers] == [P.Rescale, P.Standardize]
        assert [layer.is_fitted for layer in layers] == [True, False]
        assert P.get(P.Rescale(2.0))[0].scale == 2.0
        with pytest.raises(ConfigError, match="at least one layer"):
            P.get([])
        with pytest.raises(UnknownNameError, match="Unknown preprocessing type 'Standardise'. Did you mean 'Standardi"):
            P.get({"type": "Standardise"})

    def test_fit_fits_on_what_comes_before(self, signals):
        first = P.Standardize([0.0, 0.0], [2.0, 2.0])
        layers = P.fit([first, {"type": "Standardize"}, Flip(), {"type": "Standardize"}], signals)
        assert layers[0] is first
        x = signals
        for layer in layers[:2]:
            x = _apply(layer, x)
        np.testing.assert_allclose(layers[1].mean, signals.mean(axis=(0, 1), dtype="float64") / 2, rtol=1e-6)
        np.testing.assert_allclose(layers[3].mean, [1, 1], atol=1e-4)
        np.testing.assert_allclose(layers[3].deviation, [1, 1], atol=1e-4)

    def test_one_of_a_users_own_must_say_what_it_does(self):
        class Nothing(Preprocessing):
            pass

        with pytest.raises(ConfigError, match=r"Preprocessing 'Nothing' must implement call\(self, x\)"):
            Nothing()
