"""Spreads, quantiles and averages of populations, against dense quadrature by scipy."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from mixlogit.analysis.population import Population, average_mean
from mixlogit.analysis.saved import Saved

MEANS, CVS = np.array([0.4, 2.0, 1.0]), np.array([0.3, 0.9, 1.8])


def law(family, mean, cv):
    """The distribution of strength as scipy knows it."""
    if family == "lognormal":
        sd = np.sqrt(np.log1p(cv**2))
        return stats.lognorm(sd, scale=mean * np.exp(-(sd**2) / 2))
    if family == "gamma":
        return stats.gamma(cv**-2, scale=mean * cv**2)
    return stats.norm(mean, mean * cv)


def average(distribution, f):
    """Mean of f(b), integrated over the quantile of a normal z in pieces."""

    def at(z):
        return f(
            distribution.ppf(special.ndtr(z)) if z < 0 else distribution.isf(special.ndtr(-z))
        )

    pieces = [
        integrate.quad(lambda z: at(z) * stats.norm.pdf(z), low, low + 2, epsabs=1e-11, limit=200)
        for low in range(-8, 8, 2)
    ]
    return sum(piece[0] for piece in pieces)


@pytest.mark.parametrize("family", ["lognormal", "gamma", "normal"])
def test_continuous_families(family):
    people = Population(family, MEANS, CVS)
    strengths, weight = people.nodes()
    log_mean, log_sd = people.log_moments()
    for k, (mean, cv) in enumerate(zip(MEANS, CVS, strict=True)):
        b = law(family, mean, cv)
        for q in (0.1, 0.5, 0.9):
            assert people.quantile(q)[k] == pytest.approx(b.ppf(q), rel=1e-9)
        for x in (0.01, 0.7, 3.0):
            assert people.below(x)[k] == pytest.approx(b.cdf(x), rel=1e-9)
        p = average(b, lambda s: special.expit(1.7 * s))
        assert weight[k] @ special.expit(1.7 * strengths[k]) == pytest.approx(p, abs=2e-7)
        difference = 2 * average(b, lambda s, b=b: s * (2 * b.cdf(s) - 1))  # E|b - b'|
        assert people.gini()[k] == pytest.approx(difference / (2 * mean), rel=1e-6)
        if family == "normal":
            assert np.isnan(log_sd[k])
            continue
        first = average(b, lambda s: np.log(s))
        assert log_mean[k] == pytest.approx(first, abs=1e-6)
        second = average(b, lambda s, first=first: (np.log(s) - first) ** 2)
        assert log_sd[k] ** 2 == pytest.approx(second, rel=1e-6)


def test_classes_by_hand():
    people = Population(
        "classes", np.array([1.5]), np.array([0.5]), np.array([[1.0, 2.0]]), np.array([[0.5, 0.5]])
    )
    assert people.gini()[0] == pytest.approx(1 / 6)
    assert people.log_moments()[1][0] == pytest.approx(np.log(2) / 2)
    assert people.quantile(0.1)[0] == 1.0
    assert people.quantile(0.9)[0] == 2.0
    assert people.below(1.0)[0] == 0.5
    assert not people.signed


def test_one_strength():
    people = Population("fixed", MEANS, np.zeros(3))
    assert people.gini() == pytest.approx(0)
    assert people.log_moments()[1] == pytest.approx(0)
    assert people.quantile(0.9) == pytest.approx(MEANS)
    assert people.below(1.0).tolist() == [1, 0, 1]


@pytest.mark.parametrize("family", ["lognormal", "gamma"])
def test_a_spread_of_nearly_nothing(family):
    people = Population(family, MEANS, np.full(3, 1e-9))
    assert people.nodes()[0] == pytest.approx(MEANS[:, None] * np.ones(81), rel=2e-3)
    assert people.gini() == pytest.approx(0, abs=1e-4)


def test_the_average_group_where_utilities_carry_the_scale(tree, around):
    """Groups differ, the population has no mean of its own: their geometric mean, at each draw."""
    sides = np.stack([around(2.0), around(8.0, seed=1)], -1)
    grouped = Saved(tree("lognormal", mean__side=sides, cv=around(0.5)), np.array([3.0, 9.0]))
    found = Population.of(grouped)
    np.testing.assert_allclose(found.mean, np.sqrt(sides.prod(-1)).reshape(-1))
    plain = Saved(tree("lognormal", cv=around(0.5)), np.array([]))
    assert (average_mean(plain) == 1).all()
