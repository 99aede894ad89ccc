"""The marginal likelihood of panels against a dense grid, and what must not change it."""

import math
from collections.abc import Callable

import pytest
import torch
from dense import (
    CVS,
    F64,
    FAMILIES,
    codes,
    dense_marginals,
    gauss_hermite,
    panels,
    population,
    votes,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mixlogit.choice import StrengthFamily, panel, panel_block, strength
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import chebyshev_nodes, likelihood_table, strength_grid

WORST = 1e-3  # nats a respondent; see test_every_panel_and_spread for what is reached
LAPSES = chebyshev_nodes(-9.0, 1.0, 16)


def likelihood(
    margin: Tensor,
    respondent: Tensor,
    *,
    signed: bool = False,
    centre: float = 1.0,
    **options: Tensor | int | None,
) -> PanelLikelihood:
    """A panel likelihood on the grid of these margins."""
    grid = strength_grid(margin, signed=signed, centre=centre)
    n = int(respondent.max()) + 1
    table = likelihood_table(margin, respondent, grid=grid, n_respondents=n, **options)  # type: ignore[arg-type]
    return PanelLikelihood(table)


def some_panels(sizes: list[int], seed: int = 0, cv: float = 0.6) -> tuple[Tensor, Tensor]:
    """Margins and codes of panels of these sizes."""
    generator = torch.Generator().manual_seed(seed)
    family = population("lognormal", 1.0, cv)
    found = [votes(family, size, generator) for size in sizes]
    return torch.cat(found), codes(found)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("cv", CVS)
def test_every_panel_and_spread(name: str, cv: float) -> None:
    """Panels of 1 to 5,000 votes, with some perfectly separated.

    Largest errors in nats a respondent: 4e-7 lognormal, 6e-5 gamma, 2e-5 normal.
    """
    given = panels(name, cv)
    found = likelihood(given.margin, given.respondent, signed=name == "normal")
    error = (found.by_respondent(given.family)[0] - given.exact).abs()
    assert float(error.max()) < WORST


def test_why_nodes_must_adapt() -> None:
    """Fixed nodes fail at long panels, the grid alone at narrow populations and long panels."""
    for cv, fails in ((0.01, False), (1.0, True)):
        given = panels("lognormal", cv)
        error = (gauss_hermite(given) - given.exact).abs()
        assert float(error[given.size <= 5].max()) < WORST
        assert (float(error[given.size == 5000].max()) > 0.3) is fails
    for cv, size in ((0.01, 1), (1.0, 5000)):
        given = panels("lognormal", cv)
        grid = strength_grid(given.margin, centre=1.0)
        table = likelihood_table(
            given.margin, given.respondent, grid=grid, n_respondents=len(given.size)
        )
        log_mass = given.family.log_density(grid.coordinate()) + grid.log_width()
        error = (torch.logsumexp(table.values[0] + log_mass, -1) - given.exact).abs()
        assert float(error[given.size == size].max()) > 0.01


def test_blocks_are_tables_of_their_own() -> None:
    margin, respondent = some_panels([5, 30, 200, 1, 400, 12])
    block = torch.tensor([0, 1, 0, 1, 1, 0])
    family = strength(
        "gamma",
        mean=torch.tensor([[1.0, 2.0], [0.5, 1.5]], dtype=F64),
        cv=torch.tensor([[0.5, 0.05], [0.1, 1.0]], dtype=F64),
    )
    together = likelihood(margin, respondent, block=block, n_blocks=2)
    total, each = together(family), together.by_respondent(family)
    assert each.shape == (2, 6)
    for b in (0, 1):
        rows = block == b
        torch.testing.assert_close(each[:, rows].sum(-1), total[:, b], rtol=1e-13, atol=0)
        mine = rows[respondent]
        code = torch.cumsum(rows, 0)[respondent[mine]] - 1
        own = PanelLikelihood(
            likelihood_table(margin[mine], code, grid=together.table.grid, n_respondents=3)
        )
        part = strength("gamma", mean=family.mean[:, b : b + 1], cv=family.cv[:, b : b + 1])
        torch.testing.assert_close(own(part)[:, 0], total[:, b], rtol=1e-12, atol=0)
        torch.testing.assert_close(own.by_respondent(part), each[:, rows], rtol=1e-12, atol=0)


def test_a_block_without_short_panels() -> None:
    margin, respondent = some_panels([300, 5])
    found = likelihood(margin, respondent, block=torch.tensor([1, 0]), n_blocks=3)
    family = population("lognormal", 1.0, 0.5, (2, 3))
    total, each = found(family), found.by_respondent(family)
    torch.testing.assert_close(total, torch.stack([each[:, 1], each[:, 0], 0 * each[:, 0]], -1))


@pytest.mark.parametrize("name", FAMILIES)
def test_draws_keep_their_order(name: str) -> None:
    """Wide and narrow populations take different ways; long panels and far ones a third."""
    margin, respondent = some_panels([3, 60, 300])
    margin[respondent == 1] = -margin[respondent == 1].abs()
    found = likelihood(margin, respondent, signed=name == "normal")
    cv = [1.0, 0.02, 0.4, 0.1, 0.7, 0.05]
    one = torch.ones(len(cv), 1, dtype=F64)
    spread = torch.tensor(cv, dtype=F64).unsqueeze(-1)
    key = "sd" if name == "normal" else "cv"
    family = strength(name, mean=one, **{key: spread})
    each, total = found.by_respondent(family), found(family)
    for i, value in enumerate(cv):
        alone = population(name, 1.0, value)
        torch.testing.assert_close(each[i], found.by_respondent(alone)[0], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(total[i], found(alone)[0], rtol=1e-10, atol=1e-10)
        error = (each[i] - dense_marginals(alone, margin, respondent)[0]).abs().max()
        assert float(error) < WORST


@pytest.mark.parametrize("name", ["lognormal", "gamma", "classes"])
def test_chunks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    margin, respondent = some_panels([3, 60, 300, 250])
    found = likelihood(margin, respondent)
    generator = torch.Generator().manual_seed(1)
    if name == "classes":
        strengths = torch.rand(7, 1, 2, generator=generator, dtype=F64).sort(-1).values
        family: StrengthFamily = strength(
            name, strengths=strengths, shares=torch.full_like(strengths, 0.5)
        )
    else:
        mean, cv = torch.rand(2, 7, 1, generator=generator, dtype=F64) * 0.2 + 0.05
        family = strength(name, mean=mean, cv=cv)
    whole, each = found(family), found.by_respondent(family)
    monkeypatch.setattr(panel, "_CHUNK", 1)
    torch.testing.assert_close(found(family), whole, rtol=1e-13, atol=0)
    torch.testing.assert_close(found.by_respondent(family), each, rtol=1e-13, atol=0)


def test_underflow_is_exact() -> None:
    """A population so far from the votes that the product of likelihood and mass underflows."""
    margin, respondent = some_panels([100, 4])
    margin[respondent == 0] = -margin[respondent == 0].abs()
    found = likelihood(margin, respondent, centre=1e5)
    family = population("lognormal", 1e5, 0.25, (2, 1))
    value = found.by_respondent(family)[0]
    assert float(value[0]) < math.log(1e-280)
    grid = found.table.grid
    log_mass = family.log_density(grid.coordinate())[0] + grid.log_width()
    exact = torch.logsumexp(found.table.values[0] + log_mass, -1)
    torch.testing.assert_close(value, exact, rtol=1e-12, atol=0)
    torch.testing.assert_close(found(family)[:, 0], value.sum().expand(2), rtol=1e-13, atol=0)


def slopes(value: Callable[[Tensor], Tensor], at: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Gradient of a scalar function by autograd and by central differences."""
    point = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(point), point)
    differences = []
    for direction in torch.eye(len(at), dtype=F64):
        with torch.no_grad():
            # five points: the step may be large enough to drown the error of moving nodes
            f = [float(value(at + k * step * direction)) for k in (-2, -1, 1, 2)]
        differences.append((f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * step))
    return gradient, torch.tensor(differences, dtype=F64)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    ("sizes", "cv"), [([1, 5, 40], 0.7), ([1, 5, 40], 0.08), ([300, 1000], 0.4), ([300], 0.03)]
)
def test_gradient(name: str, sizes: list[int], cv: float) -> None:
    margin, respondent = some_panels(sizes)
    found = likelihood(margin, respondent, signed=name == "normal")

    def value(point: Tensor) -> Tensor:
        key = "sd" if name == "normal" else "cv"
        mean, spread = point[:1].view(1, 1), point[1:].view(1, 1)
        return found(strength(name, mean=mean, **{key: spread})).sum()

    gradient, differences = slopes(value, torch.tensor([0.9, cv], dtype=F64), 1e-2 * cv)
    torch.testing.assert_close(gradient, differences, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [[1, 5, 40], [300]])
def test_gradient_of_atoms(sizes: list[int]) -> None:
    margin, respondent = some_panels(sizes)
    found = likelihood(margin, respondent, signed=True)

    def classes(point: Tensor) -> Tensor:
        shares = torch.stack([point[2], 1 - point[2]])
        return found(
            strength("classes", strengths=point[:2].view(1, 1, 2), shares=shares.view(1, 1, 2))
        ).sum()

    gradient, differences = slopes(classes, torch.tensor([-0.4, 1.3, 0.3], dtype=F64), 1e-4)
    torch.testing.assert_close(gradient, differences, rtol=1e-5, atol=1e-5)

    def fixed(point: Tensor) -> Tensor:
        return found(strength("fixed", mean=point.view(1, 1))).sum()

    gradient, differences = slopes(fixed, torch.tensor([1.1], dtype=F64), 1e-4)
    torch.testing.assert_close(gradient, differences, rtol=1e-5, atol=1e-5)
    direct = torch.nn.functional.logsigmoid(1.1 * margin).sum()
    torch.testing.assert_close(fixed(torch.tensor([1.1], dtype=F64)), direct, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("name", "cv"), [("lognormal", 0.6), ("gamma", 1.5), ("normal", 0.1)])
@pytest.mark.parametrize(("count", "most"), [(16, 5e-4), (24, 1e-4)])
def test_lapse(name: str, cv: float, count: int, most: float) -> None:
    margin, respondent = some_panels([1, 5, 30, 100, 250])
    nodes = chebyshev_nodes(-9.0, 1.0, count)
    found = likelihood(margin, respondent, signed=name == "normal", lapse_logits=nodes)
    rates = (0.0005, 0.01, 0.05, 0.2, 0.6)
    family = population(name, 1.0, cv, (len(rates), 1))
    lapse = torch.tensor(rates, dtype=F64).unsqueeze(-1)
    each = found.by_respondent(family, lapse)
    exact = dense_marginals(population(name, 1.0, cv), margin, respondent, rates)
    assert float((each - exact).abs().max()) < most
    torch.testing.assert_close(found(family, lapse)[:, 0], each.sum(-1), rtol=1e-12, atol=0)


def test_lapse_at_a_node_and_beyond() -> None:
    margin, respondent = some_panels([5, 30, 250])
    found = likelihood(margin, respondent, lapse_logits=LAPSES)
    family = population("lognormal", 1.0, 0.5)
    rate = torch.sigmoid(LAPSES[7]).view(1, 1)
    exact = dense_marginals(family, margin, respondent, (float(rate),))[0]
    error = found.by_respondent(family, rate)[0] - exact
    assert float(error.abs().max()) < 1e-6
    least = found(family, torch.sigmoid(LAPSES[0]).view(1, 1))
    torch.testing.assert_close(found(family, torch.zeros(1, 1, dtype=F64)), least)


def test_gradient_of_the_lapse_rate() -> None:
    margin, respondent = some_panels([5, 30, 250])
    found = likelihood(margin, respondent, lapse_logits=LAPSES)
    family = population("lognormal", 1.0, 0.5)

    def value(point: Tensor) -> Tensor:
        return found(family, point.view(1, 1)).sum()

    gradient, differences = slopes(value, torch.tensor([0.07], dtype=F64), 1e-4)
    torch.testing.assert_close(gradient, differences, rtol=1e-6, atol=0)


def test_lapse_by_block() -> None:
    margin, respondent = some_panels([5, 30])
    family = population("lognormal", 1.0, 0.5, (1, 2))
    both = likelihood(
        margin, respondent, lapse_logits=LAPSES, block=torch.tensor([0, 1]), n_blocks=2
    )
    lapse = torch.tensor([[0.02, 0.3]], dtype=F64)
    each = both.by_respondent(family, lapse)
    torch.testing.assert_close(both(family, lapse), each)
    for i, rate in enumerate((0.02, 0.3)):
        exact = dense_marginals(population("lognormal", 1.0, 0.5), margin, respondent, (rate,))
        assert float((each[0, i] - exact[0, i]).abs()) < 1e-4


def test_lapse_needs_its_table() -> None:
    margin, respondent = some_panels([5])
    family = population("lognormal", 1.0, 0.5)
    rate = torch.full((1, 1), 0.1, dtype=F64)
    with pytest.raises(ValueError, match="Expected a table with lapse nodes but it has none"):
        likelihood(margin, respondent)(family, rate)
    with pytest.raises(ValueError, match="Expected `lapse`: the table was built with lapse nodes"):
        likelihood(margin, respondent, lapse_logits=LAPSES)(family)


@pytest.mark.parametrize("name", [*FAMILIES, "classes"])
def test_nodes_hold_the_posterior(name: str) -> None:
    """The posterior mean strength is the slope of log p in a tilt of the population."""
    margin, respondent = some_panels([1, 30, 300])
    found = likelihood(margin, respondent, signed=name == "normal")
    if name == "classes":
        pair = torch.tensor([[[0.5, 2.0]]], dtype=F64)
        family: StrengthFamily = strength(
            name, strengths=pair, shares=torch.full((1, 1, 2), 0.5, dtype=F64)
        )
        like = torch.stack([torch.nn.functional.logsigmoid(b * margin) for b in (0.5, 2.0)], -1)
        curves = torch.zeros(3, 2, dtype=F64).index_add(0, respondent, like)
        exact = torch.softmax(curves, -1) @ pair[0, 0]
    else:
        from dense import dense_grid

        family = population(name, 1.0, 0.7)
        _, b, log_mass = dense_grid(family)
        like = torch.nn.functional.logsigmoid(margin.unsqueeze(-1) * b)
        curves = torch.zeros(3, len(b), dtype=F64).index_add(0, respondent, like)
        exact = torch.softmax(curves + log_mass, -1) @ b
    strengths, log_weight = (part.squeeze(1) for part in found.nodes(family))
    torch.testing.assert_close(log_weight.exp().sum(-1), torch.ones(3, dtype=F64))
    torch.testing.assert_close((log_weight.exp() * strengths).sum(-1), exact, rtol=1e-3, atol=0)


FAMILY = population("lognormal", 0.8, 0.6)
panels_drawn = st.lists(st.integers(1, 12), min_size=2, max_size=5)


@given(sizes=panels_drawn, seed=st.integers(0, 2**31), scale=st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
def test_order_labels_and_units_do_not_matter(sizes: list[int], seed: int, scale: float) -> None:
    margin, respondent = some_panels(sizes, seed)
    generator = torch.Generator().manual_seed(seed)
    value = likelihood(margin, respondent, centre=0.8).by_respondent(FAMILY)[0]
    order = torch.randperm(len(margin), generator=generator)
    label = torch.randperm(len(sizes), generator=generator)
    moved = likelihood(margin[order], label[respondent[order]], centre=0.8)
    torch.testing.assert_close(
        moved.by_respondent(FAMILY)[0][label], value, rtol=1e-11, atol=1e-11
    )
    scaled = likelihood(margin * scale, respondent, centre=0.8 / scale)
    other = population("lognormal", 0.8 / scale, 0.6)
    torch.testing.assert_close(scaled.by_respondent(other)[0], value, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("lapsed", [False, True])
@pytest.mark.parametrize("name", ["lognormal", "gamma", "normal", "classes"])
def test_everyone_has_parameters_of_their_own(name: str, lapsed: bool) -> None:
    """A block for each respondent gives what a table for each of them gives."""
    people = 24
    generator = torch.Generator().manual_seed(0)
    margin = torch.randn(10 * people, generator=generator, dtype=F64)
    respondent = torch.arange(people).repeat_interleave(10)
    mean = torch.rand(3, people, generator=generator, dtype=F64) + 0.5
    cv = torch.tensor([[0.02], [0.5], [1.2]], dtype=F64).expand(3, people)  # the first is narrow
    lapse = torch.tensor([[0.01], [0.05], [0.2]], dtype=F64) if lapsed else None
    options = {"lapse_logits": LAPSES} if lapsed else {}

    def family(index: torch.Tensor) -> StrengthFamily:
        if name == "classes":
            strengths = torch.stack([0.5 * mean[:, index], 2 * mean[:, index]], -1)
            return strength(name, strengths=strengths, shares=torch.full_like(strengths, 0.5))
        if name == "normal":
            return strength(name, mean=mean[:, index], sd=(mean * cv)[:, index])
        return strength(name, mean=mean[:, index], cv=cv[:, index])

    every = torch.arange(people)
    signed = {"signed": True} if name == "normal" else {}
    together = likelihood(margin, respondent, block=every, n_blocks=people, **options, **signed)
    found = together(family(every), lapse)
    assert torch.allclose(found, together.by_respondent(family(every), lapse), atol=1e-9)
    for a in range(0, people, 7):
        rows = respondent == a
        alone = likelihood(margin[rows], respondent[rows] - a, **options, **signed)
        expected = alone(family(torch.tensor([a])), lapse)[:, 0]
        assert torch.allclose(found[:, a], expected, atol=2e-4)


def test_finer_grids_say_what_own_nodes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    margin, respondent = some_panels([20, 100, 600, 5000])
    family = population("lognormal", 1.0, 0.5, (2, 1))
    finer = likelihood(margin, respondent)
    monkeypatch.setattr(panel_block, "_FINER", (1,))
    own = likelihood(margin, respondent)
    served = [{int(row) for block in x._blocks for row in block.rows} for x in (own, finer)]
    assert served == [{0}, {0, 1, 2}]
    error = finer.by_respondent(family) - own.by_respondent(family)
    assert float(error.abs().max()) < 1e-5


@pytest.mark.parametrize("spread", [0.02, 0.5])
def test_nodes_of_draws_in_turn_are_those_of_each(spread: float) -> None:
    """Whether a population hardly moves, so that nodes stay, or much."""
    margin, respondent = some_panels([1, 30, 300])
    found = likelihood(margin, respondent)
    moves = torch.linspace(-spread, spread, 4, dtype=F64).exp().unsqueeze(-1)
    family = strength("lognormal", mean=moves, cv=0.6 * moves)
    strengths, log_weight = found.nodes(family)
    means = (log_weight.exp() * strengths).sum(-1)
    assert means.shape == (3, 4)
    for k, move in enumerate(moves.squeeze(-1)):
        one = found.nodes(population("lognormal", float(move), 0.6 * float(move)))
        alone = (one[1].exp() * one[0]).sum(-1)[:, 0]
        torch.testing.assert_close(means[:, k], alone, rtol=1e-5, atol=0)
