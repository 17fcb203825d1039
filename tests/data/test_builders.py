"""The builders of TensorFlow Datasets, each on a few made-up samples in the form of its download."""

import json
import pathlib
import pickle
import shutil
import sys
import tempfile
import zipfile
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

import zoo
from zoo.core.errors import DataError, DataNotFoundError, UnknownNameError
from zoo.data.builders.adbench import Adbench
from zoo.data.builders.ecg5000 import Ecg5000
from zoo.data.builders.fsdd import Fsdd
from zoo.data.builders.mitbih_beats import MitbihBeats
from zoo.data.builders.nab import Nab
from zoo.data.datasets import DATASETS, split_rows

# The test case of TFDS imports it for its features, which are not tested here.
sys.modules.setdefault("dill", pickle)


def _rows(name, labels):
    """A sample for each label: integers that count on, so that each value tells where it is from."""
    size = DATASETS[name].shape[0]
    return np.arange(len(labels) * size).reshape(len(labels), size).astype(DATASETS[name].dtype)


def _write_ecg5000(folder):
    for split, labels in (("TRAIN", (1, 2)), ("TEST", (1, 5, 3))):
        table = np.column_stack([labels, _rows("ecg5000", labels) + (split == "TEST")])
        np.savetxt(folder / f"ECG5000_{split}.txt", table, fmt="  %.7e")


def _write_mitbih(folder):
    arrays = {}
    for split, labels in (("train", (0, 4)), ("test", (0, 1, 2))):
        arrays |= {f"x_{split}": _rows("mitbih_beats", labels) - (split == "test"), f"y_{split}": np.uint8(labels)}
    np.savez(folder / "mitbih_beats_180hz.npz", **arrays)


def _write_fsdd(folder):
    (folder / "repository" / "recordings").mkdir(parents=True)
    for number, (name, length) in enumerate({"7_ann_0": 9000, "7_ann_10": 50, "7_ann_9": 8000, "0_bob_4": 3}.items()):
        sound = np.full(length, number + 1, "int16")
        soundfile.write(folder / "repository" / "recordings" / f"{name}.wav", sound, 8000)


def _write_adbench(folder):
    labels = np.array([0, 1] + [0] * 9)
    np.savez(folder / "6_cardio.npz", X=_rows("adbench_cardio", labels), y=labels)


def _write_nab(folder):
    with zipfile.ZipFile(folder / "nab_v1.1.zip", "w") as file:
        for name, values in (("a/first", (1, 2, 3)), ("b/second", (5, 4))):
            rows = [f"2014-04-01 00:{5 * number:02d}:00,{value}" for number, value in enumerate(values)]
            file.writestr(f"NAB-1/data/{name}.csv", "\n".join(["timestamp,value", *rows, ""]))
        file.writestr("NAB-1/results/x/data/b.csv", "no data")
        window = ["2014-04-01 00:05:00.000000", "2014-04-01 00:10:00.000000"]
        file.writestr("NAB-1/labels/combined_windows.json", json.dumps({"a/first.csv": [window], "b/second.csv": []}))


class _BuilderTest(tfds.testing.DatasetBuilderTestCase):
    write = None
    SKIP_CHECKSUMS = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        cls.write(pathlib.Path(cls.EXAMPLE_DIR))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.EXAMPLE_DIR)


class Ecg5000Test(_BuilderTest):
    DATASET_CLASS = Ecg5000
    SPLITS: ClassVar = {"train": 2, "test": 3}
    write = staticmethod(_write_ecg5000)


class MitbihBeatsTest(_BuilderTest):
    DATASET_CLASS = MitbihBeats
    SPLITS: ClassVar = {"train": 2, "test": 3}
    write = staticmethod(_write_mitbih)


class FsddTest(_BuilderTest):
    DATASET_CLASS = Fsdd
    SPLITS: ClassVar = {"train": 2, "test": 2}
    write = staticmethod(_write_fsdd)


class AdbenchTest(_BuilderTest):
    DATASET_CLASS = Adbench
    SPLITS: ClassVar = {"train": 7, "test": 4}
    BUILDER_CONFIG_NAMES_TO_TEST: ClassVar = ["cardio"]
    DL_DOWNLOAD_RESULT = "6_cardio.npz"
    SKIP_CHECKSUMS = False
    write = staticmethod(_write_adbench)


class NabTest(_BuilderTest):
    DATASET_CLASS = Nab
    SPLITS: ClassVar = {"test": 2}
    DL_DOWNLOAD_RESULT = "nab_v1.1.zip"
    write = staticmethod(_write_nab)


del _BuilderTest


