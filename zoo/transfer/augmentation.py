"""Distorted copies of few labelled samples."""

import keras
import numpy as np

from zoo.core import checks
from zoo.layers import corruption as corruptions


def with_copies(x: np.ndarray, augmentation, copies: int, seed: int = 0) -> np.ndarray:
    """Samples, followed by distorted copies of all of them.

    Args:
        x: array (samples, *shape): float32, or uint8 pixels, which are distorted as floats in [0, 1].
        augmentation: a `zoo.corruption`, its dictionary, or a list.
        copies: distorted copies of each sample.
        seed: seed of the distortions.

    Returns:
        Array of (1 + copies) · samples, of the dtype of `x`. Copies of samples in [0, 1] stay in it.

    Example:
        >>> with_copies(images, zoo.corruption.Affine(rotation=10), copies=10).shape
        (1100, 28, 28, 1)
    """
    layers = [corruptions.Corruption.from_description(layer.describe()) for layer in corruptions.get(augmentation)]
    for number, layer in enumerate(layers):
        layer.check(x.shape[1:])
        layer.random = keras.random.SeedGenerator(1000 * seed + number)
    pixels = x.dtype == np.uint8
    samples = x.astype("float32") / 255 if pixels else x
    in_unit_range = samples.min() >= 0 and samples.max() <= 1
    parts = [x]
    for _ in range(checks.positive_integer("copies", copies)):
        copy = samples
        for layer in layers:
            copy = layer(copy, training=True)
        copy = keras.ops.convert_to_numpy(copy)
        if in_unit_range:
            copy = np.clip(copy, 0, 1)
        parts.append(np.rint(copy * 255).astype("uint8") if pixels else copy)
    return np.concatenate(parts)
