"""Latent margins: the panel likelihood given utilities, against a dense grid."""

from collections.abc import Callable

import pytest
import torch
from dense import CVS, F64, FAMILIES, LAPSE, codes, dense_grid, panels, population, votes
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from mixlogit.choice import StrengthFamily, strength
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import likelihood_table, strength_grid
from mixlogit.choice.utility import Rows, UtilityLikelihood, latent_margins

N_ITEMS = 4


def feature_rows(features: Tensor, respondent: Tensor, weight: Tensor | None = None) -> Rows:
    """Comparisons of features, one block."""
    weight = torch.ones(len(features), dtype=F64) if weight is None else weight
    block = torch.zeros(int(respondent.max()) + 1, dtype=torch.long)
    return Rows(None, None, features, weight, respondent, block, 1)


def item_rows(sizes: list[int], block: list[int], seed: int = 0) -> Rows:
    """Random comparisons of four items."""
    generator = torch.Generator().manual_seed(seed)
    n = sum(sizes)
    first = torch.randint(N_ITEMS, (n,), generator=generator)
    second = (first + torch.randint(1, N_ITEMS, (n,), generator=generator)) % N_ITEMS
    weight = 0.5 + torch.rand(n, generator=generator, dtype=F64)
    respondent = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    where = torch.tensor(block)
    return Rows(first, second, None, weight, respondent, where, int(where.max()) + 1)


UTILITIES = torch.tensor([[0.3, -1.0, 0.5, 0.2], [1.5, 0.0, -0.7, -0.8]], dtype=F64)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("cv", CVS)
def test_every_panel_and_spread(name: str, cv: float) -> None:
    """Panels of 1 to 5,000 votes, with some perfectly separated, without and with a lapse rate.

    Largest errors in nats a respondent: 3e-6 lognormal, 8e-5 gamma, 3e-6 normal.
    """
    given = panels(name, cv)
    found = UtilityLikelihood(feature_rows(given.margin.unsqueeze(-1), given.respondent))
    one, lapse = torch.ones(1, 1, dtype=F64), torch.full((1, 1), LAPSE, dtype=F64)
    for rate, exact in ((None, given.exact), (lapse, given.lapsed)):
        error = (found.by_respondent(given.family, rate, one)[0] - exact).abs()
        assert float(error.max()) < 1e-3


@pytest.mark.parametrize("name", [*FAMILIES, "classes"])
def test_blocks_and_draws(name: str) -> None:
    """Every draw and block is the panel likelihood of its own margins and parameters."""
    rows = item_rows([3, 20, 1, 8], [0, 1, 1, 0])
    if name == "classes":
        pair = torch.tensor([[[-0.5, 1.0], [0.2, 2.0]], [[0.1, 0.3], [1.0, 3.0]]], dtype=F64)
        family: StrengthFamily = strength(
            name, strengths=pair, shares=torch.full((2, 2, 2), 0.5, dtype=F64)
        )
    else:
        key = "sd" if name == "normal" else "cv"
        mean = torch.tensor([[1.0, 0.5], [2.0, 1.2]], dtype=F64)
        family = strength(
            name, mean=mean, **{key: torch.tensor([[0.5, 0.5], [0.2, 1.0]], dtype=F64)}
        )
    found = UtilityLikelihood(rows)
    total = found(family, None, UTILITIES)
    each = found.by_respondent(family, None, UTILITIES)
    assert total.shape == (2, 2)
    margins = latent_margins(rows, UTILITIES)
    for draw, margin in enumerate(margins):
        grid = strength_grid(margin, signed=family.signed, centre=1.0)
        table = likelihood_table(
            margin,
            rows.respondent,
            grid=grid,
            n_respondents=4,
            weight=rows.weight,
            block=rows.block,
            n_blocks=2,
        )
        one = type(family)(**{k: v[draw : draw + 1] for k, v in family.parameters.items()})
        wider = type(family)(
            **{k: v.expand(1, 2, *v.shape[2:]) for k, v in one.parameters.items()}
        )
        panel = PanelLikelihood(table)
        torch.testing.assert_close(total[draw], panel(wider)[0], rtol=0, atol=1e-5)
        expected = panel.by_respondent(wider)[0]
        torch.testing.assert_close(each[draw], expected, rtol=0, atol=1e-5)


def differences(value: Callable[[Tensor], Tensor], at: Tensor, step: float = 1e-3) -> Tensor:
    """Central differences of fourth order."""
    out = torch.zeros_like(at)
    for i in range(at.numel()):
        move = torch.zeros_like(at)
        move.view(-1)[i] = step
        with torch.no_grad():
            f = [float(value(at + k * move)) for k in (-2, -1, 1, 2)]
        out.view(-1)[i] = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * step)
    return out


