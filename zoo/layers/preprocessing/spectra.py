"""Spectrograms, of operators that every runtime has: slices of the signal, matrix products, squares, logarithms."""

import functools
import math
from collections.abc import Sequence

import numpy as np
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.core.errors import ConfigError
from zoo.layers.preprocessing.base import Preprocessing

# Coefficients a of the window Σ (-1)^k a_k cos(2πkn / length).
_WINDOWS = {"rectangular": (1.0,), "hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}
_LOGARITHMS = (None, "natural", "decibel")
_MEL_SCALES = ("slaney", "htk")
_MOST_NUMBERS = 2**22  # of a constant matrix, which every exported file contains
_MOST_VALUES = 2**16  # of a frame
_MOST_PIECES = 64  # frames that a value may be in
_JOINED_AT_ONCE = 8  # TFLite Micro joins ten tensors at most


class Spectrogram(Preprocessing):
    """Short-time Fourier transform: |X|² or |X| of successive, overlapping frames, or their logarithm.

    Signals (length,) or (length, channels) become (frames, fft_length // 2 + 1, channels), which two-dimensional
    convolutions take; row i starts at value i · frame_step, and values after the last whole frame are left out. Frames,
    windows and values are those of ``librosa.stft`` with ``n_fft=fft_length, win_length=frame_length``,
    ``hop_length=frame_step`` and ``center=center``.

    The transform of N = P · Q values is computed in two steps of P and Q values (Cooley and Tukey, Math. Comp. 19,
    1965), each a product with a constant matrix. A single matrix of N × N would take 4 MB of every exported file for
    N = 1,024, these two take 35 kB. So choose an fft_length with a divisor near its square root, such as a power of 2.

    Args:
        frame_length: values under the window.
        frame_step: values from one frame to the next.
        fft_length: values that are transformed, at least frame_length, around which zeros are put; None: frame_length.
        window: "hann", "hamming", "blackman" or "rectangular".
        power: 2, the power |X|², or 1, the magnitude |X|.
        center: put fft_length // 2 zeros before and after the signal, so that frame i is centred at i · frame_step.
        logarithm: None, "natural": ln(s / reference), or "decibel": 20 / power · log10(s / reference).
        reference: value s whose logarithm is 0.
        floor: smallest value s; what is below is raised to it before the logarithm.

    Raises:
        ConfigError: arguments that do not go together, or, when it is called, signals shorter than a frame.

    Example:
        >>> layer = zoo.preprocessing.Spectrogram(frame_length=256, frame_step=128)
        >>> layer.compute_output_shape((None, 8000))
        (None, 61, 129, 1)
    """

    def __init__(
        self,
        frame_length: int,
        frame_step: int,
        fft_length: int | None = None,
        window: str = "hann",
        power: float = 2.0,
        center: bool = False,
        logarithm: str | None = None,
        reference: float = 1.0,
        floor: float = 1e-10,
    ):
        positive_integer("frame_length", frame_length, least=2)
        positive_integer("frame_step", frame_step)
        size = positive_integer("fft_length", frame_length if fft_length is None else fft_length)
        if size < frame_length:
            raise ConfigError(
                "fft_length must be at least frame_length, or part of each frame would be lost."
                f" Received: fft_length={size}, frame_length={frame_length}."
            )
        if size > _MOST_VALUES:
            raise ConfigError(f"Frames can have at most {_MOST_VALUES:,} values. Received: {size:,}.")
        if (numbers := _numbers_of_transform(size)) > _MOST_NUMBERS:
            raise ConfigError(
                f"A transform of {size:,} values takes a matrix of {numbers:,} numbers, more than {_MOST_NUMBERS:,}."
                f" Choose fft_length={2 ** math.ceil(math.log2(size))}."
            )
        if size > _MOST_PIECES * frame_step:
            raise ConfigError(
                f"frame_step must be at least 1/{_MOST_PIECES} of what is transformed at a time ({size:,} values)."
                f" Received: frame_step={frame_step}."
            )
        _one_of("window", window, tuple(_WINDOWS))
        _one_of("power", power, (1, 2))
        _one_of("center", center, (False, True))
        _one_of("logarithm", logarithm, _LOGARITHMS)
        for name, value in (("reference", reference), ("floor", floor)):
            in_range(name, value, float(np.finfo("float32").tiny), float(np.finfo("float32").max))
        super().__init__(
            frame_length=frame_length,
            frame_step=frame_step,
            fft_length=fft_length,
            window=window,
            power=power,
            center=center,
            logarithm=logarithm,
            reference=reference,
            floor=floor,
        )

    @property
    def size(self) -> int:
        """Number of values that are transformed at a time."""
        return self.fft_length or self.frame_length

    @property
    def bands(self) -> int:
        """Number of values that describe a frame."""
        return self.size // 2 + 1

    @property
    def _padding(self):
        return self.size // 2 if self.center else 0

    def frames(self, length: int) -> int:
        """Number of frames of a signal of `length` values."""
        return 1 + (length + 2 * self._padding - self.size) // self.frame_step

    def check(self, input_shape: Sequence[int]) -> None:
        name, shape = type(self).__name__, tuple(input_shape)
        if len(shape) not in (1, 2) or None in shape:
            raise ConfigError(
                f"{name} takes signals of shape (length,) or (length, channels), both known. Received: {shape}."
            )
        if self.frames(shape[0]) < 1:
            raise ConfigError(
                f"{name} needs signals of at least {self.size - 2 * self._padding:,} values, for one frame of"
                f" {self.size:,}. Received signals of {shape[0]:,} values, shape {shape}."
            )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *shape = input_shape
        self.check(shape)
        return (batch, self.frames(shape[0]), self.bands, *(shape[1:] or [1]))

    def call(self, x: KerasTensor) -> KerasTensor:
        length, *channels = x.shape[1:]
        x = ops.cast(x, "float32")
        several = bool(channels) and channels[0] > 1
        if several:
            x = ops.transpose(x, (0, 2, 1))
        x = self._spectra(self._framed(ops.reshape(x, (-1, length))))
        x = self._logarithms(self._banded(ops.sqrt(x) if self.power == 1 else x))
        shape = (self.frames(length), self.bands)
        if several:
            return ops.transpose(ops.reshape(x, (-1, channels[0], *shape)), (0, 2, 3, 1))
        return ops.reshape(x, (-1, *shape, 1))

    def _framed(self, x):
        """Signals (n, length) to windowed frames (n · frames, size): pieces of one step each, put side by side."""
        frames, step = self.frames(x.shape[1]), self.frame_step
        pieces = -(-self.size // step)
        needed = (frames + pieces - 1) * step
        missing = max(0, needed - self._padding - x.shape[1])
        if self._padding or missing:
            x = ops.pad(x, ((0, 0), (self._padding, missing)))
        x = ops.reshape(x[:, :needed], (-1, frames + pieces - 1, step))
        parts = [x[:, i : i + frames] for i in range(pieces)]
        while len(parts) > 1:
            groups = [parts[i : i + _JOINED_AT_ONCE] for i in range(0, len(parts), _JOINED_AT_ONCE)]
            parts = [ops.concatenate(group, axis=2) if len(group) > 1 else group[0] for group in groups]
        x = parts[0][:, :, : self.size] * _window(self.window, self.frame_length, self.size)
        return ops.reshape(x, (-1, self.size))

    def _spectra(self, x):
        """Frames (n, size) to |X|², (n · p, columns): frequency number r + p · c of a frame in its row r, column c."""
        p, q = _factors(self.size)
        first, cosine, sine, second = _transform(self.size)
        x = ops.transpose(ops.reshape(x, (-1, p, q)), (0, 2, 1))
        x = ops.reshape(ops.matmul(ops.reshape(x, (-1, p)), first), (-1, q, 2 * p))
        real, imaginary = x[:, :, :p], x[:, :, p:]
        x = ops.concatenate([real * cosine + imaginary * sine, imaginary * cosine - real * sine], axis=1)
        x = ops.matmul(ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, 2 * q)), second)
        x, columns = x * x, second.shape[1] // 2
        return x[:, :columns] + x[:, columns:]

    def _banded(self, x):
        """Frequencies as `_spectra` gives them to (n, bands)."""
        p, columns = _factors(self.size)[0], x.shape[1]
        x = ops.transpose(ops.reshape(x, (-1, p, columns)), (0, 2, 1))
        return ops.reshape(x, (-1, columns * p))[:, : self.bands]

    def _logarithms(self, x):
        if self.logarithm is None:
            return x
        factor = 1.0 if self.logarithm == "natural" else 20 / self.power / math.log(10)
        x = ops.log(ops.maximum(x, self.floor))
        x = x if factor == 1 else x * factor
        return x if self.reference == 1 else x - factor * math.log(self.reference)


