"""Log-ratios of a data set, shared out over processes."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from tiny_models import make_model, random_rows
from torch import Tensor

from mixlogit.align.ratios import log_ratios
from mixlogit.lm import Row, Scorer, Scores

ROWS = random_rows(12)


class Process:
    """One process as accelerate shows it, whose sums with others are made elsewhere."""

    def __init__(self, rank: int, count: int) -> None:
        self.process_index, self.num_processes, self.device = rank, count, "cpu"

    def autocast(self) -> Any:
        return nullcontext()

    def reduce(self, values: Tensor, how: str) -> Tensor:
        assert how == "sum"
        return values


class Counted:
    """A scorer that notes what it is given."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.calls: list[list[Row]] = []

    def score(self, rows: list[Row], *, tokens: int) -> Scores:
        self.calls.append(rows)
        return self.scorer.score(rows, tokens=tokens)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_processes_score_their_parts_in_as_many_passes(count: int) -> None:
    scorer = Scorer(make_model("GPTNeoX"))
    whole = log_ratios(scorer, ROWS, Process(0, 1), tokens=60)
    chosen, rejected = scorer.score(ROWS).logp.view(-1, 2).unbind(-1)
    torch.testing.assert_close(whole, chosen - rejected, rtol=0, atol=1e-5)
    seen = [Counted(scorer) for _ in range(count)]
    parts = [log_ratios(one, ROWS, Process(k, count), tokens=60) for k, one in enumerate(seen)]
    assert torch.equal(torch.stack(parts).sum(0), whole), "the same batches, to the last bit"
    assert len({len(one.calls) for one in seen}) == 1
    assert max(sum(map(len, one.calls)) for one in seen) < len(ROWS)