@pytest.fixture
def no_files(tmp_path, monkeypatch):
    """An empty directory for TensorFlow Datasets, and no ZOO_DATA_DIR."""
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path


def _load_both_ways(name, write, no_files, monkeypatch):
    """{split: (Source as it is prepared)}, from downloads that `write` makes up."""
    manual = no_files / "tfds" / "downloads" / name / "manual"
    manual.mkdir(parents=True)
    write(manual)
    asked = []

    def download(self, address):
        asked.append(address)
        return manual if len(list(manual.iterdir())) > 1 or (manual / "repository").exists() else next(manual.iterdir())

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", download)
    monkeypatch.setattr(tfds.download.DownloadManager, "download", download)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: asked.append("name"))
    sources = {split: zoo.data.load(name, split) for split in ("train", "test", "all")}
    assert asked == ["name", *DATASETS[name].download] if DATASETS[name].download else not asked
    for split, source in sources.items():
        assert (source.name, source.split, source.version) == (name, split, "1.0.0")
        assert source.class_names == DATASETS[name].class_names
        assert source.samples.dtype == DATASETS[name].dtype
    every = np.concatenate([sources["train"].samples, sources["test"].samples])
    np.testing.assert_array_equal(sources["all"].samples, every)
    return sources


def test_ecg5000(no_files, monkeypatch):
    sources = _load_both_ways("ecg5000", _write_ecg5000, no_files, monkeypatch)
    assert [source.labels.tolist() for source in sources.values()] == [[0, 1], [0, 4, 2], [0, 1, 0, 4, 2]]
    np.testing.assert_array_equal(sources["train"].samples, np.arange(280).reshape(2, 140))
    np.testing.assert_array_equal(sources["test"].samples, np.arange(420).reshape(3, 140) + 1)
    assert len(zoo.data.load("ecg5000:normal", "all")) == 2
    assert zoo.data.load("ecg5000:anomalous", "all").labels.tolist() == [1, 4, 2]


def test_mitbih_beats(no_files, monkeypatch):
    sources = _load_both_ways("mitbih_beats", _write_mitbih, no_files, monkeypatch)
    assert [source.labels.tolist() for source in sources.values()] == [[0, 4], [0, 1, 2], [0, 4, 0, 1, 2]]
    test = sources["test"]
    assert (test.sampling_rate, test.unit, test.scale) == (180.0, "mV", 1 / 200)
    np.testing.assert_allclose(test.values()[0], (np.arange(128) - 1) / 200, rtol=1e-6)


def test_fsdd(no_files, monkeypatch):
    """By digit, speaker and number as a number; numbers 0 to 4 are for the test; padded or cut to one second."""
    sources = _load_both_ways("fsdd", _write_fsdd, no_files, monkeypatch)
    assert [source.labels.tolist() for source in sources.values()] == [[7, 7], [0, 7], [7, 7, 0, 7]]
    assert sources["train"].samples[:, 0].tolist() == [3, 2]
    assert (sources["all"].samples != 0).sum(axis=1).tolist() == [8000, 50, 3, 8000]
    assert (sources["all"].scale, sources["all"].normal_class) == (1 / 32768, None)
    with pytest.raises(DataError, match="'fsdd' it is not known which samples are normal"):
        zoo.data.load("fsdd:normal")


def test_adbench(no_files, monkeypatch):
    sources = _load_both_ways("adbench_cardio", _write_adbench, no_files, monkeypatch)
    assert [source.labels.sum() for source in sources.values()] == [0, 1, 1]
    # The other way, from the same file, gives the same rows in the same order.
    directory = no_files / "data" / "adbench"
    directory.mkdir(parents=True)
    _write_adbench(directory)
    monkeypatch.setenv("ZOO_DATA_DIR", str(directory.parent))
    for split, source in sources.items():
        other = zoo.data.load("adbench_cardio", split)
        np.testing.assert_array_equal(other.samples, source.samples)
        np.testing.assert_array_equal(other.labels, source.labels)
        assert other.samples.dtype == np.float32


def test_rows_of_a_split():
    labels = np.array([0, 1] * 50)
    train, test, every = (split_rows(labels, split) for split in ("train", "test", "all"))
    assert (len(train), len(test)) == (35, 65)
    assert not labels[train].any()
    assert sorted(every) == list(range(100))
    assert train[:6].tolist() == [0, 2, 4, 6, 8, 12]  # the seed is part of what the numbers of a model are of
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()


def test_checksums_are_compared():
    """Of the files of ADBench, which are published unchanged."""
    assert len(Adbench.url_infos) == 6
    assert all(len(known.checksum) == 64 for known in Adbench.url_infos.values())


