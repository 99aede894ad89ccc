"""Homogeneous judges are not called heterogeneous: the whole way, fits and comparison."""

import pytest

import mixlogit as ml


@pytest.mark.slow
def test_homogeneous_judges_are_not_called_heterogeneous():
    alarms = 0
    for seed in range(20):
        lapse = 0.1 if seed % 2 else 0.0
        data = ml.simulate(600, 40, "fixed", lapse=lapse, seed=seed).comparisons()
        compared = ml.compare(ml.fit_grid(data, draws=400))
        alarms += compared.verdict.heterogeneity not in ("homogeneous", "unknown")
    assert alarms <= 1  # two or more have a probability of 0.26 at a rate of 5 %, 0.02 at 1 %


def test_side_by_side():
    """Four designs by log Bayes factors alone; a rate of 5 % passes 8 of 80 with p < 0.01."""
    designs = ((40, 15, 0.0), (100, 5, 0.0), (40, 15, 0.1), (20, 30, 0.1))
    found = [ml.power(n, votes, 0.0, lapse=lapse, studies=20) for n, votes, lapse in designs]
    assert sum(one.probability for one in found) * 20 <= 4
