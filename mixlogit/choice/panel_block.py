"""Panels that share parameters, on a grid that is fine enough for all of them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mixlogit.choice.batching import at_nodes
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.interpolate import interpolation_matrix
from mixlogit.choice.rules import add_tails
from mixlogit.choice.table import Grid, LikelihoodTable, fineness

__all__ = ["PanelBlock", "make_blocks", "resolves"]

_FINER = 1, 2, 4  # nodes for one of the table's; longer panels get nodes of their own
_MOST = 1 << 24  # elements of a block finer than the table: 128 MB
_NARROW = 1.4  # a population narrower than this many steps gets its own nodes
_FAINT = 1e-280


@dataclass(frozen=True, eq=False)
class PanelBlock:
    """Respondents of one block of parameters whose curves one grid resolves.

    Attributes:
        index: Their block of parameters.
        rows: Their rows of the table, a `respondent`-vector.
        table: The table.
        grid: The table's grid, or a finer one.
        scaled: `exp(log-likelihood - peak)` at the grid's nodes, `lapse x respondent x node`.
        peak: Largest log-likelihood, `lapse x respondent`.
    """

    index: int
    rows: Tensor
    table: LikelihoodTable
    grid: Grid
    scaled: Tensor
    peak: Tensor

    @classmethod
    def of(cls, table: LikelihoodTable, index: int, rows: Tensor, grid: Grid) -> "PanelBlock":
        """The block of some rows of a table, on a grid.

        Args:
            table: The likelihood table; kept, not copied.
            index: Block of parameters.
            rows: Rows of the table, a `respondent`-vector.
            grid: The table's own grid, or a finer one.
        """
        values = _curves(table, rows, grid)
        peak = values.amax(-1)
        return cls(index, rows, table, grid, (values - peak.unsqueeze(-1)).exp_(), peak)

    @cached_property
    def values(self) -> Tensor:
        """Log-likelihoods at the table's nodes, `lapse x respondent x node`."""
        return _curves(self.table, self.rows, self.table.grid)

    def log_mass(self, family: StrengthFamily) -> Tensor:
        """Log mass that a population puts on each node: `draw x node`."""
        log_density = at_nodes(family).log_density(self.grid.coordinate())[:, 0]
        below, above = family.log_tails(*self.grid.ends())
        return add_tails(log_density + self.grid.log_width(), below, above)

    def integrate(self, log_mass: Tensor, *, total: bool = False) -> Tensor:
        """Log of `sum_g exp(L_ag) mass_g`, as one matrix product.

        Args:
            log_mass: `draw x node`.
            total: Whether to sum over respondents.

        Returns:
            `lapse x respondent x draw`, or `lapse x draw`.
        """
        top = log_mass.detach().amax(-1, keepdim=True)
        chance = self.scaled @ (log_mass - top).exp().T
        if bool(chance.detach().amin() < _FAINT):
            # the peaks of some panel and population are too far apart for the product
            values = _curves(self.table, self.rows, self.grid)
            each = torch.stack([torch.logsumexp(values + row, -1) for row in log_mass], -1)
            return each.sum(-2) if total else each
        if total:
            shift = self.peak.sum(-1, keepdim=True) + len(self.rows) * top.squeeze(-1)
            return chance.log().sum(-2) + shift
        return chance.log() + self.peak.unsqueeze(-1) + top.T


def _curves(table: LikelihoodTable, rows: Tensor, grid: Grid) -> Tensor:
    """Some rows of a table, `lapse x respondent x node`, on its own grid or another one."""
    whole = len(rows) == table.values.shape[1]
    values = table.values if whole else table.values[:, rows]
    if grid == table.grid:
        return values
    return values @ interpolation_matrix(table.grid, grid.to_strength(grid.coordinate()))


def resolves(grid: Grid, family: StrengthFamily) -> Tensor:
    """Whether a grid resolves every block of a population, a boolean `draw`-vector.

    Args:
        grid: The grid.
        family: Batch shape `draw x block`.
    """
    with torch.no_grad():
        centre, scale = family.location_scale()
        return (scale >= _NARROW * grid.step_at(centre)).all(-1)


def make_blocks(table: LikelihoodTable) -> tuple[list[PanelBlock], Tensor]:
    """Blocks of the respondents whom a grid can serve, and the rows of the others.

    Args:
        table: The likelihood table.

    Returns:
        Blocks, and a vector of rows whose curves bend too fast.
    """
    wanted, blocks = fineness(table), []
    left = torch.ones(len(wanted), dtype=torch.bool)
    # log-likelihoods of long panels bend too much in the lapse rate to be interpolated
    for finer in _FINER if table.lapse_logits is None else _FINER[:1]:
        grid = table.grid.finer(finer)
        fits = left & (wanted <= finer)
        elements = int(fits.sum()) * grid.size * len(table.values)
        if not elements or (finer > 1 and elements > _MOST):
            continue
        for b in range(table.n_blocks):
            rows = torch.nonzero(fits & (table.block == b)).squeeze(-1)
            if len(rows):
                blocks.append(PanelBlock.of(table, b, rows, grid))
        left &= ~fits
    return blocks, torch.nonzero(left).squeeze(-1)
