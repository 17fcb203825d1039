"""Fits of tails against scipy's, and their quantiles against the true ones."""

import numpy as np
import pytest
from scipy import stats

from zoo.evaluation.extreme_value import Tail, fit_generalized_pareto, fit_tail


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2, 0.5, 1.0, 2.0])
def test_likelihood_is_scipys(shape):
    excesses = stats.genpareto.rvs(shape, scale=3.0, size=400, random_state=1)
    found = fit_generalized_pareto(excesses)
    expected, _, scale = stats.genpareto.fit(excesses, floc=0)
    assert found == (pytest.approx(expected, abs=1e-3), pytest.approx(scale, rel=1e-3))

    def likelihood(shape, scale):
        return stats.genpareto.logpdf(excesses, shape, scale=scale).sum()

    assert likelihood(*found) >= likelihood(expected, scale) - 1e-6


def test_where_the_likelihood_has_no_maximum_the_tail_ends():
    """Of a uniform distribution the shape is -1."""
    shape, scale = fit_generalized_pareto(np.random.default_rng(0).random(500))
    assert shape == pytest.approx(-1, abs=0.02)
    assert scale == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("true", "count"), [(-0.3, 30), (0.0, 30), (0.4, 30), (0.4, 3000)])
def test_shapes_that_are_expected_about_zero(true, count):
    """The highest product of likelihood and normal distribution, by scipy's optimiser over both parameters."""
    from scipy.optimize import minimize

    y = stats.genpareto.rvs(true, scale=2.0, size=count, random_state=3)

    def cost(parameters):
        shape, scale = parameters[0], np.exp(parameters[1])
        return -stats.genpareto.logpdf(y, shape, scale=scale).sum() + shape**2 / (2 * 0.2**2)

    best = minimize(cost, (0.1, np.log(y.mean())), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x
    shape, scale = fit_generalized_pareto(y, 0.2)
    assert (shape, scale) == (pytest.approx(best[0], abs=1e-4), pytest.approx(np.exp(best[1]), rel=1e-4))
    alone = fit_generalized_pareto(y)[0]
    assert abs(shape) < abs(alone)
    assert abs(shape - alone) < (0.01 if count == 3000 else 1)


@pytest.mark.parametrize(("distribution", "least"), [(stats.expon(), 0.4), (stats.norm(), 0.2), (stats.chi2(8), 0.35)])
def test_far_beyond_few_scores_it_is_nearer_than_the_likelihood_alone(distribution, least):
    """Of 200 scores, what one in 2,000 exceeds: mean error of the logarithm of the true rate."""
    errors = []
    for seed in range(40):
        scores = distribution.rvs(200, random_state=seed)
        tail = fit_tail(scores)
        alone = Tail(tail.start, tail.share, *fit_generalized_pareto(scores[scores > tail.start] - tail.start))
        rates = distribution.sf([found.exceeded_by(5e-4) for found in (alone, tail)]) / 5e-4
        errors.append(np.abs(np.log(np.maximum(rates, 0.01))))
    alone, found = np.mean(errors, axis=0)
    assert found < alone - least


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_units_do_not_matter(scale):
    excesses = stats.genpareto.rvs(0.2, size=200, random_state=2)
    shape, found = fit_generalized_pareto(excesses * scale)
    assert (shape, found / scale) == pytest.approx(fit_generalized_pareto(excesses), rel=1e-5)


@pytest.mark.parametrize(
    ("distribution", "allowed"),
    [
        (stats.expon(), 0.06),
        (stats.gumbel_r(), 0.06),
        (stats.pareto(3), 0.22),  # of shape 1/3, drawn to 0
        (stats.norm(), 0.05),
        (stats.chi2(8), 0.05),
    ],
)
def test_far_quantiles_beyond_the_largest_score(distribution, allowed):
    """The median over 20 draws of 20,000 scores, of what one in 100,000 exceeds."""
    tails = [fit_tail(distribution.rvs(20_000, random_state=seed)) for seed in range(20)]
    assert all(tail.share == pytest.approx(0.02) for tail in tails)
    median = np.median([tail.exceeded_by(1e-5) for tail in tails])
    assert median == pytest.approx(distribution.isf(1e-5), rel=allowed)


def test_equation_of_the_paper():
    heavy, exponential = Tail(2.0, 0.02, 0.5, 1.5), Tail(2.0, 0.02, 0.0, 1.5)
    assert heavy.exceeded_by(1e-4) == pytest.approx(2 + 1.5 / 0.5 * ((1e-4 / 0.02) ** -0.5 - 1))
    assert exponential.exceeded_by(1e-4) == pytest.approx(2 - 1.5 * np.log(1e-4 / 0.02))
    assert Tail(2.0, 0.02, 1e-8, 1.5).exceeded_by(1e-4) == pytest.approx(exponential.exceeded_by(1e-4), rel=1e-6)
    assert heavy.exceeded_by(0.02) == 2


@pytest.mark.parametrize(("samples", "peaks"), [(100, 10), (500, 50), (1000, 100), (3000, 100), (10_000, 200)])
def test_number_of_peaks(samples, peaks):
    scores = np.random.default_rng(0).permutation(np.arange(samples) ** 1.5)
    tail = fit_tail(scores)
    assert tail.share * samples == pytest.approx(peaks)
    assert tail.start == pytest.approx((samples - peaks - 1) ** 1.5)


def test_too_few_peaks():
    assert fit_tail(np.arange(99.0)) is None
    assert fit_tail(np.arange(1000) % 5) is None
    assert fit_tail(np.zeros(3)) is None
