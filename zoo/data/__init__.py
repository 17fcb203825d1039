"""Where samples come from: datasets by name, folders of images, tables, sound, arrays, windows of long recordings.

>>> zoo.data.load("digits")                              # embedded, needs no network
>>> zoo.data.load("ecg_patient")                         # embedded as well: heart beats of one patient
>>> zoo.data.load("mnist", "test")                       # TensorFlow Datasets, by name
>>> zoo.data.load("photos/", "train", shape=(64, 64, 3)) # folder photos/train/<class>/*.jpg
>>> zoo.data.load("photos.zip")                          # the same folders in a zip archive
>>> zoo.data.load("samples.npy")                         # or .npz, or an array
>>> zoo.data.load("ecg5000")                             # signals and tables, by name: see zoo.data.DATASETS
>>> zoo.data.load("mitbih_beats:normal")                 # of these, the normal samples alone, or the ":anomalous"
>>> zoo.data.load("measurements.csv")                    # or .parquet: a table, each row of which is a sample
>>> zoo.data.load("word.wav")                            # or .flac: one sample
>>> zoo.data.windows("machine.wav", length=1024)         # of one long recording: .wav, .flac, .csv, .parquet, .npy

A file is read as a *table* by `load`: rows are samples, which have no order. It is read as a *series* by `read_series`
and `windows`: rows are moments in time, of which windows become the samples. Nothing is guessed from the content.

A plain name is looked for in the directory that the variable ZOO_DATA_DIR names, as a folder, a zip archive or the file
of a known dataset, before TensorFlow Datasets is asked for it.
"""

import dataclasses
import os
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from zoo.core import reading
from zoo.core.errors import DataError, unknown_name
from zoo.data.datasets import DATASETS, Dataset, load_named, name_of
from zoo.data.images import HOW, resize
from zoo.data.recordings import read_series
from zoo.data.series import Series
from zoo.data.sound import SOUND_SUFFIXES, load_sound
from zoo.data.source import Source, mixture
from zoo.data.stream import Stream, open_stream, read
from zoo.data.tables import TABLE_SUFFIXES, read_table
from zoo.data.windows import windows

__all__ = [
    "DATASETS",
    "Dataset",
    "Series",
    "Source",
    "Stream",
    "load",
    "read_series",
    "read_table",
    "resize",
    "samples_like",
    "windows",
]

_SPLITS = ("train", "test", "validation", "all")
_PART = re.compile(r"([^/\\]+):(normal|anomalous)")  # of a dataset with labels
_LOOKED_AT = 64  # pictures, to know the size of all
_SHARE_OF_MEMORY = 0.25  # of what is free; larger datasets are streamed


def load(
    dataset: Any,
    split: str = "train",
    *,
    shape: Sequence[int] | None = None,
    stream: bool | Literal["auto"] = False,
    follow_links: bool = False,
    how: str = "stretch",
) -> Source | Stream:
    """Load one split of a dataset.

    Args:
        dataset: "digits"; a name in `DATASETS`; the name of a TFDS image dataset such as "mnist"; a directory
            ``split/class/*.jpg|png``, ``class/*``, or of pictures alone, or with a ``labels.csv`` of the columns file,
            label and, if any, split; a zip archive of such a directory; a .npy or .npz file; a .csv, .tsv or .parquet
            file whose rows are samples, see `read_table`; a .wav or .flac file, which is one sample (time, channels);
            the name of a directory or archive in ZOO_DATA_DIR; an array (samples, ...) or what NumPy makes one of, such
            as a list or a pandas DataFrame of numbers; or a `Source` or `Stream`. Of a name with ":normal" or
            ":anomalous" it is the samples of the normal class, or all others. Several names joined by "+", such as
            "mnist+fashion_mnist", are mixed in memory: images brought to `shape`, labels left out.
        split: "train", "test", "validation" (in folders also called val) or "all". Of arrays, and of files and folders
            without splits, it is the whole for each of them.
        shape: bring images to this (height, width, channels); None keeps their own.
        stream: True to read the images of a folder, an archive or a TFDS dataset as they are needed; False to read them
            into memory now; "auto" to stream what is larger than a quarter of the free memory.
        follow_links: whether symbolic links inside a folder may lead out of it, as in datasets that are put together
            from links; ``ZOO_FOLLOW_LINKS=1`` in the environment says so for all. Links that stay inside are always
            followed, and the folder itself may be one.
        how: to bring images to `shape`: "stretch", "crop" or "pad", as of `resize`. A `Stream` keeps its own.

    Returns:
        Source, or Stream.

    Raises:
        UnknownNameError: an unknown split or dataset; the nearest names are listed.
        DataNotFoundError: nothing at this path, a folder without images, or a dataset that is neither in ZOO_DATA_DIR
            nor prepared nor downloadable; the message says how to get it.
        DataError: arrays that are empty or not numeric, labels that are not one class per sample; images that cannot be
            read, that have more than 2**26 pixels, 2**16 pixels on a side or 2**27 bytes, or that differ in size while
            `shape` is None; files that are damaged or made to harm, folders that may not be read, and more than fits
            into memory. The message names the file.
    """
    if split not in _SPLITS:
        raise unknown_name("split", split, _SPLITS)
    if how not in HOW:
        raise unknown_name("way of resizing", how, HOW)
    if isinstance(dataset, str) and "+" in dataset and not reading.kind(dataset):
        sources = [load(name, split, shape=shape, follow_links=follow_links, how=how) for name in dataset.split("+")]
        return mixture(sources, dataset)
    if isinstance(dataset, str) and (part := _PART.fullmatch(dataset)) and not reading.kind(dataset):
        whole = load(part[1], split, shape=shape, follow_links=follow_links, how=how)
        assert isinstance(whole, Source)  # since it is not streamed
        return whole.normals(part[2] == "normal")
    source = _load(dataset, split, shape, stream, follow_links, how)
    if shape is None:
        return source
    return source.resized(shape) if isinstance(source, Stream) else source.resized(shape, how)


