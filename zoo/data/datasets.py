"""Datasets of signals, sound and tables that are loaded by name: one table of facts for every way to get them."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np

from zoo.core import arrays_file, reading
from zoo.core.errors import DataError
from zoo.data.beats import CHANNELS, in_context
from zoo.data.source import Source

_TRAINING_SHARE = 0.7  # of the normal samples, where a dataset has no official split


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What is known about a dataset.

    Attributes:
        title: its name in words.
        description: what the samples are, and how they are split.
        address: its official page.
        licence: SPDX name, or what is stated instead.
        citation: the publication to cite.
        file: path of its NumPy file below the directory that ZOO_DATA_DIR names.
        shape: of one sample.
        dtype: of the samples as they are stored.
        download: {address: (bytes, SHA-256)} of what its builder downloads; None where no checksum is published.
        sampling_rate, unit, scale, class_names: as of a `Source`.
        normal_class: number of the class of normal samples; None if there is none.
        first_label: what the stored labels begin with.
        has_split: whether train and test are given; else a seeded share of the normal samples is for training.
        groups: the arrays of the NumPy file that say who or what each sample is of are GROUPS_train and GROUPS_test; an
            array GROUPSs holds their names, if they have some. "" if there are none.
        channels: as of a `Source`.
        make: what makes the samples of those in the file and of the record that each is of; None takes them as stored.
    """

    title: str
    description: str
    address: str
    licence: str
    citation: str
    file: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    download: dict[str, tuple[int, str] | None] = dataclasses.field(default_factory=dict)
    sampling_rate: float | None = None
    unit: str = ""
    scale: float | None = None
    class_names: tuple[str, ...] = ("normal", "anomalous")
    normal_class: int | None = 0
    first_label: int = 0
    has_split: bool = True
    groups: str = ""
    channels: tuple[str, ...] = ()
    make: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def source(
        self, samples: np.ndarray, labels: np.ndarray | None, name: str, split: str, groups: np.ndarray | None = None
    ) -> Source:
        """A `Source` of samples as they are stored and labels that count from 0."""
        keys = ("sampling_rate", "unit", "scale", "channels", "class_names", "normal_class")
        about = {key: getattr(self, key) for key in keys}
        return Source(samples, labels, name=name, split=split, version=self.version, groups=groups, **about)

    @property
    def version(self) -> str:
        """Of the files, and of the builder."""
        return "1.0.0"


_UCR = """@article{dau2019ucr, title={The {UCR} time series archive}, author={Dau, Hoang Anh and Bagnall, Anthony and
Kamgar, Kaveh and Yeh, Chin-Chia Michael and Zhu, Yan and Gharghabi, Shaghayegh and Ratanamahatana, Chotirat Ann and
Keogh, Eamonn}, journal={IEEE/CAA Journal of Automatica Sinica}, volume={6}, number={6}, pages={1293--1305},
year={2019}}
"""
_MITBIH = """@article{moody2001impact, title={The impact of the {MIT-BIH} arrhythmia database}, author={Moody, George B
and Mark, Roger G}, journal={IEEE Engineering in Medicine and Biology Magazine}, volume={20}, number={3},
pages={45--50}, year={2001}}
"""
_FSDD = """@misc{jackson2018fsdd, title={Jakobovski/free-spoken-digit-dataset: v1.0.8}, author={Jackson, Zohar and
Souza, C{\\'e}sar and Flaks, Jason and Pan, Yuxin and Nicolas, Hereman and Thite, Adhish}, publisher={Zenodo},
year={2018}, doi={10.5281/zenodo.1342401}}
"""
_CWRU = """@misc{cwru, title={Bearing Data Center}, author={{Case Western Reserve University}},
howpublished={https://engineering.case.edu/bearingdatacenter}}
"""
_ADBENCH = """@inproceedings{han2022adbench, title={{ADBench}: Anomaly detection benchmark}, author={Han, Songqiao and
Hu, Xiyang and Huang, Hailiang and Jiang, Mingqi and Zhao, Yue}, booktitle={Advances in Neural Information Processing
Systems}, volume={35}, pages={32142--32159}, year={2022}}
"""
_ADBENCH_FILES = (
    "https://github.com/Minqi824/ADBench/raw/3dac8221081e190f157d78e93bfa8867f90d0965/adbench/datasets/Classical/"
)


