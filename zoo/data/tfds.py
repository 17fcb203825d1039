"""Public datasets, through TensorFlow Datasets."""

import pathlib

from zoo.core.errors import DataError, DataNotFoundError, unknown_name


def open_public(name, split):
    """One split of a TFDS image dataset, not yet read; downloaded and prepared if it is not there yet.

    TFDS looks in the directory that its own variable TFDS_DATA_DIR names, by default ~/tensorflow_datasets.

    Returns:
        the same as `open_folder`.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
    except (tfds.core.DatasetNotFoundError, ValueError):  # ValueError: not a name at all, such as one with hyphens
        raise unknown_name("dataset", name, ["digits", *tfds.list_builders()]) from None
    features = builder.info.features
    if "image" not in features:
        raise DataError(f"Dataset {name!r} has no images. Received features {sorted(features)}.")
    _prepare(builder, name)
    splits = builder.info.splits
    if split not in ("all", *splits):
        raise unknown_name(f"split of dataset {name!r}", split, [*splits, "all"])
    count = splits.total_num_examples if split == "all" else splits[split].num_examples
    dataset = builder.as_dataset(split=split, shuffle_files=False)
    class_names = tuple(getattr(features["label"], "names", None) or ()) if "label" in features else ()
    version = str(builder.info.version)
    return [(dataset, count)], {"name": name, "split": split, "version": version, "class_names": class_names}


def _prepare(builder, name):
    """Download and prepare the dataset unless that is done; say how to get it if it cannot be."""
    root = pathlib.Path(str(builder.data_dir).removesuffix(builder.info.full_name))
    try:
        # MNIST and Fashion-MNIST name their archives alike: in a shared download folder one becomes the other.
        builder.download_and_prepare(download_dir=str(root / "downloads" / name))
    except Exception as error:  # whatever the downloader met: network, disk, checksum, manual steps
        raise DataNotFoundError(
            f"Dataset {name!r} is not prepared in {str(root)!r} and could not be downloaded ({type(error).__name__})."
            f" On a machine with a network run: python -c \"import tensorflow_datasets as t; t.load('{name}')\","
            f" then copy its folder {builder.info.full_name} into {str(root)!r},"
            " or set TFDS_DATA_DIR to a directory that holds it."
        ) from error
