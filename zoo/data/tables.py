"""Tables of numbers in CSV and Parquet files that somebody else may have made."""

import contextlib
import csv
import dataclasses
import os
import re
from collections.abc import Sequence

import numpy as np

from zoo.core import reading
from zoo.core.errors import DataError, ZooError
from zoo.data.source import Source

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")

_LABELS = ("label", "labels", "class", "anomaly", "is_anomaly")
_INDEX = ("", "index", "unnamed: 0", "__index_level_0__", "row", "id")
_TIME = re.compile(
    r"(?:time|timestamp|date|datetime|t)(?:[ _]?[\[(]?(s|sec|seconds|ms|us|µs|ns)[\])]?)?", re.IGNORECASE
)
_SECONDS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_FIRST_LINE_BYTES = 2**20
_BLOCK_BYTES = 2**22
_BLOCK_ROWS = 2**16
_MOST_COLUMNS = 2**16
_PROBLEM = re.compile(r"(?:In CSV column #(\d+): )?(?:CSV parse error: )?Row #(\d+): (.*)", re.DOTALL)
_VALUE = re.compile(r"invalid value '(.*)'", re.DOTALL)


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """What a file of columns holds.

    Attributes:
        names: of the columns of values.
        values: float32 array (rows, columns); NaN where a value is missing.
        labels: int64 numbers or texts (rows,), or None.
        times: float64 array (rows,), seconds since the first row, or None.
        origin: nanoseconds since 1970 of the first row, 0 if they are not known.
    """

    names: tuple[str, ...]
    values: np.ndarray
    labels: np.ndarray | None = None
    times: np.ndarray | None = None
    origin: int = 0


