"""The densities agree with the strength families, and are densities."""

import numpy as np
import pytest
import torch

import mixlogit as ml
from mixlogit.analysis.density import DENSITIES, band, smooth, span


@pytest.mark.parametrize("name", sorted(DENSITIES))
@pytest.mark.parametrize(("mean", "cv"), [(0.7, 0.05), (1.3, 0.6), (2.0, 1.8)])
def test_densities_are_those_of_the_families(name: str, mean: float, cv: float) -> None:
    spread = {"sd": mean * cv} if name == "normal" else {"cv": cv}
    family = ml.strength(name, mean=mean, **spread)
    u = np.linspace(-2.0, 1.5, 23)
    ours = DENSITIES[name].at(u, np.float64(mean), np.float64(cv))
    theirs = family.log_density(torch.from_numpy(u)).exp().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", sorted(DENSITIES))
def test_quantiles_are_those_of_the_families(name: str) -> None:
    family = ml.strength(name, mean=1.3, **({"sd": 0.78} if name == "normal" else {"cv": 0.6}))
    for share in (0.05, 0.5, 0.99):
        u = DENSITIES[name].quantile(share, np.float64(1.3), np.float64(0.6))
        ours = np.exp(u) if DENSITIES[name].log_axis else u
        theirs = float(family.quantile(torch.tensor(share, dtype=torch.float64)))
        assert ours == pytest.approx(theirs, rel=1e-6)


def test_a_spread_of_zero_is_a_narrow_density() -> None:
    for density in DENSITIES.values():
        low, high = span(density, np.ones(3), np.zeros(3))
        assert 0 < high - low < 1e-3


def test_span_and_band_follow_the_draws() -> None:
    mean, cv = np.ones(100), np.full(100, 0.5)
    low, high = span(DENSITIES["lognormal"], mean, cv)
    u = np.linspace(low, high, 400)
    lower, middle, upper = band(DENSITIES["lognormal"], u, mean, cv, (0.05, 0.5, 0.95))
    np.testing.assert_allclose(lower, upper)
    assert np.trapezoid(middle, u) == pytest.approx(0.98, abs=1e-3)


def test_the_smooth_prior_has_no_spikes_and_mass_one() -> None:
    mean = np.exp(np.random.default_rng(0).normal(size=400))
    cv = np.abs(np.random.default_rng(1).normal(size=400))
    u = np.linspace(-12.0, 6.0, 900)
    curve = smooth(DENSITIES["lognormal"], u, mean, cv)
    assert np.trapezoid(curve, u) == pytest.approx(1.0, abs=0.02)
    assert np.abs(np.diff(curve)).max() < 0.05 * curve.max()
