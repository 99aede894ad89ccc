"""Standard normal coordinates of half-normal and beta priors."""

import math
from typing import Any

import torch
from scipy.special import betaincinv, ndtr
from torch import Tensor

__all__ = ["beta_from_normal", "half_normal_from_normal"]


def half_normal_from_normal(x: Tensor, scale: float) -> Tensor:
    """The half-normal variable with the same quantile as a standard normal one.

    If x ~ Normal(0, 1) then the result ~ HalfNormal(scale).

    Args:
        x: Standard normal values, any shape.
        scale: Scale of the half-normal distribution.

    Returns:
        Values of the shape of x, rising in x; accurate relative to their size in both tails.

    Example:
        >>> x = torch.tensor(0.0, dtype=torch.float64)
        >>> round(float(half_normal_from_normal(x, 1.0)), 4)
        0.6745
    """
    low, high = x.clamp(max=0.5), x.clamp(0.0, 37.0)
    # by erfc: torch's own normal distribution function cancels in its lower tail
    below = math.sqrt(2.0) * torch.erfinv(0.5 * torch.erfc(-low / math.sqrt(2.0)))
    above = -torch.special.ndtri(0.25 * torch.erfc(high / math.sqrt(2.0)))
    return scale * torch.where(x < 0.25, below, above)


def beta_from_normal(x: Tensor, a: float, b: float) -> Tensor:
    """The beta variable with the same quantile as a standard normal one.

    If x ~ Normal(0, 1) then the result ~ Beta(a, b).

    Args:
        x: Standard normal values, any shape.
        a: First parameter of the beta distribution.
        b: Second parameter.

    Returns:
        Values of the shape of x, rising in x, differentiable as often as needed.

    Example:
        >>> x = torch.tensor(0.0, dtype=torch.float64)
        >>> round(float(beta_from_normal(x, 1.0, 9.0)), 4)  # 1 - 0.5 ** (1 / 9)
        0.0741
    """
    if a == 1.0:  # closed form, exact in both tails
        return -torch.expm1(torch.special.log_ndtr(-x) / b)
    out: Tensor = _BetaQuantile.apply(x, a, b)  # type: ignore[no-untyped-call]  # as torch has it
    return out


class _BetaQuantile(torch.autograd.Function):
    """Inverse of the incomplete beta function at the normal distribution function of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: float, b: float) -> Tensor:
        p = betaincinv(a, b, ndtr(x.detach().numpy()))
        out = torch.as_tensor(p, dtype=torch.float64).clamp(1e-300, 1 - 1e-16)
        ctx.save_for_backward(x)
        ctx.shape = a, b
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        a, b = ctx.shape
        rate = beta_from_normal(x, a, b)  # anew, so that this derivative has derivatives too
        log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
        log_density = (a - 1) * rate.log() + (b - 1) * torch.log1p(-rate) - log_beta
        log_normal = -0.5 * (x.square() + math.log(2 * math.pi))
        return grad * torch.exp(log_normal - log_density), None, None
