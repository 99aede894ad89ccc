"""Votes that are not held made ready for any strength family: their table is read block by block.

Memory grows with respondents x nodes. What needs single votes (evidence, predictions,
calibration, the probe of the lapse rate) takes the part of them that is held, complete panels of
random respondents, just as it takes a part of many votes that are all held.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.table import Grid, LikelihoodTable, TableSums
from mixlogit.data import Comparisons, Streamed
from mixlogit.data.scan import Block
from mixlogit.errors import UsageError
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem
from mixlogit.models.units import Units, signed_rows

__all__ = ["StreamedProblem", "help_tabulate", "refuse_streamed"]


def refuse_streamed(options: Mapping[str, object]) -> None:
    """Refuse options that need every vote in memory.

    Args:
        options: Option to value; those that are given are refused.

    Raises:
        UsageError: At the first of them.
    """
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} needs the votes in memory: add --no-stream.")


class StreamedProblem(Problem):
    """Streamed votes made ready for any family, with and without a lapse rate.

    `data`, `index` and all other vectors over rows are about the part of the votes that is held,
    `units` and the likelihood table about all.

    Args:
        data: The votes.
        panel: One strength for each respondent; there is no other way here.
        by: Group columns with effects on strength.
        priors: The priors.
        n_classes: Classes of the `classes` family.
        contrarians: Whether its first class has negative strength.

    Raises:
        UsageError: Without a panel, or for an unknown group column.
    """

    def __init__(
        self,
        data: Streamed,
        *,
        panel: bool | None = None,
        by: Sequence[str] = (),
        priors: Priors | None = None,
        n_classes: int = 2,
        contrarians: bool = False,
    ) -> None:
        if panel is False:
            raise UsageError("Streamed votes are fitted as panels: leave out --no-panel.")
        self.check_units(data.part, True, by)
        self._options: dict[str, Any] = {
            "by": by,
            "priors": priors,
            "n_classes": n_classes,
            "contrarians": contrarians,
            "covariates": None,
        }
        self.streamed, self.data = data, data.part
        self.priors, self.context, self.panel = priors or Priors(), None, True
        self.units, self.unit_sizes, self._unit_of_cell = Units.of_cells(data, tuple(by))
        self.index, self.sign, self.weight = signed_rows(data.part.outcome, data.part.weight)
        self.unit_of_row = self.units.of_comparison[self.index]
        self.margin_size = data.rms, data.largest
        self.spec = self._spec(tuple(by), n_classes, contrarians)
        self._tables: dict[tuple[bool, bool], LikelihoodTable] = {}

    @property
    def whole(self) -> Streamed:
        """The data as a whole, for their counts."""
        return self.streamed

    @property
    def n_rows(self) -> int:
        """Number of signed rows of all votes: a tie is two."""
        return self.streamed.n_comparisons + self.streamed.n_ties

    def with_data(self, data: Comparisons) -> Problem:
        """The same problem with other data, which are held."""
        return Problem(data, **self._options)

    def rescaled(self, factor: float) -> Problem:
        """The problem of what is held with all margins rescaled; of few votes that is all."""
        return self.with_data(self.data).rescaled(factor)

    def tabulate(self, grid: Grid, lapse_logits: Tensor | None) -> LikelihoodTable:
        """The likelihood table of all votes on a grid, by one pass of all processes.

        Args:
            grid: Nodes of strength.
            lapse_logits: Nodes of the lapse rate's logit; None without one.
        """
        lapse = None if lapse_logits is None else lapse_logits.tolist()
        self.streamed.processes.gather([vars(grid), lapse])
        return self.sums(grid, lapse_logits).table(self.units.block, self.units.n_blocks)

    def sums(self, grid: Grid, lapse_logits: Tensor | None) -> TableSums:
        """The sums of the table over all processes, which make this call together.

        Args:
            grid: Nodes of strength.
            lapse_logits: Nodes of the lapse rate's logit; None without one.
        """
        largest, n_units = self.streamed.largest, len(self.units.block)
        sums = TableSums(grid, n_units, largest=largest, lapse_logits=lapse_logits)
        group = self.streamed.processes
        with group.together():
            for block, who, cell in self.streamed.blocks():
                unit = self._unit_of_cell[who, cell]
                sums.add(*_signed(block, unit))
        group.add(sums.far, sums.moments)
        return sums


def help_tabulate(data: Streamed, by: Sequence[str]) -> None:
    """Read this process's share for each table that the first process makes, until it ends.

    Args:
        data: The votes.
        by: Group columns with effects on strength.
    """
    problem: StreamedProblem | None = None
    while (asked := data.processes.gather(None)[0]) is not None:
        problem = problem or StreamedProblem(data, by=by)
        grid, lapse = asked
        nodes = None if lapse is None else torch.tensor(lapse, dtype=torch.float64)
        problem.sums(Grid(**grid), nodes)


def _signed(block: Block, unit: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Signed margins, units and weights (None: all 1) of a block's rows."""
    table = block.table
    assert table.margin is not None
    weight = None if table.weight is None else torch.from_numpy(table.weight)
    index, sign, shares = signed_rows(torch.from_numpy(table.outcome), weight)
    plain = weight is None and len(index) == len(unit)
    margin, unit = sign * torch.from_numpy(table.margin)[index], unit[index]
    order = torch.argsort(unit, stable=True)  # long runs of one unit are summed faster
    return margin[order], unit[order], None if plain else shares[order]
