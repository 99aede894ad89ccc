"""The gamma family."""

import pytest
import scipy.stats
import torch

from mixlogit.choice import Gamma
from mixlogit.errors import UsageError

F64 = torch.float64
MEAN, CV = 1.7, 0.6
TWIN = scipy.stats.gamma(CV**-2, scale=MEAN * CV**2)


def test_agrees_with_scipy() -> None:
    family = Gamma(MEAN, CV)
    b = torch.tensor([0.05, 0.5, 1.7, 6.0], dtype=F64)
    torch.testing.assert_close(
        family.log_density(b.log()), torch.tensor(TWIN.logpdf(b)) + b.log(), rtol=1e-12, atol=0
    )
    low, high = family.log_tails(b.log(), b.log())
    torch.testing.assert_close(low, torch.tensor(TWIN.logcdf(b)), rtol=1e-11, atol=0)
    torch.testing.assert_close(high, torch.tensor(TWIN.logsf(b)), rtol=1e-11, atol=0)
    q = torch.tensor([0.01, 0.5, 0.99], dtype=F64)
    torch.testing.assert_close(family.quantile(q), torch.tensor(TWIN.ppf(q)), rtol=1e-11, atol=0)
    assert family.mean.item() == pytest.approx(TWIN.mean())
    assert family.sd.item() == pytest.approx(TWIN.std())
    assert family.shape.item() == pytest.approx(CV**-2)


def test_location_and_scale_of_log_strength() -> None:
    location, scale = Gamma(MEAN, CV).location_scale()
    log_twin = scipy.stats.loggamma(CV**-2)
    expected = log_twin.mean() + torch.tensor(MEAN * CV**2).log().item()
    assert location.item() == pytest.approx(expected, rel=1e-6)
    assert scale.item() == pytest.approx(log_twin.std())
    assert Gamma(MEAN, CV).log_sd.item() == scale.item()


def test_quantile_has_the_implicit_gradient() -> None:
    mean = torch.tensor(MEAN, dtype=F64, requires_grad=True)
    cv = torch.tensor(CV, dtype=F64, requires_grad=True)
    for q in (0.001, 0.3, 0.999):
        share = torch.tensor(q, dtype=F64)
        b = Gamma(mean, cv).quantile(share)
        by_mean, by_cv = torch.autograd.grad(b, [mean, cv])
        step = 1e-6
        around = [Gamma(MEAN, CV + s).quantile(share).item() for s in (step, -step)]
        assert by_mean.item() == pytest.approx(b.item() / MEAN, rel=1e-9)
        assert by_cv.item() == pytest.approx((around[0] - around[1]) / (2 * step), rel=1e-6)


def test_a_very_skew_gamma() -> None:
    """Shape 1e-3: most strengths underflow, and nothing else does."""
    cv = torch.tensor(1000**0.5, dtype=F64, requires_grad=True)
    family = Gamma(1.0, cv)
    q = torch.tensor([0.1, 0.5, 0.999], dtype=F64)
    assert family.quantile(q).isfinite().all()
    generator = torch.Generator().manual_seed(0)
    margin = torch.randn(50, dtype=F64)
    for sampling in ("plain", "antithetic", "sobol"):
        log_p = family.log_choice_prob(margin, draws=8, sampling=sampling, generator=generator)
        assert log_p.isfinite().all()
        assert torch.autograd.grad(log_p.sum(), cv)[0].isfinite()


def test_no_spread_has_no_density() -> None:
    with pytest.raises(UsageError, match=r"Expected cv > 0 for a density but got 0. Consider str"):
        Gamma(1.0, 0.0).log_density(torch.zeros((), dtype=F64))
    with pytest.raises(UsageError, match="Expected cv > 0"):
        Gamma(1.0, 0.0).log_tails(torch.zeros(()), torch.zeros(()))


def test_draws_of_nearly_no_spread_are_the_mean() -> None:
    for cv in (0.0, 1e-9):
        draw = Gamma(2.0, cv).sample((5,))
        torch.testing.assert_close(draw, torch.full((5,), 2.0, dtype=F64), rtol=1e-7, atol=0)
