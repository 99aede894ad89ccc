"""The per-comparison likelihood on fixed margins against the plain sum."""

import math

import pytest
import torch
from dense import F64
from torch import Tensor

from mixlogit.choice import StrengthFamily, strength
from mixlogit.choice.link import LinkLikelihood, log_lapsed
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import likelihood_table, strength_grid

MEAN = torch.tensor([[1.0, 0.4], [2.5, 1.3], [0.7, 3.0]], dtype=F64)
PAIR = torch.stack([-0.3 * MEAN, MEAN], -1)
MEMBERS: dict[str, StrengthFamily] = {
    "fixed": strength("fixed", mean=MEAN),
    "lognormal": strength("lognormal", mean=MEAN, cv=0.6 * MEAN),
    "gamma": strength("gamma", mean=MEAN, cv=0.6 * MEAN),
    "normal": strength("normal", mean=MEAN, sd=0.6 * MEAN),
    "classes": strength("classes", strengths=PAIR, shares=torch.full_like(PAIR, 0.5)),
}


def spread_margins(count: int = 400) -> Tensor:
    """Margins of both signs from 1e-9 to 1e3, and exact zeros."""
    generator = torch.Generator().manual_seed(0)
    size = 10.0 ** (12 * torch.rand(count, generator=generator, dtype=F64) - 9)
    sign = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    return torch.cat([size * sign, torch.zeros(5, dtype=F64), torch.tensor([1e3, -1e3, 1e-9])])


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("lapse", [None, 0.05])
def test_equals_the_plain_sum(name: str, lapse: float | None) -> None:
    """To 1e-8, with weights and blocks."""
    margin, family = spread_margins(), MEMBERS[name]
    generator = torch.Generator().manual_seed(1)
    weight = torch.rand(len(margin), generator=generator, dtype=F64)
    block = torch.randint(2, (len(margin),), generator=generator)
    rate = None if lapse is None else torch.full((3, 1), lapse, dtype=F64)
    found = LinkLikelihood(margin, weight, block, 2)(family, rate)
    wider = type(family)(**{k: v.unsqueeze(2) for k, v in family.parameters.items()})
    log_p = log_lapsed(wider.log_choice_prob(margin), None if rate is None else rate.unsqueeze(-1))
    for b in (0, 1):
        exact = (log_p[:, b] * weight * (block == b)).sum(-1)
        torch.testing.assert_close(found[:, b], exact, rtol=1e-8, atol=0)


def test_lapse_by_block() -> None:
    margin, family = spread_margins(50), MEMBERS["gamma"]
    block = torch.arange(len(margin)) % 2
    rates = torch.tensor([0.02, 0.3], dtype=F64)
    found = LinkLikelihood(margin, None, block, 2)
    both = found(family, rates.expand(3, 2))
    for b in (0, 1):
        alone = found(family, rates[b].expand(3, 1))
        torch.testing.assert_close(both[:, b], alone[:, b], rtol=1e-13, atol=0)


def test_blocks_of_rows_change_nothing() -> None:
    """More comparisons than are spread at once."""
    margin = spread_margins(600).repeat(500)
    weight = torch.full((len(margin),), 0.5, dtype=F64)
    many, few = LinkLikelihood(margin, weight), LinkLikelihood(margin[:608])
    torch.testing.assert_close(many.weights, 250 * few.weights, rtol=1e-10, atol=1e-10)


def test_only_zero_margins() -> None:
    family = strength("gamma", mean=MEAN[:, :1], cv=MEAN[:, :1])
    found = LinkLikelihood(torch.zeros(4, dtype=F64))(family)
    torch.testing.assert_close(found, torch.full((3, 1), 4 * math.log(0.5), dtype=F64))


@pytest.mark.parametrize("name", MEMBERS)
def test_one_comparison_a_respondent(name: str) -> None:
    """With one comparison each, a strength for each respondent is one for each comparison."""
    generator = torch.Generator().manual_seed(3)
    margin = 2 * torch.randn(80, generator=generator, dtype=F64)
    block = torch.arange(80) % 2
    family = MEMBERS[name]
    grid = strength_grid(margin, signed=family.signed, centre=1.0)
    table = likelihood_table(
        margin, torch.arange(80), grid=grid, n_respondents=80, block=block, n_blocks=2
    )
    panel = PanelLikelihood(table)(family)
    link = LinkLikelihood(margin, None, block, 2)(family)
    torch.testing.assert_close(panel, link, rtol=0, atol=40 * 1e-5)


@pytest.mark.parametrize("name", ["lognormal", "gamma"])
def test_gradient(name: str) -> None:
    margin = spread_margins(60)
    mean = torch.tensor([[0.8]], dtype=F64, requires_grad=True)
    cv = torch.tensor([[0.6]], dtype=F64, requires_grad=True)
    lapse = torch.tensor([[0.1]], dtype=F64, requires_grad=True)
    family = strength(name, mean=mean, cv=cv)
    value = LinkLikelihood(margin)(family, lapse).sum()
    direct = log_lapsed(family.log_choice_prob(margin), lapse).sum()
    found = torch.autograd.grad(value, (mean, cv, lapse), retain_graph=True)
    expected = torch.autograd.grad(direct, (mean, cv, lapse))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_lapsed() -> None:
    log_p = torch.tensor([-800.0, -1.0, 0.0], dtype=F64)
    rate = torch.tensor(0.1, dtype=F64)
    expected = (0.05 + 0.9 * log_p.exp()).log()
    torch.testing.assert_close(log_lapsed(log_p, rate), expected)
    assert log_lapsed(log_p, None) is log_p
    none = log_lapsed(log_p, torch.zeros((), dtype=F64))
    torch.testing.assert_close(none, log_p)
