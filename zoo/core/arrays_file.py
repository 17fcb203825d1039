"""Reading .npy and .npz files that somebody else may have made.

The formats are NumPy's own (numpy.lib.format, versions 1 to 3). Only arrays of numbers and text are read; the header is
matched against what a header may hold, never evaluated, and memory is allocated only for data that the file has.
"""

import contextlib
import io
import math
import os
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zoo.core import archives, reading
from zoo.core.errors import DataError, DataNotFoundError, ZooError

_MAGIC = b"\x93NUMPY"
_HEADER_BYTES = 10_000
_FIELDS = re.compile(
    r"""['"](descr|fortran_order|shape)['"] ?: ?(?:['"]([^'"]{1,40})['"]|(True|False)|\(([\d, ]*)\))"""
)
_KINDS = "biufcSU"  # numbers and text
_CHUNK = 2**24
_ADVICE = "Write it with numpy.save or numpy.savez, as numbers or text"


def read_array(
    source: str | os.PathLike | bytes,
    *,
    where: str | None = None,
    error: type[ZooError] = DataError,
    missing: type[ZooError] = DataNotFoundError,
    **options: bool,
) -> np.ndarray:
    """The array of a .npy file.

    Args:
        source: path of the file, or its content.
        where: what to call it in an error; by default its path.
        error: class of the error for a file that cannot be read.
        missing: class of the error for a file that is not there.
        **options: `follow_links`, as for `zoo.core.reading.opened`.

    Raises:
        ZooError: of these classes: not a regular file or not a .npy file, an array of Python objects or records, more
            or fewer bytes than its shape says, or more than fits into memory.

    Example:
        >>> arrays_file.read_array("samples.npy").shape
        (1797, 8, 8, 1)
    """
    where = where or _name(source)
    with _file(source, error, missing, options) as (file, size), _named(where, error):
        return _array(file, size)


@contextlib.contextmanager
def opened(
    source: str | os.PathLike | bytes,
    *,
    where: str | None = None,
    error: type[ZooError] = DataError,
    missing: type[ZooError] = DataNotFoundError,
    **options: bool,
) -> Iterator[Mapping[str, np.ndarray]]:
    """A .npz archive as a mapping of name to array, each of which is read when it is asked for.

    Arguments and errors are those of `read_array`; for what is checked of the archive see `zoo.core.archives`.
    """
    where = where or _name(source)
    with contextlib.ExitStack() as stack:
        with _named(where, error):
            archive = stack.enter_context(
                archives.opened(source, where=where, error=_FormatError, missing=missing, **options)
            )
        yield _Arrays(archive, where, error)


def read_arrays(source: str | os.PathLike | bytes, **options) -> dict[str, np.ndarray]:
    """All arrays of a .npz archive by name; arguments and errors as for `opened`."""
    with opened(source, **options) as arrays:
        return dict(arrays)


class _Arrays(Mapping):
    def __init__(self, archive, where, error):
        self._archive, self._where, self._error = archive, where, error
        self._members = {name.removesuffix(".npy"): name for name in archive.namelist()}

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)

    def __getitem__(self, key):
        entry = self._archive.getinfo(self._members[key])
        with _named(self._where, self._error, f"array {key!r}: "), self._archive.open(entry) as file:
            array = _array(file, entry.file_size)
            if file.read(1):  # also has the checksum compared
                raise _FormatError("has more bytes than the archive says")
            return array


class _FormatError(ZooError, ValueError):
    """What is wrong, in words that follow the name of the file."""


@contextlib.contextmanager
def _named(where, error, array=""):
    """Turn whatever happens while an array is read into an `error` that names its file."""
    try:
        yield
    except _FormatError as problem:
        reason = str(problem).removeprefix(f"{where} ").rstrip(".")
        raise error(f"{where} is not a plain NumPy file: {array}{reason}. {_ADVICE}.") from problem
    except ZooError:
        raise
    except MemoryError as problem:
        raise error(f"{where} does not fit into memory.") from problem
    except Exception as problem:  # of many kinds for damaged archives
        reason = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
        raise error(f"{where} is not a plain NumPy file: {array}it is damaged ({reason}). {_ADVICE}.") from problem


def _name(source):
    return "This file" if isinstance(source, bytes) else repr(os.fspath(source))


@contextlib.contextmanager
def _file(source, error, missing, options):
    """Pairs of a binary file and its size, of a path or of content."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), len(source)
        return
    with reading.opened(source, error=error, missing=missing, **options) as file:
        yield file, os.fstat(file.fileno()).st_size


def _array(file: Any, size: int) -> np.ndarray:
    """The array in a file of `size` bytes."""
    dtype, fortran_order, shape, begin = _header(file)
    count = math.prod(shape)
    expected, found = count * dtype.itemsize, size - begin
    if expected != found:
        raise _FormatError(
            f"an array of shape {shape} and dtype {dtype} takes {expected:,} bytes, the file has {found:,}"
        )
    _check_memory(expected)
    array = np.empty(count, dtype)
    content = memoryview(array.view("uint8").data)
    while content:
        done = file.readinto(content[:_CHUNK])
        if not done:
            raise _FormatError("it ends too early")
        content = content[done:]
    _check_values(array)
    return array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)


def _header(file):
    """(dtype, whether in Fortran order, shape, number of bytes before the data)."""
    start = file.read(8)
    if len(start) != 8 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise _FormatError("it does not begin as a .npy file does")
    form = "<H" if start[6] == 1 else "<I"
    width = struct.calcsize(form)
    (length,) = struct.unpack(form, file.read(width).ljust(width, b"\0"))
    if length > _HEADER_BYTES:
        raise _FormatError(f"its header has {length:,} bytes, more than {_HEADER_BYTES:,}")
    text = file.read(length).decode("utf-8" if start[6] == 3 else "latin-1")
    fields = {key: dtype or flag or shape for key, dtype, flag, shape in _FIELDS.findall(" ".join(text.split()))}
    if "descr" not in fields and "'descr': [" in text:
        raise _FormatError("it holds records of several fields")
    if set(fields) != {"descr", "fortran_order", "shape"} or fields["fortran_order"] not in ("True", "False"):
        raise _FormatError("its header is damaged")
    shape = tuple(int(axis) for axis in fields["shape"].split(",") if axis.strip())
    return _dtype(fields["descr"]), fields["fortran_order"] == "True", shape, 8 + width + length


def _dtype(text):
    try:
        dtype = np.dtype(text)
    except Exception as problem:  # the parser of NumPy raises errors of several kinds
        raise _FormatError(f"its dtype {text!r} does not exist") from problem
    if dtype.hasobject:
        raise _FormatError("it holds Python objects, which could run code when they are read")
    if dtype.kind not in _KINDS or dtype.subdtype or not dtype.itemsize:
        raise _FormatError(f"its dtype {dtype} is neither of numbers nor of text")
    return dtype


def _check_memory(size):
    if size <= _CHUNK:
        return
    import psutil

    available = psutil.virtual_memory().available
    if size > available:
        raise _FormatError(f"its {size:,} bytes do not fit into the {available:,} bytes of free memory")


def _check_values(array):
    """Bytes that are no value of their type, on which NumPy and Python act in surprising ways."""
    if array.dtype.kind == "b" and (array.view("uint8") > 1).any():
        raise _FormatError("it has booleans that are neither true nor false")
    if array.dtype.kind == "U":
        characters = array.view(np.dtype("uint32").newbyteorder(array.dtype.byteorder))
        if (characters > 0x10FFFF).any():
            raise _FormatError("it has characters that do not exist")