def _table(number, name, features, size, sha256, **about):
    file = f"{number}_{name}.npz"
    return Dataset(
        title=f"{name} (ADBench)",
        description=f"Rows of {features} measurements, normal or anomalous. There is no official split: a random 70 %"
        " of the normal rows (NumPy's default generator, seed 0) are for training, all others for the test.",
        address="https://github.com/Minqi824/ADBench",
        licence="BSD-2-Clause (repository); the tables are of the UCI repository and ODDS",
        citation=_ADBENCH,
        file=f"adbench/{file}",
        shape=(features,),
        download={_ADBENCH_FILES + file: (size, sha256)},
        has_split=False,
        **about,
    )


_BEATS = Dataset(
    title="MIT-BIH arrhythmia beats",
    description="Heart beats of 44 patients, lead MLII at 180 Hz, from 48 samples before to 80 after the R peak, as"
    " counts of the converter. Split by patient as by de Chazal (2004): DS1 for training, DS2 for the test; classes"
    " of AAMI EC57.",
    address="https://physionet.org/content/mitdb/1.0.0/",
    licence="ODC-By-1.0",
    citation=_MITBIH,
    file="mitbih_beats_180hz.npz",
    shape=(128,),
    dtype="int16",
    sampling_rate=180.0,
    unit="mV",
    scale=1 / 200,
    class_names=("N", "S", "V", "F", "Q"),
    groups="record",
)

DATASETS = {
    "ecg5000": Dataset(
        title="ECG5000 (UCR archive)",
        description="5,000 heart beats of one patient, each of 140 values and brought to mean 0 and deviation 1, in the"
        " official split: 500 for training, 4,500 for the test.",
        address="https://www.timeseriesclassification.com/description.php?Dataset=ECG5000",
        licence="free for research (UCR archive, no SPDX name); the record behind it is ODC-By-1.0 (PhysioNet)",
        citation=_UCR,
        file="ecg5000.npz",
        shape=(140,),
        download={"https://www.timeseriesclassification.com/aeon-toolkit/ECG5000.zip": None},
        class_names=("normal", "R-on-T PVC", "PVC", "supraventricular or ectopic", "unclassified"),
        first_label=1,
    ),
    "mitbih_beats": _BEATS,
    "mitbih_beats_in_context": dataclasses.replace(
        _BEATS,
        title="MIT-BIH arrhythmia beats in context",
        description="Each of the mitbih_beats with, as second channel, its patient's usual beat, the median of the 60"
        " beats before it, and, as third, a mark of 1 mV where its window overlaps that of the beat before. The first"
        " 60 beats of a patient serve one another. Needs record_train and record_test in the file.",
        shape=(128, 3),
        channels=CHANNELS,
        make=functools.partial(in_context, mark=200),
    ),
    "fsdd": Dataset(
        title="Free Spoken Digit Dataset",
        description="3,000 recordings of digits by 6 speakers at 8 kHz, padded with zeros or cut to one second, in the"
        " official split: numbers 0 to 4 of every digit and speaker are for the test.",
        address="https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence="CC-BY-SA-4.0",
        citation=_FSDD,
        file="fsdd_8khz_1s.npz",
        shape=(8000,),
        dtype="int16",
        download={
            "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
            "26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip": None
        },
        sampling_rate=8000.0,
        scale=1 / 32768,
        class_names=tuple("0123456789"),
        groups="speaker",
        normal_class=None,
    ),
    "cwru": Dataset(
        title="CWRU bearing, drive end, 0 hp",
        description="Vibration of a bearing at 12 kHz, windows of 1,024 values; the first 60 % of each record for"
        " training, the rest for the test.",
        address="https://engineering.case.edu/bearingdatacenter",
        licence="none stated; acknowledgement asked",
        citation=_CWRU,
        file="cwru_12k_de_0hp_w1024.npz",
        shape=(1024,),
        sampling_rate=12000.0,
        unit="g",
        class_names=("normal", "IR007", "IR014", "IR021", "B007", "B014", "B021", "OR007", "OR014", "OR021"),
    ),
    "adbench_annthyroid": _table(
        2, "annthyroid", 6, 66547, "e738f7c58a8740d2c4aac4c71ff49ce5e1d1aa16f44178135fc9c09df05fad1b"
    ),
    "adbench_cardio": _table(
        6, "cardio", 21, 68471, "bc5009bde6930b4d298b594f31b34485a9a17210cff0e8fb00a8c3068b885a2d"
    ),
    "adbench_mammography": _table(
        23, "mammography", 6, 166764, "a0308ac9712d78321073b1c2dc98dc37665c0f35c1cc33019416fe8f8d7de7ea"
    ),
    "adbench_pendigits": _table(
        28, "pendigits", 16, 653509, "c4936b89dcdad59d303020e492f763a0f54170080d787c77497609acbb9c2d79"
    ),
    "adbench_shuttle": _table(
        32, "shuttle", 9, 332929, "26900b0f6be45d9ddb7a402c9b2f956ceda42d23a8ca4cf4406b8bc1352823d1", dtype="int16"
    ),
    "adbench_thyroid": _table(
        38, "thyroid", 6, 39882, "8de161b3f235b7647bb0b39a836d983ff61d67bf234edac461da2d71e889cb87"
    ),
}
# Of several of one file, the one as it is stored.
_BY_FILE = {pathlib.PurePath(dataset.file).stem: name for name, dataset in DATASETS.items() if not dataset.make}


