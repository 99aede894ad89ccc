"""Quadrature nodes that follow an integrand, and interpolation on a uniform grid."""

import math

import pytest
import torch
from dense import CVS, F64, FAMILIES, population

from mixlogit.choice.batching import at_nodes
from mixlogit.choice.rules import (
    add_tails,
    lagrange_weights,
    mode_and_widths,
    population_masses,
    split_nodes,
    stretched_rule,
)

ONE = torch.ones(1, dtype=F64)


@pytest.mark.parametrize("power", [0, 2, 4])
def test_moments_of_the_normal(power: int) -> None:
    x, log_weight = stretched_rule()
    moment = (x**power * (log_weight - x**2 / 2).exp()).sum() / math.sqrt(2 * math.pi)
    assert float(moment) == pytest.approx({0: 1, 2: 1, 4: 3}[power], rel=1e-8)
    assert float(x[len(x) // 2]) == pytest.approx(0, abs=1e-15)


def test_equal_widths_are_the_plain_rule() -> None:
    x, log_weight = stretched_rule(31)
    u, found = split_nodes(3 * ONE, 2 * ONE, 2 * ONE, (x, log_weight))
    torch.testing.assert_close(u, 3 + 2 * x)
    torch.testing.assert_close(found, log_weight + math.log(2))


@pytest.mark.parametrize("ratio", [0.05, 0.3, 1.0, 5.0, 20.0])
def test_weights_are_the_slope_of_the_nodes(ratio: float) -> None:
    t = torch.linspace(-9, 9, 181, dtype=F64)
    fine = (t, torch.zeros_like(t))
    u, log_slope = split_nodes(ONE, ratio * ONE, ONE, fine)
    assert bool((u.diff() > 0).all())
    middle = (u[2:] - u[:-2]) / (t[2:] - t[:-2])
    torch.testing.assert_close(middle, log_slope.exp()[1:-1], rtol=5e-3, atol=0)
    assert float(u[90]) == pytest.approx(1.0)


def test_mode_and_widths_of_a_lopsided_integrand() -> None:
    u = torch.linspace(-40, 10, 501, dtype=F64).expand(2, 501)
    left, right = torch.tensor([[6.0], [1.0]], dtype=F64), torch.tensor([[1.0], [2.0]], dtype=F64)
    away = u - 0.503
    log_f = -(away / torch.where(away < 0, left, right)).square() / 2
    mode, below, above = mode_and_widths(u, log_f, torch.zeros(501, dtype=F64))
    torch.testing.assert_close(mode, torch.full((2, 1), 0.503, dtype=F64), atol=0.1, rtol=0)
    torch.testing.assert_close(below, left, rtol=0.05, atol=0)
    torch.testing.assert_close(above, right, rtol=0.05, atol=0)


def test_widths_keep_their_limits() -> None:
    u = torch.arange(-100.0, 101.0, dtype=F64)
    spike = torch.where(u == 0, 0.0, -1e4)
    mode, below, above = mode_and_widths(u, spike, 0 * u)
    assert (float(mode), float(below), float(above)) == pytest.approx((0.0, 0.2, 0.2))
    long_tail = torch.where(u <= 0, 0.05 * u, -1e4)
    _, below, above = mode_and_widths(u, long_tail, 0 * u)
    assert float(below) == pytest.approx(20 * float(above))
    rising = mode_and_widths(u, 3 * u, 0 * u)[0]
    assert 98 <= float(rising) <= 100


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("cv", CVS)
def test_populations_have_mass_one_and_their_mean(name: str, cv: float) -> None:
    """Wherever the nodes lie, nothing is lost."""
    family = population(name, 1.0, cv)
    spread = at_nodes(family)
    centre, scale = (part.unsqueeze(-1) for part in family.location_scale())
    shape = centre, scale, scale
    for _ in range(3):
        u, log_weight = split_nodes(*shape)
        shape = mode_and_widths(u, spread.log_density(u), log_weight)
    strengths, log_mass = population_masses(spread, *split_nodes(*shape))
    assert bool((strengths.diff() >= 0).all())
    assert float(log_mass.exp().sum()) == pytest.approx(1.0, rel=2e-5)
    assert float((log_mass.exp() * strengths).sum()) == pytest.approx(1.0, rel=2e-4)


def test_tails() -> None:
    mass = torch.tensor([0.2, 0.3, 0.1], dtype=F64)
    out = add_tails(mass.log(), (0.3 * ONE).log(), (0.1 * ONE).log()).exp()
    torch.testing.assert_close(out, torch.tensor([0.5, 0.3, 0.2], dtype=F64))


def test_interpolation_is_exact_for_polynomials() -> None:
    grid = torch.arange(24, dtype=F64)
    position = torch.tensor([0.0, 0.3, 4.0, 11.49, 22.9, 23.0], dtype=F64, requires_grad=True)
    first, weight = lagrange_weights(position, 24)
    at = grid[first.unsqueeze(-1) + torch.arange(10)]
    for power in range(10):
        value = (weight * (at / 10) ** power).sum(-1)
        torch.testing.assert_close(value, (position / 10) ** power, rtol=1e-9, atol=1e-9)
    (slope,) = torch.autograd.grad((weight * (at / 10) ** 3).sum(), position)
    inside = position.detach()[1:-1]
    torch.testing.assert_close(slope[1:-1], 0.003 * inside**2, rtol=1e-9, atol=1e-9)


def test_interpolation_stays_inside() -> None:
    first, weight = lagrange_weights(torch.tensor([-5.0, 40.0], dtype=F64), 12)
    assert first.tolist() == [0, 2]
    expected = torch.zeros(2, 10, dtype=F64)
    expected[0, 0] = expected[1, 9] = 1.0
    torch.testing.assert_close(weight, expected)
