"""From which anomaly score on a sample counts as an anomaly."""

import math
from typing import Any

import numpy as np

from zoo.core import checks
from zoo.core.errors import ConfigError, DataError
from zoo.engine import inputs
from zoo.evaluation.samples import load_for


def threshold(model: Any, normal_data: Any, quantile: float = 0.99) -> float:
    """Calibrate an anomaly threshold: the score that this share of normal samples does not exceed.

    The score is the reconstruction error of each sample. Use samples that the model was not trained on: on its training
    samples the error is lower, and the threshold would be too low.

    Args:
        model: Autoencoder, or a model of `zoo.lite.load` (to calibrate on a quantised file's own scores).
        normal_data: normal samples in any form that `fit` takes (array, `zoo.data.Source`, dataset, generator ...), or
            the name of a dataset, of which the test split is taken.
        quantile: share of the normal samples that must pass, in (0, 1).

    Returns:
        float: at most 1 - `quantile` of `normal_data` score higher. Pass it to `zoo.export`, and the files carry it.

    Raises:
        ConfigError: a quantile outside (0, 1), or a model without a score.
        DataError: samples that the model does not take, or too few for the quantile: at least 1 / (1 - quantile).

    Example:
        >>> threshold = zoo.threshold(model, normal_images, quantile=0.99)
        >>> zoo.export(model, "exported", threshold=threshold)
        >>> zoo.lite.load("exported/model.tflite").is_anomaly(images)
        array([False, False,  True])
    """
    quantile = checks.in_range("quantile", quantile, 0, 1, exclusive=True)
    score = getattr(model, "reconstruction_error", None) or getattr(model, "score", None)
    if score is None:
        raise ConfigError(
            "zoo.threshold takes an Autoencoder (zoo.load, zoo.wrap) or a model of zoo.lite.load."
            f" Received: {type(model).__name__}."
        )
    if isinstance(normal_data, str):
        normal_data = load_for(model, normal_data)
    samples = inputs.blocks(model.contract, normal_data, labels="dropped", name="normal_data")
    scores = np.sort(np.concatenate([score(block) for block, _, _ in samples])).astype("float64")
    above = math.floor(len(scores) * (1 - quantile) + 1e-9)
    if above < 1:
        raise DataError(
            f"The quantile {quantile:g} needs at least {math.ceil(1 / (1 - quantile) - 1e-9)} normal samples: with"
            f" fewer it is beyond their largest score. Received {len(scores)}. Pass more, or a lower quantile."
        )
    # Between two scores that occur, so that the rounding of another runtime moves no sample across it.
    return float(scores[-above - 1 : len(scores) - above + 1].mean())
