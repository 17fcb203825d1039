import datetime

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import zoo
from zoo.core.errors import DataError, DataNotFoundError


def _csv(tmp_path, text, name="x.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _parquet(tmp_path, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    return tmp_path / "x.parquet"


_EXPECTED = [[1, 2.5], [-3, 4e3]]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2.5\n-3,4e3\n",
        "1,2.5\n-3,4e3",
        "a;b\r\n1;2.5\r\n-3;4e3\r\n",
        "a\tb\n1\t2.5\n-3\t4e3\n",
        "a [m; s]\tb\n1\t2.5\n-3\t4e3\n",
        "\ufeffa,b\n 1, 2.5\n-3 ,4e3\n",
        '"a","b"\n"1","2.5"\n"-3","4e3"\n',
        "time,a,b\n0,1,2.5\n7,-3,4e3\n",
        "2026-11-25 12:00:00,1,2.5\n2026-11-25 12:00:01,-3,4e3\n",
        ",a,b\n0,1,2.5\n1,-3,4e3\n",
        "a,Index,b\n1,0,2.5\n-3,1,4e3\n",
    ],
)
def test_rows_are_samples(tmp_path, text):
    source = zoo.data.load(_csv(tmp_path, text))
    assert source.samples.dtype == np.float32
    np.testing.assert_array_equal(source.samples, np.float32(_EXPECTED))
    assert (source.labels, source.name) == (None, "x.csv")


def test_numbers_as_names_and_as_values(tmp_path):
    """As pandas writes a DataFrame without names; and three rows of numbers that are none."""
    for text in (",0,1,2\n0,5,6,7\n1,8,9,10\n", "0,1,2\n5,6,7\n8,9,10\n"):
        assert zoo.data.load(_csv(tmp_path, text)).samples.tolist() == [[5, 6, 7], [8, 9, 10]]
    assert zoo.data.load(_csv(tmp_path, "0,1,3\n5,6,7\n")).samples.tolist() == [[0, 1, 3], [5, 6, 7]]
    assert zoo.data.load(_csv(tmp_path, "0,5\n1,6\n2,8\n")).samples.tolist() == [[5], [6], [8]]
    assert zoo.data.load(_csv(tmp_path, "0,5\n1,6\n3,8\n")).samples.tolist() == [[0, 5], [1, 6], [3, 8]]
    assert zoo.data.load(_csv(tmp_path, "4,5\n5,6\n6,8\n")).samples.tolist() == [[4, 5], [5, 6], [6, 8]]


def test_columns_and_labels(tmp_path):
    path = _csv(tmp_path, "time,x,Label,y\n1,2,b,3\n4,5,a,6\n")
    source = zoo.data.load(path)
    assert (source.samples.tolist(), source.labels.tolist(), source.class_names) == (
        [[2, 3], [5, 6]],
        [1, 0],
        ("a", "b"),
    )
    chosen = zoo.data.read_table(path, columns=["y", "time"])
    assert (chosen.samples.tolist(), chosen.labels.tolist()) == ([[3, 1], [6, 4]], [1, 0])
    assert zoo.data.read_table(path, columns=["x"], labels="time").labels.tolist() == [1, 4]
    numbered = _csv(tmp_path, "5,1\n6,0\n")
    assert zoo.data.read_table(numbered, labels="1").labels.tolist() == [1, 0]
    assert zoo.data.read_table(numbered, labels="1").class_names == ()
    assert zoo.data.read_table(_csv(tmp_path, "7,8\n9,10\n"), header=True).samples.tolist() == [[9, 10]]
    with pytest.raises(DataError, match=r"x.csv' has no column 'z'. It has \['7', '8'\]"):
        zoo.data.read_table(tmp_path / "x.csv", columns=["z"], header=True)
    with pytest.raises(DataError, match="column 'label': a label is missing"):
        zoo.data.load(_csv(tmp_path, "a,label\n1,\n2,x\n"))


