"""The running table: sums of what was last seen, however it came there."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.align.running import RunningTable, alignment_grid
from mixlogit.align.votes import Votes
from mixlogit.choice.table import likelihood_table
from mixlogit.data import Comparisons, Labels

N, PEOPLE = 60, 7


def votes(*, ties: bool = False, weights: bool = False) -> Votes:
    generator = torch.Generator().manual_seed(0)
    who = torch.randint(PEOPLE, (N,), generator=generator)
    outcome = torch.randint(3 if ties else 2, (N,), generator=generator) / 2
    outcome = outcome if ties else (outcome > 0).double()
    data = Comparisons(
        outcome=outcome,
        margin=torch.zeros(N),
        respondent=Labels(who, tuple("abcdefg")),
        weight=1 + torch.rand(N, generator=generator) if weights else None,
    )
    return Votes.of(data, (), panel=True)


def updated(table: RunningTable, updates: int, seed: int = 1) -> list[tuple[Tensor, Tensor]]:
    """Random updates, with repeats inside a batch; what they were."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(updates):
        index = torch.randint(N, (9,), generator=generator)
        margin = 3 * torch.randn(9, generator=generator, dtype=torch.float64)
        table.update(index, margin, 0.0)
        made.append((index, margin))
    return made


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weights", [False, True])
def test_after_any_updates_the_table_is_the_one_from_scratch(
    signed: bool, ties: bool, weights: bool
) -> None:
    table = RunningTable(votes(ties=ties, weights=weights), alignment_grid(0.3), signed=signed)
    last = torch.zeros(N, dtype=torch.float64)
    for index, margin in updated(table, 30):
        for i, value in reversed(list(zip(index.tolist(), margin.tolist(), strict=True))):
            last[i] = value  # of a repeated comparison the first counts
    assert torch.equal(table.margin, last)
    running = table.values.clone()
    table.rebuild()
    torch.testing.assert_close(running, table.values, rtol=1e-12, atol=1e-11)


def test_it_is_the_likelihood_table_of_a_fit() -> None:
    table = RunningTable(votes(), alignment_grid(0.3), signed=True)
    updated(table, 30)
    margin = torch.where(table.votes.outcome > 0.5, table.margin, -table.margin)
    for half, sign in enumerate((1, -1)):
        expected = likelihood_table(
            sign * margin, table.unit, grid=table.grid, n_respondents=len(table.values)
        ).values[0]
        found = table.values[:, half * table.grid.size :][:, : table.grid.size]
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_before_a_visit_a_comparison_says_nothing() -> None:
    table = RunningTable(votes(), alignment_grid(0.3), signed=False)
    assert float(table.values.std(-1).max()) < 1e-12


def test_leaving_one_out_is_the_table_without_it() -> None:
    table = RunningTable(votes(), alignment_grid(0.3), signed=False)
    updated(table, 30)
    index = torch.tensor([4, 11])
    left_out = table.without(index)
    for row, i in enumerate(index.tolist()):
        others = [k for k in range(N) if table.unit[k] == table.unit[i] and k != i]
        margin = torch.where(table.votes.outcome > 0.5, table.margin, -table.margin)[others]
        expected = logsigmoid(margin.unsqueeze(-1) * table.strengths).sum(0)
        torch.testing.assert_close(left_out[row], expected, rtol=1e-10, atol=1e-10)


def test_order_of_a_gathered_batch_does_not_matter() -> None:
    tables = [RunningTable(votes(), alignment_grid(0.3), signed=False) for _ in range(2)]
    index, margin = torch.randperm(N)[:20], torch.randn(20, dtype=torch.float64)
    order = torch.randperm(20)
    tables[0].update(index, margin, 0.0)
    tables[1].update(index[order], margin[order], 0.0)
    assert torch.equal(tables[0].values, tables[1].values)


@pytest.mark.parametrize("signed", [False, True])
def test_interpolation_between_nodes(signed: bool) -> None:
    table = RunningTable(votes(), alignment_grid(0.3), signed=signed)
    updated(table, 30)
    strengths = torch.tensor([0.01, 0.2, 0.9, 5.0], dtype=torch.float64)
    strengths = torch.cat([strengths, -strengths]) if signed else strengths
    rows = torch.arange(len(table.values))
    found = table.at(table.values, strengths.expand(len(rows), -1))
    margin = torch.where(table.votes.outcome > 0.5, table.margin, -table.margin)
    each = logsigmoid(margin.unsqueeze(-1) * strengths)
    expected = torch.zeros(len(rows), len(strengths), dtype=torch.float64)
    torch.testing.assert_close(found, expected.index_add(0, table.unit, each), rtol=0, atol=1e-5)


def test_a_lapse_rate_enters_with_each_margin() -> None:
    table = RunningTable(votes(), alignment_grid(0.3), signed=False, lapse=0.2)
    table.update(torch.arange(30), torch.randn(30, dtype=torch.float64), 0.2)
    table.update(torch.arange(20, 50), torch.randn(30, dtype=torch.float64), 0.4)
    running = table.values.clone()
    assert sorted(set(table.lapse.tolist())) == [0.2, 0.4]
    table.rebuild()
    torch.testing.assert_close(running, table.values, rtol=1e-12, atol=1e-12)
