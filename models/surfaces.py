"""Each group's log-likelihood as a surface over its own log mean and log cv.

A group's votes depend on its own mean and spread of strength alone. Computed once on a grid, the
surface serves every value of the population's parameters: what groups have in common is then a
normal distribution of points on known surfaces, and each point is integrated out by one matrix
product. The same idea as the likelihood table, one storey up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from numpy.polynomial.hermite_e import hermegauss
from torch import Tensor
from torch.distributions import Normal

from mixlogit.choice.rules import ORDER, add_tails, lagrange_weights

__all__ = ["Axis", "Surfaces"]

_CUT = 18.0  # nats below its peak where a surface ends: 1e-8 of its mass
_ROUNDS = 4
_NARROW = 1.4  # a population narrower than so many steps is integrated between the nodes
_REACH, _POINTS = 6.5, 65  # of a conditional density from which effects are drawn, in its sd
_FLOOR = 1e-290


class Axis(NamedTuple):
    """A uniform grid that all groups share: first node, step, number of nodes."""

    low: float
    step: float
    size: int


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Nodes along one axis, each group its own: `label`-vectors of first nodes and steps.

    `open_low` and `open_high` say where nothing changes beyond the last node.
    """

    low: Tensor
    step: Tensor
    size: int
    open_low: Tensor
    open_high: Tensor

    def places(self) -> Tensor:
        """The nodes, `label x node`."""
        return self.low.unsqueeze(-1) + self.step.unsqueeze(-1) * torch.arange(self.size)

    def mass(self, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Weights that integrate a function on the nodes over Normal(centre, scale).

        Args:
            centre: A `draw`-vector.
            scale: A `draw`-vector.

        Returns:
            Weights, `label x draw x node`, divided by exp of the second, `label x draw`.
        """
        step = self.step.unsqueeze(-1)
        narrow = scale.detach() < _NARROW * step
        wide = torch.where(narrow, _NARROW * step, scale).unsqueeze(-1)
        x = self.places().unsqueeze(1)
        z = (x - centre.unsqueeze(-1)) / wide
        log_mass = (step.unsqueeze(-1) / wide).log() - 0.5 * (z.square() + math.log(2 * math.pi))
        half = 0.5 * step.unsqueeze(-1) / wide
        below = torch.special.log_ndtr(z[..., :1] - half)
        above = torch.special.log_ndtr(-z[..., -1:] - half)
        below = torch.where(self.open_low.view(-1, 1, 1), below, -torch.inf)
        above = torch.where(self.open_high.view(-1, 1, 1), above, -torch.inf)
        log_mass = add_tails(log_mass, below, above)
        top = torch.where(narrow, 0.0, log_mass.detach().amax(-1))
        mass = (log_mass - top.unsqueeze(-1)).exp()
        if bool(narrow.any()):
            label, draw = narrow.nonzero(as_tuple=True)
            mass = mass.index_put((label, draw), self._between(label, centre[draw], scale[draw]))
        return mass, top

    def _between(self, label: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """Weights for a population between the nodes: `row x node`; exact for polynomials."""
        x, weight = (torch.from_numpy(part) for part in hermegauss(9))
        at = centre.unsqueeze(-1) + scale.unsqueeze(-1) * x
        position = (at - self.low[label].unsqueeze(-1)) / self.step[label].unsqueeze(-1)
        first, share = lagrange_weights(position, self.size)
        index = (first.unsqueeze(-1) + torch.arange(ORDER)).flatten(1)
        value = (share * (weight / weight.sum()).unsqueeze(-1)).flatten(1)
        return torch.zeros(len(label), self.size, dtype=value.dtype).scatter_add(1, index, value)

    def draw(
        self, log_f: Tensor, centre: Tensor, scale: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Draws from f times Normal(centre, scale), in sd from the centre: `label x draw`.

        Args:
            log_f: Log of f on the nodes, `label x draw x node`.
            centre: A `draw`-vector.
            scale: A `draw`-vector.
            generator: Source of randomness.
        """
        mass, top = self.mass(centre, scale)
        share = mass.clamp_min(0.0).log() + top.unsqueeze(-1) + log_f
        share = torch.softmax(share, -1)
        x = self.places().unsqueeze(1)
        mean = (share * x).sum(-1)
        sd = (share * (x - mean.unsqueeze(-1)).square()).sum(-1).sqrt()
        narrow = scale < _NARROW * self.step.unsqueeze(-1)
        mean = torch.where(narrow, centre, mean)
        sd = torch.where(narrow, scale, torch.maximum(sd, 0.5 * self.step.unsqueeze(-1)))
        low, high = mean - _REACH * sd, mean + _REACH * sd
        first, last = centre - _REACH * scale, centre + _REACH * scale
        below = torch.where(self.open_low.unsqueeze(-1) & ~narrow, share[..., 0], 0.0)
        above = torch.where(self.open_high.unsqueeze(-1) & ~narrow, share[..., -1], 0.0)
        low = torch.where(below > 0.01, torch.minimum(low, first), low)
        high = torch.where(above > 0.01, torch.maximum(high, last), high)
        low = torch.where(above > 0.5, torch.maximum(low, first), low)  # all beyond the last node
        high = torch.where(below > 0.5, torch.minimum(high, last), high)
        along = torch.linspace(0.0, 1.0, _POINTS, dtype=torch.float64)
        y = low.unsqueeze(-1) + (high - low).unsqueeze(-1) * along
        position = (y - self.low.view(-1, 1, 1)) / self.step.view(-1, 1, 1)
        start, weight = lagrange_weights(position, self.size)
        index = (start.unsqueeze(-1) + torch.arange(ORDER)).flatten(2)
        found = (log_f.gather(-1, index).view_as(weight) * weight).sum(-1)
        z = (y - centre.unsqueeze(-1)) / scale.unsqueeze(-1)
        return _inverse(found - 0.5 * z.square(), z, generator)


def _inverse(log_p: Tensor, at: Tensor, generator: torch.Generator) -> Tensor:
    """Draws from a density that is linear between points: `... x point` to `...`."""
    p = (log_p - log_p.amax(-1, keepdim=True)).exp()
    area = 0.5 * (p[..., 1:] + p[..., :-1])
    until = area.cumsum(-1)
    shape = (*p.shape[:-1], 1)
    u = torch.rand(shape, generator=generator, dtype=p.dtype) * until[..., -1:]
    cell = torch.searchsorted(until, u).clamp(max=area.shape[-1] - 1)
    left, right = p.gather(-1, cell), p.gather(-1, cell + 1)
    rest = u - until.gather(-1, cell) + area.gather(-1, cell)
    # left t + (right - left) t^2 / 2 = rest
    root = (left.square() + 2 * (right - left) * rest).clamp_min(0.0).sqrt()
    t = (2 * rest / (left + root).clamp_min(1e-300)).clamp(0.0, 1.0)
    start, end = at.gather(-1, cell), at.gather(-1, cell + 1)
    return (start + t * (end - start)).squeeze(-1)


class Surfaces:
    """Log-likelihoods of groups over log mean and log cv, or over log mean alone.

    Args:
        log_likelihood: Of every group at log means and log cvs (`draw`-vectors), `draw x label`.
        axes: The grid: of log mean, and of log cv where there is a spread. Beyond its ends
            nothing changes.
        sizes: Nodes of each group's own part of the axes.

    Example:
        >>> def votes(log_mean, log_cv):
        ...     return -0.5 * torch.stack([log_mean.square(), 4 * (log_mean - 1).square()], -1)
        >>> surfaces = Surfaces(votes, [Axis(-6.0, 0.25, 49)], [48])
        >>> population = Normal(torch.zeros(1, 1).double(), torch.ones(1, 1).double())
        >>> [round(value, 4) for value in surfaces(population)[0].tolist()]
        [-0.3466, -1.2047]
    """

    def __init__(
        self,
        log_likelihood: Callable[[Tensor, Tensor], Tensor],
        axes: list[Axis],
        sizes: list[int],
    ) -> None:
        lines = [a.low + a.step * torch.arange(a.size, dtype=torch.float64) for a in axes]
        lines += [torch.zeros(1, dtype=torch.float64)] * (2 - len(axes))
        points = torch.cartesian_prod(*lines)
        with torch.no_grad():
            whole = log_likelihood(points[:, 0], points[:, 1]).T
        coarse = whole.nan_to_num(nan=-1e9, neginf=-1e9).view(len(whole), *map(len, lines))
        self._axes: list[_Nodes] = []
        self._log_scaled, self._peak = self._zoomed(coarse, axes, sizes)
        self._scaled = self._log_scaled.exp()

    @property
    def elements(self) -> int:
        """Numbers worked on for one draw."""
        nodes = sum(axis.size for axis in self._axes) + self._scaled.shape[-1]
        return len(self._peak) * nodes

    def _zoomed(self, coarse: Tensor, axes: list[Axis], sizes: list[int]) -> tuple[Tensor, Tensor]:
        """Surfaces on the parts of the grid where they matter, and their peaks."""
        n = len(coarse)
        ends = [[a.low, a.low + a.step * (a.size - 1)] for a in axes]
        low = [torch.full((n,), end[0], dtype=torch.float64) for end in ends]
        high = [torch.full((n,), end[1], dtype=torch.float64) for end in ends]
        for step in range(_ROUNDS):
            fine = coarse
            for k, axis in enumerate(axes):
                fine = _resampled(fine, k + 1, axis, low[k], high[k], sizes[k])
            peak = fine.flatten(1).amax(-1)
            if step == _ROUNDS - 1:
                break
            near = fine > (peak - _CUT).view(-1, 1, 1)
            for k, size in enumerate(sizes):
                kept = near.any(2 - k).to(torch.uint8)
                first = (kept.argmax(-1) - 1).clamp_min(0)
                last = (size - kept.flip(-1).argmax(-1)).clamp_max(size - 1)
                width = (high[k] - low[k]) / (size - 1)
                low[k], high[k] = low[k] + first * width, low[k] + last * width
        for k, size in enumerate(sizes):
            slack = 1e-9 * axes[k].step
            opened = low[k] <= ends[k][0] + slack, high[k] >= ends[k][1] - slack
            self._axes.append(_Nodes(low[k], (high[k] - low[k]) / (size - 1), size, *opened))
        return fine - peak.view(-1, 1, 1), peak

    def __call__(self, population: Normal) -> Tensor:
        """Marginal log-likelihood of each group, its own mean and spread integrated out.

        Args:
            population: Of log means and log cvs, batch shape `draw x axis`.

        Returns:
            `draw x label`, nats, differentiable in the population's parameters.
        """
        across, top = self._across(population)
        if len(self._axes) == 2:
            mass, more = self._axes[1].mass(population.loc[:, 1], population.scale[:, 1])
            across, top = across * mass, top + more
        total = across.sum(-1).clamp_min(_FLOOR).log()
        return (total + top + self._peak.unsqueeze(-1)).T

    def _across(self, population: Normal) -> tuple[Tensor, Tensor]:
        """Surfaces integrated over log mean, `label x draw x node` of log cv, and their scale."""
        mass, top = self._axes[0].mass(population.loc[:, 0], population.scale[:, 0])
        return torch.bmm(mass, self._scaled), top

    def draw(self, population: Normal, generator: torch.Generator) -> Tensor:
        """Each group's place in the population given its votes: one exact draw of each.

        Args:
            population: Batch shape `draw x axis`.
            generator: Source of randomness.

        Returns:
            Standardised effects, `axis x draw x label`.
        """
        at_once = max(1, 4_000_000 // (self.elements * ORDER))
        parts = []
        for rows in torch.arange(len(population.loc)).split(at_once):
            some = Normal(population.loc[rows], population.scale[rows], validate_args=False)
            parts.append(self._draw(some, generator))
        return torch.cat(parts, -1).mT

    def _draw(self, population: Normal, generator: torch.Generator) -> Tensor:
        """The same for a few draws: `axis x label x draw`."""
        log_f = self._log_scaled.mT  # label x log cv x log mean
        drawn = []
        centre, scale = population.loc.unbind(-1), population.scale.unbind(-1)
        if len(self._axes) == 2:
            nodes = self._axes[1]
            log_g = self._across(population)[0].clamp_min(_FLOOR).log()
            z = nodes.draw(log_g, centre[1], scale[1], generator)
            drawn.append(z)
            position = (centre[1] + scale[1] * z - nodes.low[:, None]) / nodes.step[:, None]
            first, weight = lagrange_weights(position, nodes.size)
            matrix = torch.zeros(*first.shape, nodes.size, dtype=torch.float64)
            matrix = matrix.scatter(-1, first.unsqueeze(-1) + torch.arange(ORDER), weight)
            log_f = matrix @ log_f
        else:
            log_f = log_f.expand(-1, len(population.loc), -1)
        drawn.append(self._axes[0].draw(log_f, centre[0], scale[0], generator))
        return torch.stack(drawn[::-1])


def _resampled(
    values: Tensor, dim: int, axis: Axis, low: Tensor, high: Tensor, size: int
) -> Tensor:
    """Values of every label at nodes of its own between `low` and `high`, along one dimension."""
    share = torch.linspace(0.0, 1.0, size, dtype=torch.float64)
    at = low.unsqueeze(-1) + (high - low).unsqueeze(-1) * share
    first, weight = lagrange_weights((at - axis.low) / axis.step, axis.size)
    index = first.unsqueeze(-1) + torch.arange(ORDER)
    matrix = torch.zeros(*at.shape, axis.size, dtype=torch.float64).scatter(-1, index, weight)
    others = [n for d, n in enumerate(values.shape) if d not in (0, dim)]
    found = matrix @ values.movedim(dim, 1).flatten(2)
    out: Tensor = found.unflatten(2, others).movedim(1, dim)
    return out
