"""Heavy-tailed importance resampling from a fitted guide."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.models.joint import LogJoint
from mixlogit.models.psis import pareto_smooth
from mixlogit.models.student import draw_t, log_t

__all__ = ["Weighted", "importance_draws", "weighted_draws"]

_PILOT, _WIDE = 0.3, 0.15  # shares of the proposals from the guide itself, and from it stretched
_STRETCH, _LONG = 3.0, ("normal_cv", "normal_gaps", "normal_lapse")
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

    The first proposals come from a t around the guide, some of them reaching three times further
    along cv and lapse rate, where a posterior has the long tail of its prior (a defensive
    mixture, Hesterberg 1995). The others come from a t with the moments that those gave, which
    repairs a guide that is too narrow or off the mean. All are weighted against the mixture
    (adaptive multiple importance sampling, Cornuet et al. 2012). Resampling is systematic and its
    order shuffled, so that draws can be read as exchangeable.

    Args:
        joint: The target.
        location: Centre, `replicate x parameter`.
        root: Root of the guide's covariance, `replicate x parameter x parameter`.
        proposals: Number of proposals.
        draws: Number of draws to return.
        generator: Source of randomness.
    """
    covariance = root @ root.mT
    parts = [
        (round(_PILOT * proposals), location, torch.linalg.cholesky(covariance)),
        (round(_WIDE * proposals), location, torch.linalg.cholesky(_stretched(joint, covariance))),
    ]
    theta = torch.cat([draw_t(*part[1:], part[0], generator) for part in parts])
    with torch.no_grad():
        target = joint(theta)
    matched = _matched(theta, target - _log_mixture(theta, parts), *parts[0][1:])
    parts.append((proposals - len(theta), *matched))
    more = draw_t(*matched, proposals - len(theta), generator)
    with torch.no_grad():
        target = torch.cat([target, joint(more)])
    theta = torch.cat([theta, more])
    return weighted_draws(theta, target - _log_mixture(theta, parts), draws, generator)


def weighted_draws(
    theta: Tensor, log_weight: Tensor, draws: int, generator: torch.Generator
) -> Weighted:
    """Smooth the weights of proposals and resample them.

    Args:
        theta: Proposals, `draw x replicate x parameter`.
        log_weight: Log target minus log proposal, `draw x replicate`.
        draws: Number of draws to return.
        generator: Source of randomness.
    """
    log_weight = torch.where(torch.isfinite(log_weight), log_weight, -torch.inf)
    log_evidence = torch.logsumexp(log_weight, 0) - math.log(len(theta))
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


def _log_mixture(theta: Tensor, parts: list[tuple[int, Tensor, Tensor]]) -> Tensor:
    """Log density of draws from t's, each given by its number of draws, location and root."""
    total = sum(count for count, _, _ in parts)
    each = [log_t(theta, *part)[0] + math.log(count / total) for count, *part in parts if count]
    return torch.logsumexp(torch.stack(each), 0)


def _stretched(joint: LogJoint, covariance: Tensor) -> Tensor:
    """Covariance with wider marginals of the sites in `_LONG`, the others given them unchanged."""
    sites = [site for site in joint.sites if site.name in _LONG]
    long = [k for site in sites for k in range(site.start, site.stop)]
    if not long:
        return covariance
    across = covariance[..., long]
    gain = torch.linalg.solve(across[..., long, :], across.mT)
    stretched: Tensor = covariance + (_STRETCH**2 - 1.0) * across @ gain
    return stretched


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
