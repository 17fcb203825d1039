"""Datasets of `zoo.data.datasets` as TensorFlow Datasets prepares them."""

import importlib
import socket
import urllib.parse
import urllib.request

import numpy as np

from zoo.core.errors import DataError, DataNotFoundError
from zoo.core.terminal import load_tensorflow
from zoo.data.datasets import DATASETS
from zoo.data.tfds import download_root

_BATCH = 1024


def load_prepared(name, split):
    """One split of a dataset of `DATASETS` as a `Source`; downloaded and prepared if it is not there yet.

    Raises:
        DataNotFoundError: it is neither prepared nor downloadable; the message says where to get it.
        DataError: prepared files that are damaged.
    """
    facts = DATASETS[name]
    where = f"Dataset {name!r} is not in ZOO_DATA_DIR (as {facts.file})"
    source = f"{facts.address} (licence: {facts.licence})"
    builder = _builder(name)
    if builder is None:
        raise DataNotFoundError(f"{where}: get it from {source} and set ZOO_DATA_DIR to the directory that holds it.")
    root = download_root(builder)
    downloads = root / "downloads" / name
    try:
        if not builder.is_prepared() and not urllib.request.getproxies():
            for address in facts.download:  # fails at once without a network, where the downloader tries for minutes
                socket.getaddrinfo(urllib.parse.urlsplit(address).hostname, 443)
        builder.download_and_prepare(download_dir=str(downloads))
    except Exception as error:  # whatever the downloader met: network, disk, checksum, manual steps
        remedy = (
            f"Put it into {str(downloads / 'manual')!r}: {' '.join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())}"
            if builder.MANUAL_DOWNLOAD_INSTRUCTIONS
            else f"On a machine with a network run: python -c \"import zoo; zoo.data.load('{name}')\", then copy its"
            f" folder {builder.info.full_name} into {str(root)!r}, or set TFDS_DATA_DIR to a directory that holds it."
        )
        raise DataNotFoundError(
            f"{where}, is not prepared in {str(root)!r} and could not be downloaded ({type(error).__name__}) from"
            f" {source}. {remedy}"
        ) from error
    try:
        parts = [_read(builder, part) for part in (("train", "test") if split == "all" else (split,))]
    except Exception as error:  # of many kinds for damaged files
        raise DataError(f"Dataset {name!r} is damaged ({type(error).__name__}): prepare or copy it again.") from error
    samples, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return facts.source(samples, labels, name, split)


def _builder(name):
    """The builder of a dataset, or None if there is none."""
    load_tensorflow()
    import tensorflow_datasets as tfds

    module, _, config = name.partition("_") if name.startswith("adbench_") else (name, "", None)
    try:
        importlib.import_module(f"zoo.data.builders.{module}")
    except ModuleNotFoundError as error:
        if error.name != f"zoo.data.builders.{module}":
            raise
        return None
    return tfds.builder(module, config=config) if config else tfds.builder(module)


def _read(builder, split):
    batches = builder.as_dataset(split=split, shuffle_files=False).batch(_BATCH).as_numpy_iterator()
    batches = [(batch["sample"], batch["label"]) for batch in batches]
    return tuple(np.concatenate(column) for column in zip(*batches, strict=True))
