"""A folder of images, ``root/split/class/*.jpg|png``, read by TensorFlow Datasets' `ImageFolder`."""

from zoo.core.errors import DataNotFoundError, unknown_name


def open_folder(root, split):
    """One split of an image folder, not yet read; the classes are the folders' names, sorted.

    Args:
        root: pathlib.Path of the folder that holds the splits.
        split: "train", "test" or "all".

    Returns:
        list of (tf.data.Dataset of {"image", "label"} dictionaries, number of examples), and the description of the
        `Source` that they become: a dictionary of its other attributes.
    """
    layout = f"expected {root}/train/<class>/*.jpg or *.png (and {root}/test/<class>/... to evaluate)"
    if not root.is_dir():
        raise DataNotFoundError(f"No such folder: {str(root)!r}: {layout}.")
    import tensorflow_datasets as tfds

    builder = tfds.ImageFolder(str(root))
    counts = {name: info.num_examples for name, info in builder.info.splits.items() if info.num_examples}
    if not counts:
        raise DataNotFoundError(f"No images in {str(root)!r}: {layout}.")
    if split not in ("all", *counts):
        raise unknown_name(f"split of folder {str(root)!r}", split, counts)
    names = sorted(counts) if split == "all" else [split]
    parts = [(builder.as_dataset(split=name, shuffle_files=False), counts[name]) for name in names]
    class_names = tuple(builder.info.features["label"].names)
    return parts, {"name": root.name, "split": split, "class_names": class_names}
