"""From which anomaly score on a sample counts as an anomaly."""

import math
from typing import Any, Literal

import numpy as np

from zoo.core import checks
from zoo.core.errors import ConfigError, DataError, unknown_name
from zoo.engine import inputs
from zoo.evaluation.extreme_value import fit_tail
from zoo.evaluation.samples import load_for

_METHODS = ("quantile", "extreme_value")
_SECONDS_PER_HOUR = 3600


def threshold(
    model: Any,
    normal_data: Any,
    quantile: float = 0.99,
    *,
    method: Literal["quantile", "extreme_value"] = "quantile",
    false_alarms_per_hour: float | None = None,
    windows_per_hour: float | None = None,
) -> float:
    """Calibrate an anomaly threshold on normal samples alone: the score that this share of them does not exceed.

    The score is `model.score`. Use samples that the model was not trained on: on its training samples the error is
    lower, and the threshold would be too low.

    Args:
        model: Autoencoder, or a model of `zoo.lite.load` (to calibrate on a quantised file's own scores).
        normal_data: normal samples in any form that `fit` takes (array, `zoo.data.Source`, dataset, generator ...), or
            the name of a dataset, of which the test split is taken.
        quantile: share of normal samples that must pass, in (0, 1).
        method: "quantile" takes the threshold from the scores of `normal_data` themselves, which must be at least
            1 / (1 - quantile) samples. "extreme_value" fits the tail of their scores, and can reach beyond the highest:
            100 samples are enough, though what lies far beyond them is only roughly right, see `fit_tail`.
        false_alarms_per_hour: how many windows of an hour of normal data may be above the threshold on average. It
            takes the place of `quantile`: 1 - false_alarms_per_hour / windows_per_hour.
        windows_per_hour: how many windows are scored in an hour: 3600 · sampling rate / hop. By default, windows
            without overlap at the sampling rate of the model.

    Returns:
        float: at most 1 - `quantile` of `normal_data` score higher ("quantile"), or of all normal samples are expected
        to ("extreme_value"). Pass it to `zoo.export`, and the files carry it.

    Raises:
        ConfigError: a quantile outside (0, 1), an unknown method, a model without a score, or false alarms per hour
            without windows per hour, or not fewer than those.
        DataError: samples that the model does not take, too few for the quantile or the fit, or scores that are all
            the same.

    Source of "extreme_value": SPOT (Siffer et al., KDD 2017), its initialisation; see `zoo.evaluation.extreme_value`.

    Example:
        >>> threshold = zoo.threshold(model, normal_images, quantile=0.99)
        >>> zoo.export(model, "exported", threshold=threshold)
        >>> zoo.lite.load("exported/model.tflite").is_anomaly(images)
        array([False, False,  True])
        >>> detector.threshold = zoo.threshold(  # saved with it, and in all its exports
        ...     detector, normal_beats, method="extreme_value", false_alarms_per_hour=1, windows_per_hour=4500
        ... )
    """
    if method not in _METHODS:
        raise unknown_name("method", method, _METHODS)
    quantile = checks.in_range("quantile", quantile, 0, 1, exclusive=True)
    if not hasattr(model, "score"):
        raise ConfigError(
            "zoo.threshold takes an Autoencoder (zoo.load, zoo.wrap) or a model of zoo.lite.load."
            f" Received: {type(model).__name__}."
        )
    if false_alarms_per_hour is not None:
        quantile = _quantile_of_rate(model, false_alarms_per_hour, windows_per_hour)
    elif windows_per_hour is not None:
        raise ConfigError("windows_per_hour is for false_alarms_per_hour: pass both, or none of them.")
    if isinstance(normal_data, str):
        normal_data = load_for(model, normal_data)
    samples = inputs.blocks(model.contract, normal_data, labels="dropped", name="normal_data")
    scores = np.concatenate([model.score(block) for block, _, _ in samples])
    return {"quantile": at_quantile, "extreme_value": by_extreme_values}[method](scores, quantile)


def at_quantile(scores: np.ndarray, quantile: float) -> float:
    """The threshold that a share `quantile` of the scores (samples,) does not exceed; errors as `threshold`."""
    scores = _checked(scores)
    above = math.floor(len(scores) * (1 - quantile) + 1e-9)
    if above < 1:
        raise DataError(
            f"The quantile {quantile:g} needs at least {samples_needed(quantile):,} normal samples: with fewer it is"
            f" beyond their largest score. Received {len(scores)}. Pass more, a lower quantile, or"
            " method='extreme_value'."
        )
    # Between two scores that occur, so that the rounding of another runtime moves no sample across it.
    return float(scores[-above - 1 : len(scores) - above + 1].mean())


def by_extreme_values(scores: np.ndarray, quantile: float) -> float:
    """The threshold that normal samples exceed with probability 1 - `quantile`, by a fitted tail of the scores."""
    scores = _checked(scores)
    tail = fit_tail(scores)
    if tail is None:
        raise DataError(
            "An extreme-value fit needs at least 10 different scores among the highest 10 % of the normal samples,"
            f" which are at least 100 samples. Received {len(scores)} samples with {len(np.unique(scores))} different"
            " scores. Pass more, or method='quantile'."
        )
    if 1 - quantile > tail.share:  # in the bulk of the scores, of which the tail says nothing
        return at_quantile(scores, quantile)
    return tail.exceeded_by(1 - quantile)


def samples_needed(quantile: float) -> int:
    """How many normal samples `at_quantile` needs."""
    return math.ceil((1 - 1e-9) / (1 - quantile))


def _checked(scores):
    """Scores sorted, float64; one that does not differ from the others tells nothing about normal and anomalous."""
    scores = np.sort(np.asarray(scores, "float64"))
    if not np.isfinite(scores).all():
        raise DataError("The model gives normal samples scores that are not finite: a threshold needs numbers.")
    if len(scores) > 1 and scores[0] == scores[-1]:
        raise DataError(
            f"All {len(scores)} normal samples have the same score, {scores[0]:g}: a threshold needs normal samples"
            " that differ. A constant channel, or one sample repeated?"
        )
    return scores


def _quantile_of_rate(model, false_alarms, windows):
    if windows is None:
        rate = model.contract.sampling_rate
        if rate is None:
            raise ConfigError(
                "false_alarms_per_hour needs to know how many windows are scored in an hour, and this model has no"
                " sampling rate: pass windows_per_hour, which is 3600 * sampling rate / hop."
            )
        windows = _SECONDS_PER_HOUR * rate / model.contract.shape[0]
    windows = checks.in_range("windows_per_hour", windows, 0, math.inf, exclusive=True)
    false_alarms = checks.in_range("false_alarms_per_hour", false_alarms, 0, math.inf, exclusive=True)
    if false_alarms >= windows:
        raise ConfigError(
            f"false_alarms_per_hour must be less than the windows of an hour, {windows:g}."
            f" Received: false_alarms_per_hour={false_alarms:g}."
        )
    return 1 - false_alarms / windows
