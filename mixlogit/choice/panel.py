"""Marginal likelihood of panels: every respondent's strength integrated out.

`log p_a = log integral exp(L_a(b)) f(b; parameters of a) db`, with `L_a` from the likelihood
table. The nodes adapt to the integrand, in ways that agree to 1e-4 nats where they meet:

- population and likelihood both wider than the grid: the grid's own nodes (trapezoidal rule).
  One matrix product serves all respondents and all parameter values at once.
- population narrower than the grid (cv near 0): nodes centred and scaled at the population.
- likelihood narrower than the grid (long panels): a grid up to four times finer; the longest
  get nodes centred at each respondent's own mode and scaled to the integrand's widths below and
  above it.

Nodes are placed without gradient: any nodes near the mass give a valid rule, and its derivative
in the parameters is exact for that rule.
"""

import torch
from torch import Tensor

from mixlogit.choice.adaptive import integrate_rows
from mixlogit.choice.batching import at_nodes, select
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.interpolate import interpolate_rows, interpolation_matrix
from mixlogit.choice.panel_block import PanelBlock, make_blocks, resolves
from mixlogit.choice.rules import add_tails, stretched_rule
from mixlogit.choice.table import LikelihoodTable, bends_fast

__all__ = ["PanelLikelihood"]

_FEW_BLOCKS = 16  # or so many respondents a block: from there on a loop over blocks pays
_PULL = 5.0  # votes that pull further than this many sd off a population need nodes of their own
_ROWS = 1000  # respondents whose own nodes are found at once: what that takes stays in the cache
_CHUNK = 1 << 23  # elements of respondents x nodes x draws worked on at once


def _only(family: StrengthFamily, b: int) -> StrengthFamily:
    """One block of a `draw x block` family: `draw x 1`."""
    return family if family.batch_shape[1] == 1 else select(family, torch.tensor([b]))


