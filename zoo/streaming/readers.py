"""Chunks of samples from files and pipes, each as soon as it is there.

Every reader is a generator of arrays (t, channels), any t, and keeps no more than one chunk.
"""

import csv
import re
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from typing import Any

import numpy as np

from zoo.core.errors import DataError

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


def comma_separated(file: BufferedIOBase, channels: int) -> Iterator[np.ndarray]:
    """Rows of numbers, separated by commas, semicolons, tabs or spaces, as float64.

    A row has one number per channel, or one field more, whose first is the time and is left out. A first row without
    numbers is a header. Empty fields, and such as NA, are NaN.

    Raises:
        DataError: a row of another length, or a field that is no number; its line is named.
    """
    read, rest, separator = 0, b"", None
    while content := file.read1(_CHUNK):
        *lines, rest = (rest + content).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise DataError(
                f"Expected lines of at most {_LONGEST_LINE:,} bytes. Line {read + len(lines) + 1} is longer."
            )
        rows, separator = _rows(lines, read, channels, separator)
        read += len(lines)
        yield np.array(rows, "float64").reshape(-1, channels)
    if rest.strip():
        yield np.array(_rows([rest], read, channels, separator)[0], "float64").reshape(-1, channels)


def _rows(lines, read, channels, separator):
    """Lists of numbers, one for each line that has some, and the separator, which the first line decides."""
    rows = []
    for number, line in enumerate(lines, read + 1):
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip("\r\0 ")
        if not text:
            continue
        first, separator = separator is None, separator or next((s for s in ",;\t" if s in text), " ")
        fields = next(csv.reader([re.sub(r"\s+", " ", text) if separator == " " else text], delimiter=separator))
        values = fields[-channels:]
        try:
            row = [float("nan") if field.strip().lower() in _NO_NUMBER else float(field) for field in values]
        except ValueError:
            if first:  # the header
                continue
            raise DataError(f"Line {number}: expected numbers. Received: {text[:60]!r}.") from None
        if len(fields) not in (channels, channels + 1):
            raise DataError(
                f"Line {number}: expected {channels} numbers, one for each channel of the model, or one field more, the"
                f" time, before them. Received {len(fields)} fields: {text[:60]!r}."
            )
        rows.append(row)
    return rows, separator


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
