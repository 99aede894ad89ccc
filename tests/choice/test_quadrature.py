"""Quadrature over densities that nothing is known about but one peak."""

import math

import pytest
import torch
from torch import Tensor

from mixlogit.choice.quadrature import (
    log_choice_integral,
    log_tail_integrals,
    log_trapezoid,
    quadrature_rule,
    solve_quantile,
)

F64 = torch.float64
ZERO, ONE = torch.zeros((), dtype=F64), torch.ones((), dtype=F64)


def gumbel(u: Tensor) -> Tensor:
    """Log density of log E, E exponential: an exponential tail and a double exponential one."""
    return u - torch.exp(u)


@pytest.mark.parametrize("start", [-500.0, 0.0, 3.0])
@pytest.mark.parametrize("width", [1e-6, 1.0, 1e6])
def test_the_rule_finds_the_peak_from_afar(start: float, width: float) -> None:
    location, scale = torch.tensor(start * width, dtype=F64), torch.tensor(width, dtype=F64)

    def log_f(u: Tensor) -> Tensor:
        return gumbel(u / width)

    u, log_weight = quadrature_rule(log_f, location, scale)
    total = (log_weight + log_f(u)).exp().sum().item()
    assert total == pytest.approx(width, rel=1e-12)


def test_trapezoid() -> None:
    z = torch.linspace(-9, 9, 37, dtype=F64).unsqueeze(-1)
    total = log_trapezoid(-(z**2) / 2, torch.tensor([0.5], dtype=F64))
    assert total.item() == pytest.approx(math.log(2 * math.pi) / 2, rel=1e-14)


def test_choice_integral_of_an_exponential_strength() -> None:
    """P(margin = -1) = sum of (-1)^n / (n + 2) = 1 - log 2."""
    log_p = log_choice_integral(gumbel, ZERO, ONE, torch.tensor([-1.0, 0.0], dtype=F64))
    torch.testing.assert_close(log_p.exp().tolist(), [1 - math.log(2), 0.5], rtol=1e-12, atol=0)


@pytest.mark.parametrize("u", [-30.0, -2.0, -0.5, 0.5, 3.0])
def test_tails(u: float) -> None:
    low, high = log_tail_integrals(gumbel, ZERO - 0.577, ONE * 1.28, torch.tensor(u, dtype=F64))
    assert high.item() == pytest.approx(-math.exp(u), rel=1e-9)
    assert low.item() == pytest.approx(math.log(-math.expm1(-math.exp(u))), rel=1e-9)


def test_quantiles() -> None:
    q = torch.tensor([1e-9, 0.2, 0.7, 1 - 1e-9], dtype=F64)
    location, scale = ZERO - 0.577, ONE * 1.28

    u = solve_quantile(gumbel, location, scale, q)
    torch.testing.assert_close(u, torch.log(-torch.log1p(-q)), rtol=1e-7, atol=1e-7)
