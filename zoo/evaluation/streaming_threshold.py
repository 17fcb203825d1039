"""A threshold that follows the scores of a stream: SPOT. Without TensorFlow, so that `zoo.lite` can use it."""

import collections
import math
from typing import Any

import numpy as np

from zoo.core import checks
from zoo.core.errors import DataError
from zoo.evaluation.extreme_value import Tail, fit_peaks, fit_tail

_MOST_PEAKS = 1000  # the newest, which the shape of the tail is fitted to
_REFITTED = 1.05  # times as many peaks as at the last fit
_TAKEN = 2  # anomalies that are taken into account, for each that normal scores alone would give
_FARTHEST = 3  # how far above the threshold an anomaly counts at most, in mean excesses there


class StreamingThreshold:
    """A threshold that normal scores of a stream exceed with a stated probability, from the stream itself.

    It begins with the fit that `zoo.threshold(method="extreme_value")` makes of the first normal scores. Then each
    score that is high, but no anomaly, is one more peak that the tail is fitted to, and each other score makes peaks
    rarer. So it becomes exact with time where few normal scores are known at first, and follows a level that rises or
    falls slowly; a sudden rise that stays remains an anomaly.

    The published algorithm leaves out all anomalies. Then the tail seems to end at the threshold, which sinks: of
    exponential, normal and log-normal scores 4 to 7 in 1,000 were anomalies where 1 was asked for. So here as many
    anomalies as normal scores give by themselves, and as many again, are peaks as well, though never far ones: 1.0 to
    1.5 in 1,000. All further anomalies are left out.

    Args:
        quantile: share of normal scores that must pass, in (0, 1).
        normal_scores: float array (samples,) to begin with, at least 100, of samples that the model was not trained on.
            None takes the first scores of the stream, which are then no anomalies.
        first: how many scores of the stream to begin with, if there are no `normal_scores`; at least 100.

    Attributes:
        value: the threshold as it is; `math.inf` as long as fewer than `first` scores have come.

    Raises:
        ConfigError: a quantile outside (0, 1), or of less than the tail, which is a tenth of few and 2 % of many
            scores; `first` below 100.
        DataError: too few normal scores or such that hardly differ; a score that is not finite.

    Source: Siffer, Fouque, Termier and Largouet, "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017,
    algorithm 1, but for the anomalies. The tail is fitted to the newest 1,000 peaks, so that memory does not grow, and
    whenever there are 5 % more.

    Example:
        >>> threshold = zoo.StreamingThreshold(0.9999, model.score(normal_windows))
        >>> stream = zoo.lite.Stream(model, hop=64, threshold=threshold)
        >>> threshold.update(0.02), threshold.value
        (False, 0.0831)
    """

    def __init__(self, quantile: float = 0.999, normal_scores: Any = None, *, first: int = 1000) -> None:
        self.quantile = checks.in_range("quantile", quantile, 0, 1, exclusive=True)
        self._first: list[float] = []
        self._begin_with = checks.positive_integer("first", first, least=100)
        self._tail: Tail | None = None
        self._peaks: collections.deque[float] = collections.deque(maxlen=_MOST_PEAKS)
        self._scores = self._count = self._fitted = 0  # all that were taken; peaks among them; peaks at the last fit
        self._anomalies = 0  # that were taken
        self.value = math.inf
        if normal_scores is not None:
            self._begin(np.asarray(normal_scores, "float64").ravel())

    def update(self, score: float) -> bool:
        """Whether a score is an anomaly, as far as is known before it; then the threshold takes it into account."""
        score = float(score)
        if not math.isfinite(score):
            raise DataError(f"A streaming threshold needs finite scores. Received: {score}.")
        if self._tail is None:
            self._first.append(score)
            if len(self._first) == self._begin_with:
                self._begin(np.array(self._first))
                self._first = []
            return False
        is_anomaly = score > self.value
        if is_anomaly:
            if self._anomalies + 0.5 > _TAKEN * (1 - self.quantile) * self._scores:
                return True
            self._anomalies += 1
            score = min(score, self.value + _FARTHEST * self._mean_excess())
        self._scores += 1
        if score > self._tail.start:
            self._peaks.append(score - self._tail.start)
            self._count += 1
            if self._count >= _REFITTED * self._fitted:
                self._fit()
        self._set()
        return is_anomaly

    def _begin(self, scores):
        if not np.isfinite(scores).all():
            raise DataError("A streaming threshold needs finite scores. Some normal scores are not.")
        self._tail = fit_tail(scores)
        if self._tail is None:
            raise DataError(
                "A streaming threshold needs at least 100 normal scores to begin with, and 10 different ones among"
                f" their highest 10 %. Received {len(scores)} with {len(np.unique(scores))} different ones."
            )
        if 1 - self.quantile > self._tail.share:
            checks.in_range("quantile", self.quantile, 1 - self._tail.share, 1)
        peaks = scores[scores > self._tail.start] - self._tail.start
        self._peaks.extend(peaks.tolist())
        self._scores, self._count, self._fitted = len(scores), len(peaks), len(peaks)
        self._set()

    def _mean_excess(self):
        """Of normal scores over the threshold; 0 where their tail ends below it."""
        tail = self._tail
        return max(tail.scale + tail.shape * (self.value - tail.start), 0) / (1 - min(tail.shape, 0.5))

    def _fit(self):
        self._tail = fit_peaks(np.array(self._peaks), self._tail.start, self._count / self._scores)
        self._fitted = self._count

    def _set(self):
        share = self._count / self._scores
        tail = self._tail._replace(share=share)
        # Peaks that have become too rare say nothing: then the threshold is where they begin.
        self.value = tail.exceeded_by(min(1 - self.quantile, share))
