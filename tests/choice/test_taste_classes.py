"""Latent classes of taste: the panel likelihood against dense sums over classes and strengths."""

import pytest
import torch
from dense import F64, dense_marginals, population
from torch import Tensor

from mixlogit.choice import strength
from mixlogit.choice import taste_classes as module
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood, OutcomeRows
from mixlogit.choice.outcomes import Choice, Davidson, Ordered
from mixlogit.choice.taste_classes import Classified, TasteClassLikelihood
from mixlogit.choice.utility import Rows, UtilityLikelihood

SIZES = (3, 20, 1, 60)
WHO = torch.repeat_interleave(torch.arange(len(SIZES)), torch.tensor(SIZES))
N = torch.Generator().manual_seed(5)
FEATURES = torch.randn(len(WHO), 2, generator=N, dtype=F64)
SETS = torch.randn(len(WHO), 3, 2, generator=N, dtype=F64)
SETS[:, 0] = 0.0  # the chosen alternative over itself
LEVEL = (torch.rand(len(WHO), generator=N) > 0.3).long()
UTILITIES = torch.tensor([[[1.0, -0.5], [-0.7, 0.9], [0.1, 0.3]]], dtype=F64)
BLOCK = torch.tensor([0, 1, 1, 0])  # groups of respondents with shares of their own
SHARES = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]], dtype=F64)
ONES = torch.ones(len(WHO), dtype=F64)
ZEROS = torch.zeros(len(SIZES), dtype=torch.long)
OUTCOME = torch.tensor([[0.4]], dtype=F64)


def halves() -> UtilityLikelihood:
    return UtilityLikelihood(Rows(None, None, FEATURES, ONES, WHO, ZEROS, 1))


def judged(kind: str) -> OutcomeLikelihood:
    features = SETS if kind == "sets" else FEATURES
    rows = OutcomeRows(None, None, features, ONES, WHO, ZEROS, 1)
    models = {
        "davidson": Davidson(LEVEL),
        "rao-kupper": Ordered(LEVEL),
        "sets": Choice(torch.zeros(len(WHO), 3, dtype=F64)),
    }
    return OutcomeLikelihood(rows, models[kind], pairs=kind != "sets")


def log_sum(by_class: list[Tensor]) -> Tensor:
    """Over classes, each respondent's shares in front."""
    return torch.logsumexp(torch.stack(by_class, -1) + SHARES[0, BLOCK].log(), -1)


@pytest.mark.parametrize("lapse", [None, 0.05])
@pytest.mark.parametrize("name", ["lognormal", "gamma", "normal"])
def test_against_a_dense_sum(name: str, lapse: float | None) -> None:
    family = population(name, 1.0, 0.7)
    exact = [
        dense_marginals(family, FEATURES @ weights, WHO, (lapse or 0.0,))[0]
        for weights in UTILITIES[0]
    ]
    rate = None if lapse is None else torch.full((1, 1), lapse, dtype=F64)
    found = TasteClassLikelihood(halves(), BLOCK, 3)
    each = found.by_respondent(family, rate, UTILITIES, None, SHARES.log())
    assert float((each[0] - log_sum(exact)).abs().max()) < 1e-4
    total = found(family, rate, UTILITIES, None, SHARES.log())
    assert torch.allclose(total, each.sum(-1, keepdim=True))


@pytest.mark.parametrize("kind", ["davidson", "rao-kupper", "sets"])
def test_outcomes_without_a_spread_by_hand(kind: str) -> None:
    """The product of each respondent's choice probabilities, summed over classes."""
    parts = []
    for weights in UTILITIES[0]:
        if kind == "sets":
            p = torch.softmax(-(SETS @ weights), -1)[:, 0]
        else:
            s = FEATURES @ weights
            if kind == "davidson":
                nu, up, down = OUTCOME.exp().squeeze(), (s / 2).exp(), (-s / 2).exp()
                p = torch.where(LEVEL == 0, nu, up) / (up + nu + down)
            else:
                up, down = torch.sigmoid(s - 0.4), torch.sigmoid(-s - 0.4)
                p = torch.where(LEVEL == 0, 1 - up - down, up)
        parts.append(torch.zeros(len(SIZES), dtype=F64).index_add(0, WHO, p.log()))
    fixed = strength("fixed", mean=torch.ones(1, 1, dtype=F64))
    found = TasteClassLikelihood(judged(kind), BLOCK, 3, 1)
    outcome = None if kind == "sets" else OUTCOME
    each = found.by_respondent(fixed, None, UTILITIES, outcome, SHARES.log())
    assert torch.allclose(each[0], log_sum(parts), atol=1e-10)


@pytest.mark.parametrize("kind", ["half", "davidson", "sets"])
def test_blocks_and_draws_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two draws at once, in one piece and respondent by respondent; gradients too."""
    inner = halves() if kind == "half" else judged(kind)
    outcome = OUTCOME.repeat(2, 1) if kind == "davidson" else None
    family = population("lognormal", 1.0, 0.7, (2, 1))
    utilities = torch.cat([UTILITIES, UTILITIES.flip(1)]).requires_grad_()
    shares = torch.cat([SHARES, SHARES.flip(2)]).log()
    found = TasteClassLikelihood(inner, BLOCK, 3)
    assert len(list(found.parts())) == 1
    whole = found(family, None, utilities, outcome, shares)
    (slope,) = torch.autograd.grad(whole.sum(), utilities)
    assert torch.allclose(whole[0], whole[1])  # classes have no order
    monkeypatch.setattr(module, "_ELEMENTS", 600)
    assert len(list(found.parts())) > 1
    parts = found(family, None, utilities, outcome, shares)
    assert torch.allclose(parts, whole, atol=1e-10)
    assert torch.allclose(torch.autograd.grad(parts.sum(), utilities)[0], slope, atol=1e-10)


def test_memberships_and_nodes_agree() -> None:
    family = population("gamma", 1.0, 0.7)
    found = TasteClassLikelihood(halves(), BLOCK, 3)
    sampled = Classified(family, None, UTILITIES, None, SHARES.log())
    strengths, log_weight = found.posterior_nodes(sampled)
    assert strengths.shape[:2] == (3, len(SIZES))
    assert torch.allclose(log_weight.exp().sum(-1).T, found.memberships(sampled)[0])


def test_some_respondents() -> None:
    family = population("lognormal", 1.0, 0.7)
    found = TasteClassLikelihood(halves(), BLOCK, 3)
    sampled = Classified(family, None, UTILITIES, None, SHARES.log())
    each = found.by_respondent(*sampled)
    chosen = torch.tensor([False, True, False, True])
    assert torch.allclose(found.some(chosen).by_respondent(*sampled), each[:, chosen])


def test_one_class_is_one_taste() -> None:
    family = population("lognormal", 1.0, 0.7)
    alone = halves()
    one = TasteClassLikelihood(alone, ZEROS, 1)
    none = torch.zeros(1, 1, 1, dtype=F64)
    each = one.by_respondent(family, None, UTILITIES[:, :1], None, none)
    assert torch.allclose(each, alone.by_respondent(family, None, UTILITIES[:, 0]))