class LogMel(Spectrogram):
    """Logarithm of the power spectrum in bands that are equally wide on the mel scale of pitch.

    Signals (length,) or (length, channels) become (frames, mel_bins, channels). Values are those of
    ``librosa.feature.melspectrogram`` with ``n_fft=fft_length, win_length=frame_length, hop_length=frame_step,
    n_mels=mel_bins, fmin=lower_frequency, fmax=upper_frequency, htk=mel_scale == "htk"`` and
    ``norm="slaney" if normalized else None``, then of ``librosa.power_to_db`` with
    ``ref=reference, amin=floor, top_db=None``.

    Args:
        sampling_rate: values per second of the signal, Hz.
        frame_length, frame_step, fft_length, window, power, center, logarithm, reference, floor: as for `Spectrogram`;
            the logarithm is of the sum of a band.
        mel_bins: number of bands.
        lower_frequency: lower end of the first band, Hz.
        upper_frequency: upper end of the last band, Hz; None: half the sampling rate.
        mel_scale: "slaney": linear up to 1 kHz, logarithmic above; "htk": 2595 · log10(1 + f / 700).
        normalized: weights of a band sum to the same for all (area 1 Hz); otherwise their largest is 1.

    Raises:
        ConfigError: as for `Spectrogram`; an upper frequency above half the sampling rate; bands so narrow that they
            contain no frequency of the spectrum.

    Example:
        >>> layer = zoo.preprocessing.LogMel(sampling_rate=8000, frame_length=256, frame_step=128, mel_bins=40)
        >>> layer.compute_output_shape((None, 8000))
        (None, 61, 40, 1)
    """

    def __init__(
        self,
        sampling_rate: float,
        frame_length: int,
        frame_step: int,
        fft_length: int | None = None,
        mel_bins: int = 40,
        lower_frequency: float = 0.0,
        upper_frequency: float | None = None,
        mel_scale: str = "slaney",
        normalized: bool = True,
        window: str = "hann",
        power: float = 2.0,
        center: bool = False,
        logarithm: str | None = "decibel",
        reference: float = 1.0,
        floor: float = 1e-10,
    ):
        super().__init__(frame_length, frame_step, fft_length, window, power, center, logarithm, reference, floor)
        in_range("sampling_rate", sampling_rate, 0, math.inf, exclusive=True)
        positive_integer("mel_bins", mel_bins)
        _one_of("mel_scale", mel_scale, _MEL_SCALES)
        _one_of("normalized", normalized, (False, True))
        in_range("lower_frequency", lower_frequency, 0, math.inf)
        highest = sampling_rate / 2 if upper_frequency is None else upper_frequency
        in_range("upper_frequency", highest, 0, math.inf)
        if highest > sampling_rate / 2:
            raise ConfigError(
                f"upper_frequency must be at most half the sampling rate, {sampling_rate / 2:g} Hz: a signal holds no"
                f" higher ones. Received: upper_frequency={upper_frequency:g}, sampling_rate={sampling_rate:g}."
            )
        if lower_frequency >= highest:
            raise ConfigError(
                f"lower_frequency must be less than upper_frequency. Received: {lower_frequency:g} and {highest:g} Hz."
            )
        if mel_bins > (frequencies := self.size // 2 + 1):
            raise ConfigError(
                f"mel_bins={mel_bins} are more than the {frequencies} frequencies of fft_length={self.size}."
            )
        if mel_bins * frequencies > _MOST_NUMBERS:
            raise ConfigError(
                f"mel_bins={mel_bins} for {frequencies:,} frequencies take a matrix of more than {_MOST_NUMBERS:,}"
                " numbers. Choose fewer bands or shorter frames."
            )
        self.sampling_rate = sampling_rate
        self.mel_bins = mel_bins
        self.lower_frequency, self.upper_frequency = lower_frequency, upper_frequency
        self.mel_scale, self.normalized = mel_scale, normalized
        empty = ~self.filters().any(axis=0)
        if empty.any():
            raise ConfigError(
                f"{int(empty.sum())} of {mel_bins} mel bands, first number {int(empty.argmax())}, are so narrow that"
                f" they hold none of the frequencies of fft_length={self.size}, {sampling_rate / self.size:g} Hz apart."
                " Choose fewer bands, a larger fft_length or a larger range of frequencies."
            )

    @property
    def bands(self) -> int:
        """Number of values that describe a frame."""
        return self.mel_bins

    def filters(self) -> np.ndarray:
        """Weights of the frequencies in each band, (fft_length // 2 + 1, mel_bins), float64."""
        high = self.sampling_rate / 2 if self.upper_frequency is None else self.upper_frequency
        lowest, highest = _mels(np.array([self.lower_frequency, high]), self.mel_scale)
        pitches = np.linspace(float(lowest), float(highest), self.mel_bins + 2)
        edges = _hertz(pitches, self.mel_scale)
        frequencies = np.arange(self.size // 2 + 1)[:, None] * (self.sampling_rate / self.size)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
        weights = np.maximum(0, np.minimum(rising, falling))
        return weights * 2 / (high - low) if self.normalized else weights

    def _banded(self, x):
        p, columns = _factors(self.size)[0], x.shape[1]
        filters = np.zeros((columns * p, self.bands), "float32")
        filters[: self.size // 2 + 1] = self.filters()
        filters = filters.reshape(columns, p, self.bands).swapaxes(0, 1).reshape(p * columns, self.bands)
        return ops.matmul(ops.reshape(x, (-1, p * columns)), filters)


def _one_of(name, value, valid):
    if not any(value is v if v is None or isinstance(v, bool) else value == v for v in valid):
        raise ConfigError(f"{name} must be {', '.join(map(repr, valid[:-1]))} or {valid[-1]!r}. Received: {value!r}.")


@functools.lru_cache(maxsize=16)
def _window(name, length, size):
    """The window in the middle of `size` values, periodic, float32."""
    angles = 2 * np.pi * np.arange(length) / length
    window = sum((-1) ** k * a * np.cos(k * angles) for k, a in enumerate(_WINDOWS[name]))
    before = (size - length) // 2
    return np.pad(window, (before, size - length - before)).astype("float32")


def _factors(size):
    """p · q = size, with p as large as possible, but not larger than q."""
    p = next(p for p in range(math.isqrt(size), 0, -1) if size % p == 0)
    return p, size // p


def _numbers_of_transform(size):
    p, q = _factors(size)
    return max(2 * p * p, 2 * q * 2 * (size // 2 // p + 1))


@functools.lru_cache(maxsize=4)
def _transform(size):
    """The matrix of the first step, cosine and sine of the angles between both, and the matrix of the second step."""
    p, q = _factors(size)

    def waves(rows, columns, period):
        angles = 2 * np.pi * (np.outer(np.arange(rows), np.arange(columns)) % period) / period
        return np.cos(angles), np.sin(angles)

    cosine, sine = waves(p, p, p)
    first = np.hstack([cosine, -sine])
    between = waves(q, p, size)
    cosine, sine = waves(q, size // 2 // p + 1, q)
    second = np.block([[cosine, -sine], [sine, cosine]])
    return tuple(matrix.astype("float32") for matrix in (first, *between, second))


# Slaney's scale: 3 mels for 200 Hz up to 1 kHz, then 27 mels for a factor of 6.4.
_LINEAR, _BREAK, _STEP = 200 / 3, 1000.0, math.log(6.4) / 27


def _mels(hertz, scale):
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    above = _BREAK / _LINEAR + np.log(np.maximum(hertz, _BREAK) / _BREAK) / _STEP
    return np.where(hertz < _BREAK, hertz / _LINEAR, above)


def _hertz(mels, scale):
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    above = _BREAK * np.exp(_STEP * (np.maximum(mels, _BREAK / _LINEAR) - _BREAK / _LINEAR))
    return np.where(mels < _BREAK / _LINEAR, mels * _LINEAR, above)
