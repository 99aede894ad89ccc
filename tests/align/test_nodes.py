"""Populations as weighted strengths."""

import pytest
import torch

from mixlogit.align.nodes import population_nodes
from mixlogit.align.running import alignment_grid
from mixlogit.choice import StrengthFamily, strength

BETA = 0.3


def population(family: str, cv: float) -> StrengthFamily:
    scale = (
        {"sd": torch.full((1,), BETA * cv)} if family == "normal" else {"cv": torch.full((1,), cv)}
    )
    return strength(family, mean=torch.full((1,), BETA), **scale)


@pytest.mark.parametrize("family", ["lognormal", "gamma", "normal"])
@pytest.mark.parametrize("cv", [0.001, 0.02, 0.15, 0.3, 1.0, 3.0])
def test_they_give_the_choice_probability(family: str, cv: float) -> None:
    member = population(family, cv)
    nodes = population_nodes(member, alignment_grid(BETA), None)
    margin = torch.tensor([-20.0, -3.0, 0.0, 0.5, 8.0], dtype=torch.float64).unsqueeze(-1)
    p = (nodes.log_mass.exp() * torch.sigmoid(nodes.strengths * margin)).sum(-1)
    expected = member.log_choice_prob(margin.squeeze(-1)).exp()
    torch.testing.assert_close(p, expected, rtol=0, atol=2e-4)


def test_narrow_and_wide_blocks_side_by_side() -> None:
    cv = torch.tensor([0.01, 1.0], dtype=torch.float64, requires_grad=True)
    both = strength("lognormal", mean=torch.full((2,), BETA), cv=cv)
    nodes = population_nodes(both, alignment_grid(BETA), None)
    assert not nodes.on_grid
    total = (nodes.log_mass.exp() * torch.sigmoid(3 * nodes.strengths)).sum(-1)
    expected = both.log_choice_prob(torch.tensor(3.0, dtype=torch.float64)).exp()
    torch.testing.assert_close(total, expected, rtol=0, atol=1e-6)
    (gradient,) = torch.autograd.grad(total.sum(), cv)
    assert bool(gradient.isfinite().all())


def test_contrarians_are_the_same_with_their_sign_changed() -> None:
    member = population("lognormal", 0.8)
    share = torch.tensor([0.1], dtype=torch.float64)
    nodes = population_nodes(member, alignment_grid(BETA), share)
    p = (nodes.log_mass.exp() * torch.sigmoid(4 * nodes.strengths)).sum()
    plain = member.log_choice_prob(torch.tensor([4.0], dtype=torch.float64)).exp()
    assert float(p) == pytest.approx(float(0.9 * plain + 0.1 * (1 - plain)), abs=1e-5)


def test_classes_are_their_own_nodes() -> None:
    strengths = torch.tensor([[-0.1, 0.4]], dtype=torch.float64)
    shares = torch.tensor([[0.2, 0.8]], dtype=torch.float64)
    nodes = population_nodes(
        strength("classes", strengths=strengths, shares=shares), alignment_grid(BETA), None
    )
    assert torch.equal(nodes.strengths, strengths)
    torch.testing.assert_close(nodes.log_mass.exp(), shares)
