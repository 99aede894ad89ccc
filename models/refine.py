"""Importance resampling from a mixture of t distributions, where one does not fit.

Effects of groups times their scale, or a lapse rate beside the spread, give posteriors that bend.
Population Monte Carlo moulds a mixture to them in a few rounds (Cappe et al. 2008, Statistics and
Computing 18:447); NUTS, which takes minutes there, is needed only where this fails too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.models.importance import Weighted, weighted_draws
from mixlogit.models.joint import LogJoint
from mixlogit.models.psis import pareto_smooth
from mixlogit.models.student import DEGREES, draw_t, log_t

__all__ = ["refined_draws"]

_COMPONENTS, _ROUNDS, _PER_ROUND = 8, 4, 2000
_WIDE = 0.1  # share of a component that keeps its place, with twice the posterior's covariance
_WIDER = 1.3  # components are drawn wider than what they are moulded to: bounded weights
_TRUST = 2.0  # effective draws a parameter at which a component's covariance counts half


@dataclass(frozen=True, eq=False)
class _Mixture:
    """Shares (`component`), centres and lower roots of t's; the first keeps its place."""

    share: Tensor
    centre: Tensor
    root: Tensor


def refined_draws(
    joint: LogJoint, pilot: Tensor, *, chains: int, draws: int, generator: torch.Generator
) -> list[Weighted]:
    """Mould a mixture of t's to the posterior, then weight and resample draws from it.

    Args:
        joint: The target, without replicates.
        pilot: Draws that lie roughly where the posterior does, `draw x parameter`.
        chains: Independent sets of proposals from the final mixture.
        draws: Proposals, and draws returned, of each.
        generator: Source of randomness.

    Returns:
        Weighted draws of each chain.
    """
    covariance = torch.cov(pilot.T).reshape(joint.size, joint.size)
    mixture = _start(pilot, covariance, generator)
    for _ in range(_ROUNDS):
        theta, log_weight = _proposed(joint, mixture, _PER_ROUND, generator)
        mixture = _moulded(mixture, theta, pareto_smooth(log_weight.T)[0][0], covariance)
    out = []
    for _ in range(chains):
        theta, log_weight = _proposed(joint, mixture, draws, generator)
        out.append(weighted_draws(theta.unsqueeze(1), log_weight, draws, generator))
    return out


def _start(pilot: Tensor, covariance: Tensor, generator: torch.Generator) -> _Mixture:
    """Components around draws of the pilot, moulded to it, and a wide one around its mean."""
    n = len(pilot)
    centres = pilot[torch.randperm(n, generator=generator)[:_COMPONENTS]]
    centre = torch.cat([pilot.mean(0, keepdim=True), centres])
    share = torch.full((len(centre),), (1 - _WIDE) / len(centres), dtype=torch.float64)
    share[0] = _WIDE
    root = torch.linalg.cholesky(0.5 * covariance).repeat(len(centre), 1, 1)
    root[0] *= 2.0
    equal = torch.zeros(n, dtype=torch.float64).log_softmax(0)
    return _moulded(_Mixture(share, centre, root), pilot, equal, covariance, steps=8)


def _log_parts(mixture: _Mixture, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Log share plus log density of each component, and squared distances: `draw x component`."""
    log_p, square = log_t(theta.unsqueeze(1), mixture.centre, mixture.root)
    return log_p + mixture.share.log(), square


def _proposed(
    joint: LogJoint, mixture: _Mixture, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draws from a mixture, `draw x parameter`, and their log weights, `draw x 1`."""
    which = torch.multinomial(mixture.share, count, replacement=True, generator=generator)
    each = draw_t(mixture.centre, mixture.root, count, generator)
    theta = each[torch.arange(count), which]
    with torch.no_grad():
        target = joint(theta.unsqueeze(1))
    log_weight = target - torch.logsumexp(_log_parts(mixture, theta)[0], -1, keepdim=True)
    return theta, torch.where(torch.isfinite(log_weight), log_weight, -1e300)


def _moulded(
    mixture: _Mixture, theta: Tensor, log_weight: Tensor, covariance: Tensor, steps: int = 3
) -> _Mixture:
    """EM steps for a mixture of t's on weighted draws; the first component stays.

    A component that few draws support takes its covariance from the whole posterior's.

    Args:
        mixture: Where to begin.
        theta: Draws, `draw x parameter`.
        log_weight: Normalised log weights, `draw`.
        covariance: Of the posterior, `parameter x parameter`.
        steps: Number of steps.
    """
    size = theta.shape[-1]
    weight = log_weight.exp().unsqueeze(-1)
    for _ in range(steps):
        log_part, square = _log_parts(mixture, theta)
        member = (weight * torch.softmax(log_part, -1))[:, 1:]
        total = member.sum(0).clamp_min(1e-9)
        share = total.clamp_min(1e-3)
        tight = member * (DEGREES + size) / (DEGREES + square[:, 1:])
        centre = (tight.T @ theta) / tight.sum(0).clamp_min(1e-9).unsqueeze(-1)
        away = theta - centre.unsqueeze(1)  # component x draw x parameter
        spread = _WIDER * torch.einsum("dc,cdp,cdq->cpq", tight / total, away, away)
        support = total.square() / member.square().sum(0).clamp_min(1e-18)
        trust = (support / (support + _TRUST * size)).view(-1, 1, 1)
        root = torch.linalg.cholesky(trust * spread + (1 - trust) * covariance)
        mixture = _Mixture(
            torch.cat([mixture.share[:1], (1 - _WIDE) * share / share.sum()]),
            torch.cat([mixture.centre[:1], centre]),
            torch.cat([mixture.root[:1], root]),
        )
    return mixture