def read_table(
    path: str | os.PathLike,
    *,
    columns: Sequence[str] | None = None,
    labels: str | None = None,
    header: bool | None = None,
) -> Source:
    """The rows of a .csv, .tsv or .parquet file as samples.

    The separator of a CSV file is a tab, a semicolon or a comma: the first of these in its first line. That line is a
    header unless it holds a number; columns without names are "0", "1" and so on. Left out are columns of time ("time",
    "timestamp", "date", "t", with a unit as in "time_ms") and of row numbers ("index", "id", "row", or without a name;
    in a file without header a first column of 0, 1, 2, ... or 1, 2, 3, ...).

    Args:
        path: path of the file, of UTF-8 text with decimal points; missing values are not allowed.
        columns: names of the columns to take, in this order, whatever they are called; None takes all that are left.
        labels: name of the column of labels, numbers or text; by default "label", "class" or "anomaly" if there is one.
        header: whether the first line holds names; None looks at it.

    Returns:
        Source of float32 samples (rows, columns).

    Raises:
        DataNotFoundError: no such file.
        DataError: not such a file, a damaged one, one that does not fit into memory; text, a decimal comma or a missing
            value where a number is expected, named by row and column; a column that is not there.

    Example:
        >>> zoo.data.read_table("flowers.csv", labels="species").class_names
        ('setosa', 'versicolor', 'virginica')
    """
    path = reading.expanded(path)
    found = read_columns(path, columns=columns, labels=labels, header=header)
    bad = ~np.isfinite(found.values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{str(path)!r} has {int(bad.sum()):,} missing or infinite values, first in row {row} (counted from 0"
            f" without the header), column {found.names[column]!r}: remove or fill them."
        )
    return Source(found.values, found.labels, name=path.name)


def is_no_value(name: str) -> bool:
    """Whether a column of this name holds times, labels or row numbers unless somebody says that it does not."""
    return bool(_TIME.fullmatch(name)) or name.lower() in (*_LABELS, *_INDEX)


def read_columns(path, *, columns=None, labels=None, time=None, header=None, content=None, series=False):
    """The `Columns` of a file, for `read_table` and `read_series`; `content` is an open file in place of `path`."""
    where = str(path)
    with contextlib.ExitStack() as stack:
        file = content or stack.enter_context(reading.opened(path))
        with _named(where):
            is_parquet = file.read(4) == b"PAR1"
            file.seek(0)
            table = (_Parquet if is_parquet else _CSV)(file, where, header)
            roles = _roles(table, where, columns, labels, time)
            parts = [_part(batch, roles, where) for batch in _bounded(table.batches(roles), where)]
    return _joined(parts, roles, where, table.has_names, series)


@dataclasses.dataclass(frozen=True)
class _Roles:
    values: tuple
    labels: str | None
    time: str | None


class _CSV:
    def __init__(self, file, where, header):
        line = file.read(_FIRST_LINE_BYTES)
        file.seek(0)
        if not line.strip():
            raise DataError(f"{where!r} is empty: expected rows of numbers.")
        if b"\0" in line:
            raise DataError(f"{where!r} is no text file: expected rows of numbers in UTF-8. Received binary data.")
        line, end, _ = line.lstrip(b"\r\n").partition(b"\n")
        if len(line) == _FIRST_LINE_BYTES and not end:
            raise DataError(f"{where!r} has a first line of more than {_FIRST_LINE_BYTES:,} bytes.")
        try:
            text = line.decode("utf-8-sig").rstrip("\r")
        except UnicodeDecodeError as error:
            raise DataError(f"{where!r} is no text file: expected rows of numbers in UTF-8 ({error}).") from error
        self._delimiter = next((mark for mark in "\t;" if mark in text), ",")
        fields = [field.strip() for field in next(csv.reader([text], delimiter=self._delimiter))]
        self.has_names = _is_header(fields) if header is None else header
        self.names = fields if self.has_names else [str(number) for number in range(len(fields))]
        self._file, self._where = file, where
        is_time = not self.has_names and _TIMESTAMP.fullmatch(fields[0])
        self.times = (self.names[0],) if is_time else ()

    def batches(self, roles):
        import pyarrow
        from pyarrow import csv as arrow

        types = {name: pyarrow.float64() for name in roles.values}
        if roles.labels:
            types[roles.labels] = pyarrow.string()
        wanted = [name for name in (*roles.values, roles.labels, roles.time) if name is not None]
        read = arrow.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
        if not self.has_names:
            read.column_names = self.names
        convert = arrow.ConvertOptions(column_types=types, include_columns=wanted, strings_can_be_null=False)
        try:
            yield from arrow.open_csv(
                self._file,
                read_options=read,
                parse_options=arrow.ParseOptions(delimiter=self._delimiter),
                convert_options=convert,
            )
        except pyarrow.ArrowInvalid as problem:
            raise self._explained(str(problem)) from problem

    def _explained(self, text):
        found = _PROBLEM.match(text)
        if not found:
            return DataError(f"{self._where!r} is no table of numbers: {_short(text)}.")
        column, row, reason = found.groups()
        place = f"{self._where!r}, line {row}" + (f", column {self.names[int(column)]!r}" if column else "")
        value = _VALUE.search(reason)
        if not value:
            return DataError(f"{place}: {_short(reason)}.")
        value = value[1].strip()
        advice = ""
        if re.fullmatch(r"[-+]?\d*,\d+([eE][-+]?\d+)?", value):
            advice = " Numbers need a decimal point: replace the decimal commas, and separate columns by ';' or a tab."
        return DataError(f"{place}: expected a number. Received {_short(value)!r}.{advice}")


class _Parquet:
    has_names = True

    def __init__(self, file, where, header):
        import psutil
        from pyarrow import parquet, types

        self._file, self._where = parquet.ParquetFile(file), where
        self._schema = self._file.schema_arrow
        self.names = list(self._schema.names)
        self.times = tuple(field.name for field in self._schema if types.is_timestamp(field.type))
        about = self._file.metadata
        groups = [about.row_group(number).total_byte_size for number in range(about.num_row_groups)]
        size = max([4 * about.num_rows * len(self.names), *groups])
        if size > psutil.virtual_memory().available:
            raise _no_memory(where)

    def batches(self, roles):
        from pyarrow import types

        for name in roles.values:
            kind = self._schema.field(name).type
            if not any(check(kind) for check in (types.is_integer, types.is_floating, types.is_boolean, types.is_null)):
                raise DataError(
                    f"{self._where!r}, column {name!r}: expected numbers. Received {kind}. Leave it out: pass"
                    " columns=[...] of those that you want."
                )
        wanted = [name for name in (*roles.values, roles.labels, roles.time) if name is not None]
        yield from self._file.iter_batches(_BLOCK_ROWS, columns=wanted, use_threads=False)


def _is_header(fields):
    numbers = [_is_number(field) for field in fields]
    if not any(numbers):
        return not any(map(_TIMESTAMP.fullmatch, fields))
    # As pandas writes columns without names, with row numbers before them or without.
    names = fields[1:] if fields[0] == "" else fields
    return len(names) > 2 and names == [str(number) for number in range(len(names))]


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return text.lower() in ("na", "n/a", "null")
    return True


def _roles(table, where, columns, labels, time):
    """Which column is what."""
    names = table.names
    if len(names) > _MOST_COLUMNS:
        raise DataError(f"{where!r} has {len(names):,} columns: expected at most {_MOST_COLUMNS:,}.")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"{where!r} has several columns of one name: expected different ones. Received {twice[:5]}.")
    if isinstance(columns, str):
        columns = [columns]
    for name in (*(columns or ()), labels, time):
        if name is not None and name not in names:
            raise DataError(f"{where!r} has no column {name!r}. It has {names[:20]}.")
    if labels is None and table.has_names:
        labels = next((name for name in names if name.lower() in _LABELS), None)
    if time is None:
        time = next((name for name in table.times if name != labels), None)
    if time is None and table.has_names:
        time = next((name for name in names if _TIME.fullmatch(name) and name != labels), None)
    if columns is None:
        left_out = {labels, time} | {name for name in names if table.has_names and name.lower() in _INDEX}
        columns = [name for name in names if name not in left_out]
    else:
        labels, time = (None if name in columns else name for name in (labels, time))
    if not columns:
        raise DataError(f"{where!r} has no column of values. It has {names[:20]}.")
    return _Roles(tuple(columns), labels, time)


