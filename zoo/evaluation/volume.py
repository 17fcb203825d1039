"""Range-aware volumes under the ROC and the precision-recall curve, for anomalies that are ranges of a series."""

from typing import NamedTuple

import numpy as np

from zoo.core import checks
from zoo.core.errors import DataError

_THRESHOLDS = 250  # at so many ranks of the scores, as in the published implementation


class VolumeUnderSurface(NamedTuple):
    """Means over buffer lengths of the range-aware areas under the ROC and the precision-recall curve, in [0, 1]."""

    roc: float
    pr: float


def volume_under_surface(scores, labels, window: int, *, thresholds: int = _THRESHOLDS) -> VolumeUnderSurface:
    """VUS-ROC and VUS-PR: how well the scores of a series find ranges of anomalous points, roughly where they are.

    A label says hardly to the point when an anomaly begins and ends. So points of a buffer before and after it count
    in part: by √(1 - d / l) at a distance d ≤ l / 2 from the range, for every buffer length l from 0 to `window`. An
    alarm there is in part right, and to miss it is no error. The recall is multiplied with the share of the ranges in
    which there is any alarm.

    Args:
        scores: float array (points,), higher for anomalies; of windows, give each point the score of a window around
            it.
        labels: bool or 0/1 array (points,), true in anomalies.
        window: longest buffer in points, both sides together: the period of the series, or the length of the windows.
        thresholds: number of points of each curve.

    Raises:
        DataError: arrays of different lengths, scores that are not finite, labels other than 0 and 1, or of one kind
            only.

    Source: Paparrizos, Boniol, Palpanas, Tsay, Elmore and Franklin, "Volume Under the Surface: A New Accuracy
    Evaluation Measure for Time-Series Anomaly Detection", PVLDB 15 (2022). The numbers are those of the authors'
    package vus 0.0.6, which differs from the paper in two points: only those points of a buffer count as positive in
    which there is an alarm, and the area under the precision-recall curve is a sum of steps.

    Example:
        >>> volume_under_surface(scores, labels, window=100).pr
        0.4183
    """
    window = checks.positive_integer("window", window, least=0)
    thresholds = checks.positive_integer("thresholds", thresholds, least=2)
    scores, labels = _checked(scores, labels)
    anomalies = ranges(labels)
    levels = np.sort(scores)[::-1][np.linspace(0, len(scores) - 1, thresholds).astype(int)]
    first = np.searchsorted(-levels, -scores)  # of the levels that a point reaches, falling: an alarm from there on
    areas = [_areas(labels, anomalies, length, first, thresholds) for length in range(window + 1)]
    return VolumeUnderSurface(*(float(mean) for mean in np.mean(areas, axis=0)))


def _areas(labels, anomalies, length, first, count):
    """Areas under ROC and precision-recall curve for one buffer length."""
    reach = length // 2
    weights = labels.astype("float64")
    decay = np.sqrt(1 - np.arange(1, reach + 1) / max(length, 1))
    for begin, end in anomalies:
        after, before = weights[end : end + reach], weights[max(begin - reach, 0) : begin]
        after += decay[: len(after)]
        before += decay[: len(before)][::-1]
    np.minimum(weights, 1, out=weights)

    def by_level(values, among):  # sums over the points that are alarms at each level
        return np.cumsum(np.bincount(first[among], weights=values, minlength=count))

    touched = np.flatnonzero(weights)
    alarms = np.cumsum(np.bincount(first, minlength=count))
    found = by_level(weights[touched], touched)
    buffer = np.flatnonzero(weights * ~labels)
    positives = labels.sum() + by_level(weights[buffer], buffer) / 2  # half of the buffers, where alarms are
    existing = np.sort([first[begin:end].min() for begin, end in _joined(anomalies, reach, len(labels))])
    existence = np.searchsorted(existing, np.arange(count), side="right") / len(existing)
    recall = np.minimum(found / positives, 1) * existence
    false_rate = (alarms - found) / (len(labels) - positives)
    roc = np.trapezoid([0, *recall, 1], [0, *false_rate, 1])
    return roc, np.dot(np.diff(recall, prepend=0), found / alarms)


def ranges(labels):
    """Begin and end (exclusive) of each run of true labels, bool (points,)."""
    edges = np.flatnonzero(np.diff(labels.astype("int8"), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _joined(anomalies, reach, points):
    """Ranges with `reach` points before and after, those that overlap as one."""
    joined = []
    for begin, end in anomalies:
        begin, end = max(begin - reach, 0), min(end + reach, points)
        if joined and begin < joined[-1][1]:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((begin, end))
    return joined


def _checked(scores, labels):
    scores, labels = np.asarray(scores, "float64"), np.asarray(labels)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise DataError(
            f"Scores and labels of a series must be one number per point. Received shapes {scores.shape} and"
            f" {labels.shape}."
        )
    if not np.isfinite(scores).all():
        raise DataError(f"Scores must be finite. The first that is not is at point {np.isfinite(scores).argmin()}.")
    if not np.isin(labels, (0, 1)).all() or len(np.unique(labels)) < 2:
        raise DataError(
            "Labels of a series must be 0 and 1, with points of both kinds."
            f" Received {', '.join(map(str, np.unique(labels)[:5]))}."
        )
    return scores, labels.astype(bool)
