"""Reading recordings: files whose rows are moments in time."""

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np

from zoo.core import arrays_file, reading
from zoo.core.errors import DataError, DataNotFoundError
from zoo.data.anomalies import labels_between
from zoo.data.series import Series
from zoo.data.sound import SOUND_SUFFIXES, Sound
from zoo.data.source import class_numbers
from zoo.data.tables import TABLE_SUFFIXES, read_columns

_GAP = 1.5  # of the usual step of time: where a moment is missing
_SAME_RATE = 0.01  # relative difference of a stated sampling rate from that of a column of time


def read_series(
    path: str | os.PathLike,
    *,
    sampling_rate: float | None = None,
    unit: str = "",
    scale: float | None = None,
    channels: Sequence[str] | None = None,
    labels: str | None = None,
    anomalies: str | os.PathLike | Sequence[tuple] | None = None,
    time: str | Literal[False] | None = None,
    header: bool | None = None,
    stream: bool = False,
) -> Series:
    """A recording from a file whose rows are moments in time.

    Args:
        path: .wav or .flac; .csv, .tsv or .parquet, a column of which is a channel, see `read_table`; .npy with an
            array (time,) or (time, channels); .npz with such an array, "values" if there are several, and, if there
            are, "sampling_rate", "unit", "scale", "channels" and "labels"; or "nab/" and the name of a series of the
            Numenta Anomaly Benchmark, such as "nab/nyc_taxi", from nab_v1.1.zip in ZOO_DATA_DIR.
        sampling_rate: in Hz. Files that know theirs are compared with it.
        unit, scale: as of a `Source`, unless the file says it.
        channels: names of the columns to take, in this order.
        labels: name of the column of labels, 0 for what is normal; by default "label", "class" or "anomaly".
        anomalies: in place of labels, where the anomalies are: a CSV file with a row from,to for each, or such pairs.
            They are times such as "2026-11-25 12:00:00", or numbers of seconds since the first moment, or of moments
            where no times and no sampling rate are known.
        time: name of the column of time, in seconds (or as its name says: "time_ms") or as 2026-11-25 12:00:00; by
            default "time", "timestamp", "date" or "t" if there is one; without a header a first column that grows
            evenly. The sampling rate and the gaps follow from it. False leaves it out and counts the rows alone.
        header: whether the first line of a CSV file holds names; None looks at it.
        stream: leave the values of a sound file where they are and read windows of it as they are needed.

    Returns:
        Series.

    Raises:
        DataNotFoundError: no such file.
        DataError: a file that cannot be read, see `read_table`; anomalies outside of the recording; times that go back
            or are not even; another sampling rate than the stated.

    Example:
        >>> series = zoo.data.read_series("pump.csv", unit="g")
        >>> series.sampling_rate, series.channels
        (100.0, ('x', 'y', 'z'))
    """
    text, path = str(path), reading.expanded(path)
    options = {"columns": channels, "labels": labels, "time": time or None, "header": header}
    suffix, moments = path.suffix.lower(), {}
    if text.startswith("nab/") and not reading.kind(path):
        from zoo.data.nab import read_nab

        return read_nab(text.removeprefix("nab/"))
    if suffix in SOUND_SUFFIXES:
        sound = Sound(path)
        values, about = sound if stream else sound[:], {"sampling_rate": sound.sampling_rate, "scale": sound.scale}
    elif suffix in TABLE_SUFFIXES:
        columns = read_columns(path, series=True, **options)
        values, about = of_columns(columns, path, even=time is not False)
        if time is not False:
            moments = {"times": columns.times, "origin": columns.origin}
    elif suffix in (".npy", ".npz"):
        values, about = _of_arrays(path)
    else:
        endings = ", ".join((*SOUND_SUFFIXES, *TABLE_SUFFIXES, ".npy", ".npz"))
        raise (DataError if reading.kind(path) else DataNotFoundError)(
            f"No recording at {str(path)!r}: expected a file with one of the endings {endings}."
        )
    own = about.get("sampling_rate")
    if own and sampling_rate and abs(own - sampling_rate) > _SAME_RATE * sampling_rate:
        raise DataError(
            f"{str(path)!r} has another sampling rate: expected {sampling_rate:g} Hz. Received {own:g} Hz: resample it."
        )
    stated = {"sampling_rate": sampling_rate, "unit": unit or None, "scale": scale, "name": path.name}
    about |= {key: value for key, value in stated.items() if value is not None}
    if anomalies is not None:
        rate = about.get("sampling_rate")
        about["labels"] = labels_between(anomalies, len(values), path.name, sampling_rate=rate, **moments)
    return Series(values, **about)


def of_columns(columns, where, even=True):
    """(values, attributes of a `Series`) of the `Columns` of a file; `even` says whether its times are looked at."""
    about = {"channels": columns.names}
    if columns.labels is not None:
        numbers, names = class_numbers(columns.labels, len(columns.values), str(where))
        if names:
            raise DataError(
                f"{str(where)!r} has labels that are text: expected 0 for normal moments. Received {list(names)[:5]}."
            )
        about["labels"] = numbers
    if columns.times is not None and even and len(columns.times) > 1:
        about |= _from_times(columns.times, where)
    return columns.values, about


def _from_times(times, where):
    steps = np.diff(times)
    usual = float(np.median(steps))
    for wrong, what in ((steps <= 0, "goes back or stands still"), (steps < usual / 2, "is not even")):
        if wrong.any():
            row = int(wrong.argmax()) + 1
            raise DataError(
                f"{str(where)!r}: time {what} at row {row} (counted from 0): {times[row - 1]:g} s is followed by"
                f" {times[row]:g} s. Sort and resample the rows, or pass time=False to take them as even."
            )
    gap = steps > _GAP * usual
    return {"sampling_rate": 1 / float(steps[~gap].mean()), "breaks": tuple(np.flatnonzero(gap) + 1)}


def _of_arrays(path):
    from zoo.data.arrays import facts

    with reading.opened(path) as file:
        is_archive = file.read(2) == b"PK"
    if not is_archive and path.suffix.lower() != ".npz":
        return arrays_file.read_array(path), {}
    with arrays_file.opened(path) as content:
        about = facts(content, path)
        if "labels" in content:
            about["labels"] = content["labels"]
        if "channels" in content:
            about["channels"] = tuple(content["channels"].ravel().tolist())
        keys = [key for key in content if key not in about]
        if "values" not in keys and len(keys) != 1:
            raise DataError(f"{str(path)!r} has no array 'values', the recording. Received keys {keys[:20]}.")
        return content["values" if "values" in keys else keys[0]], about
