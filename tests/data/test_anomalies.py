"""Labels of a recording from the times of its anomalies."""

import numpy as np
import pytest
import soundfile

import zoo
from zoo.core.errors import DataError, DataNotFoundError


def moments(labels):
    return np.flatnonzero(labels).tolist()


@pytest.fixture
def folder(tmp_path):
    rows = [f"{5 + index / 10:.1f},{index % 7}" for index in range(100)]
    (tmp_path / "pump.csv").write_text("\n".join(["time,x", *rows]))
    days = [f"2026-11-{1 + index // 24:02} {index % 24:02}:00:00,{index % 7}" for index in range(100)]
    (tmp_path / "meter.csv").write_text("\n".join(["timestamp,x", *days]))
    (tmp_path / "plain.csv").write_text("\n".join(["x,label", *(f"{index % 7},0" for index in range(100))]))
    soundfile.write(tmp_path / "word.wav", np.sin(np.arange(100)), 10)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("pump.csv", "from,to\n1.0,1.2\n7,7\n", [10, 11, 12, 70]),  # seconds since the first moment, at 5 s
        ("meter.csv", "2026-11-02 00:00:00;2026-11-02 02:30:00\n", [24, 25, 26]),
        ("meter.csv", "2026-11-02T23:00Z,2026-11-03\n", [47, 48]),
        ("meter.csv", "3600\t7200\n", [1, 2]),
        ("plain.csv", "begin,end\n3,5\n\n", [3, 4, 5]),
        ("word.wav", "0.25,0.5\n", [3, 4, 5]),
    ],
)
def test_a_file_of_times(folder, file, text, expected):
    (folder / "anomalies.csv").write_text(text)
    series = zoo.data.read_series(folder / file, anomalies=folder / "anomalies.csv")
    assert moments(series.labels) == expected
    assert series.values.shape == (100, 1)


def test_pairs_and_gaps(folder):
    series = zoo.data.read_series(folder / "pump.csv", anomalies=[(1.0, 1.1), (1.1, 1.3)])
    assert moments(series.labels) == [10, 11, 12, 13]
    lines = (folder / "pump.csv").read_text().splitlines()
    (folder / "gap.csv").write_text("\n".join(lines[:21] + lines[51:]))  # moments 20 to 49 are missing
    series = zoo.data.read_series(folder / "gap.csv", anomalies=[(1.9, 5.0)])
    assert moments(series.labels) == [19, 20]


@pytest.mark.parametrize(
    ("anomalies", "message"),
    [
        ([], "must be rows from,to of two numbers or times. Received no row"),
        ([(1, 2, 3)], r"Received \(1, 2, 3\)"),
        ([("soon", "later")], r"pump.csv: expected an anomaly's begin and end as numbers, or as .* Received \('soon'"),
        ([("2026-11-02", "2026-11-03")], "pump.csv has no column with times of day"),
        ([(3, 2)], "must begin before it ends, .* from 0 to 9.9. Received from 3 to 2"),
        ([(10, 20)], "hold a moment of the recording, which is from 0 to 9.9. Received from 10 to 20"),
        ([(float("nan"), 2)], "begin and end as numbers"),
    ],
)
def test_refused(folder, anomalies, message):
    with pytest.raises(DataError, match=message):
        zoo.data.read_series(folder / "pump.csv", anomalies=anomalies)


def test_files_that_hold_none(folder):
    with pytest.raises(DataNotFoundError):
        zoo.data.read_series(folder / "pump.csv", anomalies=folder / "absent.csv")
    (folder / "binary.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="no text file: expected rows from,to"):
        zoo.data.read_series(folder / "pump.csv", anomalies=folder / "binary.csv")
