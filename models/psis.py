"""Pareto-smoothed importance sampling (Vehtari et al. 2024, JMLR 25:72)."""

import math

import torch
from torch import Tensor

__all__ = ["pareto_smooth"]


def pareto_smooth(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth the largest importance weights by a generalised Pareto distribution.

    Args:
        log_weights: `... x draw`, log target minus log proposal.

    Returns:
        Normalised smoothed log weights (`... x draw`) and the shape k-hat (`...`): below 0.5
        good, to 0.7 usable, above that the proposal misses part of the target.

    Example:
        >>> x = torch.randn(4000, generator=torch.Generator().manual_seed(1)).double()
        >>> k = pareto_smooth(0.3 * x)[1]
        >>> bool(k < 0.4)
        True
    """
    n = log_weights.shape[-1]
    shifted = log_weights - log_weights.amax(-1, keepdim=True)
    tail = min(n // 5, math.ceil(3 * math.sqrt(n)))
    top, where = (part.flip(-1) for part in torch.topk(shifted, tail + 1, dim=-1))
    cut, largest, where = top[..., :1].exp(), top[..., 1:], where[..., 1:]
    excess = (largest.exp() - cut).clamp_min(1e-300)
    k, sigma = _fit_pareto(excess)
    # a tail without spread (all weights alike) has nothing to smooth
    usable = excess[..., -1] > 1e-12 * cut[..., 0]
    k = torch.where(usable, k, -math.inf)
    p = (torch.arange(tail, dtype=log_weights.dtype) + 0.5) / tail
    kk = torch.where(k.abs() < 1e-8, 1e-8, k).unsqueeze(-1)
    smooth = (cut + sigma.unsqueeze(-1) * torch.expm1(-kk * torch.log1p(-p)) / kk).log()
    smooth = torch.where(usable.unsqueeze(-1), smooth.clamp(max=0.0), largest)
    out = shifted.scatter(-1, where, smooth)
    return out - torch.logsumexp(out, -1, keepdim=True), k


def _fit_pareto(excess: Tensor) -> tuple[Tensor, Tensor]:
    """Shape and scale of a generalised Pareto (Zhang and Stephens 2009), with a weak prior.

    Args:
        excess: `... x point`, rising and positive.
    """
    n = excess.shape[-1]
    m = 30 + int(math.sqrt(n))
    index = torch.arange(1, m + 1, dtype=excess.dtype)
    quartile = excess[..., int(n / 4 + 0.5) - 1].unsqueeze(-1)
    b = 1 / excess[..., -1:] + (1 - torch.sqrt(m / (index - 0.5))) / (3 * quartile)
    shape = torch.log1p(-b.unsqueeze(-1) * excess.unsqueeze(-2)).mean(-1)
    profile = n * (torch.log(-b / shape) - shape - 1)
    weight = torch.softmax(profile, -1)
    b_hat = (b * weight).sum(-1, keepdim=True)
    k = torch.log1p(-b_hat * excess).mean(-1)
    sigma = -k / b_hat.squeeze(-1)
    return (n * k + 5.0) / (n + 10.0), sigma  # prior: 10 observations with k = 0.5
