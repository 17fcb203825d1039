"""A folder of images, ``root/split/class/*.jpg|png``, read by TensorFlow Datasets' `ImageFolder`."""

from zoo.data.source import Source
from zoo.errors import DataNotFoundError, unknown_name


def load_folder(root, split, shape=None):
    """One split of an image folder as a `Source` of uint8 pixels; the classes are the folders' names, sorted.

    Args:
        root: pathlib.Path of the folder that holds the splits.
        split: "train", "test" or "all".
        shape: (height, width, channels) to resize every image to; needed where sizes differ.
    """
    layout = f"expected {root}/train/<class>/*.jpg or *.png (and {root}/test/<class>/... to evaluate)"
    if not root.is_dir():
        raise DataNotFoundError(f"No such folder: {str(root)!r}: {layout}.")
    import tensorflow_datasets as tfds

    from zoo.data.reading import read

    builder = tfds.ImageFolder(str(root))
    counts = {name: info.num_examples for name, info in builder.info.splits.items() if info.num_examples}
    if not counts:
        raise DataNotFoundError(f"No images in {str(root)!r}: {layout}.")
    if split not in ("all", *counts):
        raise unknown_name(f"split of folder {str(root)!r}", split, counts)
    names = sorted(counts) if split == "all" else [split]
    parts = [(builder.as_dataset(split=name, shuffle_files=False), counts[name]) for name in names]
    images, labels = read(parts, shape, repr(root.name))
    class_names = tuple(builder.info.features["label"].names)
    return Source(images, labels, name=root.name, split=split, class_names=class_names)
