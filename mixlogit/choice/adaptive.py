"""Integrals over one strength on nodes of each respondent's own."""

import torch
from torch import Tensor

from mixlogit.choice.batching import at_nodes
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.interpolate import interpolate_rows
from mixlogit.choice.rules import mode_and_widths, population_masses, split_nodes
from mixlogit.choice.table import Grid

__all__ = ["Shape", "integrate_at", "integrate_rows", "place_nodes"]

Shape = tuple[Tensor, Tensor, Tensor]


def integrate_rows(
    grid: Grid,
    family: StrengthFamily,
    values: Tensor,
    rule: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Integrate at each respondent's own mode and widths (after Naylor and Smith 1982).

    Args:
        grid: The grid of the curves.
        family: Batch shape `draw x respondent`.
        values: `respondent x node`, or `draw x respondent x node`.
        rule: Nodes and log weights in units of the widths; the stretched rule if absent.

    Returns:
        Log marginal `draw x respondent`, and strengths and log posterior weights of the
        nodes, `draw x respondent x node`.

    Example:
        >>> from mixlogit.choice import strength
        >>> from mixlogit.choice.table import likelihood_table, strength_grid
        >>> margin = torch.linspace(-1, 2, 40, dtype=torch.float64)
        >>> grid, who = strength_grid(margin), torch.arange(40) % 2
        >>> table = likelihood_table(margin, who, grid=grid, n_respondents=2)
        >>> family = strength("gamma", mean=torch.ones(1, 2), cv=torch.ones(1, 2))
        >>> integrate_rows(grid, family, table.values[0])[0].shape
        torch.Size([1, 2])
    """
    return integrate_at(grid, family, values, place_nodes(grid, family, values), rule)


def place_nodes(grid: Grid, family: StrengthFamily, values: Tensor) -> Shape:
    """Mode of each integrand and its widths below and above, `draw x respondent x 1` each.

    Arguments as for `integrate_rows`.
    """
    spread = at_nodes(family)
    with torch.no_grad():
        shape = _first_guess(grid, spread, values)
        for _ in range(2):
            u, log_weight = split_nodes(*shape)
            at = interpolate_rows(values, grid.locate(u))
            shape = mode_and_widths(u, at + spread.log_density(u), log_weight)
    return shape


def integrate_at(
    grid: Grid,
    family: StrengthFamily,
    values: Tensor,
    shape: Shape,
    rule: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Integrate at modes and widths that `place_nodes` found, here or for a family close by.

    Other arguments, and what is returned, as for `integrate_rows`.
    """
    strengths, log_mass = population_masses(at_nodes(family), *split_nodes(*shape, rule))
    log_f = interpolate_rows(values, grid.locate_strength(strengths)) + log_mass
    total = torch.logsumexp(log_f, -1)
    return total, strengths, log_f - total.unsqueeze(-1)


def _first_guess(grid: Grid, spread: StrengthFamily, values: Tensor) -> Shape:
    """Mode and widths of the integrand: on the grid, or finer where the grid is too coarse."""
    u = grid.coordinate()
    log_f = values + spread.log_density(u)
    mode, below, above = mode_and_widths(u, log_f, grid.log_width())
    best = u[log_f.argmax(-1, keepdim=True)]
    coarse = (below + above < 3.0 * grid.step_at(best)).squeeze(-1)
    if bool(coarse.any()):
        draw, row = torch.nonzero(coarse, as_tuple=True)
        curves = values[row] if values.ndim == 2 else values[draw, row]
        parts = {
            name: value.expand(*coarse.shape, 1)[coarse]
            for name, value in spread.parameters.items()
        }
        some = type(spread)(**parts, validate_args=False)
        mode[coarse], width = _finer_guess(grid, some, curves, best[coarse])
        below[coarse], above[coarse] = width, width
    return mode, below, above


def _finer_guess(
    grid: Grid, spread: StrengthFamily, values: Tensor, mode: Tensor
) -> tuple[Tensor, Tensor]:
    """Mode and width of integrands that the grid is too coarse for, each `respondent x 1`."""
    step = grid.step_at(mode)
    for reach in (1.0, 1.0 / 12.0):  # the mode lies within a step of the best node
        near = mode + step * reach * torch.linspace(-1.0, 1.0, 25, dtype=torch.float64)
        fine = interpolate_rows(values, grid.locate(near)) + spread.log_density(near)
        best = fine.argmax(-1, keepdim=True).clamp(1, 23)
        mode = near.gather(-1, best)
    left, top, right = (fine.gather(-1, best + k) for k in (-1, 0, 1))
    bend = (2 * top - left - right) / (step / 144.0).square()
    return mode, bend.clamp_min(1e-12).rsqrt()
