"""Who shares a strength: respondents, or respondents within a group; and ties as half votes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.data import ChoiceSets, Comparisons, Streamed

__all__ = ["Units", "signed_rows"]


@dataclass(frozen=True, eq=False)
class Units:
    """The units that share a strength, and the blocks of units that share parameters.

    A unit is a respondent; a respondent whose groups change between comparisons is a unit in
    each combination of groups. Without a panel every comparison is a unit of its own.

    Attributes:
        of_comparison: Unit of each comparison, a `comparison`-vector.
        respondent: Respondent of each unit, a `unit`-vector; None without a panel.
        block: Block of each unit, a `unit`-vector.
        n_blocks: Number of blocks: combinations of group labels that occur.
        level: Label of each block in each group column, `block x column`.
    """

    of_comparison: Tensor
    respondent: Tensor | None
    block: Tensor
    n_blocks: int
    level: Tensor

    @classmethod
    def of(cls, data: Comparisons | ChoiceSets, by: tuple[str, ...], *, panel: bool) -> "Units":
        """The units of a data set."""
        n = len(data)
        levels = [data.groups[column].codes for column in by]
        stacked = torch.stack(levels, -1) if levels else torch.zeros(n, 0, dtype=torch.long)
        level, block = torch.zeros(1, len(by), dtype=torch.long), torch.zeros(n, dtype=torch.long)
        if by:
            level, block = torch.unique(stacked, dim=0, return_inverse=True)
        if not panel:
            return cls(torch.arange(n), None, block, len(level), level)
        assert data.respondent is not None
        key = data.respondent.codes * len(level) + block
        unit, of_comparison = torch.unique(key, return_inverse=True)
        return cls(of_comparison, unit // len(level), unit % len(level), len(level), level)

    @classmethod
    def of_cells(cls, data: Streamed, by: tuple[str, ...]) -> tuple["Units", Tensor, Tensor]:
        """The units of streamed votes, as `of` would find them in data that are held.

        Returns:
            The units (`of_comparison` is about the part of the votes that is held), the
            comparisons of each, and the unit of each respondent in each cell: `respondent x
            cell`, -1 where there is none.
        """
        columns = [list(data.groups).index(column) for column in by]
        level = torch.zeros(1, 0, dtype=torch.long)
        block = torch.zeros(len(data.level), dtype=torch.long)
        if by:
            level, block = torch.unique(data.level[:, columns], dim=0, return_inverse=True)
        shape = len(data.counts), len(level)
        counts = torch.zeros(shape, dtype=torch.long).index_add(1, block, data.counts)
        respondent, of_block = counts.nonzero(as_tuple=True)
        unit = torch.full(shape, -1)
        unit[respondent, of_block] = torch.arange(len(respondent))
        unit = unit[:, block]
        assert data.part.respondent is not None
        of_part = unit[data.part.respondent.codes, data.part_cell]
        units = cls(of_part, respondent, of_block, len(level), level)
        return units, counts[respondent, of_block], unit


def signed_rows(outcome: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Comparisons as rows in which the first response was chosen; a tie is half a row each way.

    Args:
        outcome: A `comparison`-vector, as in `Comparisons`.
        weight: The same; None if all are 1.

    Returns:
        Comparison of each row, sign of its margin (float64), and weight, all `row`-vectors.
    """
    weight = torch.ones_like(outcome) if weight is None else weight
    decided = torch.nonzero(outcome != 0.5).squeeze(-1)
    if len(decided) == len(outcome):
        return torch.arange(len(weight)), 2 * outcome - 1, weight
    tied = torch.nonzero(outcome == 0.5).squeeze(-1)
    one = torch.ones(len(tied), dtype=torch.float64)
    index = torch.cat([decided, tied, tied])
    sign = torch.cat([2 * outcome[decided] - 1, one, -one])
    half = 0.5 * weight[tied]
    return index, sign, torch.cat([weight[decided], half, half])
