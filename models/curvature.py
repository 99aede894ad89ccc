"""The Hessian with many utilities, from complete-data scores (Louis 1982)."""

import torch
from torch import Tensor

from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.utility import UtilityLikelihood, latent_margins
from mixlogit.models.joint import LogJoint
from mixlogit.models.outcome_curvature import judged_item_block
from mixlogit.models.sites import Sampled

__all__ = ["utility_hessian"]

_ELEMENTS = 20_000_000  # respondents x items x nodes worked on at once


def utility_hessian(joint: LogJoint, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log joint density of latent item utilities, its gradient and Hessian, at one value.

    The block of the utilities is `E_w[second derivative] + Cov_w[score]`, summed over
    respondents, with w the posterior weights of the nodes of strength: matrix products in place
    of one backward pass for each item. The rows of the other parameters come from autograd.

    Args:
        joint: A program with latent item utilities.
        theta: `1 x parameter`.

    Returns:
        Value (1), gradient (`1 x parameter`) and Hessian (`1 x parameter x parameter`).
    """
    theta = theta.detach().requires_grad_()
    value = joint(theta.unsqueeze(0))[0]
    (gradient,) = torch.autograd.grad(value.sum(), theta, create_graph=True)
    hessian = torch.zeros(joint.size, joint.size, dtype=torch.float64)
    site = next(site for site in joint.sites if site.name == "utilities_free")
    own = torch.arange(site.start, site.stop)
    others = [p for p in range(joint.size) if not site.start <= p < site.stop]
    for p in others:
        row = torch.autograd.grad(gradient[0, p], theta, retain_graph=True)[0][0]
        hessian[p], hessian[:, p] = row, row
    with torch.no_grad():
        judged = isinstance(joint.likelihood, OutcomeLikelihood)
        block = (judged_item_block if judged else _item_block)(joint, theta.detach())
        basis = joint.spec.utility_basis
        assert basis is not None
        inside = basis @ block @ basis.T
        inside -= torch.eye(len(own), dtype=torch.float64) / joint.spec.priors.utility_sd**2
        hessian[own.unsqueeze(-1), own] = inside
    hessian = 0.5 * (hessian + hessian.T)
    return value.detach(), gradient.detach(), hessian.unsqueeze(0)


def _item_block(joint: LogJoint, theta: Tensor) -> Tensor:
    """Second derivatives of the log-likelihood in the item utilities: `item x item`."""
    likelihood = joint.likelihood
    assert isinstance(likelihood, UtilityLikelihood)
    rows, sampled = likelihood.rows, joint.sampled(theta.unsqueeze(0))
    assert sampled.utilities is not None
    assert rows.first is not None
    assert rows.second is not None
    n_items = sampled.utilities.shape[-1]
    margin = latent_margins(rows, sampled.utilities)
    total = torch.zeros(n_items, n_items, dtype=torch.float64)
    if not likelihood.panel:
        _add_pairs(total, rows.first, rows.second, _own_bend(likelihood, sampled, margin))
        return total
    strengths, log_mass = likelihood.nodes(sampled.family, sampled.lapse, margin)
    b, weight = strengths[0], torch.softmax(log_mass[0], -1)  # respondent x node
    lapse = 0.0 if sampled.lapse is None else sampled.lapse[0, 0]
    at_once = max(1, _ELEMENTS // (n_items * b.shape[-1]))
    for start in range(0, len(b), at_once):
        low, high = torch.searchsorted(rows.respondent, torch.tensor([start, start + at_once]))
        part = slice(int(low), int(high))
        member = rows.respondent[part] - start
        first, second = rows.first[part], rows.second[part]
        chosen = slice(start, start + at_once)
        strength, share = b[chosen], weight[chosen]
        p = torch.sigmoid(strength[member] * margin[0, part].unsqueeze(-1)).clamp_min(1e-300)
        slope = (1 - lapse) * p * (1 - p) / (lapse / 2 + (1 - lapse) * p)
        bend = slope * (1 - 2 * p) - slope.square()
        counted = rows.weight[part].unsqueeze(-1) * strength[member]
        direct = (share[member] * counted * strength[member] * bend).sum(-1)
        _add_pairs(total, first, second, direct)
        scores = torch.zeros(len(strength) * n_items, b.shape[-1], dtype=torch.float64)
        scores.index_add_(0, member * n_items + first, counted * slope)
        scores.index_add_(0, member * n_items + second, -counted * slope)
        scores = scores.view(len(strength), n_items, -1)
        mean = (scores * share.unsqueeze(1)).sum(-1)
        spread = (scores * share.sqrt().unsqueeze(1)).movedim(1, -1).reshape(-1, n_items)
        total += spread.T @ spread - mean.T @ mean
    return total


def _own_bend(likelihood: UtilityLikelihood, sampled: Sampled, margin: Tensor) -> Tensor:
    """Second derivative of each comparison's log-likelihood in its margin, without a panel."""
    with torch.enable_grad():
        free = margin.detach().requires_grad_()
        total = likelihood.each_comparison(sampled.family, sampled.lapse, free).sum()
        (slope,) = torch.autograd.grad(total, free, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), free)
    return bend[0]


def _add_pairs(total: Tensor, first: Tensor, second: Tensor, value: Tensor) -> None:
    """Add `value x x^T` with x = e_first - e_second for each comparison, in place."""
    flat, n = total.view(-1), total.shape[-1]
    for left, right, sign in (
        (first, first, 1.0),
        (second, second, 1.0),
        (first, second, -1.0),
        (second, first, -1.0),
    ):
        flat.index_add_(0, left * n + right, sign * value)
