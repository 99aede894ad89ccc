"""Heavy-tailed importance resampling from a fitted guide."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.models.joint import LogJoint
from mixlogit.models.psis import pareto_smooth

__all__ = ["Weighted", "importance_draws"]

_DEGREES = 5.0  # of the t proposals
_PILOT = 0.4  # share of the proposals that is drawn from the guide itself
_TRUST = (
    5.0  # effective pilot draws a parameter at which their moments count as much as the guide's
)


@dataclass(frozen=True, eq=False)
class Weighted:
    """Importance draws, and what they say of the proposal.

    Attributes:
        theta: Resampled draws, `draw x replicate x parameter`.
        k_hat: Pareto k of the weights, `replicate`.
        effective: Effective number of proposal draws, `replicate`.
        log_evidence: Log marginal likelihood, `replicate`, nats.
        log_weight: Of every proposal, not smoothed, `draw x replicate`.
    """

    theta: Tensor
    k_hat: Tensor
    effective: Tensor
    log_evidence: Tensor
    log_weight: Tensor


def importance_draws(
    joint: LogJoint,
    location: Tensor,
    root: Tensor,
    *,
    proposals: int,
    draws: int,
    generator: torch.Generator,
) -> Weighted:
    """Draw from multivariate t distributions, weight by the joint density, resample.

    The first proposals come from a t around the guide; the others from a t with the moments that
    those gave, which repairs a guide that is too narrow or off the posterior's mean. All are
    weighted against the mixture (adaptive multiple importance sampling, Cornuet et al. 2012).
    Resampling is systematic and its order shuffled, so that draws can be read as exchangeable.

    Args:
        joint: The target.
        location: Centre, `replicate x parameter`.
        root: Root of the guide's covariance, `replicate x parameter x parameter`.
        proposals: Number of proposals.
        draws: Number of draws to return.
        generator: Source of randomness.
    """
    n_pilot = round(_PILOT * proposals)
    first = location, torch.linalg.cholesky(root @ root.mT)
    theta = _draw(*first, n_pilot, generator)
    with torch.no_grad():
        target = joint(theta)
    second = _matched(theta, target - _log_t(theta, *first), *first)
    more = _draw(*second, proposals - n_pilot, generator)
    with torch.no_grad():
        target = torch.cat([target, joint(more)])
    theta = torch.cat([theta, more])
    share = n_pilot / proposals
    log_weight = target - torch.logaddexp(
        _log_t(theta, *first) + math.log(share), _log_t(theta, *second) + math.log1p(-share)
    )
    log_weight = torch.where(torch.isfinite(log_weight), log_weight, -torch.inf)
    log_evidence = torch.logsumexp(log_weight, 0) - math.log(proposals)
    smoothed, k_hat = pareto_smooth(log_weight.T.clamp_min(-1e300))
    weight = smoothed.exp()
    picked = _resample(weight, draws, generator)
    chosen = theta.gather(0, picked.unsqueeze(-1).expand(-1, -1, theta.shape[-1]))
    return Weighted(chosen, k_hat, 1.0 / weight.square().sum(-1), log_evidence, log_weight)


def _resample(weight: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Indices by systematic resampling of `replicate x proposal` weights: `draw x replicate`."""
    n_replicates, proposals = weight.shape
    start = torch.rand(n_replicates, 1, generator=generator, dtype=torch.float64)
    points = (torch.arange(draws, dtype=torch.float64) + start) / draws
    picked = torch.searchsorted(weight.cumsum(-1), points).clamp(max=proposals - 1)
    shuffle = torch.rand(n_replicates, draws, generator=generator).argsort(-1)
    return picked.gather(-1, shuffle).T


def _draw(location: Tensor, root: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draws of a multivariate t: `draw x replicate x parameter`."""
    shape = (count, *location.shape)
    eps = torch.randn(shape, generator=generator, dtype=torch.float64)
    chi = torch.randn(*shape[:2], int(_DEGREES), generator=generator, dtype=torch.float64)
    mixing = (chi.square().sum(-1) / _DEGREES).rsqrt()
    return location + mixing.unsqueeze(-1) * torch.einsum("rpq,drq->drp", root, eps)


def _log_t(theta: Tensor, location: Tensor, root: Tensor) -> Tensor:
    """Log density of a multivariate t: `draw x replicate`.

    Args:
        theta: `draw x replicate x parameter`.
        location: `replicate x parameter`.
        root: Lower triangular root of the scale, `replicate x parameter x parameter`.
    """
    size = root.shape[-1]
    steps = (theta - location).permute(1, 2, 0)
    square = torch.linalg.solve_triangular(root, steps, upper=False).square().sum(-2).T
    constant = (
        math.lgamma(0.5 * (_DEGREES + size))
        - math.lgamma(0.5 * _DEGREES)
        - 0.5 * size * math.log(_DEGREES * math.pi)
    )
    log_det = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return constant - log_det - 0.5 * (_DEGREES + size) * torch.log1p(square / _DEGREES)


def _matched(
    theta: Tensor, log_weight: Tensor, location: Tensor, root: Tensor
) -> tuple[Tensor, Tensor]:
    """Location and root with the moments of weighted draws, as far as those can be trusted."""
    log_weight = torch.where(torch.isfinite(log_weight), log_weight, -torch.inf)
    smoothed = pareto_smooth(log_weight.T.clamp_min(-1e300))[0]
    weight = smoothed.exp().T.unsqueeze(-1)  # draw x replicate x 1
    trust = 1.0 / weight.square().sum(0)
    trust = trust / (trust + _TRUST * theta.shape[-1])
    mean = (weight * theta).sum(0)
    steps = theta - mean
    covariance = torch.einsum("drp,drq->rpq", weight * steps, steps)
    trust2 = trust.unsqueeze(-1)
    mixed = trust2 * covariance + (1 - trust2) * (root @ root.mT)
    return location + trust * (mean - location), torch.linalg.cholesky(mixed)
