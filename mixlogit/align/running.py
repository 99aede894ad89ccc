"""The running table: each respondent's log-likelihood curve, made of margins already computed."""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.align.votes import Votes
from mixlogit.choice.interpolate import interpolate_rows
from mixlogit.choice.link import log_lapsed
from mixlogit.choice.table import STEP, Grid

__all__ = ["RunningTable", "alignment_grid"]

_BELOW, _ABOVE = 9.0, 6.0  # reach in log strength around beta
_ELEMENTS = 1 << 22  # comparisons x nodes worked on at once


def alignment_grid(beta: float) -> Grid:
    """The grid of log strength around the strength of DPO.

    Example:
        >>> alignment_grid(0.1).size
        106
    """
    low = math.log(beta) - _BELOW
    return Grid(low, STEP, math.ceil((_BELOW + _ABOVE) / STEP) + 1)


class RunningTable:
    """`L_a(b) = sum_i w_i log p(y_i | b, D_i)` at nodes of b, with the last margin seen of each.

    A margin enters in place of the one before it, so the table is always a sum over all
    comparisons at margins at most one pass old. Before its first visit a comparison has margin
    0 and says nothing, as with a policy that equals its reference.

    Args:
        votes: The training comparisons.
        grid: Nodes of log strength.
        signed: Whether to keep the curve at negative strengths too.
        lapse: Share of random votes at the start.

    Attributes:
        strengths: Strength at each node: positive ones rising, then, if signed, the same with
            their sign changed; a `node`-vector.
        values: `respondent x node`, nats.
        margin: Last margin of each comparison.
        lapse: Share of random votes with which each comparison last entered.

    Example:
        >>> from mixlogit.data import Comparisons, Labels
        >>> who = Labels(torch.tensor([0, 0, 1]), ("w1", "w2"))
        >>> data = Comparisons(outcome=torch.ones(3), margin=torch.zeros(3), respondent=who)
        >>> table = RunningTable(Votes.of(data, (), panel=True), alignment_grid(1.0), signed=False)
        >>> table.update(torch.tensor([2]), torch.tensor([1.5]).double(), 0.0)
        >>> table.values.shape, table.margin.tolist()
        (torch.Size([2, 106]), [0.0, 0.0, 1.5])
    """

    def __init__(self, votes: Votes, grid: Grid, *, signed: bool, lapse: float = 0.0) -> None:
        self.votes, self.grid, self.signed = votes, grid, signed
        self.unit = votes.units.of_comparison
        positive = grid.coordinate().exp()
        self.strengths = torch.cat([positive, -positive]) if signed else positive
        self.margin = torch.zeros(len(votes), dtype=torch.float64)
        self.lapse = torch.full((len(votes),), lapse, dtype=torch.float64)
        self.values = torch.empty(0)
        self.rebuild()

    def term(self, index: Tensor, strengths: Tensor, margin: Tensor, lapse: Tensor) -> Tensor:
        """What comparisons add to their respondents' curves.

        Args:
            index: Which comparisons, a `comparison`-vector.
            strengths: Where, `node` or `comparison x node`.
            margin: Their margins, a `comparison`-vector.
            lapse: Share of random votes, a `comparison`- or a 1-vector.

        Returns:
            `comparison x node`, nats, differentiable in margin and lapse.
        """
        random = None if not bool((lapse > 0).any()) else lapse.clamp_min(1e-300).unsqueeze(-1)

        def log_p(x: Tensor) -> Tensor:
            return log_lapsed(logsigmoid(x), random)

        return self.votes.score(log_p, strengths * margin.unsqueeze(-1), index)

    def without(self, index: Tensor) -> Tensor:
        """The curves of the respondents of some comparisons, each without that comparison.

        Returns:
            `comparison x node`.
        """
        own = self.term(index, self.strengths, self.margin[index], self.lapse[index])
        return self.values[self.unit[index]] - own

    def update(self, index: Tensor, margin: Tensor, lapse: float) -> None:
        """Put new margins in the place of the old ones; of a repeated comparison, the first.

        Args:
            index: Which comparisons, a `comparison`-vector.
            margin: Their margins, float64.
            lapse: Share of random votes.
        """
        each, inverse = torch.unique(index, return_inverse=True)
        place = torch.arange(len(index))
        first = torch.full_like(each, len(index)).scatter_reduce(0, inverse, place, "amin")
        index, margin = each, margin[first]
        old = self.term(index, self.strengths, self.margin[index], self.lapse[index])
        self.margin[index], self.lapse[index] = margin, lapse
        new = self.term(index, self.strengths, margin, self.lapse[index])
        self.values.index_add_(0, self.unit[index], new - old)

    def rebuild(self) -> None:
        """Sum anew from the margins: rounding of many updates is forgotten."""
        n_units = len(self.votes.units.block)
        self.values = torch.zeros(n_units, len(self.strengths), dtype=torch.float64)
        rows = max(1, _ELEMENTS // len(self.strengths))
        for index in torch.arange(len(self.votes)).split(rows):
            term = self.term(index, self.strengths, self.margin[index], self.lapse[index])
            self.values.index_add_(0, self.unit[index], term)

    def at(self, curves: Tensor, strengths: Tensor) -> Tensor:
        """Curves at other strengths, interpolated; `row x node` to `row x point`.

        Args:
            curves: Rows of the table, or of `without`.
            strengths: `row x point`.
        """
        half = self.grid.size
        position = self.grid.locate_strength(strengths.abs())
        value = interpolate_rows(curves[:, :half], position)
        if not self.signed:
            return value
        return torch.where(
            strengths < 0, interpolate_rows(curves[:, half:].contiguous(), position), value
        )