_BAD = {
    "a decimal comma": (
        "a;b\n1;2\n1,5;2\n",
        "x.csv', line 3, column 'a': expected a number. Received '1,5'. Numbers need a decimal point",
    ),
    "a decimal comma without a header": ("1,5;2\n1,5;3\n", "line 1, column '0': .* Numbers need a decimal point"),
    "text": ("a,b\n1,2\n3,x1\n", "x.csv', line 3, column 'b': expected a number. Received 'x1'.$"),
    "text far away": ("a,b\n" + "1,2\n" * 2_000_000 + "x,4\n", "line 2000002, column 'a': .* Received 'x'"),
    "a missing value": ("a,b\n1,2\n3,\n", r"1 missing or infinite values, first in row 1 \(counted .* column 'b'"),
    "NaN": ("a,b\nnan,2\n3,4\n", "1 missing or infinite values, first in row 0 .* column 'a'"),
    "beyond float32": ("a,b\n1,1e39\n1,2\n", "1 missing or infinite values, first in row 0 .* column 'b'"),
    "a short row": ("a,b\n1,2\n3\n", "x.csv', line 3: Expected 2 columns, got 1: 3"),
    "a long row": ("a,b\n1,2,3\n", "x.csv', line 2: Expected 2 columns, got 3"),
    "nothing": ("", "x.csv' is empty: expected rows"),
    "blank lines": ("\n\n \n", "x.csv' is empty: expected rows"),
    "a header alone": ("a,b\n", "x.csv' has no rows"),
    "a name twice": ("a,a\n1,2\n", r"several columns of one name.*Received \['a'\]"),
    "only time": ("time\n1\n2\n", r"x.csv' has no column of values. It has \['time'\]"),
    "zeros": (bytes(100), "no text file: .* Received binary data"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "no text file"),
    "Latin-1": ("größe,b\n1,2\n".encode("latin-1"), r"no text file: expected rows of numbers in UTF-8 \('utf-8' codec"),
    "junk": (b"\xff\xfe\xfd,b\n" * 50, "no text file"),
    "junk below a header": (b"a,b\n1,2\n\xff\x80\n", "x.csv', line 3"),
    "zeros below a header": (b"a,b\n1,2\n" + b"3," * 2**20 + bytes(2**20), "x.csv'"),
    "one long line": (b"1" * (2**20 + 1), "a first line of more than 1,048,576 bytes"),
    "one long line below a header": (b"a,b\n" + b"1" * 2**25, "x.csv'"),
    "very many columns": (b"1," * 2**17 + b"1\n", "has 131,073 columns: expected at most 65,536"),
    "an open quote": ('a,b\n1,2\n3,"4\n5,6\n', "x.csv', line 3, column 'b'"),
}


@pytest.mark.parametrize("kind", _BAD)
def test_bad_text(tmp_path, kind):
    content, message = _BAD[kind]
    with pytest.raises(DataError, match=message) as caught:
        zoo.data.load(_csv(tmp_path, content))
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


def test_what_does_not_fit_into_memory(tmp_path, monkeypatch):
    path = _csv(tmp_path, "1,2,3,4\n" * 2**20)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 2**23}))
    with pytest.raises(DataError, match="x.csv' does not fit into memory. Split it"):
        zoo.data.load(path)
    path = _parquet(tmp_path, x=np.zeros(2**22))
    with pytest.raises(DataError, match="x.parquet' does not fit into memory. Split it"):
        zoo.data.load(path)


class TestParquet:
    def test_columns(self, tmp_path):
        times = [datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=i / 4) for i in range(3)]
        path = _parquet(
            tmp_path, time=times, a=[1, 2, 3], b=[0.5, 1.5, 2.5], c=[True, False, True], label=["x", "y", "x"]
        )
        source = zoo.data.load(path)
        assert source.samples.tolist() == [[1, 0.5, 1], [2, 1.5, 0], [3, 2.5, 1]]
        assert (source.labels.tolist(), source.class_names) == ([0, 1, 0], ("x", "y"))
        series = zoo.data.read_series(path, labels="c", channels=["b"])
        assert (series.sampling_rate, series.channels, series.labels.tolist()) == (4.0, ("b",), [1, 0, 1])

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"a": [1, None], "b": [1, 2]}, "1 missing or infinite values, first in row 1 .* column 'a'"),
            ({"a": ["1", "2"]}, "column 'a': expected numbers. Received string. Leave it out"),
            ({"a": [[1], [2]]}, "column 'a': expected numbers. Received list"),
            ({"a": pyarrow.array([], pyarrow.int64())}, "x.parquet' has no rows"),
        ],
    )
    def test_refused(self, tmp_path, columns, message):
        with pytest.raises(DataError, match=message):
            zoo.data.load(_parquet(tmp_path, **columns))

    def test_every_flipped_byte(self, tmp_path):
        """Read, or refused by name: values have no checksum, but nothing else happens."""
        whole = _parquet(tmp_path, a=[1, 2], label=["x", "y"]).read_bytes()
        refused, path = 0, tmp_path / "x.parquet"
        for number in range(len(whole)):
            path.write_bytes(whole[:number] + bytes([whole[number] ^ 255]) + whole[number + 1 :])
            try:
                zoo.data.load(path)
            except DataError as error:
                assert "x.parquet'" in str(error)
                refused += 1
        assert refused > len(whole) / 2
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match="x.parquet' is no table that can be read"):
            zoo.data.load(path)


