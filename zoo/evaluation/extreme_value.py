"""The far tail of scores, from a few peaks: how high a score is that is exceeded once in so many samples."""

import math
from typing import NamedTuple

import numpy as np

_LEVEL = 0.98  # share of the scores below the peaks, as in SPOT; with few scores less, so that there are _WANTED peaks
_WANTED, _LEAST, _LOWEST_LEVEL = 100, 10, 0.9
_SPREAD = 0.2  # standard deviation of the shapes that are expected of tails, about 0
_GRID = 200  # values of shape / scale that the likelihood is computed at, on each side of 0


class Tail(NamedTuple):
    """The upper tail of a distribution: a generalised Pareto distribution of the excesses over a high score.

    Attributes:
        start: the score from which on the distribution describes the tail.
        share: share of all scores above `start`.
        shape: γ; 0 is an exponential tail, above 0 a heavier one, and below 0 one that ends.
        scale: σ > 0.
    """

    start: float
    share: float
    shape: float
    scale: float

    def exceeded_by(self, share: float) -> float:
        """The score that this share of samples exceeds, in (0, `self.share`]: equation 1 of Siffer et al."""
        logarithm = math.log(self.share / share)
        if abs(self.shape * logarithm) < 1e-9:
            return self.start + self.scale * logarithm
        return self.start + self.scale / self.shape * math.expm1(self.shape * logarithm)


def fit_tail(scores: np.ndarray) -> Tail | None:
    """Fit the tail of scores by peaks over threshold, the initialisation of SPOT.

    The peaks are the 2 % highest scores; of fewer than 5,000 scores up to 10 %, so that there are 100 peaks.

    Few peaks hardly determine the shape, on which all depends that is far beyond them. So it is drawn to 0, an
    exponential tail, which the tails of errors are near to: the likelihood is multiplied with that of shapes with a
    standard deviation of 0.2, which matters less, the more peaks there are. Of the score that is to be exceeded once in
    10 n samples, this is how many times as often it was in truth, and the mean factor by which that is wrong (medians
    and geometric means of 300 draws):

    ======================  ================  ====================  ============  ========
    n, distribution         likelihood alone  probability-weighted  moments       this
    ======================  ================  ====================  ============  ========
    200 exponential         3.0, 6.7          1.7, 5.7              2.5, 4.6      1.5, 3.0
    200 normal              4.3, 7.0          2.1, 7.1              2.8, 5.8      0.9, 3.9
    200 χ², 8 degrees       3.5, 7.0          1.6, 6.9              2.6, 5.6      1.4, 3.4
    200 log-normal, 0.5     3.1, 6.6          2.0, 5.4              2.6, 4.7      2.2, 3.3
    200 Pareto, 3           2.2, 5.5          2.1, 3.7              3.1, 3.8      3.8, 4.0
    200 beta, 2 and 5       4.2, 7.1          1.4, 11.2             2.3, 7.8      0.2, 9.8
    1,000 exponential       1.4, 4.4          1.4, 4.8              1.5, 3.9      1.4, 3.4
    1,000 normal            2.4, 4.7          2.4, 6.1              1.9, 4.7      1.5, 4.1
    1,000 χ², 8 degrees     1.9, 4.1          1.9, 5.4              1.7, 3.8      1.5, 3.3
    1,000 log-normal, 0.5   1.4, 4.3          1.2, 4.4              1.5, 3.7      1.5, 3.2
    1,000 Pareto, 3         1.2, 3.1          1.4, 2.9              2.2, 3.0      2.8, 3.0
    1,000 beta, 2 and 5     2.3, 5.5          1.4, 12.0             1.8, 8.0      0.9, 6.7
    ======================  ================  ====================  ============  ========

    It is nearer than the others, except for tails that end soon (beta) or are heavy, which are taken for lighter.

    Args:
        scores: float array (samples,), finite.

    Returns:
        Tail, or None if there are fewer than 10 different peaks, which 100 different scores have.

    Source: Siffer, Fouque, Termier and Largouet, "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017,
    section 4.1 and algorithm 1.
    """
    scores = np.sort(np.asarray(scores, "float64"))
    count = math.floor(len(scores) * min(max(1 - _LEVEL, _WANTED / len(scores)), 1 - _LOWEST_LEVEL) + 1e-9)
    if not 0 < count < len(scores):
        return None
    start = float(scores[-count - 1])
    excesses = scores[scores > start] - start
    if len(np.unique(excesses)) < _LEAST:
        return None
    return fit_peaks(excesses, start, len(excesses) / len(scores))


def fit_peaks(excesses: np.ndarray, start: float, share: float) -> Tail:
    """The `Tail` of excesses over `start`, float array (peaks,), which this share of all scores has; see `fit_tail`."""
    return Tail(start, share, *fit_generalized_pareto(excesses, _SPREAD))


def fit_generalized_pareto(excesses: np.ndarray, spread: float = math.inf) -> tuple[float, float]:
    """Maximum-likelihood shape γ and scale σ of a generalised Pareto distribution with location 0.

    Grimshaw's reduction to one variable: for θ = γ / σ the best shape is γ(θ) = ⟨log(1 + θ y)⟩, so the likelihood is a
    function of θ alone. Its highest value is sought on a grid over all θ with γ(θ) > -1, below which the likelihood has
    no maximum, and then refined. With shapes expected about 0, the best shape is the root of a cubic equation,
    γ + γ³ / (spread² n) = ⟨log(1 + θ y)⟩.

    Args:
        excesses: float array (peaks,) of positive numbers, not all equal.
        spread: standard deviation of the shapes that are expected, about 0; by default all are as likely.

    Source: Grimshaw, "Computing Maximum Likelihood Estimates for the Generalized Pareto Distribution", Technometrics
    35 (1993).
    """
    from scipy.optimize import minimize_scalar

    mean, largest = float(np.mean(excesses)), float(np.max(excesses))
    y = excesses / mean

    weight = spread**2 * len(y)

    def shape(theta):  # the best one, and ⟨log(1 + θ y)⟩
        mean_log = float(np.log1p(theta * y).mean())
        if math.isinf(weight):
            return mean_log, mean_log
        return 2 * math.sqrt(weight / 3) * math.sinh(math.asinh(1.5 * mean_log * math.sqrt(3 / weight)) / 3), mean_log

    def cost(theta):  # negative mean log-likelihood of σ = γ / θ
        if abs(theta) < 1e-9:
            return 1.0  # exponential, with scale ⟨y⟩ = 1
        gamma, mean_log = shape(theta)
        if gamma <= -1:
            return 1e9
        return math.log(gamma / theta) + (1 + 1 / gamma) * mean_log + gamma**2 / (2 * weight)

    end = -mean / largest  # of θ, where 1 + θ y reaches 0
    steps = np.linspace(0, 1, _GRID + 2)[1:-1]
    grid = np.concatenate([end * (1 - 1e-6**steps), [0.0], np.geomspace(1e-4, 1e4, _GRID)])
    grid.sort()
    best = int(np.argmin([cost(theta) for theta in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    theta = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-10}).x
    if cost(theta) > cost(grid[best]):
        theta = grid[best]
    if abs(theta) < 1e-9:
        return 0.0, mean
    gamma, _ = shape(theta)
    return gamma, gamma / theta * mean