def name_of(text):
    """The name in `DATASETS` that a name of a dataset or of its file means, or None."""
    return text if text in DATASETS else _BY_FILE.get(text)


def load_named(name, split):
    """One split of a dataset of `DATASETS`: from its file in ZOO_DATA_DIR, or as TensorFlow Datasets prepares it.

    Raises:
        DataNotFoundError: neither; the message says where to get it.
        DataError: a file that is damaged or of other arrays.
    """
    dataset, directory = DATASETS[name], os.environ.get("ZOO_DATA_DIR")
    if directory and reading.kind(path := reading.expanded(directory) / dataset.file):
        samples, labels, groups = _of_file(dataset, path, split)
        return dataset.source(samples, labels, name, split, groups)
    from zoo.data.builders.prepared import load_prepared

    return load_prepared(name, split)


def split_rows(labels, split, normal_class=0):
    """Which rows belong to a split of a dataset that has none: indices, in order.

    A random 70 % of the normal rows are for training, by NumPy's default generator of seed 0; the others and all
    anomalies for the test. "all" is one after the other.
    """
    normal = np.flatnonzero(labels == normal_class)
    train = np.sort(np.random.default_rng(0).permutation(normal)[: int(_TRAINING_SHARE * len(normal))])
    every = np.arange(len(labels))
    test = np.setdiff1d(every, train)
    return {"train": train, "test": test, "all": np.concatenate([train, test])}[split]


def _of_file(dataset, path, split):
    groups = None
    with arrays_file.opened(path) as content:
        try:
            if dataset.has_split:
                parts = ("train", "test") if split == "all" else (split,)
                samples = np.concatenate([_made(dataset, content, part) for part in parts])
                labels = np.concatenate([content[f"y_{part}"] for part in parts])
                groups = _groups(content, dataset.groups, parts)
            else:
                samples, labels = content["X"], content["y"]
                rows = split_rows(labels, split)
                samples, labels = samples[rows], labels[rows]
        except (KeyError, ValueError, IndexError) as error:
            raise DataError(
                f"{str(path)!r} is not the file of {dataset.title}: expected arrays "
                f"{_expected(dataset) if dataset.has_split else 'X, y'}. Received {list(content)[:20]}."
            ) from error
    if samples.shape[1:] != dataset.shape or labels.ndim != 1:
        raise DataError(
            f"{str(path)!r} is not the file of {dataset.title}: expected samples of shape {dataset.shape} and one label"
            f" each. Received {samples.shape} and {labels.shape}."
        )
    # As it is declared, so that every way gives the same: an integer table stays one, other numbers are float32.
    return samples.astype(dataset.dtype, copy=False), labels.astype("int64") - dataset.first_label, groups


def _groups(content, key, parts):
    """Names or numbers of the groups, where the file has them."""
    if not key or any(f"{key}_{part}" not in content for part in parts):
        return None
    numbers = np.concatenate([content[f"{key}_{part}"] for part in parts])
    return content[f"{key}s"][numbers] if f"{key}s" in content else numbers.astype("int64")


def _made(dataset, content, part):
    samples = content[f"x_{part}"]
    return samples if dataset.make is None else dataset.make(samples, content[f"record_{part}"])


def _expected(dataset):
    parts = ("x_{0}", "y_{0}") if dataset.make is None else ("x_{0}", "y_{0}", "record_{0}")
    return ", ".join(array.format(split) for split in ("train", "test") for array in parts)
