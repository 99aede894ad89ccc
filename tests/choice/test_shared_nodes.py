"""Panels of comparisons among few items: nodes that all share, and nodes at each one's mode."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from mixlogit.choice import strength
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.shared_nodes import MOST_NODES, SharedNodes
from mixlogit.choice.utility import Rows, UtilityLikelihood, latent_margins

DRAWS, ITEMS, BLOCKS = 5, 6, 2
F64 = torch.float64


def made(votes: int, respondents: int = 30, seed: int = 0) -> tuple[Rows, Tensor]:
    """Random votes of respondents in two blocks, and utilities of the items."""
    torch.manual_seed(seed)
    first = torch.randint(0, ITEMS, (respondents * votes,))
    second = (first + 1 + torch.randint(0, ITEMS - 1, first.shape)) % ITEMS
    who = torch.arange(respondents).repeat_interleave(votes)
    block = torch.arange(respondents) % BLOCKS
    rows = Rows(first, second, None, torch.ones(len(first), dtype=F64), who, block, BLOCKS)
    return rows.merged(), 0.8 * torch.randn(DRAWS, ITEMS, dtype=F64)


def family_of(name: str, spread: float) -> StrengthFamily:
    shape = (DRAWS, BLOCKS)
    second = torch.full(shape, spread, dtype=F64)
    return strength(name, mean=torch.ones(shape, dtype=F64), **{
        "sd" if name == "normal" else "cv": second
    })  # fmt: skip


def on_shared_nodes(
    shared: SharedNodes, family: StrengthFamily, lapse: Tensor | None, utilities: Tensor
) -> Tensor:
    """Log-likelihoods of respondents on as many nodes as they want."""
    wanted = shared.wanted(family, lapse, utilities)
    return shared.by_respondent(family, lapse, utilities, wanted)


def brute(rows: Rows, family: StrengthFamily, lapse: float, utilities: Tensor) -> Tensor:
    """The same by 20,001 equidistant nodes over twenty standard deviations."""
    margin = latent_margins(rows, utilities)
    centre, sd = family.location_scale()
    out = torch.empty(DRAWS, len(rows.block), dtype=F64)
    for d in range(DRAWS):
        for a, b in enumerate(rows.block.tolist()):
            reach = float(20 * sd[d, b])
            u = torch.linspace(-reach, reach, 20_001, dtype=F64) + centre[d, b]
            at = u if family.coordinate == "linear" else u.exp()
            own = rows.respondent == a
            p = torch.sigmoid(at.unsqueeze(1) * margin[d, own])
            log_p = torch.log(lapse / 2 + (1 - lapse) * p) @ rows.weight[own]
            one = type(family)(**{n: v[d, b] for n, v in family.parameters.items()})
            density = one.log_density(u)
            out[d, a] = torch.logsumexp(log_p + density, 0) + math.log(float(u[1] - u[0]))
    return out


@pytest.mark.parametrize("lapse", [0.0, 0.02])
@pytest.mark.parametrize("votes", [5, 40])
@pytest.mark.parametrize(
    ("name", "spread"), [("lognormal", 0.1), ("lognormal", 1.0), ("gamma", 0.6), ("normal", 0.7)]
)
def test_both_kinds_of_nodes_against_brute_force(
    name: str, spread: float, votes: int, lapse: float
) -> None:
    # votes are random: many respondents contradict the utilities of every draw
    rows, utilities = made(votes, respondents=12)
    family = family_of(name, spread)
    rate = torch.full((DRAWS, 1), lapse, dtype=F64) if lapse else None
    want = brute(rows, family, lapse, utilities)
    shared, whole = SharedNodes(rows), UtilityLikelihood(rows)
    assert bool((shared.wanted(family, rate, utilities) <= MOST_NODES).all())
    torch.testing.assert_close(
        on_shared_nodes(shared, family, rate, utilities), want, atol=5e-6, rtol=0
    )
    own = whole._on_own_nodes(family, rate, utilities)
    torch.testing.assert_close(own, want, atol=5e-6, rtol=0)


def test_draws_that_want_too_many_nodes_get_their_own() -> None:
    rows, utilities = made(votes=150)
    spread = torch.tensor([0.2, 9.0, 0.5, 12.0, 0.1], dtype=F64).unsqueeze(1).expand(-1, BLOCKS)
    family = strength("lognormal", mean=torch.ones_like(spread), cv=spread)
    likelihood = UtilityLikelihood(rows)
    enough = SharedNodes(rows).wanted(family, None, utilities) <= MOST_NODES
    assert enough.tolist() == [True, False, True, False, True]
    torch.testing.assert_close(
        likelihood.by_respondent(family, None, utilities),
        likelihood._on_own_nodes(family, None, utilities),
        atol=2e-6,
        rtol=0,
    )


def test_derivatives_agree() -> None:
    rows, utilities = made(votes=15)
    found = []
    for how in (
        partial(on_shared_nodes, SharedNodes(rows)),
        UtilityLikelihood(rows)._on_own_nodes,
    ):
        values = utilities.clone().requires_grad_()
        mean, cv = (torch.full((DRAWS, BLOCKS), 0.8, dtype=F64).requires_grad_() for _ in "ab")
        total = how(strength("lognormal", mean=mean, cv=cv), None, values).sum()
        found.append(torch.autograd.grad(total, (values, mean, cv)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_atoms_are_exact() -> None:
    rows, utilities = made(votes=15)
    family = strength("fixed", mean=torch.full((DRAWS, BLOCKS), 1.3, dtype=F64))
    torch.testing.assert_close(
        on_shared_nodes(SharedNodes(rows), family, None, utilities),
        UtilityLikelihood(rows)._on_own_nodes(family, None, utilities),
    )


def test_many_items_and_features_do_not_suit() -> None:
    rows, _ = made(votes=5)
    assert SharedNodes.suit(rows)
    every = torch.arange(len(rows.weight))
    many = Rows(2 * every, 2 * every + 1, None, rows.weight, rows.respondent, rows.block, BLOCKS)
    assert not SharedNodes.suit(many)
    features = rows.weight.unsqueeze(1)
    only = Rows(None, None, features, rows.weight, rows.respondent, rows.block, BLOCKS)
    assert not SharedNodes.suit(only)
