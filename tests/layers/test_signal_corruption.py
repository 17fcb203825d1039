"""Noises of signals: their frequencies by Fourier transform, their strengths, and what they refuse."""

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError
from zoo.layers.corruption import Corruption

RATE, LENGTH = 360.0, 3600  # ten seconds, so that frequencies lie 0.1 Hz apart


def _noise(layer, count=400, shape=(LENGTH,), seed=0):
    """What a layer adds to zeros, (count, *shape)."""
    layer = Corruption.from_description(layer.describe())
    layer.random = keras.random.SeedGenerator(seed)
    return keras.ops.convert_to_numpy(layer(np.zeros((count, *shape), "float32"), training=True))


def _power(noise):
    """Frequencies in Hz, and the share of the power of all samples at each of them."""
    power = np.square(np.abs(np.fft.rfft(noise, axis=1))).sum(axis=0)
    return np.fft.rfftfreq(noise.shape[1], 1 / RATE), power / power.sum()


def _assert_uniform(strengths, amplitude, slack=1e-4):
    """Mean, deviation and limits are those of uniform numbers from 0 to `amplitude`."""
    error = amplitude / np.sqrt(12 * len(strengths))
    assert abs(strengths.mean() - amplitude / 2) < 5 * error
    assert abs(strengths.std() - amplitude / np.sqrt(12)) < 5 * error
    assert 0.97 * amplitude < strengths.max() <= (1 + slack) * amplitude
    assert strengths.min() < 0.03 * amplitude


class TestBaselineWander:
    def test_frequencies(self):
        """Windowed, so that power is found where it is: a sinusoid that does not fit leaks."""
        noise = _noise(zoo.corruption.BaselineWander(0.5, RATE, lowest=1, highest=4)) * np.hanning(LENGTH)
        frequencies, share = _power(noise)
        inside = (frequencies >= 0.7) & (frequencies <= 4.3)
        assert share[inside].sum() > 0.999
        for low in (1, 2, 3):
            assert abs(share[(frequencies >= low) & (frequencies < low + 1)].sum() - 1 / 3) < 0.06

    def test_one_component_is_a_sinusoid_of_the_drawn_strength(self):
        noise = _noise(zoo.corruption.BaselineWander(0.5, RATE, lowest=1, highest=4, components=1), count=2000)
        _assert_uniform(np.abs(noise).max(axis=1), 0.5)

    def test_the_mean_of_components_stays_within_the_amplitude(self):
        """Three sinusoids of a third each: 1 / (2 · 3) of the mean squared strength, amplitude² / 3."""
        noise = _noise(zoo.corruption.BaselineWander(0.5, RATE, lowest=1, highest=4), count=2000)
        assert np.abs(noise).max() <= 0.5
        assert abs(np.square(noise).mean() / (0.25 / 3 / 6) - 1) < 0.1

    def test_start_is_at_any_phase(self):
        starts = _noise(zoo.corruption.BaselineWander(1.0, RATE), count=4000)[:, 0]
        assert abs(starts.mean()) < 0.03
        assert abs(np.mean(starts > 0) - 0.5) < 0.05


class TestPowerLine:
    def test_equals_sinusoids_of_the_draws(self, monkeypatch):
        draws = iter([np.full((3, 2, 2), 0.25, "float32"), np.full((3, 2, 2), 0.7, "float32")])
        bounds = []

        def uniform(self, shape, low=0.0, high=1.0):
            bounds.append((low, high))
            return keras.ops.convert_to_tensor(next(draws))

        monkeypatch.setattr(Corruption, "uniform", uniform)
        layer = zoo.corruption.PowerLine(0.5, RATE, frequency=60, harmonics=2)
        added = keras.ops.convert_to_numpy(layer(np.ones((3, 500, 2), "float32"), training=True)) - 1
        seconds = np.arange(500) / RATE
        expected = 0.25 * np.sin(2 * np.pi * 60 * seconds + 0.7) + 0.125 * np.sin(2 * np.pi * 120 * seconds + 0.7)
        np.testing.assert_allclose(added, np.broadcast_to(expected[None, :, None], added.shape), atol=1e-6)
        assert bounds == [(0, 0.5), (0, 2 * np.pi)]

    @pytest.mark.parametrize("frequency", [50.0, 60.0])
    def test_frequencies(self, frequency):
        """Harmonic k has 1 / k² of the power."""
        frequencies, share = _power(_noise(zoo.corruption.PowerLine(0.5, RATE, frequency, harmonics=2), count=2000))
        found = {f: s for f, s in zip(frequencies.round(6), share, strict=True) if s > 1e-6}
        assert list(found) == [frequency, 2 * frequency]
        assert abs(found[frequency] - 0.8) < 0.02

    def test_strengths_and_phases(self):
        noise = _noise(zoo.corruption.PowerLine(0.5, RATE), count=2000)
        spectrum = np.fft.rfft(noise, axis=1)[:, 500] / (LENGTH / 2)
        _assert_uniform(np.abs(spectrum), 0.5)
        assert np.abs(np.mean(spectrum / np.abs(spectrum))) < 5 / np.sqrt(2000)


