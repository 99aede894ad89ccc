"""Answers that agree, ratios of costs, exponents of growth."""

import doctest

import numpy as np
import pytest

OWN = {"mu": -0.25, "log_sd": 0.8, "se": 0.02}


@pytest.fixture(scope="module")
def agreement(benchmark_module):
    return benchmark_module("agreement")


def test_examples(agreement):
    assert doctest.testmod(agreement).failed == 0


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"mu": -0.2401, "log_sd": 0.8099, "se": 0.0239}, ""),
        ({"mu": -0.25, "log_sd": 0.82, "se": 0.02}, "sd of log strength off by 1.0 standard"),
        ({"mu": -0.30, "log_sd": 0.8, "se": 0.02}, "mean of log strength off by 2.5 standard"),
        ({"mu": -0.25, "log_sd": 0.8, "se": 0.01}, "standard error 0.50 times ours"),
        ({"mu": -0.25, "log_sd": 0.8, "se": 0.03}, "standard error 1.50 times ours"),
        ({"mu": float("nan"), "log_sd": 0.8, "se": 0.02}, "mean of log strength off by nan"),
    ],
)
def test_disagreement(agreement, other, why):
    found = agreement.disagreement(OWN, other)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_likelihoods_on_the_same_draws_must_be_the_same(agreement):
    own = {"log_likelihood": -3888.4651, "estimates": [1.0]}
    assert agreement.disagreement(own, {"log_likelihood": -3888.4650}) == ""
    assert agreement.disagreement(own, {"log_likelihood": -3902.4}) == "log-likelihood 13.9 away"


def test_ratio_is_of_medians_between_least_and_most(agreement):
    own = [{"seconds": value} for value in (1.0, 2.0, 4.0)]
    other = [{"seconds": value} for value in (10.0, 20.0, 80.0)]
    assert agreement.ratio(own, other) == (10.0, 2.5, 80.0)


def test_exponent_of_noisy_growth(agreement):
    sizes = np.array([1e3, 1e4, 1e5, 1e6])
    noise = np.array([1.1, 0.9, 1.1, 0.9])
    assert agreement.exponent(sizes, 3.0 * sizes**1.5 * noise) == pytest.approx(1.5, abs=0.03)
