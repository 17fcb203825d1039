"""Labels of the moments of a recording, from the times at which its anomalies begin and end."""

import csv
import os
from collections.abc import Iterable, Sequence

import numpy as np

from zoo.core import reading
from zoo.core.errors import DataError

_MAX_BYTES = 2**22


def labels_between(limits, count: int, name: str, *, times=None, origin: int = 0, sampling_rate=None) -> np.ndarray:
    """1 for the moments of a recording that are in an anomaly, as int64 (time,).

    Args:
        limits: path of a CSV file with a row for each anomaly, from and to, a header if need be; or such pairs. Each is
            a time such as "2026-11-25 12:00:00", or a number: of seconds since the first moment where times or sampling
            rate are known, else of moments. Both are inclusive.
        count: moments.
        name: what errors call the recording.
        times: float64 seconds since the first moment (time,), or None.
        origin: nanoseconds since 1970 of the first moment, 0 if they are not known.
        sampling_rate: in Hz, or None.

    Raises:
        DataNotFoundError: no such file.
        DataError: what is not pairs of numbers or times, times of day for a recording without, an end before its begin,
            or an anomaly outside of the recording.
    """
    if times is None:
        times = np.arange(count) / (sampling_rate or 1)
    slack = 1e-6 * (times[-1] - times[0]) / max(count - 1, 1)  # a moment's time is rounded
    labels = np.zeros(count, "int64")
    for row in _rows(limits):
        begin, end = (_seconds(value, row, name, origin) for value in row)
        inside = (times >= begin - slack) & (times <= end + slack)
        if not inside.any():
            raise DataError(
                f"{name}: an anomaly must begin before it ends, and hold a moment of the recording, which is from"
                f" {times[0]:g} to {times[-1]:g}. Received from {row[0]} to {row[1]}."
            )
        labels[inside] = 1
    return labels


def _rows(limits: str | os.PathLike | Iterable[Sequence]):
    if isinstance(limits, (str, os.PathLike)):
        try:
            lines = reading.read_bytes(reading.expanded(limits), limit=_MAX_BYTES).decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{str(limits)!r} is no text file: expected rows from,to ({error}).") from error
        mark = next((mark for mark in "\t;" if lines and mark in lines[0]), ",")
        limits = [row for row in csv.reader(lines, delimiter=mark) if row]
        if limits and not any(letter.isdigit() for letter in "".join(limits[0])):
            limits = limits[1:]  # the header
    rows = [tuple(row) for row in limits]
    wrong = [row for row in rows if len(row) != 2]
    if wrong or not rows:
        received = wrong[0] if wrong else "no row"
        raise DataError(f"Anomalies must be rows from,to of two numbers or times. Received {received}.")
    return rows


def _seconds(value, row, name, origin):
    """Seconds since the first moment."""
    try:
        number = float(value)
        if np.isfinite(number):
            return number
    except (TypeError, ValueError):
        pass
    try:
        moment = np.datetime64(str(value).strip().removesuffix("Z"), "ns").astype("int64")
    except ValueError:
        raise DataError(
            f"{name}: expected an anomaly's begin and end as numbers, or as 2026-11-25 12:00:00. Received {row}."
        ) from None
    if not origin:
        raise DataError(f"{name} has no column with times of day. Received an anomaly of {row}: pass numbers.")
    return float(moment - origin) * 1e-9