class PanelLikelihood:
    """Marginal log-likelihood of the panels in a likelihood table.

    Args:
        table: The likelihood table; kept, not copied.

    Example:
        >>> from mixlogit.choice import strength
        >>> from mixlogit.choice.table import likelihood_table, strength_grid
        >>> margin = torch.randn(200, dtype=torch.float64)
        >>> table = likelihood_table(
        ...     margin, torch.arange(200) % 20, grid=strength_grid(margin), n_respondents=20)
        >>> family = strength("lognormal", mean=torch.ones(3, 1), cv=torch.full((3, 1), 0.5))
        >>> PanelLikelihood(table)(family).shape
        torch.Size([3, 1])
    """

    def __init__(self, table: LikelihoodTable) -> None:
        self.table = table
        self._rule = stretched_rule()
        self._blocks: list[PanelBlock] = []
        self._scattered = torch.empty(0, dtype=torch.long)
        if table.n_blocks > max(_FEW_BLOCKS, len(table.block) / _FEW_BLOCKS):
            is_long = bends_fast(table)
            self._scattered = torch.nonzero(~is_long).squeeze(-1)
            self._long = torch.nonzero(is_long).squeeze(-1)
        else:
            self._blocks, self._long = make_blocks(table)

    def __call__(self, family: StrengthFamily, lapse: Tensor | None = None) -> Tensor:
        """Marginal log-likelihood of each block.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1` or `draw x block`; needs a table with lapse nodes.

        Returns:
            `draw x block`, nats; differentiable in the family's parameters and the lapse rate.
        """
        long = self._long_panels(family, lapse)
        nothing = torch.zeros(len(self.table.values), family.batch_shape[0], dtype=torch.float64)
        columns = [nothing] * self.table.n_blocks
        for block in self._blocks:
            own = self._short(_only(family, block.index), block, total=True)
            columns[block.index] = columns[block.index] + own
        short = self._mix_lapse(torch.stack(columns, -1), lapse)
        if len(self._scattered):
            own = self._scattered_panels(family, lapse)
            short = short.index_add(-1, self.table.block[self._scattered], own)
        return short.index_add(-1, self.table.block[self._long], long)

    def by_respondent(self, family: StrengthFamily, lapse: Tensor | None = None) -> Tensor:
        """Marginal log-likelihood of each respondent.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1` or `draw x block`.

        Returns:
            `draw x respondent`, nats, without gradient.
        """
        with torch.no_grad():
            shape = (len(self.table.values), family.batch_shape[0], self.table.values.shape[1])
            parts = torch.empty(shape, dtype=torch.float64)
            for block in self._blocks:
                parts[..., block.rows] = self._short(_only(family, block.index), block).mT
            rates = None if lapse is None else lapse.expand(family.batch_shape)
            out = self._mix_lapse(parts, None if rates is None else rates[:, self.table.block])
            out[:, self._long] = self._long_panels(family, lapse)
            if len(self._scattered):
                out[:, self._scattered] = self._scattered_panels(family, lapse)
            return out

    def nodes(
        self,
        family: StrengthFamily,
        lapse: Tensor | None = None,
        rule: tuple[Tensor, Tensor] | None = None,
        units: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Strengths and log posterior weights of each respondent's own nodes.

        Args:
            family: Mixing distribution with batch shape `1 x block` (one draw).
            lapse: Lapse rate, `1 x 1`, or None.
            rule: Nodes and log weights in units of the widths; the stretched rule if absent.
            units: Respondents wanted; all if absent.

        Returns:
            Strengths and normalised log weights, both `respondent x node`.
        """
        every = torch.arange(self.table.values.shape[1]) if units is None else units
        parts = [self._own(family, lapse, rows, rule) for rows in every.split(_ROWS)]
        return torch.cat([part[1] for part in parts]), torch.cat([part[2] for part in parts])

    def _own(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        rows: Tensor,
        rule: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log marginal, strengths and log weights of some respondents on nodes of their own."""
        with torch.no_grad():
            where = self.table.block[rows]
            rates = None if lapse is None else lapse.expand(family.batch_shape)[:, where]
            values = self._curves(self.table.values[:, rows], rates)
            if family.atoms is None:
                found = integrate_rows(self.table.grid, select(family, where), values, rule)
                return found[0][0], found[1][0], found[2][0]
            strengths, log_shares = (part[:, where] for part in family.atoms)
            at = interpolate_rows(values, self.table.grid.locate_strength(strengths)) + log_shares
            return torch.logsumexp(at, -1)[0], strengths[0], torch.log_softmax(at, -1)[0]

    def error(self, family: StrengthFamily, lapse: Tensor | None, nodes: int, most: int) -> float:
        """Largest change of a respondent's log-likelihood on other, denser nodes, nats.

        Args:
            family: Continuous mixing distribution with batch shape `1 x block`.
            lapse: Lapse rate, `1 x 1`, or None.
            nodes: Nodes at each respondent's own mean and sd to compare with.
            most: Most respondents compared, evenly spread.
        """
        n = self.table.values.shape[1]
        rows = torch.linspace(0, n - 1, min(n, most)).round().long()
        found = self.by_respondent(family, lapse)[0, rows]
        fine = self._own(family, lapse, rows, stretched_rule(nodes))[0]
        return float((fine - found).abs().max())

    def _mix_lapse(self, parts: Tensor, lapse: Tensor | None) -> Tensor:
        """Interpolate `lapse x draw x ...` log-likelihoods at rates, `draw x ...`."""
        if lapse is None:
            if self.table.lapse_logits is not None:
                raise ValueError("Expected `lapse`: the table was built with lapse nodes.")
            return parts[0]
        return (parts.movedim(0, -1) * self.table.lapse_weights(lapse)).sum(-1)

    # short panels -----------------------------------------------------------------------

    def _short(self, family: StrengthFamily, block: PanelBlock, *, total: bool = False) -> Tensor:
        """Log marginal of the panels of one block; the family is that block's alone.

        Returns:
            `lapse x respondent x draw`, or its sum over respondents, `lapse x draw`.
        """
        if family.atoms is not None:
            strengths, log_shares = (part[:, 0] for part in family.atoms)
            return self._on_points(block.values, strengths, log_shares, total=total)
        wide = resolves(block.grid, family)
        if bool(wide.all()):
            return block.integrate(block.log_mass(family), total=total)
        narrow = self._on_population(family, block, ~wide, total=total)
        if not bool(wide.any()):
            return narrow
        broad = block.integrate(block.log_mass(family)[wide], total=total)
        order = torch.argsort(torch.cat([torch.nonzero(wide), torch.nonzero(~wide)]).squeeze(-1))
        return torch.cat([broad, narrow], -1)[..., order]

    def _on_population(
        self, family: StrengthFamily, block: PanelBlock, draws: Tensor, *, total: bool
    ) -> Tensor:
        """Log marginal at the nodes of narrow populations (a mask of draws); shapes as `_short`.

        Respondents whose votes pull their strength beyond these nodes get nodes of their own.
        """
        values = block.values
        strengths, log_weight = (part[draws] for part in self._population_nodes(family))
        far = self._is_far(values, strengths)
        if not bool(far.any()):
            return self._on_points(values, strengths, log_weight, total=total)
        near = self._on_points(values[:, ~far], strengths, log_weight, total=total)
        first = torch.zeros_like(block.rows[far])
        some = select(family, first[:1], draws)
        own = torch.stack(
            [self._one_by_one(some, first, curves.unsqueeze(0), None) for curves in values[:, far]]
        )
        if total:
            return near + own.sum(-1)
        out = torch.empty(*values.shape[:2], len(strengths), dtype=torch.float64)
        out[:, ~far], out[:, far] = near, own.mT
        return out

    def _is_far(self, values: Tensor, strengths: Tensor) -> Tensor:
        """Rows whose slope pulls further than `_PULL` sd of some population: `respondent`."""
        x = self._rule[0]
        middle = len(x) // 2
        inner = strengths.detach()[:, middle - 1 : middle + 2 : 2]
        matrix = interpolation_matrix(self.table.grid, inner.reshape(-1))
        low, high = (values @ matrix).view(*values.shape[:2], -1, 2).unbind(-1)
        pull = (high - low) / (x[middle + 1] - x[middle - 1])
        return (pull.abs() > _PULL).any(-1).any(0)

    def _population_nodes(self, family: StrengthFamily) -> tuple[Tensor, Tensor]:
        """Nodes at the population's own mean and sd: strengths and log weights, `draw x node`."""
        x, log_weight = self._rule
        with torch.no_grad():
            centre, scale = family.location_scale()
            scale = scale.clamp_min(1e-9 * centre.abs().clamp_min(1.0))
            u = centre + scale * x
        density = at_nodes(family).log_density(u.unsqueeze(1))[:, 0]
        return self.table.grid.to_strength(u), density + log_weight + scale.log()

    def _on_points(
        self, values: Tensor, strengths: Tensor, log_weight: Tensor, *, total: bool = False
    ) -> Tensor:
        """Log of `sum_j exp(L_a(b_j)) weight_j` at shared strengths.

        Differentiable in the strengths too (classes move their atoms).

        Shapes as `_short`; `values` is `lapse x respondent x node`.
        """
        n_draws, n_points = strengths.shape
        draws = max(1, _CHUNK // max(1, values.shape[0] * values.shape[1] * n_points))
        columns = []
        for start in range(0, n_draws, draws):
            part = slice(start, start + draws)
            matrix = interpolation_matrix(self.table.grid, strengths[part].reshape(-1))
            at = (values @ matrix).view(*values.shape[:2], *strengths[part].shape)
            at = at + log_weight[part]
            each = torch.logsumexp(at, -1)
            columns.append(each.sum(-2) if total else each)
        return torch.cat(columns, -1)

    # short panels in many blocks ----------------------------------------------------------

    def _scattered_panels(self, family: StrengthFamily, lapse: Tensor | None) -> Tensor:
        """Log marginal where nearly everyone has parameters of their own: `draw x respondent`."""
        where, values = self.table.block[self._scattered], self.table.values[:, self._scattered]
        if family.atoms is not None:
            return self._one_by_one(family, where, values, lapse)
        wide = resolves(self.table.grid, family)
        parts, order = [], []
        for draws, integral in ((wide, self._on_own_grids), (~wide, self._one_by_one)):
            index = torch.nonzero(draws).squeeze(-1)
            if len(index):
                some = {name: value[index] for name, value in family.parameters.items()}
                rates = None if lapse is None else lapse[index]
                own = type(family)(**some, validate_args=False)
                parts.append(integral(own, where, values, rates))
                order.append(index)
        return torch.cat(parts)[torch.argsort(torch.cat(order))]

    def _on_own_grids(
        self, family: StrengthFamily, where: Tensor, values: Tensor, lapse: Tensor | None
    ) -> Tensor:
        """Log marginal on the grid's nodes, as `_one_by_one`."""
        grid = self.table.grid
        log_mass = at_nodes(family).log_density(grid.coordinate()) + grid.log_width()
        below, above = family.log_tails(*grid.ends())
        log_mass = add_tails(log_mass, below.unsqueeze(-1), above.unsqueeze(-1))
        rates = None if lapse is None else lapse.expand(family.batch_shape)
        parts = []
        for draws in torch.arange(len(log_mass)).split(max(1, _CHUNK // values[0].numel())):
            at = None if rates is None else rates[draws][:, where]
            curves = self._curves(values, at)
            parts.append(torch.logsumexp(curves + log_mass[draws][:, where], -1))
        return torch.cat(parts)

    # long panels ------------------------------------------------------------------------

    def _long_panels(self, family: StrengthFamily, lapse: Tensor | None) -> Tensor:
        """Log marginal of the long panels: `draw x respondent`."""
        values = self.table.values[:, self._long]
        return self._one_by_one(family, self.table.block[self._long], values, lapse)

    def _one_by_one(
        self, family: StrengthFamily, where: Tensor, values: Tensor, lapse: Tensor | None
    ) -> Tensor:
        """Log marginal with nodes of each respondent's own: `draw x respondent`.

        Args:
            family: Batch shape `draw x block`.
            where: Block of each respondent, a `respondent`-vector.
            values: Their part of the table, `lapse x respondent x node`.
            lapse: Lapse rates, `draw x 1` or `draw x block`, or None.
        """
        n_draws = family.batch_shape[0]
        if not len(where):
            return torch.zeros(n_draws, 0, dtype=torch.float64)
        nodes = len(self._rule[0]) * 16 + (0 if lapse is None else values.shape[-1])
        draws = max(1, _CHUNK // (len(where) * nodes))
        parts = []
        for start in range(0, n_draws, draws):
            part = slice(start, start + draws)
            rates = None
            if lapse is not None:
                rates = lapse[part].expand(-1, family.batch_shape[1])[:, where]
            curves = self._curves(values, rates)
            if family.atoms is None:
                parts.append(
                    integrate_rows(self.table.grid, select(family, where, part), curves)[0]
                )
            else:
                strengths, log_shares = (piece[part][:, where] for piece in family.atoms)
                at = interpolate_rows(curves, self.table.grid.locate_strength(strengths))
                parts.append(torch.logsumexp(at + log_shares, -1))
        return torch.cat(parts)

    def _curves(self, values: Tensor, rates: Tensor | None) -> Tensor:
        """Curves at given lapse rates: `draw x respondent x node`, or for all draws alike.

        Args:
            values: `lapse x respondent x node`.
            rates: `draw x respondent`, or None.
        """
        if rates is None:
            return values[0]
        return torch.einsum("dak,kan->dan", self.table.lapse_weights(rates), values)
