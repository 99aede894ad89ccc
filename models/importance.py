"""Heavy-tailed importance resampling from a fitted guide."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.models.joint import LogJoint
from mixlogit.models.psis import pareto_smooth

__all__ = ["Weighted", "importance_draws"]

_DEGREES = 5.0  # of the t proposal: heavier than the exponential tail of log cv towards -inf


@dataclass(frozen=True, eq=False)
class Weighted:
    """Importance draws, and what they say of the proposal.

    Attributes:
        theta: Resampled draws, `draw x replicate x parameter`.
        k_hat: Pareto k of the weights, `replicate`.
        effective: Effective number of proposal draws, `replicate`.
        log_evidence: Log marginal likelihood, `replicate`, nats.
    """

    theta: Tensor
    k_hat: Tensor
    effective: Tensor
    log_evidence: Tensor


def importance_draws(
    joint: LogJoint,
    location: Tensor,
    root: Tensor,
    *,
    proposals: int,
    draws: int,
    generator: torch.Generator,
) -> Weighted:
    """Draw from a multivariate t around a guide, weight by the joint density, resample.

    Resampling is systematic and its order shuffled, so that draws can be read as exchangeable.

    Args:
        joint: The target.
        location: Centre, `replicate x parameter`.
        root: Root of the guide's covariance, `replicate x parameter x parameter`.
        proposals: Number of proposals.
        draws: Number of draws to return.
        generator: Source of randomness.
    """
    n_replicates, size = location.shape
    eps = torch.randn(proposals, n_replicates, size, generator=generator, dtype=torch.float64)
    chi = torch.randn(
        proposals, n_replicates, int(_DEGREES), generator=generator, dtype=torch.float64
    )
    mixing = (chi.square().sum(-1) / _DEGREES).rsqrt()
    theta = location + mixing.unsqueeze(-1) * torch.einsum("rpq,drq->drp", root, eps)
    standard = (eps * mixing.unsqueeze(-1)).square().sum(-1)
    log_proposal = (
        torch.lgamma(torch.tensor(0.5 * (_DEGREES + size)))
        - torch.lgamma(torch.tensor(0.5 * _DEGREES))
        - 0.5 * size * torch.log(torch.tensor(_DEGREES * torch.pi))
        - torch.linalg.slogdet(root)[1]
        - 0.5 * (_DEGREES + size) * torch.log1p(standard / _DEGREES)
    )
    with torch.no_grad():
        log_weight = joint(theta) - log_proposal
    log_weight = torch.where(torch.isfinite(log_weight), log_weight, -torch.inf)
    log_evidence = torch.logsumexp(log_weight, 0) - torch.log(torch.tensor(float(proposals)))
    smoothed, k_hat = pareto_smooth(log_weight.T.clamp_min(-1e300))
    weight = smoothed.exp()
    effective = 1.0 / weight.square().sum(-1)
    start = torch.rand(n_replicates, 1, generator=generator, dtype=torch.float64)
    points = (torch.arange(draws, dtype=torch.float64) + start) / draws
    picked = torch.searchsorted(weight.cumsum(-1), points).clamp(max=proposals - 1)
    shuffle = torch.rand(n_replicates, draws, generator=generator).argsort(-1)
    picked = picked.gather(-1, shuffle).T  # draw x replicate
    chosen = theta.gather(0, picked.unsqueeze(-1).expand(-1, -1, size))
    return Weighted(chosen, k_hat, effective, log_evidence)
