"""The table of log-likelihoods: exact at its nodes, additive, and smooth between them."""

import math

import pytest
import torch
from dense import F64, codes, population, votes
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice import table as module
from mixlogit.choice.interpolate import interpolate_rows, interpolation_matrix
from mixlogit.choice.table import (
    STEP,
    Grid,
    TableSums,
    chebyshev_nodes,
    likelihood_table,
    strength_grid,
)

LAPSES = chebyshev_nodes(-9.0, 1.0, 6)


def data(sizes: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Margins and codes of panels of these sizes."""
    generator = torch.Generator().manual_seed(seed)
    found = [votes(population("lognormal", 1.0, 0.6), size, generator) for size in sizes]
    return torch.cat(found), codes(found)


def direct(
    margin: Tensor, respondent: Tensor, strengths: Tensor, rate: float, weight: Tensor
) -> Tensor:
    """Log-likelihoods by plain summation."""
    log_p = (rate / 2 + (1 - rate) * torch.sigmoid(margin.unsqueeze(-1) * strengths)).log()
    log_p = logsigmoid(margin.unsqueeze(-1) * strengths) if rate == 0 else log_p
    out = torch.zeros(int(respondent.max()) + 1, len(strengths), dtype=F64)
    return out.index_add(0, respondent, log_p * weight.unsqueeze(-1))


@pytest.mark.parametrize("signed", [False, True])
def test_values(signed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    margin, respondent = data([40, 3, 200])
    weight = torch.rand(len(margin), dtype=F64)
    grid = strength_grid(margin, signed=signed)
    strengths = grid.to_strength(grid.coordinate())
    plain = likelihood_table(margin, respondent, grid=grid, n_respondents=3)
    ones = torch.ones_like(weight)
    exact = direct(margin, respondent, strengths, 0.0, ones)
    torch.testing.assert_close(plain.values[0], exact, rtol=1e-8, atol=1e-8)
    lapsed = likelihood_table(
        margin, respondent, grid=grid, n_respondents=3, weight=weight, lapse_logits=LAPSES
    )
    for k, rate in enumerate(torch.sigmoid(LAPSES).tolist()):
        exact = direct(margin, respondent, strengths, rate, weight)
        torch.testing.assert_close(lapsed.values[k], exact, rtol=1e-8, atol=1e-8)
    monkeypatch.setattr(module, "_BLOCK", 1)
    again = likelihood_table(
        margin, respondent, grid=grid, n_respondents=3, weight=weight, lapse_logits=LAPSES
    )
    torch.testing.assert_close(again.values, lapsed.values, rtol=1e-13, atol=1e-13)


def test_sums_of_parts_add_up() -> None:
    margin, respondent = data([40, 3, 200])
    grid, largest = strength_grid(margin), float(margin.abs().max())
    whole = likelihood_table(margin, respondent, grid=grid, n_respondents=3, lapse_logits=LAPSES)
    even = torch.arange(len(margin)) % 2 == 0
    parts = [TableSums(grid, 3, largest=largest, lapse_logits=LAPSES) for _ in range(2)]
    for part, chosen in zip(parts, (even, ~even), strict=True):
        for rows in torch.nonzero(chosen).squeeze(-1).split(30):
            part.add(margin[rows], respondent[rows])
    parts[0].far += parts[1].far
    parts[0].moments += parts[1].moments
    torch.testing.assert_close(parts[0].table().values, whole.values, rtol=1e-12, atol=1e-12)


def test_a_weight_is_a_repetition() -> None:
    margin, respondent = data([40, 3])
    times = torch.randint(1, 4, (len(margin),))
    grid = strength_grid(margin)
    weighted = likelihood_table(
        margin, respondent, grid=grid, n_respondents=2, weight=times.to(F64)
    )
    repeated = likelihood_table(
        margin.repeat_interleave(times),
        respondent.repeat_interleave(times),
        grid=grid,
        n_respondents=2,
    )
    torch.testing.assert_close(weighted.values, repeated.values, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("signed", [False, True])
def test_interpolation_between_nodes(signed: bool) -> None:
    """5,000 votes: 2e-6 nats anywhere on the grid."""
    margin, respondent = data([5000, 5])
    grid = strength_grid(margin, signed=signed)
    values = likelihood_table(margin, respondent, grid=grid, n_respondents=2).values[0]
    u = grid.coordinate()
    between = torch.cat([u[2:-2:5], (u[2:-3:3] + u[3:-2:3]) / 2])
    strengths = grid.to_strength(between)
    exact = direct(margin, respondent, strengths, 0.0, torch.ones_like(margin))
    by_rows = interpolate_rows(values, grid.locate(between).expand(3, 2, -1))
    by_matrix = values @ interpolation_matrix(grid, strengths)
    relevant = exact > exact.amax(-1, keepdim=True) - 300
    error = (by_rows[1] - exact).abs()[relevant]
    assert float(error.max()) < 2e-6
    torch.testing.assert_close(by_matrix, by_rows[0], rtol=1e-10, atol=1e-8)
    each = torch.stack([values, 2 * values])
    by_draw = interpolate_rows(each, grid.locate(between).expand(2, 2, -1))
    torch.testing.assert_close(by_draw[1], 2 * by_rows[0], rtol=1e-13, atol=1e-12)


def test_grid() -> None:
    margin = torch.tensor([1.0, -2.0, 0.5], dtype=F64)
    grid = strength_grid(margin, centre=100.0)
    ends = grid.to_strength(grid.coordinate())[[0, -1]]
    rms = float(margin.square().mean().sqrt())
    assert float(ends[0]) == pytest.approx(math.exp(-12) / rms)
    assert float(ends[1]) >= 100 * math.exp(7)
    torch.testing.assert_close(
        grid.step_at(grid.coordinate()), torch.full((grid.size,), STEP, dtype=F64)
    )
    assert grid.node_nearest_zero() == 0
    position = grid.locate_strength(torch.tensor([0.0, float(ends[0]), 1.0], dtype=F64))
    assert float(position[0]) < 0
    assert float(position[1]) == pytest.approx(0, abs=1e-9)
    low, high = grid.ends()
    assert (float(low), float(high)) == pytest.approx(
        (grid.low - STEP / 2, grid.low + STEP * (grid.size - 0.5))
    )


def test_signed_grid() -> None:
    margin = torch.tensor([1.0, -2.0, 0.5], dtype=F64)
    grid = strength_grid(margin, signed=True)
    u = grid.coordinate()
    torch.testing.assert_close(u, -u.flip(0))
    assert float(u[grid.node_nearest_zero()]) == 0
    assert grid.curvature == pytest.approx(math.pi / 2)
    torch.testing.assert_close(grid.to_strength(u), u)
    torch.testing.assert_close(grid.locate_strength(u), torch.arange(grid.size, dtype=F64))
    slope = (u[2:] - u[:-2]) / 2
    torch.testing.assert_close(grid.step_at(u)[1:-1], slope, rtol=4e-3, atol=0)
    torch.testing.assert_close(grid.log_width().exp(), grid.step_at(u))
    low, high = grid.ends()
    assert float(low) < float(u[0])
    assert float(high) == pytest.approx(-float(low))
    assert isinstance(grid, Grid)


def test_chebyshev_nodes_interpolate() -> None:
    nodes = chebyshev_nodes(-9.0, 1.0, 24)
    assert bool((nodes.diff() > 0).all())
    assert float(nodes[0]) > -9
    assert float(nodes[-1]) < 1
    torch.testing.assert_close(nodes + nodes.flip(0), torch.full((24,), -8.0, dtype=F64))
