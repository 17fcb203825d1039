"""Chunks of samples from files and pipes, each as soon as it is there.

Every reader is a generator of arrays (t, channels), any t, and keeps no more than one chunk.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from io import BufferedIOBase
from typing import Any

import numpy as np

from zoo.core.errors import DataError
from zoo.data.tables import is_no_value

RAW = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
AUDIO = (".wav", ".flac", ".ogg")

_CHUNK = 2**16  # bytes at most, and what is there at least
_LONGEST_LINE = 10**6
_NO_NUMBER = {"", "na", "n/a", "null", "none", "-"}


def raw(file: BufferedIOBase, dtype: np.dtype, channels: int) -> Iterator[np.ndarray]:
    """Samples without any header, of all channels in turn, as arrays of `dtype` in the machine's byte order.

    Raises:
        DataError: it ends in the middle of a sample.
    """
    size, rest = dtype.itemsize * channels, b""
    while content := file.read1(_CHUNK):
        content = rest + content
        whole = len(content) // size * size
        rest = content[whole:]
        yield np.frombuffer(content[:whole], dtype).astype(dtype.newbyteorder("=")).reshape(-1, channels)
    if rest:
        raise DataError(
            f"The stream ends in the middle of a sample: expected {size} bytes for each ({channels} of {dtype.name})."
            f" Received {len(rest)} more at its end: is it of this format?"
        )


def comma_separated(
    file: BufferedIOBase,
    channels: int,
    columns: Sequence[str] = (),
    time: str | None = None,
    times: Any = None,
) -> Iterator[np.ndarray]:
    """Rows of numbers, separated by commas, semicolons, tabs or spaces, as float64.

    A first row without numbers is a header. Of a file with more columns than channels it says which to leave out: those
    of time, labels and row numbers, as `zoo.data.read_table` knows them. Without one, a row has one number per channel,
    or one field more, whose first is the time and is left out. Empty fields, and such as NA, are NaN.

    Args:
        file: binary file.
        channels: of the model.
        columns: names of the columns to take, in the order of the model's channels.
        time: name of the column of time.
        times: what the texts of that column are appended to, one for each row.

    Raises:
        DataError: a row of another length, or a field that is no number; its line is named. A column that is not there.
    """
    rows = _Rows(channels, tuple(columns), time, times)
    rest = b""
    while content := file.read1(_CHUNK):
        *lines, rest = (rest + content).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise DataError(
                f"Expected lines of at most {_LONGEST_LINE:,} bytes. Line {rows.read + len(lines) + 1} is longer."
            )
        yield rows.parsed(lines)
    if rest.strip():
        yield rows.parsed([rest])


class _Rows:
    """Parses lines. The first with content decides the separator and, if it is a header, the columns."""

    def __init__(self, channels, columns, time, times):
        self.channels, self.columns, self.time, self.times = channels, columns, time, times
        self.read, self._names = 0, []
        self._separator = self._width = self._taken = self._time = None

    def parsed(self, lines):
        """The numbers of lines, float64 (rows, channels)."""
        rows = [row for row in map(self._row, lines) if row is not None]
        return np.array(rows, "float64").reshape(-1, self.channels)

    def _row(self, line):
        self.read += 1
        text = line.decode("utf-8-sig" if self.read == 1 else "utf-8", "replace").strip("\r\0 ")
        if not text:
            return None
        first = self._separator is None
        self._separator = self._separator or next((s for s in ",;\t" if s in text), " ")
        single = re.sub(r"\s+", " ", text) if self._separator == " " else text
        fields = next(csv.reader([single], delimiter=self._separator))
        values = fields[-self.channels :]
        if self._taken and len(fields) == self._width:
            values = [fields[number] for number in self._taken]
        try:
            row = [float("nan") if field.strip().lower() in _NO_NUMBER else float(field) for field in values]
        except ValueError:
            if first:
                self._take_header([field.strip() for field in fields])
                return None
            raise DataError(f"Line {self.read}: expected numbers. Received: {text[:60]!r}.") from None
        if first and (self.columns or self.time):
            raise DataError(f"Columns are chosen by their names, in a first line. Received: {text[:60]!r}.")
        if self._width and len(fields) != self._width:
            raise DataError(f"Line {self.read}: expected {self._width} fields. Received {len(fields)}: {text[:60]!r}.")
        if not self._taken and len(fields) not in (self.channels, self.channels + 1):
            header = f" Choose the columns of the channels among {self._names[:20]}." if self._names else ""
            raise DataError(
                f"Line {self.read}: expected {self.channels} numbers, one for each channel of the model, or one field"
                f" more, the time, before them. Received {len(fields)} fields: {text[:60]!r}.{header}"
            )
        if self._time is not None:
            self.times.append(fields[self._time].strip())
        return row

    def _take_header(self, names):
        for name in (*self.columns, *([self.time] if self.time else [])):
            if name not in names:
                raise DataError(f"The signal has no column {name!r}. It has {names[:20]}.")
        self._names, self._time = names, names.index(self.time) if self.time else None
        left = [number for number, name in enumerate(names) if name != self.time and not is_no_value(name)]
        if self.columns:
            if len(self.columns) != self.channels:
                raise DataError(f"The model takes {self.channels} channels. Received the columns {self.columns}.")
            self._taken = [names.index(name) for name in self.columns]
        elif len(left) == self.channels:
            self._taken = left
        self._width = len(names) if self._taken else None


def audio(file: Any, dtype: np.dtype, due: Callable[[], int]) -> Iterator[np.ndarray]:
    """Frames of an audio file that is open, up to the end of each window.

    Args:
        file: `soundfile.SoundFile`.
        dtype: "float32", full scale is 1; or "int16", for a file of 16 bits.
        due: how many samples are still missing to the next window, see `Stream.due`.

    Raises:
        DataError: integers are asked of a file that has other ones.
    """
    if dtype.kind == "i" and (dtype.name, file.subtype) != ("int16", "PCM_16"):
        raise DataError(f"The model takes samples of dtype {dtype}. Received a file of {file.subtype_info} samples.")
    while len(frames := file.read(min(due(), _CHUNK), dtype=dtype.name, always_2d=True)):
        yield frames