def _bounded(batches, where):
    """The batches, as long as what was read fits into memory twice: in parts, and as one array."""
    import psutil

    total = 0
    for batch in batches:
        total += 4 * batch.num_rows * batch.num_columns
        if total > _BLOCK_BYTES and total > psutil.virtual_memory().available:
            raise _no_memory(where)
        yield batch


def _no_memory(where):
    return DataError(f"{where!r} does not fit into memory. Split it into several files.")


def _part(batch, roles, where):
    """(values, labels or None, times or None) of one batch, as NumPy arrays."""
    import pyarrow

    values = np.empty((batch.num_rows, len(roles.values)), "float32")
    with np.errstate(over="ignore"):  # becomes infinite, which is named later
        for number, name in enumerate(roles.values):
            values[:, number] = batch.column(name).cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    labels = batch.column(roles.labels) if roles.labels else None
    if labels is not None and (
        labels.null_count or (pyarrow.types.is_string(labels.type) and "" in labels.to_pylist())
    ):
        raise DataError(f"{where!r}, column {roles.labels!r}: a label is missing.")
    labels = None if labels is None else np.asarray(labels.to_pylist())
    return values, labels, _times(batch.column(roles.time), roles.time, where) if roles.time else None


def _times(column, name, where):
    """Seconds as float64 since an instant that is the same for all batches, or int64 nanoseconds."""
    import pyarrow

    if column.null_count:
        raise DataError(f"{where!r}, column {name!r}: a time is missing.")
    if pyarrow.types.is_timestamp(column.type) or pyarrow.types.is_date(column.type):
        return column.cast(pyarrow.timestamp("ns")).cast(pyarrow.int64()).to_numpy()
    if not (pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type)):
        first = _short(column[0].as_py()) if len(column) else ""
        raise DataError(
            f"{where!r}, column {name!r}: expected times in seconds, or such as 2026-11-25 12:00:00. Received"
            f" {first!r}."
        )
    return column.cast(pyarrow.float64()).to_numpy()


def _joined(parts, roles, where, has_names, series):
    if not sum(len(values) for values, _, _ in parts):
        raise DataError(f"{where!r} has no rows: expected rows of numbers.")
    values, labels, times = (
        None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)
    )
    names, origin = roles.values, 0
    if times is not None and times.dtype == np.int64:
        origin = int(times[0])
        times = (times - origin) * 1e-9
    elif times is not None:
        unit = _TIME.fullmatch(roles.time) if has_names else None
        times = (times - times[0]) * _SECONDS.get(unit[1] if unit and unit[1] else "s", 1.0)
    elif not has_names and len(names) > 1:
        first, steps = values[:, 0].astype("float64"), np.diff(values[:, 0].astype("float64"))
        if len(first) > 2 and first[0] in (0, 1) and (steps == 1).all():
            names, values = names[1:], values[:, 1:]
        elif series and len(first) > 2 and steps[0] > 0 and _are_even(first, steps):
            names, values, times = names[1:], values[:, 1:], first - first[0]
    return Columns(names, values, _as_labels(labels), times, origin)


def _are_even(times, steps):
    """Whether times, read as float32, grow by the same step up to their rounding and a hundredth."""
    return bool((np.abs(steps - steps.mean()) <= 0.01 * steps.mean() + np.spacing(np.float32(abs(times).max()))).all())


def _as_labels(labels):
    """Labels as whole numbers where all of them are such, else as text."""
    if labels is None or labels.dtype.kind in "iub":
        return labels
    try:
        numbers = labels.astype("float64")
    except ValueError:
        return labels
    return numbers.astype("int64") if (numbers == np.rint(numbers)).all() else labels


@contextlib.contextmanager
def _named(where):
    """Turn whatever happens while a table is read into a `DataError` that names its file."""
    try:
        yield
    except ZooError:
        raise
    except MemoryError as problem:
        raise _no_memory(where) from problem
    except Exception as problem:  # of many kinds for damaged files
        raise DataError(
            f"{where!r} is no table that can be read ({type(problem).__name__}: {_short(problem)})."
        ) from problem


def _short(text):
    return " ".join(ascii(str(text))[1:-1].split())[:200].rstrip(".")
