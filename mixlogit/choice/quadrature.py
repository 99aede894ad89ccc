"""Numerical integration over a strength family that gives nothing but its density."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.shapes import broadcast_shapes
from mixlogit.choice.special import legendre, log1mexp

__all__ = [
    "implicit_quantile",
    "log_choice_integral",
    "log_tail_integrals",
    "log_trapezoid",
    "quadrature_rule",
    "solve_quantile",
]

Density = Callable[[Tensor], Tensor]
Tails = Callable[[Tensor], tuple[Tensor, Tensor]]

_DROP = 40.0  # the integrand is followed down to exp(-40) of its peak
_NODES = 257


def log_trapezoid(log_integrand: Tensor, step: Tensor) -> Tensor:
    """Log of `step x sum of exp(log_integrand)` over the first axis, `node`.

    Example:
        >>> z = torch.linspace(-9, 9, 37, dtype=torch.float64).unsqueeze(1)
        >>> log_trapezoid(-(z**2) / 2, torch.tensor([0.5]).double()).exp() ** 2
        tensor([6.2832], dtype=torch.float64)
    """
    return torch.logsumexp(log_integrand, 0) + torch.log(step)


def _grow(inside: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """The largest distance `d >= 0` with `inside(d)`, by doubling and bisection, elementwise."""
    high = start
    for _ in range(70):
        more = inside(high)
        if not bool(more.any()):
            break
        high = torch.where(more, 2 * high, high)
    low = torch.zeros_like(high)
    for _ in range(30):
        middle = (low + high) / 2
        more = inside(middle)
        low, high = torch.where(more, middle, low), torch.where(more, high, middle)
    return high


def _mode(log_f: Density, location: Tensor, scale: Tensor) -> Tensor:
    """Where a function with one peak is highest: bracket by doubling, then golden section."""
    left, right = location - scale, location + scale
    for _ in range(70):
        climb_left = log_f(left) > log_f((left + right) / 2)
        climb_right = log_f(right) > log_f((left + right) / 2)
        if not bool((climb_left | climb_right).any()):
            break
        width = right - left
        left = torch.where(climb_left, left - width, left)
        right = torch.where(climb_right, right + width, right)
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(45):
        a, b = right - golden * (right - left), left + golden * (right - left)
        higher = log_f(a) > log_f(b)
        left, right = torch.where(higher, left, a), torch.where(higher, b, right)
    return (left + right) / 2


def quadrature_rule(
    log_f: Density, location: Tensor, scale: Tensor, nodes: int | None = None
) -> tuple[Tensor, Tensor]:
    """Points and log weights for integrals of a function with one peak over the real line.

    The trapezoidal rule in t, with u = mode + width sinh(t): dense at the peak, and still
    exponentially accurate for tails that fall only as an exponential. The mode and the ends are
    found without gradient.

    Args:
        log_f: Log of the function.
        location: Where to start looking for its peak, a `batch` tensor.
        scale: First guess of its width, a `batch` tensor.
        nodes: Number of points; 257 by default.

    Returns:
        Points u and log weights, two `node x batch` tensors, without gradient.

    Example:
        >>> zero, one = torch.zeros(()).double(), torch.ones(()).double()
        >>> u, log_weight = quadrature_rule(lambda u: -(u**2) / 2, zero, one)
        >>> round(((log_weight - u**2 / 2).exp().sum() ** 2).item(), 12)
        6.28318530718
    """
    count = _NODES if nodes is None else nodes
    drop = min(_DROP, 0.5 * math.pi * count)
    with torch.no_grad():
        mode = _mode(log_f, location, scale)
        peak = log_f(mode)

        def reach(direction: int, below: float) -> Tensor:
            return _grow(lambda d: log_f(mode + direction * d) > peak - below, scale)

        width = torch.minimum(reach(-1, 1.0), reach(1, 1.0)).clamp(min=1e-300)
        first = -torch.asinh(reach(-1, drop) / width)
        last = torch.asinh(reach(1, drop) / width)
        step = (last - first) / (count - 1)
        index = torch.arange(count, dtype=step.dtype, device=step.device)
        t = first + step * index.reshape(-1, *[1] * step.dim())
        return mode + width * torch.sinh(t), torch.log(step * width * torch.cosh(t))


def log_choice_integral(
    log_density: Density,
    location: Tensor,
    scale: Tensor,
    margin: Tensor,
    *,
    linear: bool = False,
    nodes: int | None = None,
) -> Tensor:
    """Log of the integral of sigmoid(strength x margin) over a density with one peak.

    Args:
        log_density: Log density of the coordinate u.
        location: Mean of the coordinate, a `batch` tensor.
        scale: Standard deviation of the coordinate, a `batch` tensor.
        margin: Margins that broadcast with the batch, float64.
        linear: Whether u is strength (else its log).
        nodes: Points of the rule; 257 by default.

    Returns:
        Log probabilities, of the broadcast shape.

    Example:
        >>> from math import log, pi
        >>> normal = lambda u: -(u**2) / 2 - log(2 * pi) / 2
        >>> zero, one = torch.zeros(()).double(), torch.ones(()).double()
        >>> log_choice_integral(normal, zero, one, one).exp()
        tensor(0.7512, dtype=torch.float64)
    """
    shape = broadcast_shapes(margin.shape, location.shape, scale.shape)

    def log_f(u: Tensor) -> Tensor:
        # The product is kept finite, and large enough that it never decides the result.
        reward = margin * (u if linear else torch.exp(u.clamp(max=700.0)))
        return log_density(u) + logsigmoid(reward.clamp(min=-1e300, max=1e300))

    start = location.detach().expand(shape)
    if not linear:  # start to the left of where a huge reward makes the integrand flat at 0
        start = torch.minimum(start, 3.0 - torch.log(margin.detach().abs()))
    u, log_weight = quadrature_rule(log_f, start, scale.detach().expand(shape), nodes)
    return torch.logsumexp(log_f(u) + log_weight, 0)


def _log_half_line(log_f: Density, width: Tensor) -> Tensor:
    """Log of the integral of exp(log_f(v)) over v > 0, for a decreasing log-concave function.

    Source: Takahasi and Mori (1974), the double exponential formula v = exp(t - exp(-t)).
    """
    with torch.no_grad():
        start = width
        width = _grow(lambda d: log_f(d) > log_f(torch.zeros_like(d)) - 1.0, start)
        t = torch.linspace(-4.2, 4.6, 177, dtype=width.dtype, device=width.device)
        t = t.reshape(-1, *[1] * width.dim())
        v = width * torch.exp(t - torch.exp(-t))
        log_jacobian = torch.log(v * (1 + torch.exp(-t)))
    return log_trapezoid(log_f(v) + log_jacobian, v.new_tensor(8.8 / 176))


def log_tail_integrals(
    log_density: Density, location: Tensor, scale: Tensor, u: Tensor
) -> tuple[Tensor, Tensor]:
    """Log probabilities of the coordinate below and above `u`, for a density with one peak.

    The tail on the far side of the mean is integrated; the other one is its complement.

    Example:
        >>> normal = lambda u: -(u**2) / 2 - math.log(2 * math.pi) / 2
        >>> zero, one = torch.zeros(()).double(), torch.ones(()).double()
        >>> below, above = log_tail_integrals(normal, zero, one, zero - 3)
        >>> below.exp(), above.exp()
        (tensor(0.0013, dtype=torch.float64), tensor(0.9987, dtype=torch.float64))
    """
    shape = broadcast_shapes(u.shape, location.shape, scale.shape)
    start = u.expand(shape)
    direction = torch.where(start < location, -1.0, 1.0).detach()
    log_tail = _log_half_line(
        lambda v: log_density(start + direction * v), scale.detach().expand(shape)
    ).clamp(max=-1e-17)
    other = log1mexp(log_tail)
    below = direction < 0
    return torch.where(below, log_tail, other), torch.where(below, other, log_tail)


def solve_quantile(log_density: Density, location: Tensor, scale: Tensor, q: Tensor) -> Tensor:
    """The coordinate that a share `q` stays below, from the density; differentiable.

    The density is integrated between 129 points; within its cell the answer is found by
    Newton's method. The gradient in the parameters is that of an implicit function.

    Args:
        log_density: Log density of the coordinate u.
        location: Mean of the coordinate, a `batch` tensor.
        scale: Standard deviation of the coordinate, a `batch` tensor.
        q: Shares between 0 and 1, a tensor that broadcasts with the batch.

    Returns:
        Coordinates, of the broadcast shape.

    Example:
        >>> import mixlogit as ml
        >>> family = ml.strength("lognormal", mean=1.0, cv=0.5)
        >>> half = torch.tensor(0.5, dtype=torch.float64)
        >>> solve_quantile(family.log_density, *family.location_scale(), half).exp()
        tensor(0.8944, dtype=torch.float64)
    """
    u, _ = quadrature_rule(log_density, location.detach(), scale.detach(), 129)
    cells = _mass(log_density, u[:-1], u[1:])
    below = torch.cat([torch.zeros_like(cells[:1]), cells.cumsum(0)])
    shape = broadcast_shapes(q.shape, below.shape[1:])
    index = torch.zeros(shape, dtype=torch.long, device=q.device)
    for edge in below[1:-1].detach():
        index += q > edge

    def pick(table: Tensor) -> Tensor:
        aligned = table.reshape(
            len(table), *[1] * (len(shape) - table.dim() + 1), *table.shape[1:]
        )
        return aligned.expand(-1, *shape).gather(0, index.unsqueeze(0)).squeeze(0)

    left, right, start = pick(u[:-1]), pick(u[1:]), pick(below[:-1])
    with torch.no_grad():
        point = left + (right - left) * (q - start) / pick(cells).clamp(min=1e-300)
        for _ in range(8):
            excess = start + _mass(log_density, left, point) - q
            point = point - excess / log_density(point).exp().clamp(min=1e-300)
            point = torch.minimum(torch.maximum(point, left), right)
    share = start + _mass(log_density, left, point)
    return point - (share - share.detach()) / _density(log_density, point)


def _mass(log_density: Density, left: Tensor, right: Tensor) -> Tensor:
    """Integral of the density over short intervals, by Gauss-Legendre."""
    total, width = torch.zeros_like(left), right - left
    for node, weight in zip(*legendre(8), strict=True):
        total = total + weight * width * log_density(left + node * width).exp()
    return total


def _density(log_density: Density, u: Tensor) -> Tensor:
    return log_density(u).detach().exp().clamp(min=1e-300)


def implicit_quantile(log_tails: Tails, log_density: Density, u: Tensor) -> Tensor:
    """Return `u`, a solution found without gradient, with the gradient of the quantile.

    Example:
        >>> import mixlogit as ml
        >>> mean = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        >>> family = ml.strength("lognormal", mean=mean, cv=0.5)
        >>> u = torch.zeros((), dtype=torch.float64)
        >>> tails = lambda u: family.log_tails(u, u)
        >>> torch.autograd.grad(implicit_quantile(tails, family.log_density, u), mean)
        (tensor(1.0000, dtype=torch.float64),)
    """
    log_low, log_high = log_tails(u)
    share = torch.where(log_low < log_high, log_low.exp(), -log_high.exp())
    return u - (share - share.detach()) / _density(log_density, u)
