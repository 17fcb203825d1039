"""The far tail of scores, from a few peaks: how high a score is that is exceeded once in so many samples."""

import math
from typing import NamedTuple

import numpy as np

_LEVEL = 0.98  # share of the scores below the peaks, as in SPOT; with few scores less, so that there are _WANTED peaks
_WANTED, _LEAST, _LOWEST_LEVEL = 100, 10, 0.9
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

    The peaks are the 2 % highest scores; of fewer than 5,000 scores up to 10 %, so that there are 100 peaks. A score
    that is to be exceeded once in 10 n samples, from n = 1,000 exponential, normal or Pareto scores, was in truth
    exceeded 1 to 3 times as often in the median of 100 draws, and 0 to 16 times in 90 % of them.

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
    shape, scale = fit_generalized_pareto(excesses)
    return Tail(start, len(excesses) / len(scores), shape, scale)


def fit_generalized_pareto(excesses: np.ndarray) -> tuple[float, float]:
    """Maximum-likelihood shape γ and scale σ of a generalised Pareto distribution with location 0.

    Grimshaw's reduction to one variable: for θ = γ / σ the best shape is γ(θ) = ⟨log(1 + θ y)⟩, so the likelihood is a
    function of θ alone. Its highest value is sought on a grid over all θ with γ(θ) > -1, below which the likelihood has
    no maximum, and then refined.

    Args:
        excesses: float array (peaks,) of positive numbers, not all equal.

    Source: Grimshaw, "Computing Maximum Likelihood Estimates for the Generalized Pareto Distribution", Technometrics
    35 (1993).
    """
    from scipy.optimize import minimize_scalar

    mean, largest = float(np.mean(excesses)), float(np.max(excesses))
    y = excesses / mean

    def shape(theta):
        return np.log1p(np.multiply.outer(theta, y)).mean(axis=-1)

    def cost(theta):  # negative mean log-likelihood of σ = γ / θ
        if abs(theta) < 1e-9:
            return 1.0  # exponential, with scale ⟨y⟩ = 1
        gamma = shape(theta)
        return np.log(gamma / theta) + gamma + 1 if gamma > -1 else 1e9

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
    gamma = float(shape(theta))
    return gamma, gamma / theta * mean