class TestMuscleNoise:
    @pytest.mark.parametrize("limits", [(20.0, None), (30.0, 90.0)])
    def test_equal_power_in_the_band_and_none_outside(self, limits):
        frequencies, share = _power(_noise(zoo.corruption.MuscleNoise(0.1, RATE, *limits)))
        low, high = limits[0], limits[1] or RATE / 2
        inside = (frequencies >= low) & (frequencies <= high) & (frequencies < RATE / 2)
        assert share[~inside].sum() < 1e-9
        quarters = np.array_split(share[inside], 4)
        assert all(abs(quarter.sum() - 0.25) < 0.01 for quarter in quarters)

    def test_strength_is_the_standard_deviation(self):
        strengths = _noise(zoo.corruption.MuscleNoise(0.1, RATE), count=2000).std(axis=1)
        _assert_uniform(strengths, 0.1, slack=0.05)  # of 3,600 random values

    @pytest.mark.parametrize("length", [359, 360])
    def test_is_normal(self, length):
        """Kurtosis 3 and skewness 0 of samples brought to the same strength."""
        noise = _noise(zoo.corruption.MuscleNoise(0.1, RATE), count=2000, shape=(length,))
        noise = noise / noise.std(axis=1, keepdims=True)
        assert abs(np.mean(noise**4) - 3) < 0.05
        assert abs(np.mean(noise**3)) < 0.02


LAYERS = [
    zoo.corruption.BaselineWander(0.5, RATE),
    zoo.corruption.PowerLine(0.2, RATE),
    zoo.corruption.MuscleNoise(0.1, RATE),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
class TestEach:
    def test_samples_and_channels_are_independent(self, layer):
        noise = _noise(layer, count=64, shape=(720, 3))
        rows = noise.transpose(0, 2, 1).reshape(192, 720)
        assert len(np.unique(rows.round(5), axis=0)) == 192
        assert abs(np.corrcoef(rows)[0, 1:].mean()) < 0.3

    def test_is_added(self, layer):
        x = np.random.default_rng(0).normal(0, 1, (5, 720)).astype("float32")
        copy = Corruption.from_description(layer.describe())
        copy.random = keras.random.SeedGenerator(0)
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(copy(x, training=True)) - x, _noise(layer, 5, (720,)), atol=1e-6
        )
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(copy(x)), x)

    def test_scaled_changes_the_amplitude_alone(self, layer):
        assert layer.scaled(1.5).describe() == {**layer.describe(), "amplitude": 1.5 * layer.amplitude}

    def test_trains_a_denoiser_compiled(self, layer):
        model = zoo.denoising(zoo.feed_forward((360,), 4, output_activation="linear"), layer)
        assert model.get_config()["corruption"] == layer.describe()
        x = np.random.default_rng(0).normal(0, 0.1, (64, 360)).astype("float32")
        history = model.fit(x, epochs=2, batch_size=32, verbose=0)
        assert model.jit_compile
        assert np.isfinite(history.history["loss"]).all()

    def test_refuses_images(self, layer):
        with pytest.raises(
            ConfigError, match=rf"{type(layer).__name__} corruption needs signals of shape \(length,\) or"
        ):
            zoo.denoising(zoo.convolutional((8, 8, 1), 4), layer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zoo.corruption.BaselineWander(-1, RATE), "amplitude must be a number in [0,"),
        (lambda: zoo.corruption.BaselineWander(1, 0), "sampling_rate must be a number in (0,"),
        (lambda: zoo.corruption.BaselineWander(1, 0.9), "half the sampling rate, 0.45 Hz. Received: lowest=0.05"),
        (lambda: zoo.corruption.MuscleNoise(1, RATE, 90, 30), "rise from lowest to highest"),
        (
            lambda: zoo.corruption.PowerLine(1, 180, 50, 2),
            "reach 100 Hz: they must stay below half the sampling rate, 90",
        ),
        (
            lambda: zoo.denoising(zoo.feed_forward((16,), 2), zoo.corruption.MuscleNoise(1, RATE, 25, 40)),
            "Signals of 16 values have frequencies 22.5 Hz apart, none from lowest=25 to highest=40 Hz.",
        ),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(ConfigError) as error:
        make()
    assert message in str(error.value)
