"""Quadrature nodes and interpolation weights shared by the panel likelihoods.

One rule integrates every one-dimensional integrand here: the trapezoidal rule in t after the
stretch `x = sinh(a t) / a`, in units of the integrand's own width. Dense in the middle and wide
in the tails, it needs 25 nodes where Gauss-Hermite centred at the mode still errs by 4e-3 with 20
(panels of 1 to 5,000 votes, coefficient of variation 0.01 to 3).

The width differs on the two sides of the mode: below the population's mode, log strength under
the gamma family falls off only like exp(k u), k = 1 / cv^2, while the votes cut it off sharply
above. What the population puts beyond the outermost nodes is added.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.shapes import broadcast_tensors

__all__ = [
    "ORDER",
    "REACH",
    "add_tails",
    "lagrange_weights",
    "log_add",
    "mode_and_widths",
    "population_masses",
    "split_nodes",
    "stretched_rule",
]

_STRETCH, REACH = 0.5, 4.4
_TURN, _SHARPNESS = 1.5, 2.0  # where, in widths below the mode, the width changes, and how fast
_UNEVEN = 20.0  # largest ratio of the two widths
ORDER = 10  # points of the local interpolation


def stretched_rule(nodes: int = 25, shift: float = 0.0) -> tuple[Tensor, Tensor]:
    """Nodes and log weights of the stretched trapezoidal rule on the real line.

    Approximates `integral f(x) dx` by `sum_j exp(log_weight_j) f(x_j)` for f of unit width
    around 0.

    Args:
        nodes: Number of nodes, odd so that one lies at 0.
        shift: Moves every node by this part of a step; the rule stays as accurate.

    Returns:
        `node`-vectors of positions and of log weights, float64.

    Example:
        >>> x, log_weight = stretched_rule()
        >>> mass = (log_weight - x.square() / 2).exp().sum() / math.sqrt(2 * math.pi)
        >>> abs(float(mass) - 1) < 1e-9
        True
    """
    t = torch.linspace(-REACH, REACH, nodes, dtype=torch.float64)
    step = 2 * REACH / (nodes - 1)
    t = t + shift * step
    return torch.sinh(_STRETCH * t) / _STRETCH, torch.log(torch.cosh(_STRETCH * t)) + math.log(
        step
    )


def split_nodes(
    centre: Tensor, below: Tensor, above: Tensor, rule: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Nodes of a rule with a width of its own on either side of the centre.

    `u = centre + s(x)`, with a slope of `below` at the far left that goes over smoothly into
    `above`; with equal widths just `centre + above x`.

    Args:
        centre: Where the integrand peaks, `... x 1`.
        below: Width of the integrand below it, `... x 1`.
        above: Width of the integrand above it, `... x 1`.
        rule: Nodes and log weights in units of the widths; the stretched rule if absent.

    Returns:
        Nodes and log weights, `... x node`.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> u, log_weight = split_nodes(0 * one, 3 * one, one)
        >>> density = u - u.exp()  # of log Exponential(1)
        >>> round(float((density + log_weight).exp().sum()), 6)
        1.0
    """
    x, log_weight = stretched_rule() if rule is None else rule
    turned = -_SHARPNESS * (x + _TURN)
    at_centre = math.log1p(math.exp(-_SHARPNESS * _TURN))
    bend = (at_centre - softplus(turned)) / _SHARPNESS
    slope = above + (below - above) * torch.sigmoid(turned)
    return centre + above * x + (below - above) * bend, log_weight + slope.log()


