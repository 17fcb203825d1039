"""The score of the Numenta Anomaly Benchmark (NAB): early alarms in the windows of anomalies, and few elsewhere."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from zoo.core.errors import DataError, unknown_name

PROBATION = 0.15  # share of a series that is for training only, of at most _LONGEST_PROBATION points
_LONGEST_PROBATION = 750


class Profile(NamedTuple):
    """What an alarm at the begin of a window gains, and what a false alarm far from any and a missed window cost."""

    found: float = 1.0
    false_alarm: float = 0.11
    missed: float = 1.0


PROFILES = {
    "standard": Profile(),
    "reward_low_FP_rate": Profile(false_alarm=0.22),
    "reward_low_FN_rate": Profile(missed=2.0),
}


class Best(NamedTuple):
    """The highest score, and the threshold above which alarms are raised for it."""

    score: float
    threshold: float


def nab_score(series: Iterable[tuple], profile: str = "standard", *, probation: int | None = None) -> float:
    """NAB's score of alarms in one or more series: 100 for an alarm at the begin of each window and none elsewhere.

    0 is what a detector without any alarm gets; many false alarms give less. In a window the earliest alarm counts
    alone, the more the earlier it comes. An alarm soon after a window costs less than one far from it. The first 15 %
    of each series, at most 750 points, are for training, and alarms there do not count.

    Args:
        series: pairs (alarms, windows): a bool array (points,), and the windows of its anomalies, which are pairs of
            the first and the last point, in order and apart from each other. See `windows_between` for NAB's labels.
        profile: "standard", "reward_low_FP_rate" or "reward_low_FN_rate".
        probation: how many points of each series are for training, in place of the benchmark's.

    Raises:
        UnknownNameError: an unknown profile.
        DataError: windows that overlap or leave the series, or no window in any of them.

    Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015, as computed by NAB 1.1.

    Example:
        >>> nab_score([(scores > threshold, [(740, 768), (909, 937)])])
        61.3
    """
    weights = _profile(profile)
    series = [(np.asarray(alarms, bool), windows) for alarms, windows in series]
    raw = sum(_raw(alarms, windows, weights, probation) for alarms, windows in series)
    return _normalised(raw, _count((len(alarms), windows, probation) for alarms, windows in series), weights)


def best_nab_score(series: Iterable[tuple], profile: str = "standard", *, probation: int | None = None) -> Best:
    """NAB's score at the one threshold for all series that is best for it, as in NAB's own table of detectors.

    That threshold is chosen with the labels of the very series that are scored. `nab_score` with a threshold of
    normal samples is what a user would get.

    Args:
        series: pairs (scores, windows): a float array (points,), and windows as for `nab_score`.
        profile, probation, errors: as for `nab_score`.
    """
    weights = _profile(profile)
    series = [(np.asarray(scores, "float64"), windows) for scores, windows in series]
    gains, levels = [], []
    for scores, windows in series:
        gain = _worth(len(scores), windows, weights)
        judged = training_points(len(scores), probation)
        order = np.argsort(-scores, kind="stable")
        for first, last in windows:  # of a window, only what an alarm adds to the best so far, from missed on
            inside = order[(order >= first) & (order <= last) & (order >= judged)]
            gain[inside] = np.diff(np.maximum.accumulate(gain[inside]), prepend=-weights.missed)
        gains.append(gain[judged:])
        levels.append(scores[judged:])
    every, level = np.concatenate(gains), np.concatenate(levels)
    order = np.argsort(-level, kind="stable")
    count = _count((len(scores), windows, probation) for scores, windows in series)
    null = -weights.missed * count
    raw = np.concatenate([[null], null + np.cumsum(every[order])])
    last_of_level = np.concatenate([[True], np.diff(level[order]) != 0, [True]])  # all alarms of a score come at once
    best = np.flatnonzero(last_of_level)[np.argmax(raw[last_of_level])]
    threshold = level.max() if best == 0 else np.nextafter(level[order][best - 1], -np.inf)
    return Best(_normalised(raw[best], count, weights), float(threshold))


def windows_between(times: Sequence, limits: Iterable[tuple]) -> list[tuple[int, int]]:
    """The first and the last point of windows that are given as times, both inclusive.

    Args:
        times: times of the points, rising: numbers, or strings that sort like them ("2015-09-11 15:34:00").
        limits: pairs of times, as in NAB's combined_windows.json. Fractions of a second that the points lack are cut.
    """
    points = np.asarray(times)

    def cut(time):
        return time[: points.dtype.itemsize // 4] if points.dtype.kind == "U" else time

    return [
        (int(np.searchsorted(points, cut(begin))), int(np.searchsorted(points, cut(end), side="right")) - 1)
        for begin, end in limits
    ]


def _raw(alarms, windows, weights, probation=None):
    worth, probation = _worth(len(alarms), windows, weights), training_points(len(alarms), probation)
    alarms = alarms.copy()
    alarms[:probation] = False
    total = 0.0
    for first, last in windows:
        if last >= probation:
            found = np.flatnonzero(alarms[first : last + 1])
            total += worth[first + found[0]] if len(found) else -weights.missed
        alarms[first : last + 1] = False
    return total + float(worth[alarms].sum())


def _worth(points, windows, weights):
    """What an alarm at each point would add: a gain in a window, and elsewhere a loss."""
    position = np.full(points, math.inf)  # in widths of a window, from -1 at its begin over 0 after its end
    inside = np.zeros(points, bool)
    previous = -1
    for first, last in windows:
        if not previous < first <= last < points:
            raise DataError(
                f"Windows must be pairs of a first and a last point in [0, {points}), in order and apart from each"
                f" other. Received {list(windows)}."
            )
        previous = last
        width = last - first + 1
        position[first : last + 1] = (np.arange(first, last + 1) - last - 1) / width
        position[last + 1 :] = np.arange(1, points - last) / max(width - 1, 1)
        inside[first : last + 1] = True
    sigmoid = np.where(position >= 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3))) - 1)
    return np.where(inside, sigmoid * weights.found / (2 / (1 + math.exp(-5)) - 1), sigmoid * weights.false_alarm)


def _normalised(raw, windows, weights):
    if not windows:
        raise DataError("NAB's score needs a series with at least one window that ends after its first 15 %.")
    null, perfect = -weights.missed * windows, weights.found * windows
    return float(100 * (raw - null) / (perfect - null))


def _count(series):
    return sum(last >= training_points(points, given) for points, windows, given in series for _, last in windows)


def training_points(points: int, given: int | None = None) -> int:
    """How many points of a series are for training: what is given, or the benchmark's 15 % and at most 750."""
    return min(math.floor(PROBATION * points), _LONGEST_PROBATION) if given is None else given


def _profile(name):
    if name not in PROFILES:
        raise unknown_name("profile", name, PROFILES)
    return PROFILES[name]
