"""The series of the Numenta Anomaly Benchmark, from its archive."""

import io
import os
import pathlib
import re

import numpy as np

from zoo.core import archives, reading
from zoo.core.errors import DataError, DataNotFoundError, unknown_name
from zoo.data.series import Series
from zoo.data.tables import read_columns

FILE = "nab_v1.1.zip"
ADDRESS = "https://github.com/numenta/NAB/archive/ea702d75cc2258d9d7dd35ca8e5e2539d71f3140.zip"
CITATION = """@article{ahmad2017unsupervised, title={Unsupervised real-time anomaly detection for streaming data},
author={Ahmad, Subutai and Lavin, Alexander and Purdy, Scott and Agha, Zuha}, journal={Neurocomputing}, volume={262},
pages={134--147}, year={2017}}
"""
DESCRIPTION = (
    "58 series of measurements with the windows of their anomalies, from the Numenta Anomaly Benchmark, version 1.1."
    " The first 15 % of each are for training."
)
_MEMBER_BYTES = 2**24
_MEMBER = re.compile(r"([^/]+/)?data/[^/]+/[^/]+\.csv")  # the archive of a repository has one folder around all
_WINDOWS = "labels/combined_windows.json"


def read_nab(name):
    """A series of the benchmark as a `Series`, with 1 for the moments inside of its anomaly windows.

    Its moments are taken as even, as the benchmark does: some have irregular times.

    Args:
        name: such as "nyc_taxi", or with its folder: "realKnownCause/nyc_taxi".

    Raises:
        DataNotFoundError: no nab_v1.1.zip in the directory that ZOO_DATA_DIR names.
        UnknownNameError: no such series.
        DataError: a damaged archive.
    """
    path = reading.expanded(os.environ.get("ZOO_DATA_DIR") or ".") / FILE
    if not reading.kind(path):
        raise DataNotFoundError(
            f"No {FILE} in ZOO_DATA_DIR ({str(path.parent)!r}). Download {ADDRESS} and put it there under this name."
        )
    return dict(all_series(path, name))[name]


def all_series(path, name=None):
    """Pairs of (name, Series) of an archive of the benchmark, or of its repository; of one if a name is given."""
    archive = archives.opened(path)
    members = sorted(filter(_MEMBER.fullmatch, archive.namelist()))
    root = members[0][: members[0].index("data/")] if members else ""
    by_name = {member.removeprefix(f"{root}data/").removesuffix(".csv"): member for member in members}
    short = {pathlib.PurePosixPath(known).name: known for known in by_name}
    chosen = {name: by_name.get(short.get(name, name))} if name else by_name
    if None in chosen.values():
        raise unknown_name("series of the Numenta Anomaly Benchmark", name, by_name)
    if root + _WINDOWS not in archive.namelist():
        raise DataError(f"{str(path)!r} has no {_WINDOWS}: expected the archive of the Numenta Anomaly Benchmark.")
    windows = reading.parse_json(archive.unpacked(root + _WINDOWS, limit=_MEMBER_BYTES), _WINDOWS)
    for known, member in chosen.items():
        content = io.BytesIO(archive.unpacked(member, limit=_MEMBER_BYTES))
        columns = read_columns(f"{path}/{member}", content=content)
        yield known, _series(known, columns, windows.get(member.removeprefix(f"{root}data/"), ()))


def _series(name, columns, windows):
    labels = np.zeros(len(columns.values), "int64")
    times = columns.times
    for begin, end in windows:
        begin, end = (np.datetime64(moment).astype("datetime64[ns]").astype("int64") for moment in (begin, end))
        labels[(columns.origin + times * 1e9 >= begin) & (columns.origin + times * 1e9 <= end)] = 1
    usual = float(np.median(np.diff(times)))
    return Series(columns.values, 1 / usual, channels=columns.names, name=name, labels=labels)