@pytest.mark.parametrize("name", [*FAMILIES, "fixed"])
@pytest.mark.parametrize("rate", [None, 0.1])
@pytest.mark.parametrize("panel", [True, False])
def test_gradient(name: str, rate: float | None, panel: bool) -> None:
    found = UtilityLikelihood(item_rows([3, 20, 1], [0, 0, 0]), panel=panel)
    lapse = None if rate is None else torch.full((1, 1), rate, dtype=F64)
    one = torch.ones(1, 1, dtype=F64)
    keys = {"normal": ["mean", "sd"], "fixed": ["mean"]}.get(name, ["mean", "cv"])
    start = torch.cat([UTILITIES[0], torch.tensor([0.9, 0.6], dtype=F64)])[: 4 + len(keys)]

    def value(point: Tensor) -> Tensor:
        family = strength(name, **{key: x * one for key, x in zip(keys, point[4:], strict=True)})
        return found(family, lapse, point[:4].unsqueeze(0)).sum()

    point = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(point), point)
    expected = differences(value, start, 1e-2)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*FAMILIES, "fixed"])
@pytest.mark.parametrize("rate", [None, 0.1])
def test_panels_of_one_comparison(name: str, rate: float | None) -> None:
    rows = item_rows([1] * 12, [0, 1, 1] * 4)
    lapse = None if rate is None else torch.full((2, 1), rate, dtype=F64)
    mean = torch.tensor([[1.0, 0.5], [2.0, 1.2]], dtype=F64)
    spread = {} if name == "fixed" else {"sd" if name == "normal" else "cv": 0.5 * mean}
    family = strength(name, mean=mean, **spread)
    rows_one = Rows(
        rows.first, rows.second, None, torch.ones(12, dtype=F64), rows.respondent, rows.block, 2
    )
    found = UtilityLikelihood(rows_one)(family, lapse, UTILITIES)
    each = UtilityLikelihood(rows_one, panel=False)(family, lapse, UTILITIES)
    torch.testing.assert_close(found, each, rtol=0, atol=1e-6)


def on_own_nodes(likelihood: UtilityLikelihood, family: StrengthFamily) -> torch.Tensor:
    """Log-likelihoods of respondents by the rule that looks for each one's mode."""
    if not likelihood.panel:
        return likelihood.by_respondent(family, None, UTILITIES)
    return likelihood._on_own_nodes(family, None, UTILITIES)


@pytest.mark.parametrize("panel", [True, False])
def test_items_are_indicator_features(panel: bool) -> None:
    rows = item_rows([5, 9, 2], [0, 0, 1])
    assert rows.first is not None
    assert rows.second is not None
    indicator = (one_hot(rows.first, N_ITEMS) - one_hot(rows.second, N_ITEMS)).to(F64)
    same = Rows(None, None, indicator, rows.weight, rows.respondent, rows.block, 2)
    family = population("gamma", 1.0, 0.6, (2, 2))
    by_items, by_features = (UtilityLikelihood(each, panel=panel) for each in (rows, same))
    torch.testing.assert_close(
        on_own_nodes(by_items, family), on_own_nodes(by_features, family), rtol=1e-12, atol=0
    )
    # nodes that respondents share are another rule for the same integral
    torch.testing.assert_close(
        by_items(family, None, UTILITIES), by_features(family, None, UTILITIES), rtol=1e-7, atol=0
    )


def test_merged_rows() -> None:
    rows = item_rows([30, 9], [0, 1])
    merged = rows.merged()
    assert len(merged.weight) < len(rows.weight)
    assert float(merged.weight.sum()) == pytest.approx(float(rows.weight.sum()))
    family = population("lognormal", 1.0, 0.6, (2, 2))
    torch.testing.assert_close(
        on_own_nodes(UtilityLikelihood(merged), family),
        on_own_nodes(UtilityLikelihood(rows), family),
        rtol=1e-12,
        atol=0,
    )
    features = feature_rows(torch.ones(3, 2, dtype=F64), torch.tensor([0, 0, 1]))
    assert features.merged() is features


@pytest.mark.parametrize("name", FAMILIES)
def test_nodes_hold_the_posterior(name: str) -> None:
    generator = torch.Generator().manual_seed(2)
    family = population(name, 1.0, 0.7)
    found = [votes(family, size, generator) for size in (1, 30, 300)]
    margin, respondent = torch.cat(found), codes(found)
    _, b, log_mass = dense_grid(family)
    like = logsigmoid(margin.unsqueeze(-1) * b)
    curves = torch.zeros(3, len(b), dtype=F64).index_add(0, respondent, like)
    exact = torch.softmax(curves + log_mass, -1) @ b
    rows = feature_rows(margin.unsqueeze(-1), respondent)
    strengths, mass = UtilityLikelihood(rows).nodes(family, None, margin.unsqueeze(0))
    mean = (torch.softmax(mass, -1) * strengths).sum(-1)[0]
    torch.testing.assert_close(mean, exact, rtol=1e-4, atol=0)
