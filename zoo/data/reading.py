"""Reading a TFDS dataset of images into memory."""

import numpy as np

from zoo.core.errors import DataError

# Below this a bar would only flicker; `disable=None` shows it in a terminal only.
_SHOW_PROGRESS_FROM = 5000
_BATCH = 256


def read(parts, shape, title):
    """Read image datasets one after the other, each image resized while it is read.

    Args:
        parts: list of (tf.data.Dataset of {"image", "label"} dictionaries, number of examples); labels may be missing.
        shape: (height, width, channels) to resize to, or None to keep the size, which then must be one.
        title: what the progress bar and errors call the data.

    Returns:
        uint8 array (samples, height, width, channels) and int64 array (samples,), or None without labels.
    """
    from tqdm import tqdm

    images, labels = [], []
    total = sum(count for _, count in parts)
    with tqdm(total=total, desc=title, disable=True if total < _SHOW_PROGRESS_FROM else None, leave=False) as bar:
        for dataset, _ in parts:
            dataset = prepared(dataset, shape)
            # Images of unknown size come one by one, so that a differing one is found before it is batched.
            batch = _BATCH if dataset.element_spec[0].shape.is_fully_defined() else 1
            for block, *label in dataset.batch(batch).prefetch(4).as_numpy_iterator():
                if images and block.shape[1:] != images[0].shape[1:]:
                    raise DataError(
                        f"The images of {title} differ in size ({images[0].shape[1:]}, {block.shape[1:]}, ...): pass"
                        " shape=(height, width, channels) to resize them."
                    )
                images.append(block)
                labels.extend(label)
                bar.update(len(block))
    return np.concatenate(images), np.concatenate(labels).astype("int64") if labels else None


def prepared(dataset, shape):
    """`dataset` as tuples (uint8 image,) or (image, label), each image brought to `shape` unless that is None."""
    import tensorflow as tf

    def prepare(example):
        image = example["image"]
        if shape is not None and len(shape) == 3 and tuple(image.shape) != tuple(shape):
            if shape[-1] == 1 and image.shape[-1] == 3:
                image = tf.image.rgb_to_grayscale(image)
            elif shape[-1] == 3 and image.shape[-1] == 1:
                image = tf.image.grayscale_to_rgb(image)
            image = tf.cast(tf.round(tf.image.resize(image, shape[:2], antialias=True)), tf.uint8)
            image = tf.ensure_shape(image, (*shape[:2], None))
        return (image, example["label"]) if "label" in example else (image,)

    return dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
