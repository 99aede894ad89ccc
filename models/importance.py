"""Heavy-tailed importance resampling from a fitted guide."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.models.joint import LogJoint
from mixlogit.models.psis import pareto_smooth

__all__ = ["Weighted", "importance_draws"]

_DEGREES = 5.0  # of the t proposals
# Towards 0 the log of a standard deviation and the logit of a lapse rate have the exponential
# tail of their priors, many standard deviations long where the data say little. This share of
# the proposals reaches so many times further along these sites.
_SHARE, _STRETCH = 0.25, 3.0
_ONE_SIDED = ("log_cv", "log_gaps", "log_scale", "logit_lapse")


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
    """Draw from multivariate t's around a guide, weight by the joint density, resample.

    Three quarters of the proposals have the guide's covariance; the others reach three times
    further along the sites with a long tail (a defensive mixture, Hesterberg 1995).
    Resampling is systematic and its order shuffled, so that draws can be read as exchangeable.

    Args:
        joint: The target.
        location: Centre, `replicate x parameter`.
        root: Root of the guide's covariance, `replicate x parameter x parameter`.
        proposals: Number of proposals.
        draws: Number of draws to return.
        generator: Source of randomness.
    """
    theta, log_proposal = _propose(joint, location, root, proposals, generator)
    with torch.no_grad():
        log_weight = joint(theta) - log_proposal
    log_weight = torch.where(torch.isfinite(log_weight), log_weight, -torch.inf)
    log_evidence = torch.logsumexp(log_weight, 0) - math.log(proposals)
    smoothed, k_hat = pareto_smooth(log_weight.T.clamp_min(-1e300))
    weight = smoothed.exp()
    effective = 1.0 / weight.square().sum(-1)
    n_replicates, size = location.shape
    start = torch.rand(n_replicates, 1, generator=generator, dtype=torch.float64)
    points = (torch.arange(draws, dtype=torch.float64) + start) / draws
    picked = torch.searchsorted(weight.cumsum(-1), points).clamp(max=proposals - 1)
    shuffle = torch.rand(n_replicates, draws, generator=generator).argsort(-1)
    picked = picked.gather(-1, shuffle).T  # draw x replicate
    chosen = theta.gather(0, picked.unsqueeze(-1).expand(-1, -1, size))
    return Weighted(chosen, k_hat, effective, log_evidence)


def _propose(
    joint: LogJoint, location: Tensor, root: Tensor, proposals: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Proposals, `draw x replicate x parameter`, and their log density, `draw x replicate`."""
    n_replicates, size = location.shape
    shape = (proposals, n_replicates)
    eps = torch.randn(*shape, size, generator=generator, dtype=torch.float64)
    chi = torch.randn(*shape, int(_DEGREES), generator=generator, dtype=torch.float64)
    mixing = (chi.square().sum(-1) / _DEGREES).rsqrt().unsqueeze(-1)
    long = [
        k
        for site in joint.sites
        if site.name.startswith(_ONE_SIDED)
        for k in range(site.start, site.stop)
    ]
    narrow = torch.linalg.cholesky(_covariance(root))
    if not long:
        steps = mixing * torch.einsum("rpq,drq->drp", narrow, eps)
        return location + steps, _log_t(steps, narrow)
    wide = torch.linalg.cholesky(_stretched(_covariance(root), long))
    share = round(_SHARE * proposals)
    steps = mixing * torch.cat(
        [
            torch.einsum("rpq,drq->drp", wide, eps[:share]),
            torch.einsum("rpq,drq->drp", narrow, eps[share:]),
        ]
    )
    part = share / proposals
    log_proposal = torch.logaddexp(
        _log_t(steps, wide) + math.log(part), _log_t(steps, narrow) + math.log1p(-part)
    )
    return location + steps, log_proposal


def _covariance(root: Tensor) -> Tensor:
    return root @ root.mT


def _stretched(covariance: Tensor, long: list[int]) -> Tensor:
    """Covariance with the marginal of some parameters wider, the rest given them unchanged."""
    across = covariance[..., long]
    inner = across[..., long, :]
    return covariance + (_STRETCH**2 - 1.0) * across @ torch.linalg.solve(inner, across.mT)


def _log_t(steps: Tensor, root: Tensor) -> Tensor:
    """Log density of a centred multivariate t with a lower triangular root of its scale."""
    size = root.shape[-1]
    standard = torch.linalg.solve_triangular(root, steps.movedim(0, -1), upper=False)
    square = standard.square().sum(-2).T  # draw x replicate
    constant = (
        math.lgamma(0.5 * (_DEGREES + size))
        - math.lgamma(0.5 * _DEGREES)
        - 0.5 * size * math.log(_DEGREES * math.pi)
    )
    log_det = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return constant - log_det - 0.5 * (_DEGREES + size) * torch.log1p(square / _DEGREES)
