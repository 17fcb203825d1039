"""Image datasets of TensorFlow Datasets, by name."""

import dataclasses
import pathlib
import re

import numpy as np

from zoo.core.errors import DataError, DataNotFoundError, unknown_name
from zoo.core.terminal import load_tensorflow
from zoo.data.datasets import DATASETS
from zoo.data.images import AHEAD_BYTES, check_channels, resize

_BATCH = 64
_NAME = re.compile(r"\w+(:\d+\.(\d+|\*)\.(\d+|\*))?", re.ASCII)  # with a version or without


@dataclasses.dataclass(frozen=True, eq=False)
class TFDSImages:
    """Images of a `tf.data.Dataset`, with the interface of `ImageFiles`.

    Attributes:
        images: tf.data.Dataset of {"image", "label"} dictionaries; labels may be missing.
        count: number of examples.
        name: what errors call it.
        how: images are brought to a shape, as of `zoo.data.resize`.
    """

    images: object
    count: int
    name: str = "dataset"
    how: str = "stretch"

    def __len__(self):
        return self.count

    @property
    def shape(self):
        """(height, width, channels) of every image, or None if they may differ."""
        shape = tuple(self.images.element_spec["image"].shape)
        return None if None in shape else shape

    def part(self, begin, end):
        """The examples from number `begin` up to `end`."""
        return dataclasses.replace(self, images=self.images.skip(begin).take(end - begin), count=end - begin)

    def examples(self, shape=None, seed=None, skip=0):
        """As `ImageFiles.examples`; the seed is of a shuffle in a buffer of 64 MB, and what is skipped is read."""
        import tensorflow as tf

        dataset, ahead = self._resized(shape), _BATCH
        if shape or self.shape:
            ahead = max(1, int(AHEAD_BYTES / np.prod(shape or self.shape)))
        if seed is not None:
            buffer = min(self.count, ahead)
            dataset = dataset.shuffle(buffer, seed=seed, reshuffle_each_iteration=False)
        batches = _batched(dataset.skip(skip)).prefetch(max(1, ahead // _BATCH))
        try:
            for images, *labels in batches.as_numpy_iterator():
                yield from zip(images, *(labels or [[None] * len(images)]), strict=True)
        except tf.errors.OpError as error:
            raise DataError(f"{self.name} is damaged ({type(error).__name__}): prepare or copy it again.") from error

    def _resized(self, shape):
        """tf.data.Dataset of (image,) or (image, label), each image of `shape` unless that is None."""
        import tensorflow as tf

        keys = [key for key in ("image", "label") if key in self.images.element_spec]
        dataset = self.images.map(lambda example: tuple(example[key] for key in keys))
        stored = dataset.element_spec[0]
        if stored.dtype != tf.uint8:
            raise DataError(f"{self.name} has images of dtype {stored.dtype.name}: expected uint8 pixels.")
        if shape is None or self.shape == tuple(shape):
            return dataset
        if stored.shape[-1] is not None:
            check_channels(stored.shape[-1], shape[-1], f"{self.name}: images")

        def to_shape(images, *labels):
            resized = tf.numpy_function(
                lambda pixels: resize(pixels, shape, how=self.how), [images], tf.uint8, stateful=False
            )
            return (tf.ensure_shape(resized, (None, *shape)), *labels)

        blocks = _batched(dataset).map(to_shape, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return blocks.unbatch()


def _batched(dataset):
    """Batches; of one, where the images may differ in size."""
    return dataset.batch(_BATCH if dataset.element_spec[0].shape.is_fully_defined() else 1)


def open_dataset(name, split):
    """One split of a TFDS image dataset, not yet read; downloaded and prepared if it is not there yet.

    TFDS looks in the directory that its own variable TFDS_DATA_DIR names, by default ~/tensorflow_datasets.

    Returns:
        TFDSImages, and the attributes of the `Source` that they become, as a dictionary.

    Raises:
        UnknownNameError: no such dataset or split.
        DataNotFoundError: a dataset that is neither prepared nor downloadable; the message says how to get it.
        DataError: a dataset without images.
    """
    load_tensorflow()
    import tensorflow_datasets as tfds

    try:
        # What else TFDS takes for a name makes it read other places, such as the repositories of communities.
        if not _NAME.fullmatch(name):
            raise ValueError
        builder = tfds.builder(name)
        features = builder.info.features
    except (tfds.core.DatasetNotFoundError, ValueError):  # ValueError: not a name at all, such as one with hyphens
        raise unknown_name(
            "dataset", name, ["digits", *DATASETS, *tfds.list_builders(with_community_datasets=False)]
        ) from None
    except Exception as error:  # of many kinds for damaged files
        raise DataError(f"Dataset {name!r} is damaged ({type(error).__name__}): prepare or copy it again.") from error
    if "image" not in features or len(features["image"].shape) != 3:
        raise DataError(f"Dataset {name!r} has no images. Received features {sorted(features)}.")
    _prepare(builder, name)
    splits = builder.info.splits
    if split not in ("all", *splits):
        raise unknown_name(f"split of dataset {name!r}", split, [*splits, "all"])
    count = splits.total_num_examples if split == "all" else splits[split].num_examples
    images = TFDSImages(builder.as_dataset(split=split, shuffle_files=False), count, f"Dataset {name!r}")
    class_names = tuple(getattr(features["label"], "names", None) or ()) if "label" in features else ()
    version = str(builder.info.version)
    return images, {"name": name, "split": split, "version": version, "class_names": class_names}


def download_root(builder):
    """The directory that holds the folders of all prepared datasets."""
    return pathlib.Path(str(builder.data_dir).removesuffix(builder.info.full_name))


def _prepare(builder, name):
    """Download and prepare the dataset unless that is done; say how to get it if it cannot be."""
    root = download_root(builder)
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