def load_bounded(dataset: Any, side: int, split: str = "train") -> Source:
    """As `load`, into memory; pictures of a folder or archive are brought to one size, no side longer than `side`.

    The size is the median of the first 64 pictures', the channels are the most that one of them has.
    """
    path = (
        _in_data_directory(str(dataset)) or reading.expanded(dataset)
        if isinstance(dataset, (str, os.PathLike))
        else None
    )
    shape = None
    if path is not None and (path.suffix.lower() == ".zip" or reading.kind(path) == "a folder"):
        stored, _ = _open_images(dataset, path, split, False)
        shapes = np.array([image.shape for image, _ in stored.part(0, _LOOKED_AT).examples()])
        height, width = np.median(shapes[:, :2], axis=0)
        scale = min(1, side / max(height, width))
        shape = (max(1, round(height * scale)), max(1, round(width * scale)), int(shapes[:, 2].max()))
    source = load(dataset, split, shape=shape)
    assert isinstance(source, Source)  # since it is not streamed
    return source


def _load(dataset, split, shape, stream, follow_links, how):
    if isinstance(dataset, (Source, Stream)):
        return dataset
    if not isinstance(dataset, (str, os.PathLike)):
        from zoo.data.arrays import from_array

        return from_array(dataset)
    if dataset == "digits":
        from zoo.data.digits import load_digits

        return load_digits(split)
    if dataset == "ecg_patient":
        from zoo.data.ecg_patient import load_patient

        return load_patient(split)
    path = _in_data_directory(str(dataset)) or reading.expanded(dataset)
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        from zoo.data.arrays import load_file

        return load_file(path, split)
    if suffix in TABLE_SUFFIXES:
        return read_table(path)
    if suffix in SOUND_SUFFIXES:
        return load_sound(path)
    if (name := name_of(dataset)) and not reading.kind(path):
        return load_named(name, split)
    if dataset == "nab":
        raise DataError("The Numenta Anomaly Benchmark holds series: use zoo.data.read_series('nab/nyc_taxi').")
    stored, about = _open_images(dataset, path, split, follow_links)
    stored = dataclasses.replace(stored, how=how)
    if stream is True or (stream == "auto" and _is_large(len(stored), shape or stored.shape)):
        return open_stream(stored, shape, **about)
    return read(stored, shape, **about)


def _open_images(dataset, path, split, follow_links):
    """The images of a folder, an archive or a TFDS dataset, not yet read, and what is known about them."""
    if path.suffix.lower() == ".zip":
        from zoo.data.image_files import open_archive

        return open_archive(path, split)
    kind = reading.kind(path)
    if kind not in (None, "a folder"):
        raise DataError(
            f"{str(path)!r} is not a dataset: expected a folder or zip archive of images, or a file with one of the"
            f" endings {', '.join(('.npy', '.npz', *TABLE_SUFFIXES, *SOUND_SUFFIXES))}."
            + f" Received {kind}."
            * (kind != "a file")
        )
    if kind or not isinstance(dataset, str) or "/" in dataset or "\\" in dataset:
        from zoo.data.image_files import open_folder

        return open_folder(path, split, follow_links)
    from zoo.data.tfds import open_dataset

    return open_dataset(dataset, split)


def _in_data_directory(name):
    """The folder or archive of this name in ZOO_DATA_DIR, or None."""
    directory = os.environ.get("ZOO_DATA_DIR")
    if not directory or not reading.is_plain_name(name):
        return None
    candidates = (reading.expanded(directory) / file for file in (name, f"{name}.zip"))
    return next((path for path in candidates if reading.kind(path)), None)


def _is_large(count, shape):
    import psutil

    return shape is not None and count * np.prod(shape) > _SHARE_OF_MEMORY * psutil.virtual_memory().available


def samples_like(shape: Sequence[int], count: int) -> np.ndarray:
    """Real samples of any shape, for checks that need real data but no particular one: embedded handwritten digits.

    Args:
        shape: shape of one sample. Images are resized; for other shapes each digit's 64 pixels are interpolated.
        count: number of samples, at most 1,797.

    Returns:
        float32 array (count, *shape) in [0, 1].
    """
    from zoo.data.digits import load_digits

    images = load_digits("all").samples[:count]
    if len(shape) == 3:
        return resize(images, shape)
    length = int(np.prod(shape))
    positions = np.linspace(0, 63, length)
    rows = [np.interp(positions, np.arange(64), image.ravel()) for image in images]
    return np.reshape(rows, (count, *shape)).astype("float32")
