"""Reliability of probabilities: uniform p-values where they are right, small ones where not."""

import numpy as np
import pytest
from scipy import stats

from mixlogit.models.calibration import reliability


def made(n, seed, power=1.0):
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 2, size=n)
    truth = p**power / (p**power + (1 - p) ** power)
    return p, (rng.random(n) < truth).astype(float)


def test_p_values_of_right_probabilities_are_uniform():
    p = [reliability(*made(500, seed), seed=seed).p_value for seed in range(100)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("power", [0.4, 2.5])
def test_too_bold_and_too_shy(power):
    assert reliability(*made(1000, 1, power)).p_value < 1e-4


def test_the_band_holds_the_curve():
    found = reliability(*made(4000, 2))
    inside = (found.low - 1e-12 <= found.observed) & (found.observed <= found.high + 1e-12)
    assert inside.mean() > 0.8
    assert (np.diff(found.observed) >= -1e-12).all()
    assert found.observed == pytest.approx(found.predicted, abs=0.15)


def test_which_response_is_first_says_nothing():
    p, y = made(300, 3)
    turned = np.arange(300) % 2 == 0
    one = reliability(p, y)
    other = reliability(np.where(turned, 1 - p, p), np.where(turned, 1 - y, y))
    assert other.miscalibration == pytest.approx(one.miscalibration)


def test_what_leaving_out_costs_is_not_held_against_the_probabilities():
    """Forty cells of thirty votes, each predicted by the others of its cell."""
    rng = np.random.default_rng(0)
    cell = np.repeat(np.arange(40), 30)
    y = (rng.random(1200) < rng.uniform(0.2, 0.8, 40)[cell]).astype(float)
    total = np.bincount(cell, y)[cell]
    own, without = (total + 1) / 32, (total - y + 1) / 31
    assert reliability(without, y).p_value < 0.005
    cost = ((y - without) ** 2 - (y - own) ** 2).mean()
    assert reliability(without, y, optimism=cost).p_value > 0.05
    assert reliability(without**3, y, optimism=cost).p_value < 1e-6