def mode_and_widths(u: Tensor, log_f: Tensor, log_weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mode of an integrand known at nodes, and its root mean square widths below and above.

    Args:
        u: Nodes in rising order; broadcasts with `log_f`.
        log_f: Log integrand, `... x node`.
        log_weight: Log weights of the nodes; broadcasts with `log_f`.

    Returns:
        Mode, width below and width above, each `... x 1`; the widths at most 20 to 1, and at
        least a tenth of the distance of the nodes around the mode.

    Example:
        >>> u = torch.linspace(-6, 6, 49, dtype=torch.float64)
        >>> parts = mode_and_widths(u, -(u - 1.1).square() / 2, 0 * u)
        >>> [round(float(part), 1) for part in parts]
        [1.1, 1.0, 1.0]
    """
    u = u.expand_as(log_f)
    best = log_f.argmax(-1, keepdim=True).clamp(1, u.shape[-1] - 2)
    (u0, u1, u2), (f0, f1, f2) = (
        [part.gather(-1, best + k) for k in (-1, 0, 1)] for part in (u, log_f)
    )
    rise, fall = (f1 - f0) / (u1 - u0), (f2 - f1) / (u2 - u1)
    share = rise / (rise - fall).clamp_min(1e-300)  # where the slope of the parabola is 0
    mode = torch.where(rise > fall, (u0 + u1) / 2 + share * (u2 - u0) / 2, u1)
    mode = torch.minimum(torch.maximum(mode, u0), u2)
    mass = torch.softmax(log_f + log_weight, -1)
    away, least = u - mode, 0.1 * (u2 - u0)
    widths = []
    for side in (away < 0, away >= 0):
        part = mass * side
        square = (part * away.square()).sum(-1, keepdim=True)
        widths.append(
            torch.maximum((square / part.sum(-1, keepdim=True).clamp_min(1e-9)).sqrt(), least)
        )
    limit = _UNEVEN * torch.minimum(*widths)
    return mode, torch.minimum(widths[0], limit), torch.minimum(widths[1], limit)


def log_add(a: Tensor, b: Tensor) -> Tensor:
    """Log of `exp(a) + exp(b)`; unlike `torch.logaddexp` its Hessian is finite far apart.

    Example:
        >>> float(log_add(torch.tensor(0.0), torch.tensor(-900.0)))
        0.0
    """
    return torch.logsumexp(torch.stack(broadcast_tensors(a, b)), 0)


def add_tails(log_mass: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """Add what a population puts beyond the outermost nodes to these nodes.

    Args:
        log_mass: Log mass of the population at each node, `... x node`.
        below: Log mass below the first node, `... x 1`.
        above: Log mass above the last node, `... x 1`.

    Returns:
        Log masses, `... x node`.

    Example:
        >>> mass = torch.tensor([0.2, 0.3, 0.1])
        >>> add_tails(mass.log(), torch.tensor([0.3]).log(), torch.tensor([0.1]).log()).exp()
        tensor([0.5000, 0.3000, 0.2000])
    """
    first = log_add(log_mass[..., :1], below)
    last = log_add(log_mass[..., -1:], above)
    return torch.cat([first, log_mass[..., 1:-1], last], -1)


def population_masses(
    spread: StrengthFamily, u: Tensor, log_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Strengths at the nodes of a rule and the log mass that a population puts on each.

    What lies beyond the outermost nodes is added to them; but in log strength, all below the
    first node goes to a node of its own, at its mean strength (by the slope of the density).

    Args:
        spread: The population, of batch shape `... x 1`.
        u: Nodes in the family's coordinate, rising, `... x node`.
        log_weight: Log weights of the nodes, `... x node`.

    Returns:
        Strengths, and log masses that are differentiable in the family's parameters.

    Example:
        >>> from mixlogit.choice import strength
        >>> family = strength("gamma", mean=torch.ones(1), cv=torch.full((1,), 3.0))
        >>> u, log_weight = split_nodes(*torch.ones(3, 1, dtype=torch.float64))
        >>> strengths, log_mass = population_masses(family, u, log_weight)
        >>> len(u), len(strengths), round(float(log_mass.exp().sum()), 2)
        (25, 26, 1.0)
    """
    half = log_weight.exp() / 2
    below, above = spread.log_tails((u - half)[..., :1], (u + half)[..., -1:])
    log_density = spread.log_density(u)
    log_mass = log_density + log_weight
    if spread.coordinate == "linear":
        return u, add_tails(log_mass, below, above)
    last = log_add(log_mass[..., -1:], above)
    with torch.no_grad():  # below, density exp(r u) has the mean exp(u0) r / (r + 1)
        slope = (log_density[..., 1:2] - log_density[..., :1]) / (u[..., 1:2] - u[..., :1])
        mean = (u - half)[..., :1] - torch.log1p(slope.clamp_min(1e-3).reciprocal())
    strengths = torch.cat([mean, u], -1).exp()
    return strengths, torch.cat([below, log_mass[..., :-1], last], -1)


def lagrange_weights(position: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Weights of local polynomial interpolation on a uniform grid `0, 1, ..., size - 1`.

    Ten points around each position; positions beyond the grid take the value at its end.

    Args:
        position: Where to interpolate, in steps of the grid; any shape.
        size: Number of grid nodes, at least 10.

    Returns:
        First node used (long, shape of `position`) and the weights of it and the next nine
        (shape of `position` + [10]), differentiable in `position`.

    Example:
        >>> grid = torch.arange(20.0, dtype=torch.float64)
        >>> first, weight = lagrange_weights(torch.tensor([7.3], dtype=torch.float64), 20)
        >>> value = (weight * (grid.square())[first[:, None] + torch.arange(10)]).sum(-1)
        >>> round(float(value[0]), 9)
        53.29
    """
    position = position.clamp(0.0, size - 1.0)
    first = (position.detach().floor().long() - (ORDER // 2 - 1)).clamp(0, size - ORDER)
    offsets = torch.arange(ORDER, dtype=position.dtype)
    gaps = (position - first).unsqueeze(-1) - offsets  # [..., point]
    one = torch.ones_like(gaps[..., :1])
    before = torch.cat([one, gaps[..., :-1].cumprod(-1)], -1)
    after = torch.cat([one, gaps[..., 1:].flip(-1).cumprod(-1)], -1).flip(-1)
    scale = [math.prod(j - m for m in range(ORDER) if m != j) for j in range(ORDER)]
    return first, before * after / torch.tensor(scale, dtype=position.dtype)
