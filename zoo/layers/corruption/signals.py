"""Noises of electrical signals from the body, in the unit of the samples (ECG: usually mV).

Sources: baseline wander and muscle noise are two of the three kinds of noise recorded in the MIT-BIH Noise Stress Test
Database (Moody, Muldrow and Mark, "A noise stress test for arrhythmia detectors", Computers in Cardiology 11, 1984;
https://physionet.org/content/nstdb/), whose records keep wander above 0.05 Hz; these classes draw noise of such
frequencies and contain none of its recordings. The third kind, electrode motion, is not among them.

Every sample and channel has a strength of its own, uniform between 0 and the given amplitude, so that a denoiser sees
clean signals as well.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.core.errors import ConfigError
from zoo.layers import noise
from zoo.layers.corruption.base import Corruption


class BaselineWander(Corruption):
    """Adds slow waves, as breathing and moving electrodes cause: x + strength · mean of sin(2π f t + phase).

    The mean is over `components` sinusoids, each of a frequency f and phase drawn uniformly for every sample and
    channel. What is added lies within ± amplitude.

    Args:
        amplitude: largest strength, in the unit of the samples, at least 0.
        sampling_rate: values per second, Hz.
        lowest, highest: range of the frequencies f in Hz, at most half the sampling rate.
        components: number of sinusoids.

    Raises:
        ConfigError: impossible numbers, or, at `zoo.denoising`, samples that are not signals.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((360,), 16), zoo.corruption.BaselineWander(0.5, sampling_rate=360))
    """

    strengths: ClassVar = ("amplitude",)

    def __init__(
        self,
        amplitude: float,
        sampling_rate: float,
        lowest: float = 0.05,
        highest: float = 0.5,
        components: int = 3,
    ):
        _check(amplitude, sampling_rate)
        _check_band(lowest, highest, sampling_rate)
        positive_integer("components", components)
        super().__init__(
            amplitude=amplitude, sampling_rate=sampling_rate, lowest=lowest, highest=highest, components=components
        )

    def check(self, input_shape: Sequence[int]) -> None:
        self.check_signal(input_shape)

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        shape = (*_rows(x), self.components, 1)
        seconds = np.arange(x.shape[1], dtype="float32") / np.float32(self.sampling_rate)
        frequency, phase = self.uniform(shape, self.lowest, self.highest), self.uniform(shape)
        waves = ops.mean(ops.sin(2 * math.pi * (frequency * seconds + phase)), axis=-2)
        return x + _as(x, self.uniform((*_rows(x), 1), 0, self.amplitude) * waves)


class PowerLine(Corruption):
    """Adds the hum of the mains: x + Σ strength_k · sin(2π k f t + phase_k) over the harmonics k = 1, 2, ...

    Args:
        amplitude: largest strength of the first harmonic, in the unit of the samples; amplitude / k of number k.
        sampling_rate: values per second, Hz.
        frequency: f, 50 Hz or, in North America and parts of Asia and South America, 60 Hz.
        harmonics: number of harmonics, 1 for f alone; all below half the sampling rate.

    Raises:
        ConfigError: impossible numbers, or, at `zoo.denoising`, samples that are not signals.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((360,), 16), zoo.corruption.PowerLine(0.2, 360, frequency=60))
    """

    strengths: ClassVar = ("amplitude",)

    def __init__(self, amplitude: float, sampling_rate: float, frequency: float = 50.0, harmonics: int = 1):
        _check(amplitude, sampling_rate)
        in_range("frequency", frequency, 0, math.inf, exclusive=True)
        positive_integer("harmonics", harmonics)
        if harmonics * frequency >= sampling_rate / 2:
            raise ConfigError(
                f"{harmonics} harmonics of {frequency:g} Hz reach {harmonics * frequency:g} Hz: they must stay below"
                f" half the sampling rate, {sampling_rate / 2:g} Hz."
            )
        super().__init__(amplitude=amplitude, sampling_rate=sampling_rate, frequency=frequency, harmonics=harmonics)

    def check(self, input_shape: Sequence[int]) -> None:
        self.check_signal(input_shape)

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        number = np.arange(1, self.harmonics + 1)
        shape = (*_rows(x), self.harmonics)
        strength = self.uniform(shape, 0, self.amplitude) * (1 / number).astype("float32")
        phase = self.uniform(shape, 0, 2 * math.pi)
        # sin(a + phase) = sin(a) cos(phase) + cos(a) sin(phase), and a is the same for all samples.
        turns = number[:, None] * (self.frequency / self.sampling_rate) * np.arange(x.shape[1]) % 1
        angles = 2 * np.pi * turns
        waves = np.concatenate([np.sin(angles), np.cos(angles)]).astype("float32")
        factors = ops.concatenate([strength * ops.cos(phase), strength * ops.sin(phase)], axis=-1)
        return x + _as(x, ops.matmul(factors, waves))


class MuscleNoise(Corruption):
    """Adds normal noise of a band of frequencies, as the muscles' own electrical activity: x + strength · N.

    N has mean 0, variance 1 and equal power at all frequencies of the band, none outside.

    Args:
        amplitude: largest strength, the standard deviation of what is added, in the unit of the samples.
        sampling_rate: values per second, Hz.
        lowest: lower end of the band, Hz.
        highest: upper end of the band, Hz; None: half the sampling rate.

    Raises:
        ConfigError: impossible numbers, or, at `zoo.denoising`, samples that are not signals or too short to hold a
            frequency of the band.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((360,), 16), zoo.corruption.MuscleNoise(0.1, sampling_rate=360))
    """

    strengths: ClassVar = ("amplitude",)

    def __init__(self, amplitude: float, sampling_rate: float, lowest: float = 20.0, highest: float | None = None):
        _check(amplitude, sampling_rate)
        _check_band(lowest, sampling_rate / 2 if highest is None else highest, sampling_rate)
        super().__init__(amplitude=amplitude, sampling_rate=sampling_rate, lowest=lowest, highest=highest)

    def check(self, input_shape: Sequence[int]) -> None:
        self.check_signal(input_shape)
        if not self._band(input_shape[0]).any():
            raise ConfigError(
                f"Signals of {input_shape[0]} values have frequencies {self.sampling_rate / input_shape[0]:g} Hz apart,"
                f" none from lowest={self.lowest:g} to highest={self.highest or self.sampling_rate / 2:g} Hz."
            )

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        length = x.shape[1]
        band = self._band(length)
        shape = (*_rows(x), len(band))
        # Frequencies 0 and half the sampling rate are left out: each would be a single number, not a pair.
        scale = (band * length / np.sqrt(4 * band.sum())).astype("float32")
        parts = (noise.normal(shape, self.random) * scale, noise.normal(shape, self.random) * scale)
        normal = ops.irfft(parts, length)
        return x + _as(x, self.uniform((*_rows(x), 1), 0, self.amplitude) * normal)

    def _band(self, length):
        """Which of the frequencies of a signal of this length are in the band."""
        frequencies = np.fft.rfftfreq(length, 1 / self.sampling_rate)
        highest = self.sampling_rate / 2 if self.highest is None else self.highest
        inside = (frequencies >= self.lowest) & (frequencies <= highest)
        return inside & (frequencies > 0) & (frequencies < self.sampling_rate / 2)


def _check(amplitude, sampling_rate):
    in_range("amplitude", amplitude, 0, float(np.finfo("float32").max))
    in_range("sampling_rate", sampling_rate, 0, math.inf, exclusive=True)


def _check_band(lowest, highest, sampling_rate):
    in_range("lowest", lowest, 0, math.inf)
    in_range("highest", highest, 0, math.inf)
    if not lowest < highest <= sampling_rate / 2:
        raise ConfigError(
            "The frequencies must rise from lowest to highest, which is at most half the sampling rate,"
            f" {sampling_rate / 2:g} Hz. Received: lowest={lowest:g}, highest={highest:g}."
        )


def _rows(x):
    """Number of samples and of channels."""
    return ops.shape(x)[0], x.shape[2] if len(x.shape) == 3 else 1


def _as(x, rows):
    """Numbers of shape (samples, channels, length) in the shape of `x`."""
    return ops.transpose(rows, (0, 2, 1)) if len(x.shape) == 3 else ops.squeeze(rows, axis=1)
