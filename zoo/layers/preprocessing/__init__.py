"""Preprocessing: what turns raw samples into the input of a network, as layers in front of it.

Each is a Keras layer without weights that is part of the model: of its config, its ``.keras`` file and every exported
file. Samples are float32, or integers for `Rescale`; signals have shape (length, channels) or, flat, (length,).
"""

from typing import Any

import numpy as np

from zoo.core.errors import ConfigError
from zoo.layers.preprocessing.alignment import AlignTime
from zoo.layers.preprocessing.base import Preprocessing
from zoo.layers.preprocessing.patches import GridStatistics, PatchStatistics, WhitenedPatches
from zoo.layers.preprocessing.scaling import PerWindowStandardize, Relative, Rescale, Standardize
from zoo.layers.preprocessing.spectra import LogMel, Spectrogram

__all__ = [
    "AlignTime",
    "GridStatistics",
    "LogMel",
    "PatchStatistics",
    "PerWindowStandardize",
    "Preprocessing",
    "Relative",
    "Rescale",
    "Spectrogram",
    "Standardize",
    "WhitenedPatches",
    "fit",
    "get",
]

_BATCH = 256


def get(preprocessing: Preprocessing | dict[str, Any] | list | tuple) -> list[Preprocessing]:
    """A list of `Preprocessing` layers from one, from its dictionary, or from a list of either, applied in order."""
    several = preprocessing if isinstance(preprocessing, (list, tuple)) else [preprocessing]
    if not several:
        raise ConfigError("preprocessing must name at least one layer. Received an empty list.")
    return [Preprocessing.from_description(layer) for layer in several]


def fit(preprocessing: Preprocessing | dict[str, Any] | list | tuple, x: np.ndarray) -> list[Preprocessing]:
    """The same layers, each that is not fitted yet fitted on what those before it make of `x`.

    Args:
        preprocessing: as `get` takes it.
        x: training samples (samples, ...).

    Raises:
        DataError: samples whose statistics cannot be used.

    Example:
        >>> layers = zoo.preprocessing.fit([zoo.preprocessing.Rescale(0.5), zoo.preprocessing.Standardize()], x)
    """
    layers = get(preprocessing)
    last = max((i for i, layer in enumerate(layers) if not layer.is_fitted), default=-1)
    for i, layer in enumerate(layers[: last + 1]):
        layers[i] = layer if layer.is_fitted else layer.fitted(x)
        if i < last:
            x = np.concatenate([np.asarray(layers[i](x[k : k + _BATCH])) for k in range(0, len(x), _BATCH)])
    return layers
