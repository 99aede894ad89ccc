"""Where a population's strength is summed in an alignment, and with which masses."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mixlogit.choice import StrengthFamily
from mixlogit.choice.batching import at_nodes
from mixlogit.choice.rules import add_tails, stretched_rule
from mixlogit.choice.table import Grid

__all__ = ["Nodes", "population_nodes"]

_NARROW = 1.4  # a population narrower than this many steps of the grid gets its own nodes


class Nodes(NamedTuple):
    """A population as weighted strengths.

    Attributes:
        strengths: `block x node`.
        log_mass: `block x node`, differentiable in the family's parameters.
        on_grid: Whether the strengths are the table's own nodes, so that nothing is interpolated.
    """

    strengths: Tensor
    log_mass: Tensor
    on_grid: bool


def population_nodes(family: StrengthFamily, grid: Grid, contrarians: Tensor | None) -> Nodes:
    """Nodes of a population: those of the grid, or its own where it is narrower or discrete.

    Args:
        family: Batch shape `block`.
        grid: Grid of log strength.
        contrarians: Share of the population whose strength has its sign changed, or None.

    Example:
        >>> from mixlogit.align.running import alignment_grid
        >>> from mixlogit.choice import strength
        >>> family = strength("lognormal", mean=torch.ones(1), cv=torch.ones(1))
        >>> nodes = population_nodes(family, alignment_grid(1.0), None)
        >>> round(float((nodes.log_mass.exp() * nodes.strengths).sum()), 4)  # the mean
        1.0
    """
    if family.atoms is not None:
        nodes = Nodes(*family.atoms, on_grid=False)
    elif family.coordinate == "log":
        nodes = _log_nodes(family, grid)
    else:
        nodes = _linear_nodes(family, grid)
    if contrarians is None:
        return nodes
    masses = [nodes.log_mass + torch.log1p(-contrarians), nodes.log_mass + contrarians.log()]
    both = torch.cat([nodes.strengths, -nodes.strengths], -1)
    return Nodes(both, torch.cat(masses, -1), nodes.on_grid)


def _log_nodes(family: StrengthFamily, grid: Grid) -> Nodes:
    """Nodes in log strength."""
    density = at_nodes(family).log_density
    u = grid.coordinate()
    below, above = family.log_tails(*grid.ends())
    tails = [part.expand(family.batch_shape).unsqueeze(-1) for part in (below, above)]
    log_mass = add_tails(density(u) + math.log(grid.step), *tails)
    wide = family.location_scale()[1].detach() >= _NARROW * grid.step
    if bool(wide.all()):
        return Nodes(u.exp().expand_as(log_mass), log_mass, on_grid=True)
    own, own_mass = _own_nodes(family, grid.size)
    chosen = wide.expand(family.batch_shape).unsqueeze(-1)
    strengths = torch.where(chosen, u, own).exp()
    return Nodes(strengths, torch.where(chosen, log_mass, own_mass), on_grid=False)


def _linear_nodes(family: StrengthFamily, grid: Grid) -> Nodes:
    """Nodes in strength itself, of both signs."""
    u = grid.coordinate().repeat(2)
    b = u.exp()
    b[grid.size :] *= -1
    width = torch.full_like(u, grid.step)  # of each node's cell, relative to its strength
    width[[0, grid.size]] += math.exp(-grid.step / 2)  # the first of either sign reaches to 0
    log_mass = at_nodes(family).log_density(b) + u + width.log()
    mean, sd = (part.detach() for part in family.location_scale())
    wide = sd >= _NARROW * grid.step * mean.abs()
    if bool(wide.all()):
        return Nodes(b.expand_as(log_mass), log_mass, on_grid=True)
    own, own_mass = _own_nodes(family, 2 * grid.size)
    chosen = wide.expand(family.batch_shape).unsqueeze(-1)
    strengths = torch.where(chosen, b, own)
    return Nodes(strengths, torch.where(chosen, log_mass, own_mass), on_grid=False)


def _own_nodes(family: StrengthFamily, size: int) -> tuple[Tensor, Tensor]:
    """Nodes at the population's own mean and sd, in its coordinate, and their log masses."""
    x, log_weight = stretched_rule(size)
    centre, scale = (part.detach().unsqueeze(-1) for part in family.location_scale())
    u = centre + scale * x
    return u, at_nodes(family).log_density(u) + log_weight + scale.log()
