"""A model of windows on a long series with labelled anomalies, next to detectors without a network."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.core import checks
from zoo.core.errors import DataError
from zoo.data.series import Series
from zoo.data.source import Source
from zoo.data.windows import windows
from zoo.evaluation import anomaly, detection
from zoo.evaluation.detectors import DETECTORS
from zoo.evaluation.nab import PROBATION, best_nab_score, nab_score
from zoo.evaluation.series import point_scores
from zoo.evaluation.volume import ranges, volume_under_surface

_HELD_OUT = 0.2  # share of the normal windows, the last, that thresholds are taken from
_LEAST = 5  # normal windows to fit on, and to take a threshold from
_SECONDS_PER_HOUR = 3600


@dataclasses.dataclass(frozen=True, eq=False)
class SeriesEvaluation:
    """What `zoo.evaluate_series` finds.

    Attributes:
        series: `Series` that was measured, with its labels.
        length, hop: moments in a window, and from the begin of one to that of the next.
        normal_until: the first moment that is judged; what is before it counts as normal.
        scores: dict of "model", "pca", "isolation_forest" and "nearest_neighbours" to the float64 array (windows,) of
            its scores; window w begins at moment w · hop.
        thresholds: dict of the same names to the score above which a window is an alarm.
    """

    series: Series
    length: int
    hop: int
    normal_until: int
    scores: Mapping[str, np.ndarray]
    thresholds: Mapping[str, float]

    @functools.cached_property
    def metrics(self) -> dict[str, float]:
        """dict of metric name to float, see `zoo.evaluate_series`; `DataError` without anomalies to judge by."""
        judged = np.arange(len(self.scores["model"])) * self.hop >= self.normal_until
        counts = np.cumsum(np.append(0, self.series.labels != 0))
        starts = np.arange(len(judged)) * self.hop
        anomalous = counts[starts + self.length] > counts[starts]
        if len(set(anomalous[judged])) < 2:
            raise DataError(
                f"{self.series.name} must have windows with and without anomalies from moment {self.normal_until:,} on:"
                f" what is before counts as normal. Received {int(anomalous[judged].sum()):,} anomalous of"
                f" {int(judged.sum()):,} windows."
            )
        found = {name: self._metrics(name, judged & ~anomalous, judged & anomalous) for name in self.scores}
        return {
            metric if name == "model" else f"{name}_{metric}": found[name][metric]
            for metric in found["model"]
            for name in self.scores
        }

    @property
    def anomalies(self) -> list[tuple[int, int]]:
        """Pairs of the first and the last moment of each labelled anomaly."""
        return [(begin, end - 1) for begin, end in ranges(self.series.labels != 0)]

    def known(self, name: str = "model") -> np.ndarray:
        """The score of each window at the moment when it is complete, and less than all of them elsewhere: (time,)."""
        scores = self.scores[name]
        known = np.full(len(self.series), np.nextafter(scores.min(), -np.inf))
        known[np.arange(len(scores)) * self.hop + self.length - 1] = scores
        return known

    def _metrics(self, name, normal, anomalous):
        scores, threshold, begin = self.scores[name], self.thresholds[name], self.normal_until
        of_points = point_scores(scores, self.length, self.hop, len(self.series))
        known = self.known(name)
        nab = {"probation": begin}
        results = {
            "auroc": anomaly.auroc(scores[normal], scores[anomalous]),
            "average_precision": anomaly.average_precision(scores[normal], scores[anomalous]),
            "vus_pr": volume_under_surface(of_points[begin:], self.series.labels[begin:] != 0, self.length).pr,
            "nab_score": nab_score([(known > max(threshold, known.min()), self.anomalies)], **nab),
            "best_nab_score": best_nab_score([(known, self.anomalies)], **nab).score,
            "f1_at_threshold": anomaly.at_threshold(scores[normal], scores[anomalous], threshold)["f1"],
        }
        if self.series.sampling_rate:
            per_hour = _SECONDS_PER_HOUR * self.series.sampling_rate / self.hop
            results["false_alarms_per_hour"] = anomaly.false_alarms_per_hour(scores[normal], threshold, per_hour)
        return results


def score_series(
    model: Any,
    series: Series,
    hop: int | None = None,
    *,
    channels: Sequence[str | int] | None = None,
    normal_until: int | None = None,
    threshold: float | None = None,
) -> SeriesEvaluation:
    """As `zoo.evaluate_series`, of an Autoencoder and a `Series`, which may be without anomalies."""
    if series.labels is None:
        raise DataError(
            f"{series.name} has no labels: expected a column 'label' that is 1 in anomalies, or the times of the"
            " anomalies: read_series(..., anomalies=...)."
        )
    length, *axes = model.input_shape
    hop = length if hop is None else checks.positive_integer("hop", hop)
    normal_until = math.floor(PROBATION * len(series)) if normal_until is None else normal_until
    normal_until = checks.positive_integer("normal_until", normal_until)
    source = windows(series, length, hop, channels=channels, constant="allow", flat=not axes)
    assert isinstance(source, Source)  # since it is not streamed
    ends = np.arange(len(source)) * hop + length
    fitted, held_out = _parted(np.flatnonzero((ends <= normal_until) & (source.labels == 0)), length, hop, series)
    samples = model.target(source) if model.preprocessing else source.values()
    samples = samples.reshape(len(source), -1)
    scores = {"model": np.asarray(model.score(source), "float64")}
    for name, fit in DETECTORS.items():
        scores[name] = fit(samples[fitted], math.prod(model.latent_shape))(samples)
    thresholds = {
        name: float(np.quantile(of_windows[held_out], detection.QUANTILE, method="higher"))
        for name, of_windows in scores.items()
    }
    threshold = model.threshold if threshold is None else threshold
    if threshold is not None:
        thresholds["model"] = float(threshold)
    return SeriesEvaluation(series, length, hop, normal_until, scores, thresholds)


def _parted(normal, length, hop, series):
    """Numbers of the normal windows to fit on, and of those for a threshold, which share no moment with them."""
    count = math.ceil(_HELD_OUT * len(normal))
    fitted, held_out = normal[: len(normal) - count], normal[len(normal) - count :]
    fitted = fitted[fitted * hop + length <= held_out[0] * hop] if count else fitted
    if min(len(fitted), len(held_out)) < _LEAST:
        raise DataError(
            f"{series.name}: the part that counts as normal has {len(normal):,} windows of {length} moments, one every"
            f" {hop}: expected at least {_LEAST} to fit the baselines on, and {_LEAST} behind them for thresholds. Pass"
            f" a later normal_until, or a smaller hop. Received {len(fitted):,} and {len(held_out):,}."
        )
    return fitted, held_out
