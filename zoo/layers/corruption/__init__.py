"""Corruptions: what a denoising autoencoder learns to undo.

Each is a Keras layer that changes its input during training only and passes it unchanged otherwise. Fresh random
numbers are drawn for every sample and step. Inputs are float32, channels last: images in [0, 1], signals in their unit;
the target stays the clean input.

Sources: Vincent et al., "Stacked Denoising Autoencoders", JMLR 11 (2010), section 3.3, for `Gaussian`, `Masking` and
`SaltAndPepper`; Simard et al., "Best Practices for Convolutional Neural Networks", ICDAR 2003, for `Elastic`. `Affine`,
`Elastic`, `Stroke`, `Blur` and `Contrast` draw the distortions usual in data augmentation and let the model undo them.
`BaselineWander`, `PowerLine` and `MuscleNoise` are the noises of ECG recordings: see `zoo.layers.corruption.signals`.
"""

from typing import Any

from zoo.core.errors import ConfigError
from zoo.layers.corruption.appearance import Blur, Contrast, Stroke
from zoo.layers.corruption.base import Corruption
from zoo.layers.corruption.geometric import Affine, Elastic
from zoo.layers.corruption.pixelwise import Gaussian, Masking, SaltAndPepper
from zoo.layers.corruption.signals import BaselineWander, MuscleNoise, PowerLine

__all__ = [
    "Affine",
    "BaselineWander",
    "Blur",
    "Contrast",
    "Corruption",
    "Elastic",
    "Gaussian",
    "Masking",
    "MuscleNoise",
    "PowerLine",
    "SaltAndPepper",
    "Stroke",
    "get",
]


def get(corruption: Corruption | dict[str, Any] | list | tuple) -> list[Corruption]:
    """A list of `Corruption` layers from one, from its dictionary, or from a list of either, to be applied in order."""
    several = corruption if isinstance(corruption, (list, tuple)) else [corruption]
    if not several:
        raise ConfigError("corruption must name at least one corruption. Received an empty list.")
    return [Corruption.from_description(c) for c in several]
