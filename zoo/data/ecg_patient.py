"""The embedded signals: 800 heart beats of one patient, for `zoo demo ecg`."""

import pathlib

from zoo.core import arrays_file
from zoo.data.datasets import DATASETS
from zoo.data.source import Source

NAME = "ecg_patient"
FILE = pathlib.Path(__file__).with_name(f"{NAME}.npz")


def load_patient(split: str) -> Source:
    """The first ten minutes of record 214 as a `Source`: int16 (800, 128), with the facts of "mitbih_beats".

    The beats are in the order of time. "train" are the first 300, "test" the other 500, "all" are both.

    Source: G. B. Moody and R. G. Mark, MIT-BIH Arrhythmia Database, PhysioNet, under the Open Data Commons Attribution
    License v1.0; windows of lead MLII around the annotated beats, decimated to 180 Hz (scripts/ecg_excerpt.py).
    """
    with arrays_file.opened(FILE) as content:
        beats, labels = content["x"], content["y"]
    part = {"train": slice(0, 300), "test": slice(300, None), "all": slice(None)}[split]
    return DATASETS["mitbih_beats"].source(beats[part], labels[part].astype("int64"), NAME, split)
