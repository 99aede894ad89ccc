"""Density, tails and quantile of log gamma variables: against mpmath and scipy."""

import mpmath as mp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch.autograd import gradcheck, gradgradcheck

from mixlogit.choice.incomplete_gamma import (
    log_gamma_density,
    log_gamma_quantile,
    log_gamma_tails,
)

F64 = torch.float64
SHAPES = (1e-3, 0.03, 0.5, 1.0, 2.5, 12.0, 39.9, 40.1, 300.0, 1e4)
SHARES = (1e-280, 1e-60, 1e-12, 1e-3, 0.2, 0.5, 0.8, 0.999, 1 - 1e-12)


@pytest.mark.parametrize("k", SHAPES)
def test_tails_agree_with_mpmath(k: float) -> None:
    """Relative error of the probability, and of the log where that is smaller."""
    x = np.where(
        np.array(SHARES) < 0.5,
        scipy.special.gammaincinv(k, SHARES),
        scipy.special.gammainccinv(k, 1 - np.array(SHARES)),
    )
    w = torch.tensor(np.log(x[x > 1e-290] / k), dtype=F64)
    tails = torch.stack(log_gamma_tails(torch.tensor(k, dtype=F64), w)).T
    for point, actual in zip(w.tolist(), tails.tolist(), strict=True):
        with mp.workdps(40):
            at = k * mp.exp(mp.mpf(point))
            expected = [
                mp.log(mp.gammainc(k, 0, at, regularized=True)),
                mp.log(mp.gammainc(k, at, mp.inf, regularized=True)),
            ]
        for a, e in zip(actual, expected, strict=True):
            assert abs(a - e) <= 1e-12 * max(1, abs(e)), (point, a, e)


@pytest.mark.parametrize("k", SHAPES)
def test_density_agrees_with_scipy(k: float) -> None:
    w = torch.linspace(-3, 1, 9, dtype=F64) / max(k, 1) ** 0.5
    x = k * np.exp(w.numpy())
    expected = k * np.log(x) - x - scipy.special.gammaln(k)
    actual = log_gamma_density(torch.tensor(k, dtype=F64), w)
    np.testing.assert_allclose(actual.numpy(), expected, atol=1e-13 * max(1, k * 10))


def test_tails_are_differentiable_in_shape_and_place() -> None:
    k = torch.tensor([1e-3, 0.3, 5.0, 39.0, 60.0, 1e4], dtype=F64, requires_grad=True)
    for shift in (-0.4, 0.0, 0.3):
        w = (shift / k.detach().clamp(min=1.0).sqrt()).requires_grad_()
        assert gradcheck(log_gamma_tails, (k, w), eps=1e-7, atol=1e-6)
        assert gradgradcheck(log_gamma_tails, (k, w), eps=1e-7, atol=1e-4)


def test_tails_and_gradients_are_finite_everywhere() -> None:
    k = torch.logspace(-3, 4, 15, dtype=F64)[:, None].requires_grad_()
    place = [-1e308, -1e6, -800, -50, -1, 0, 1e-9, 1, 50, 290, 800, 1e308]
    w = torch.tensor(place, dtype=F64, requires_grad=True)
    tails = torch.stack(log_gamma_tails(k, w))
    assert not tails.isnan().any()
    assert (tails <= 0).all()
    for gradient in torch.autograd.grad(tails.clamp(min=-1e100).sum(), [k, w]):
        assert not gradient.isnan().any()


@pytest.mark.parametrize("k", SHAPES)
def test_quantile(k: float) -> None:
    q = torch.tensor([1e-12, 0.01, 0.3, 0.5, 0.9, 1 - 1e-9], dtype=F64)
    w = log_gamma_quantile(torch.tensor(k, dtype=F64), q)
    assert w.isfinite().all()
    below, above = log_gamma_tails(torch.tensor(k, dtype=F64), w)
    torch.testing.assert_close(below.exp(), q, rtol=1e-9, atol=0)
    torch.testing.assert_close(above.exp(), 1 - q, rtol=1e-6, atol=1e-15)
