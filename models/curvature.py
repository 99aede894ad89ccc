"""The Hessian with many utilities, from complete-data scores (Louis 1982)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.outcomes import TieModel
from mixlogit.choice.utility import UtilityLikelihood, latent_margins
from mixlogit.models.joint import LogJoint
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
        block = (_judged_item_block if judged else _item_block)(joint, theta.detach())
        basis = joint.spec.utility_basis
        assert basis is not None
        inside = basis @ block @ basis.T
        inside -= torch.eye(len(own), dtype=torch.float64) / joint.spec.priors.utility_sd**2
        hessian[own.unsqueeze(-1), own] = inside
    hessian = 0.5 * (hessian + hessian.T)
    return value.detach(), gradient.detach(), hessian.unsqueeze(0)


def _item_block(joint: LogJoint, theta: Tensor) -> Tensor:
    """Second derivatives of the log-likelihood of choices in the utilities: `item x item`."""
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
    for part, people, member in _parts(rows.respondent, n_items, b):
        strength, share = b[people][member], weight[people]
        p = torch.sigmoid(strength * margin[0, part].unsqueeze(-1)).clamp_min(1e-300)
        slope = (1 - lapse) * p * (1 - p) / (lapse / 2 + (1 - lapse) * p)
        bend = slope * (1 - 2 * p) - slope.square()
        counted, items = rows.weight[part].unsqueeze(-1), (rows.first[part], rows.second[part])
        score, curve = counted * strength * slope, counted * strength.square() * bend
        _add_people(total, items, member, share, score, curve)
    return total


def _judged_item_block(joint: LogJoint, theta: Tensor) -> Tensor:
    """The same of ties or grades; the nodes are over strength and the respondent's own width."""
    likelihood, sampled = joint.likelihood, joint.sampled(theta.unsqueeze(0))
    assert isinstance(likelihood, OutcomeLikelihood)
    judged = likelihood.judged
    assert judged.item is not None
    assert sampled.utilities is not None
    strengths, widths, log_mass = (part[0] for part in likelihood.joint_nodes(*sampled))
    shape = log_mass.shape
    weight = torch.softmax(log_mass.flatten(1), -1)
    b = strengths.unsqueeze(-1).expand(shape).flatten(1)
    width = widths.unsqueeze(1).expand(shape).flatten(1)
    margin = judged.margins(sampled.utilities, True)[0]
    n_items = sampled.utilities.shape[-1]
    total = torch.zeros(n_items, n_items, dtype=torch.float64)
    for part, people, member in _parts(judged.respondent, n_items, b):
        strength, wide = b[people][member], width[people][member]
        slope, bend = _derivatives(likelihood, part, margin[part], strength, wide, sampled)
        counted, (first, second) = judged.weight[part].unsqueeze(-1), judged.item[part].unbind(-1)
        score, curve = counted * strength * slope, counted * strength.square() * bend
        _add_people(total, (first, second), member, weight[people], score, curve)
    return total


def _parts(
    respondent: Tensor, n_items: int, nodes: Tensor
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows and respondents worked on at once, and the place of each row's respondent in them."""
    at_once = max(1, _ELEMENTS // (n_items * nodes.shape[-1]))
    for start in range(0, len(nodes), at_once):
        ends = torch.searchsorted(respondent, torch.tensor([start, start + at_once])).tolist()
        rows = slice(*ends)
        yield rows, slice(start, start + at_once), respondent[rows] - start


def _add_people(
    total: Tensor,
    items: tuple[Tensor, Tensor],
    member: Tensor,
    share: Tensor,
    score: Tensor,
    curve: Tensor,
) -> None:
    """Add `E_w[second derivative] + Cov_w[score]` of some respondents, in place.

    Args:
        total: `item x item`.
        items: What was preferred and the other, `row`-vectors.
        member: Respondent of each row.
        share: The weights w, `respondent x node`.
        score: Derivative of each row's log probability in its margin, `row x node`.
        curve: Second derivative in it, `row x node`.
    """
    first, second = items
    _add_pairs(total, first, second, (share[member] * curve).sum(-1))
    people, n_items = len(share), len(total)
    scores = torch.zeros(people * n_items, share.shape[-1], dtype=torch.float64)
    scores.index_add_(0, member * n_items + first, score)
    scores.index_add_(0, member * n_items + second, -score)
    scores = scores.view(people, n_items, -1)
    mean = (scores * share.unsqueeze(1)).sum(-1)
    spread = (scores * share.sqrt().unsqueeze(1)).movedim(1, -1).reshape(-1, n_items)
    total += spread.T @ spread - mean.T @ mean


def _derivatives(
    likelihood: OutcomeLikelihood,
    rows: slice,
    margin: Tensor,
    strength: Tensor,
    log_width: Tensor,
    sampled: Sampled,
) -> tuple[Tensor, Tensor]:
    """First and second derivative of each row's log probability in strength times margin."""
    model, outcome = likelihood.model.of_rows(rows), sampled.outcome
    assert isinstance(model, TieModel)
    assert outcome is not None
    log_factor = model.log_factor(outcome, strength.unsqueeze(0), log_width.unsqueeze(0))
    share = None if sampled.lapse is None else sampled.lapse.unsqueeze(-1)
    with torch.enable_grad():
        scaled = (strength * margin.unsqueeze(-1)).unsqueeze(0).detach().requires_grad_()
        log_p = log_lapsed(model.at(scaled, outcome, log_factor), share, model.n_options)
        (slope,) = torch.autograd.grad(log_p.sum(), scaled, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), scaled)
    return slope.detach()[0], bend[0]


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
