"""Sums over runs of a respondent's comparisons against the plain sum."""

import pytest
import torch
from dense import F64
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.runs import OCTAVE, add_runs, are_long

NODES = torch.exp2(torch.arange(-40, 40, dtype=F64) / OCTAVE)


def plain(margin: Tensor, respondent: Tensor, count: int) -> Tensor:
    total = torch.zeros(count, len(NODES), dtype=F64)
    return total.index_add_(0, respondent, logsigmoid(margin.unsqueeze(-1) * NODES))


@pytest.mark.parametrize("sizes", [[1, 2, 3], [20] * 500, [5000, 1, 40], [0, 7]])
def test_sums_are_those_of_log_sigmoid(sizes: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    respondent = torch.repeat_interleave(torch.tensor(sizes))
    margin = 3 * torch.randn(len(respondent), generator=generator, dtype=F64)
    margin[::5] *= 1000.0  # beyond what an exponential can hold
    total = torch.zeros(len(sizes), len(NODES), dtype=F64)
    add_runs(total, margin, respondent, NODES)
    torch.testing.assert_close(total, plain(margin, respondent, len(sizes)), rtol=1e-13, atol=1e-9)


def test_runs_may_come_back_and_sums_are_added_to() -> None:
    margin = torch.linspace(-2.0, 2.0, 12, dtype=F64)
    respondent = torch.tensor([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1])
    total = torch.ones(2, len(NODES), dtype=F64)
    add_runs(total, margin, respondent, NODES)
    torch.testing.assert_close(total, 1 + plain(margin, respondent, 2))


def test_long_runs_are_told_from_short_ones() -> None:
    assert are_long(torch.arange(100).repeat_interleave(4))
    assert not are_long(torch.arange(100).repeat(4))
