"""Scores of a signal while it comes in: windows of the model's length, an alarm for k of the last n."""

import collections
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from zoo.core import checks
from zoo.core.errors import ConfigError, DataError, ExportError, unknown_name
from zoo.engine.contract import array
from zoo.evaluation.streaming_threshold import StreamingThreshold


class Window(NamedTuple):
    """The result for one window of a stream.

    Attributes:
        start: number of its first sample, counted from 0 where the stream began.
        time: the same in seconds; None without a sampling rate.
        score: its anomaly score; NaN if it was not scored.
        is_anomaly: whether the score is above the threshold.
        alarm: whether at least k of the last n scores are above it, this one included; see `Stream`.
        missing: number of its first sample that is missing, NaN or infinite, for which it was not scored; else None.
    """

    start: int
    time: float | None
    score: float
    is_anomaly: bool
    alarm: bool
    missing: int | None = None


class Stream:
    """Anomaly scores and alarms of a signal while it comes in, in chunks of any length.

    Every `hop` samples, the last `length` samples, which is what the model takes, are scored. Each window is run by
    itself: its score is that of ``model.score(window)``, bit for bit, however the samples were cut into chunks. Memory
    does not grow: one window is kept, and what is said of the last n.

    A window that touches samples that are NaN, infinite or missing (`gap`) is not scored: its result says so, and the
    alarm stays as it was, because such a window counts as none of the n.

    A stream belongs to one thread at a time; several may share a model.

    Args:
        model: a model of `zoo.lite.load`, or an Autoencoder, that takes samples of shape (length,) or
            (length, channels).
        hop: samples from the start of a window to the start of the next; by default the length, so that none overlap.
        threshold: windows with a higher score are anomalies; by default the model's. `math.inf` for scores alone; a
            `zoo.StreamingThreshold` for one that follows the scores of the stream, which it then belongs to.
        k, n: there is an alarm while at least k of the last n scores are above the threshold.
        latched: an alarm stays until `acknowledge` or `reset` is called.
        sampling_rate: samples per second (per channel) of the signal; by default the model's. It gives the times, and
            is compared with the rate that the model was trained at.
        gaps: "skip" for what is said above, or "refuse": `DataError`, which names the sample, before any of its chunk
            is used.

    Raises:
        ConfigError: a model that takes no signals; no threshold; hop or k below 1, k above n; a sampling rate that is
            not above 0.
        DataError: another sampling rate than the model's.
        UnknownNameError: another `gaps`.
        ExportError: a file without the signature "score".

    Example:
        >>> stream = zoo.lite.Stream(zoo.lite.load("exported/model.tflite"), hop=90, k=3, n=5)
        >>> for chunk in sensor:  # float32 (t,) or (t, channels)
        ...     for window in stream.push(chunk):
        ...         if window.alarm:
        ...             print(window.time, window.score)
    """

    def __init__(
        self,
        model: Any,
        hop: int | None = None,
        threshold: float | StreamingThreshold | None = None,
        k: int = 1,
        n: int = 1,
        *,
        latched: bool = False,
        sampling_rate: float | None = None,
        gaps: Literal["skip", "refuse"] = "skip",
    ) -> None:
        shape = tuple(model.input_shape)
        if len(shape) not in (1, 2):
            raise ConfigError(
                "A stream is for models of signals: expected samples of shape (length,) or (length, channels)."
                f" Received a model that takes {shape}."
            )
        if "score" not in getattr(model, "signatures", ("score",)):
            raise ExportError(
                f"A stream needs a file with the signature 'score'. This one has {', '.join(model.signatures)}:"
                " export the whole Autoencoder."
            )
        self.model, self.length, self.channels = model, shape[0], (*shape, 1)[1]
        self.hop = self.length if hop is None else checks.positive_integer("hop", hop)
        self.k, self.n = checks.positive_integer("k", k), checks.positive_integer("n", n)
        if self.k > self.n:
            raise ConfigError(f"An alarm is k of the last n windows: k must not exceed n. Received k={k}, n={n}.")
        if gaps not in ("skip", "refuse"):
            raise unknown_name("way to treat gaps", gaps, ("skip", "refuse"))
        self.threshold = _threshold(model, threshold)
        self.sampling_rate = _sampling_rate(model.contract, sampling_rate)
        self.latched, self.gaps = bool(latched), gaps
        self.dtype = np.dtype(model.contract.dtype)
        self._samples = np.zeros((self.length, self.channels), self.dtype)  # a ring: sample i is in row i % length
        self._is_missing = np.zeros(self.length, bool)
        self._above: collections.deque[bool] = collections.deque(maxlen=self.n)
        self.reset()

    @property
    def received(self) -> int:
        """Samples that have come in since the beginning, missing ones included."""
        return self._received

    @property
    def due(self) -> int:
        """Samples until the next window is complete."""
        return self._next_end - self._received

    def reset(self) -> None:
        """Begin anew: the next sample is number 0, and there is no alarm. A streaming threshold keeps what it knows."""
        self._received, self._next_end = 0, self.length
        self.acknowledge()

    def acknowledge(self) -> None:
        """End an alarm, and forget the last n scores."""
        self._above.clear()
        self._alarm = False

    def push(self, samples: Any) -> list[Window]:
        """Take samples, and return the results of the windows that they complete.

        Args:
            samples: (t, channels), or for one channel also (t,), or a single number; any t. Floats for a model that
                takes float32, integers of the model's own dtype for one that takes int16 or uint8.

        Returns:
            list of `Window`, empty where no window is complete yet.

        Raises:
            DataError: another number of channels or another dtype; values outside [0, 1] for a model that takes no
                others; with gaps="refuse" the first value that is NaN or infinite. None of the samples are used then.
        """
        return list(self._windows(*self._checked(samples)))

    def gap(self, count: int) -> list[Window]:
        """Say that `count` samples are missing, so that the numbers and times of later ones are right.

        Returns:
            list of `Window`, one for each that ends in the gap, none of them scored.

        Raises:
            ConfigError: count is not a whole number of at least 1.
            DataError: the stream was made with gaps="refuse".
        """
        count = checks.positive_integer("count", count)
        if self.gaps == "refuse":
            raise DataError(f"Samples {self._received:,} to {self._received + count - 1:,} of the stream are missing.")
        return list(self._windows(None, None, count))

    def follow(self, chunks: Iterable[Any]) -> Iterator[Window]:
        """The results for chunks of samples, each as soon as its window is complete.

        Example:
            >>> for window in stream.follow(microphone):
            ...     print(window.start, window.score)
        """
        for chunk in chunks:
            yield from self._windows(*self._checked(chunk))

    def _checked(self, samples):
        """Samples (t, channels) of the model's dtype, which of them are missing (or None), and t."""
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is treated as missing
            samples = array(samples, "samples")
        if samples.ndim < 2 and self.channels == 1:
            samples = samples.reshape(-1, 1)
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise DataError(self._shape_message(samples.shape))
        if not samples.size and samples.dtype.kind == "f":
            return samples, None, 0
        self._check_dtype(samples.dtype)
        if samples.dtype.kind != "f":
            return samples, None, len(samples)
        finite = np.isfinite(samples).all(axis=1)
        complete = finite.all()
        if not complete and self.gaps == "refuse":
            number = self._received + int(finite.argmin())
            raise DataError(
                f"Sample {number:,} of the stream{self._at(number)} is NaN or infinite: {samples[finite.argmin()]}."
            )
        if finite.any():
            checks.check_values(
                samples if complete else samples[finite], unit_range=self.model.contract.unit_range, name="samples"
            )
        return samples, None if complete else ~finite, len(samples)

    def _shape_message(self, shape):
        expected = f"(t, {self.channels})" + (" or (t,)" if self.channels == 1 else "")
        message = f"The samples have the wrong shape: expected {expected}, channels last. Received {shape}."
        if len(shape) == 1 and shape[0] == self.channels:
            message += " One sample of all channels is samples[None]."
        elif len(shape) == 2 and shape[0] == self.channels:
            message += " Transpose them: samples.T."
        return message

    def _check_dtype(self, dtype):
        if dtype == self.dtype:
            return
        message = f"The model takes samples of dtype {self.dtype}. Received {dtype}."
        if self.dtype.kind == "f" and dtype.kind in "iu":
            scale, unit = self.model.contract.scale, self.model.contract.unit
            worth = "what one step is worth (16-bit audio: 1/32768)" if scale is None else f"{scale:g}"
            message += (
                f" Multiply integers by {worth}{f', to be in {unit}' if unit else ''}; or export the model with"
                " raw_input=True. What is in its unit already becomes floats by samples.astype('float32')."
            )
        raise DataError(message)

    def _windows(self, samples, missing, count):
        """Write samples, or `count` missing ones, into the ring; yield each window's result when it is complete."""
        begin = 0
        while begin < count:
            taken = min(count - begin, self.due)
            kept = min(taken, self.length)
            rows = np.arange(self._received + taken - kept, self._received + taken) % self.length
            part = slice(begin + taken - kept, begin + taken)
            self._is_missing[rows] = samples is None if missing is None else missing[part]
            if samples is not None:
                self._samples[rows] = samples[part]
            begin += taken
            self._received += taken
            if not self.due:
                self._next_end += self.hop
                yield self._result(self._received - self.length)

    def _result(self, start):
        order = np.arange(start, start + self.length) % self.length
        score, is_anomaly, missing = math.nan, False, None
        if self._is_missing.any():
            missing = start + int(self._is_missing[order].argmax())
        else:
            score = self.model.score(self._samples[order].reshape(1, *self.model.input_shape))[0]
            if isinstance(self.threshold, StreamingThreshold):
                is_anomaly = self.threshold.update(float(score))
            else:
                is_anomaly = bool(score > self.threshold)  # as `is_anomaly` of a model compares, in float32
            self._above.append(is_anomaly)
            self._alarm = sum(self._above) >= self.k or (self.latched and self._alarm)
        time = None if self.sampling_rate is None else start / self.sampling_rate
        return Window(start, time, float(score), is_anomaly, self._alarm, missing)

    def _at(self, number):
        return "" if self.sampling_rate is None else f" ({number / self.sampling_rate:.6g} s)"


def _threshold(model, threshold):
    threshold = getattr(model, "threshold", None) if threshold is None else threshold
    if threshold is None:
        raise ConfigError(
            "The model carries no anomaly threshold: pass threshold= (math.inf for scores alone), or export it with"
            " threshold=zoo.threshold(model, normal_data)."
        )
    if isinstance(threshold, StreamingThreshold):
        return threshold
    return checks.in_range("threshold", threshold, 0, math.inf)


def _sampling_rate(contract, given):
    if given is None:
        return contract.sampling_rate
    given = checks.in_range("sampling_rate", given, 0, math.inf, exclusive=True)
    contract.check_rate(given)
    return given