class TestTime:
    """The sampling rate and the gaps of a series follow from its column of time."""

    @pytest.mark.parametrize(
        ("text", "rate"),
        [
            ("time,x\n0,1\n0.25,2\n0.5,3\n", 4),
            ("Time [ms],x\n0,1\n250,2\n500,3\n", 4),
            ("t_us,x\n0,1\n250,2\n500,3\n", 4000),
            ("0.0,1\n0.25,2\n0.5,3\n", 4),
            ("timestamp,x\n2026-11-25 12:00:00,1\n2026-11-25 12:00:10,2\n2026-11-25 12:00:20,3\n", 0.1),
            ("2026-11-25T12:00:00.5Z,1\n2026-11-25T12:00:01Z,2\n2026-11-25T12:00:01.5Z,3\n", 2),
            ("index,x\n0,1\n1,2\n2,3\n", None),
            ("0,1\n1,2\n2,3\n", None),
            ("x\n1\n2\n3\n", None),
        ],
    )
    def test_rates(self, tmp_path, text, rate):
        series = zoo.data.read_series(_csv(tmp_path, text))
        assert series.sampling_rate == (None if rate is None else pytest.approx(rate))
        assert series.values.tolist() == [[1], [2], [3]]
        assert series.breaks == ()

    def test_gaps(self, tmp_path):
        path = _csv(tmp_path, "time,x\n0,1\n1,2\n2.1,3\n6,4\n7,5\n8,6\n")
        assert zoo.data.read_series(path).breaks == (3,)
        assert zoo.data.read_series(path).sampling_rate == pytest.approx(4 / 4.1)
        assert zoo.data.read_series(path, time=False).sampling_rate is None
        assert zoo.data.read_series(path, time=False, sampling_rate=5).breaks == ()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "t,x\n0,1\n1,2\n1,3\n2,4\n",
                r"time goes back or stands still at row 2 \(.*\): 1 s is followed by 1 s. Sort",
            ),
            ("t,x\n0,1\n1,2\n1.1,3\n2.1,4\n3,3\n", "time is not even at row 2 .*: 1 s is followed by 1.1 s"),
            (
                "t,x\n25/11/2026,1\n26/11/2026,2\n",
                "column 't': expected times in seconds, or such as .* Received '25/11",
            ),
            ("t,x\n0,1\n,2\n", "column 't': a time is missing"),
        ],
    )
    def test_refused(self, tmp_path, text, message):
        with pytest.raises(DataError, match=message):
            zoo.data.read_series(_csv(tmp_path, text))

    def test_another_rate(self, tmp_path):
        path = _csv(tmp_path, "time,x\n0,1\n0.25,2\n0.5,3\n")
        with pytest.raises(DataError, match="another sampling rate: expected 8 Hz. Received 4 Hz: resample it"):
            zoo.data.read_series(path, sampling_rate=8)
        assert zoo.data.read_series(path, sampling_rate=4.01).sampling_rate == 4.01

    def test_labels(self, tmp_path):
        assert zoo.data.read_series(_csv(tmp_path, "x,anomaly\n1,0\n2,1\n")).labels.tolist() == [0, 1]
        with pytest.raises(
            DataError, match=r"labels that are text: expected 0 for normal .* Received \['bad', 'good'\]"
        ):
            zoo.data.read_series(_csv(tmp_path, "x,label\n1,good\n2,bad\n"))


@pytest.mark.parametrize("read", [zoo.data.load, zoo.data.read_series, lambda path: zoo.data.windows(path, 2)])
def test_nothing_there(tmp_path, read):
    for name in ("x.csv", "x.parquet", "x.wav", "x.npy"):
        with pytest.raises(DataNotFoundError, match=f"No such file: '.*{name}'"):
            read(tmp_path / name)
