"""Windows of long recordings as samples."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from zoo.core import checks, reading
from zoo.core.errors import ConfigError, DataError, DataNotFoundError
from zoo.data.recordings import read_series
from zoo.data.series import Series
from zoo.data.sound import SOUND_SUFFIXES
from zoo.data.source import Source
from zoo.data.stream import Stream, empty

_BLOCK = 2**20  # moments that are looked at in one call
_CLASSES = ("normal", "anomalous")


def windows(
    series: Any,
    length: int,
    hop: int | None = None,
    *,
    channels: Sequence[str | int] | None = None,
    labels: Any = None,
    gaps: Literal["error", "skip"] = "error",
    constant: Literal["error", "allow"] = "error",
    sampling_rate: float | None = None,
    unit: str = "",
    flat: bool = False,
    stream: bool = False,
) -> Source | Stream:
    """Windows of one or several recordings, as samples (length, channels).

    In memory, the windows of one recording are a view of it, whatever their overlap. Training copies what it is given,
    and integers become floats as a whole: of windows that overlap more than memory holds, take a stream.

    Args:
        series: `Series`; array (time,) or (time, channels); path of a file as for `read_series`, or of a folder of .wav
            and .flac files; or a list of these, of one sampling rate and unit.
        length: moments in a window.
        hop: moments from the beginning of a window to that of the next; by default `length`, so that they do not
            overlap. What is left at the end of a recording is left out.
        channels: names or numbers of the channels, in the order in which the model takes them; None takes all.
        labels: int array (time,), or a list of these, 0 for what is normal; by default those of the series. A window is
            anomalous if any of its moments is.
        gaps: what to do about windows with missing or infinite values, or across a gap in time: "error", or "skip".
        constant: what to do about a channel with one value in a whole recording, of which nothing can be learned and
            which a broken sensor gives: "error", or "allow". Not looked for in sound files that are streamed.
        sampling_rate, unit: of recordings that do not state theirs, as for `read_series`.
        flat: samples (length,) of one channel.
        stream: read or copy windows as they are needed, sound files from the disk.

    Returns:
        Source, or Stream. Labels are 0, normal, and 1, anomalous; None if there are none. The groups of a Source are
        the numbers of several recordings.

    Raises:
        ConfigError: a length or hop that is not at least 1.
        DataError: too short a recording, a channel that is not there or is constant, recordings that differ in what
            they are, another sampling rate or unit than the stated, missing values and gaps (the first is named by its
            index and time). Of a sound file that is streamed the last two are found when a window is read.

    Example:
        >>> source = zoo.data.windows("pump.csv", length=256, hop=64, channels=("z", "x"))
        >>> source.shape, source.sampling_rate
        ((256, 2), 100.0)
    """
    length = checks.positive_integer("length", length)
    hop = length if hop is None else checks.positive_integer("hop", hop)
    for name, value, allowed in (("gaps", gaps, "skip"), ("constant", constant, "allow")):
        if value not in ("error", allowed):
            raise ConfigError(f"{name} must be 'error' or {allowed!r}. Received: {name}={value!r}.")
    parts = _recordings(series, stream, {"sampling_rate": sampling_rate, "unit": unit})
    if labels is not None:
        labels = labels if isinstance(series, (list, tuple)) and len(parts) > 1 else [labels]
        if len(labels) != len(parts):
            raise DataError(f"Expected labels of {len(parts)} recordings. Received of {len(labels)}.")
        parts = [dataclasses.replace(part, labels=own) for part, own in zip(parts, labels, strict=True)]
    parts = [_selected(part, channels) for part in parts]
    first = parts[0]
    _check_alike(parts)
    if flat and first.values.shape[1] != 1:
        raise DataError(f"flat needs a single channel: pass channels=[...]. {first.name} has {first.values.shape[1]}.")
    starts = [_starts(part, length, hop, gaps) for part in parts]
    if constant == "error":
        _refuse_constants(parts)
    if not any(map(len, starts)):
        raise DataError(f"{first.name}: every window holds missing values or a gap.")
    stored = SeriesWindows(
        tuple(part.values for part in parts),
        np.repeat(np.arange(len(parts)), list(map(len, starts))),
        np.concatenate(starts),
        length,
        _labels(parts, starts, length),
        flat,
    )
    about = {
        "name": first.name if len(parts) == 1 else f"{len(parts)} recordings",
        "sampling_rate": first.sampling_rate,
        "unit": first.unit,
        "scale": first.scale,
        "channels": first.channels,
        "overlap": (length - 1) // hop,
    }
    if stored.labels is not None:
        about |= {"class_names": _CLASSES, "normal_class": 0}
    if stream:
        return Stream(stored, stored.shape, **about)
    if len(parts) > 1:
        about["groups"] = stored.recordings
    return Source(stored.all(hop), stored.labels, **about)


@dataclasses.dataclass(frozen=True, eq=False)
class SeriesWindows:
    """Windows of recordings, with the interface of `ImageFiles`.

    Attributes:
        values: arrays (time, channels), or `Sound`, one for each recording.
        recordings: int array (windows,): which recording each window is of.
        starts: int array (windows,): the first moment of each.
        length: moments in a window.
        labels: int64 array (windows,), or None.
        flat: whether the axis of the only channel is left out.
    """

    values: tuple
    recordings: np.ndarray
    starts: np.ndarray
    length: int
    labels: np.ndarray | None = None
    flat: bool = False

    def __len__(self):
        return len(self.starts)

    @property
    def dtype(self):
        """Of the values as they are stored."""
        return self.values[0].dtype

    @property
    def shape(self):
        """Of a window."""
        return (self.length,) if self.flat else (self.length, self.values[0].shape[1])

    def part(self, begin, end):
        """The windows from number `begin` up to `end`."""
        changed = {"recordings": self.recordings[begin:end], "starts": self.starts[begin:end]}
        if self.labels is not None:
            changed["labels"] = self.labels[begin:end]
        return dataclasses.replace(self, **changed)

    def examples(self, shape=None, seed=None, skip=0):
        """Iterator of (window, label or None), as `ImageFiles.examples`."""
        order = np.arange(len(self)) if seed is None else np.random.default_rng(seed).permutation(len(self))
        for number in order[skip:]:
            yield self._window(number), None if self.labels is None else self.labels[number]

    def all(self, hop):
        """All windows as one array: a view where they are regular, which they are at this `hop`."""
        (values, *others) = self.values
        regular = not others and len(self) == len(range(0, len(values) - self.length + 1, hop))
        if regular and isinstance(values, np.ndarray):
            view = np.lib.stride_tricks.sliding_window_view(values, self.length, axis=0)[::hop]
            return view[:, 0] if self.flat else np.moveaxis(view, 1, -1)
        array = empty((len(self), *self.shape), self.dtype, "These windows")
        for number in range(len(self)):
            array[number] = self._window(number)
        return array

    def _window(self, number):
        begin = self.starts[number]
        window = self.values[self.recordings[number]][begin : begin + self.length]
        return window[:, 0] if self.flat else window


class _Selected:
    """Some channels of what is read as it is needed."""

    def __init__(self, values, columns):
        self._values, self._columns, self.dtype = values, columns, values.dtype
        self.shape = (values.shape[0], len(columns))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, moments):
        return self._values[moments][:, self._columns]


def _recordings(given, stream, stated):
    if isinstance(given, Series):
        return [_stated(given, **stated)]
    if isinstance(given, (str, os.PathLike)):
        path = reading.expanded(given)
        if reading.kind(path) != "a folder":
            return [read_series(given, stream=stream, **stated)]
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in SOUND_SUFFIXES)
        if not files:
            raise DataNotFoundError(f"No recordings in {str(path)!r}: expected .wav or .flac files.")
        return [read_series(file, stream=stream, **stated) for file in files]
    if isinstance(given, (list, tuple)) and given and isinstance(given[0], (Series, np.ndarray, str, os.PathLike)):
        return [part for one in given for part in _recordings(one, stream, stated)]
    try:
        return [Series(np.asarray(given), name="array", **stated)]
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"Expected a recording: an array (time, channels), a Series or a path ({error}).") from error


def _selected(part, channels):
    if part.in_memory and part.values.dtype.kind == "f":  # once, and not as often as windows overlap
        part = dataclasses.replace(part, values=part.values.astype("float32", copy=False))
    columns = part.columns(channels)
    if columns is None or columns == list(range(part.values.shape[1])):
        return part
    values = part.values[:, columns] if part.in_memory else _Selected(part.values, columns)
    names = tuple(part.channels[column] for column in columns) if part.channels else ()
    return dataclasses.replace(part, values=values, channels=names)


def _check_alike(parts):
    facts = {what: {getattr(part, what) for part in parts} for what in ("sampling_rate", "unit", "scale", "channels")}
    facts["dtype"] = {part.values.dtype for part in parts}
    facts["number of channels"] = {part.values.shape[1] for part in parts}
    for what, found in facts.items():
        if len(found) > 1:
            raise DataError(
                f"The recordings differ in {what}: bring them to one first. Received {sorted(map(str, found))}."
            )


def _stated(series, sampling_rate, unit):
    """A `Series` with the sampling rate and unit that are stated of it, which it must not contradict."""
    for what, value in (("sampling_rate", sampling_rate), ("unit", unit)):
        own = getattr(series, what)
        if value and own and own != value:
            raise DataError(f"{series.name} has another {what}: expected {value!r}. Received {own!r}.")
    return dataclasses.replace(series, sampling_rate=series.sampling_rate or sampling_rate, unit=series.unit or unit)


def _refuse_constants(parts):
    for part in parts:
        if not part.in_memory or len(part) < 2:
            continue
        for column in np.flatnonzero((part.values == part.values[0]).all(axis=0)):
            channel = repr(part.channels[column]) if part.channels else column
            raise DataError(
                f"{part.name}: channel {channel} is constant ({part.values[0, column]:g} in all {len(part):,} moments):"
                " nothing can be learned from it, and the sensor may be broken. Leave it out by channels=[...] of the"
                " others, or pass constant='allow'."
            )


def _starts(part, length, hop, gaps):
    """The first moments of a recording's windows."""
    if len(part) < length:
        seconds = [f" ({n / part.sampling_rate:.6g} s)" if part.sampling_rate else "" for n in (length, len(part))]
        raise DataError(
            f"{part.name} is too short: a window takes {length:,} moments{seconds[0]}. Received"
            f" {len(part):,}{seconds[1]}."
        )
    starts = np.arange(0, len(part) - length + 1, hop)
    breaks, whole = np.asarray(part.breaks, "int64"), np.ones(len(starts), bool)
    # A break is inside of a window unless it is at its beginning.
    across = np.searchsorted(breaks, starts + length, "left") > np.searchsorted(breaks, starts, "right")
    bad = _missing(part)
    if bad is not None:
        counts = np.concatenate([[0], np.cumsum(bad)])
        whole &= counts[starts + length] == counts[starts]
    if gaps == "skip":
        return starts[whole & ~across]
    remedy = "or pass gaps='skip' to leave out the windows that hold any."
    if not whole.all():
        moment = int(starts[~whole][0] + bad[starts[~whole][0] :].argmax())
        column = int((~np.isfinite(part.values[moment])).argmax())
        channel = repr(part.channels[column]) if part.channels else column
        raise DataError(
            f"{part.name} has missing or infinite values in {int(bad.sum()):,} moments, first at"
            f" {part.moment(moment)}, channel {channel}. Fill them, {remedy}"
        )
    if across.any():
        start = starts[across][0]
        begin = int(breaks[np.searchsorted(breaks, start, "right")])
        raise DataError(
            f"{part.name} has {len(breaks):,} gaps in time, the first that a window would cross before"
            f" {part.moment(begin)}. Pass its parts one by one, {remedy}"
        )
    return starts


def _missing(part):
    """bool array (time,): where a value of any channel is not finite; None if there is no such, or it is not known."""
    if not part.in_memory or part.values.dtype.kind != "f":
        return None
    blocks = range(0, len(part), _BLOCK)
    bad = np.concatenate([~np.isfinite(part.values[begin : begin + _BLOCK]).all(axis=1) for begin in blocks])
    return bad if bad.any() else None


def _labels(parts, starts, length):
    """1 for each window with a label that is not 0; None unless all recordings have labels."""
    if any(part.labels is None for part in parts):
        return None
    counts = [np.concatenate([[0], np.cumsum(part.labels != 0)]) for part in parts]
    return np.concatenate([c[s + length] > c[s] for c, s in zip(counts, starts, strict=True)]).astype("int64")
