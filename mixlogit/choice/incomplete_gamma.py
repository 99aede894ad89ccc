"""The gamma distribution of log strength: density, both tails, quantile; differentiable in k.

Everything is for a gamma variable of shape k and mean 1, at w = log of the variable.
"""

import math

import torch
from torch import Tensor

from mixlogit.choice.shapes import broadcast_tensors, fill
from mixlogit.choice.special import legendre, log1mexp

__all__ = ["log_gamma_density", "log_gamma_quantile", "log_gamma_tails"]

_SERIES_SHAPE = 40.0  # below: power series; above: Gauss-Legendre
_DROP = 40.0


def _log_constant(k: Tensor) -> Tensor:
    """Log of k^k exp(-k) / Gamma(k), by Stirling's series for large k, where it cancels."""
    small = k.clamp(max=20.0)
    large = k.clamp(min=20.0)
    exact = torch.xlogy(small, small) - small - torch.lgamma(small)
    r = 1 / large**2
    series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / large
    return torch.where(k < 20.0, exact, torch.log(large / (2 * math.pi)) / 2 - series)


def log_gamma_density(k: Tensor, w: Tensor) -> Tensor:
    """Log density of w, `k (w - exp(w)) + k log k - lgamma(k)`, without cancellation.

    Example:
        >>> log_gamma_density(torch.tensor(1.0).double(), torch.tensor(0.0).double())
        tensor(-1., dtype=torch.float64)
    """
    w = w.clamp(max=300.0)
    return k * (w - torch.expm1(w)) + _log_constant(k)


def _legendre(like: Tensor) -> tuple[Tensor, Tensor]:
    nodes, weights = (like.new_tensor(x) for x in legendre(48))
    size = [-1] + [1] * like.dim()
    return nodes.reshape(size), weights.reshape(size)


def _log_integral(exponent: Tensor, weights: Tensor, width: Tensor) -> Tensor:
    return torch.logsumexp(exponent + weights.log(), 0) + width.log()


def _lower_series(k: Tensor, w: Tensor) -> Tensor:
    """Log of P / density = sum of x^n / (k (k+1) ... (k+n)), x < max(k, 1); DLMF 8.11.4."""
    x = k * torch.exp(w)
    term = 1 / k
    total = term
    for n in range(1, math.ceil(20 + 9 * math.sqrt(float(k.detach().max())))):
        term = term * x / (k + n)
        total = total + term
    return torch.log(total)


def _lower_integral(k: Tensor, w: Tensor) -> Tensor:
    """Log of P / density = integral over v > 0 of exp(-k v + x (1 - exp(-v))), x = k exp(w)."""
    gap = -k * torch.expm1(w)
    x = k * torch.exp(w)
    with torch.no_grad():
        width = torch.minimum(_DROP / gap.clamp(min=1e-300), 1.3 * (2 * _DROP / k).sqrt())
        width = torch.maximum(width, _DROP / k)
    nodes, weights = _legendre(k + w)
    v = nodes * width
    return _log_integral(-gap * v + x * (-torch.expm1(-v) - v), weights, width)


def _upper_integral(k: Tensor, w: Tensor) -> Tensor:
    """Log of Q / density = integral over v > 0 of exp(k v - x (exp(v) - 1)), x = k exp(w)."""
    gap = k * torch.expm1(w)
    x = k * torch.exp(w)
    with torch.no_grad():
        width = torch.minimum(_DROP / gap.clamp(min=1e-300), (2 * _DROP / x).sqrt())
        width = torch.minimum(width, torch.log(1 + 1.7 * _DROP / x).clamp(min=2.0))
    nodes, weights = _legendre(k + w)
    v = nodes * width
    return _log_integral(-gap * v - x * (torch.expm1(v) - v), weights, width)


def log_gamma_tails(k: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Log probabilities below and above w, relatively accurate in both tails.

    One tail is the density times an integral of moderate size; the other is its complement.

    Args:
        k: Shape, 1e-3 and above.
        w: Log of the variable of mean 1.

    Returns:
        Log P(k, x) and log Q(k, x), the regularised incomplete gamma functions at x = k exp(w).

    Example:
        >>> below, above = log_gamma_tails(torch.tensor(1.0).double(), torch.tensor(1.0).double())
        >>> below.exp(), above.exp()
        (tensor(0.9340, dtype=torch.float64), tensor(0.0660, dtype=torch.float64))
    """
    k, w = broadcast_tensors(k, w)
    w = w.clamp(max=300.0)
    log_f = log_gamma_density(k, w)
    with torch.no_grad():
        upper = w >= torch.log(k).neg().clamp(min=0.0)  # x >= max(k, 1)
        few = ~upper & (k < _SERIES_SHAPE)
    ratio = fill(torch.zeros_like(log_f), upper, _upper_integral, k, w)
    ratio = fill(ratio, few, _lower_series, k, w)
    ratio = fill(ratio, ~upper & ~few, _lower_integral, k, w)
    tail = (log_f + ratio).clamp(max=-1e-17)
    other = log1mexp(tail)
    return torch.where(upper, other, tail), torch.where(upper, tail, other)


def log_gamma_quantile(k: Tensor, q: Tensor) -> Tensor:
    """The w below which a share `q` lies; no gradient. Finite where the variable underflows.

    Example:
        >>> log_gamma_quantile(torch.tensor(1.0).double(), torch.tensor(0.5).double()).exp()
        tensor(0.6931, dtype=torch.float64)
    """
    from scipy.special import gammainccinv, gammaincinv

    k, q = (x.detach() for x in broadcast_tensors(k, q))
    shape, share = k.cpu().numpy(), q.cpu().numpy()
    low = torch.as_tensor(gammaincinv(shape, share), dtype=k.dtype, device=k.device)
    high = torch.as_tensor(gammainccinv(shape, 1 - share), dtype=k.dtype, device=k.device)
    x = torch.where(q < 0.5, low, high)
    # P(k, x) is x^k / Gamma(k + 1) for small x
    small = (q.log() + torch.lgamma(k + 1)) / k
    return torch.where(x > 1e-280, torch.log(x), small) - torch.log(k)
