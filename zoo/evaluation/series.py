"""From scores of the windows of a series to scores of its points, which `nab` and `volume` measure."""

import numpy as np

from zoo.core import checks
from zoo.core.errors import DataError


def point_scores(window_scores, length: int, hop: int, points: int, *, online: bool = False) -> np.ndarray:
    """Scores of the points of a series, from those of windows that begin at 0, hop, 2 · hop and so on.

    Args:
        window_scores: float array (windows,).
        length: points of a window.
        hop: points from the begin of one window to that of the next, at most `length`.
        points: points of the series.
        online: False gives each point the mean over the windows that it is in, which `volume_under_surface` is for.
            True gives it the score of the last window that was complete then, as a detector knows it while the series
            goes on, which `nab_score` is for.

    Returns:
        float64 array (points,). Points behind the last window have its score; online, points before the end of the
        first window have the lowest of all.

    Raises:
        ConfigError: a length, hop or number of points that is not a whole number of at least 1.
        DataError: windows that leave gaps, or that do not fit into so many points.

    Example:
        >>> scores = model.score(zoo.data.windows(series, 64, 16))
        >>> volume_under_surface(point_scores(scores, 64, 16, len(series)), labels, window=64)
    """
    length, hop, points = (
        checks.positive_integer(name, value) for name, value in (("length", length), ("hop", hop), ("points", points))
    )
    scores = np.asarray(window_scores, "float64")
    begins = np.arange(len(scores)) * hop
    if scores.ndim != 1 or not len(scores) or hop > length or begins[-1] + length > points:
        raise DataError(
            f"Windows of {length} points, one every {hop}, must lie in the series of {points} points without gaps, with"
            f" one score each. Received scores of shape {scores.shape}."
        )
    if online:
        newest = (np.arange(points) - length + 1) // hop
        return np.where(newest < 0, scores.min(), scores[np.clip(newest, 0, len(scores) - 1)])
    edges = np.zeros((2, points + 1))
    for row, values in zip(edges, (scores, np.ones(len(scores))), strict=True):
        np.add.at(row, begins, values)
        np.subtract.at(row, begins + length, values)
    total, count = edges[:, :points].cumsum(axis=1)
    return np.where(count > 0.5, total / np.maximum(count, 1), scores[-1])