class TestFilesInDataDirectory:
    @pytest.fixture(autouse=True)
    def directory(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
        (tmp_path / "adbench").mkdir()
        return tmp_path

    @pytest.mark.parametrize(
        "name", [name for name, dataset in DATASETS.items() if dataset.has_split and not dataset.make]
    )
    def test_official_splits(self, directory, name):
        facts = DATASETS[name]
        labels = {split: np.array([0, 1, 1][:count]) for split, count in (("train", 2), ("test", 3))}
        arrays = {f"x_{split}": _rows(name, values) for split, values in labels.items()}
        stored = {f"y_{split}": values.astype("uint8") + facts.first_label for split, values in labels.items()}
        np.savez(directory / facts.file, **arrays, **stored)
        for given in (name, facts.file.removesuffix(".npz")):
            for split in ("train", "test"):
                source = zoo.data.load(given, split)
                np.testing.assert_array_equal(source.samples, arrays[f"x_{split}"])
                assert source.labels.tolist() == labels[split].tolist()
                facts_of = (source.name, source.sampling_rate, source.unit, source.scale, source.class_names)
                assert facts_of == (name, facts.sampling_rate, facts.unit, facts.scale, facts.class_names)
            assert len(zoo.data.load(given, "all")) == 5

    def test_other_files(self, directory):
        np.savez(directory / "ecg5000.npz", x=np.ones((2, 140)))
        with pytest.raises(
            DataError, match=r"ecg5000.npz' is not the file of ECG5000.*: expected arrays x_train, y_train"
        ):
            zoo.data.load("ecg5000")
        np.savez(directory / "ecg5000.npz", x_train=np.ones((2, 141)), y_train=[1, 2])
        with pytest.raises(
            DataError, match=r"expected samples of shape \(140,\) and one label each. Received \(2, 141\)"
        ):
            zoo.data.load("ecg5000")
        (directory / "ecg5000.npz").write_bytes(b"PK junk")
        with pytest.raises(DataError, match="ecg5000.npz' is not a"):
            zoo.data.load("ecg5000")

    def test_series_of_nab(self, directory):
        _write_nab(directory)
        series = zoo.data.read_series("nab/first")
        assert (series.name, series.values.ravel().tolist(), series.labels.tolist()) == ("first", [1, 2, 3], [0, 1, 1])
        assert series.sampling_rate == pytest.approx(1 / 300)
        assert zoo.data.read_series("nab/b/second").labels.tolist() == [0, 0]
        with pytest.raises(UnknownNameError, match="Unknown series .* 'frist'. Did you mean"):
            zoo.data.read_series("nab/frist")
        with pytest.raises(DataError, match="holds series: use zoo.data.read_series"):
            zoo.data.load("nab")


def test_where_to_get_them(no_files, monkeypatch):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("socket.getaddrinfo", offline)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    for name, parts in {
        "ecg5000": (
            "(as ecg5000.npz)",
            "(OSError)",
            "timeseriesclassification.com",
            "zoo.data.load('ecg5000')",
            "ODC-By",
        ),
        "adbench_shuttle": (
            "(as adbench/32_shuttle.npz)",
            "github.com/Minqi824/ADBench",
            "folder adbench/shuttle/1.0.0",
        ),
        "mitbih_beats": (
            "(as mitbih_beats_180hz.npz)",
            "physionet.org/content/mitdb",
            "mitbih_beats/manual'",
            "180 Hz",
        ),
        "cwru": ("(as cwru_12k_de_0hp_w1024.npz)", "engineering.case.edu", "none stated"),
    }.items():
        with pytest.raises(DataNotFoundError) as caught:
            zoo.data.load(name)
        for part in (f"Dataset {name!r} is not in ZOO_DATA_DIR", *parts):
            assert part in str(caught.value)
    with pytest.raises(DataNotFoundError, match=r"No nab_v1.1.zip in ZOO_DATA_DIR .*github.com/numenta/NAB"):
        zoo.data.read_series("nab/nyc_taxi")
    with pytest.raises(UnknownNameError, match="Did you mean 'ecg5000'"):
        zoo.data.load("ecg500")


@pytest.mark.parametrize("name", DATASETS)
def test_facts(name):
    facts = DATASETS[name]
    assert facts.address.startswith("https://")
    assert facts.citation.startswith("@")
    assert facts.citation.count("{") == facts.citation.count("}")
    assert all((facts.title, facts.description, facts.licence, facts.file.endswith(".npz"), facts.shape))
    assert (facts.scale is not None) <= (facts.dtype == "int16")
    assert facts.normal_class is None or facts.normal_class < len(facts.class_names)
