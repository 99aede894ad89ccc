"""Second derivatives of ties and grades in many item utilities, from complete-data scores."""

import torch
from torch import Tensor

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.outcomes import TieModel
from mixlogit.models.joint import LogJoint

__all__ = ["judged_item_block"]

_ELEMENTS = 20_000_000  # respondents x items x nodes worked on at once


def judged_item_block(joint: LogJoint, theta: Tensor) -> Tensor:
    """Second derivatives of the log-likelihood in the item utilities: `item x item`.

    As in `utility_hessian`: `E_w[second derivative] + Cov_w[score]` over the nodes of strength
    and of the respondent's own width, with their posterior weights w.

    Args:
        joint: A program of ties or grades between items.
        theta: `1 x parameter`.
    """
    likelihood, sampled = joint.likelihood, joint.sampled(theta.unsqueeze(0))
    assert isinstance(likelihood, OutcomeLikelihood)
    assert likelihood.judged.item is not None
    assert sampled.utilities is not None
    nodes = likelihood.joint_nodes(*sampled)
    strengths, widths, log_mass = (part[0] for part in nodes)
    shape = log_mass.shape
    weight = torch.softmax(log_mass.flatten(1), -1)
    b = strengths.unsqueeze(-1).expand(shape).flatten(1)
    width = widths.unsqueeze(1).expand(shape).flatten(1)
    who = likelihood.judged.respondent
    margin = likelihood.judged.margins(sampled.utilities, True)[0]
    n_items, people = sampled.utilities.shape[-1], len(b)
    total = torch.zeros(n_items, n_items, dtype=torch.float64)
    at_once = max(1, _ELEMENTS // (n_items * b.shape[-1]))
    for start in range(0, people, at_once):
        low, high = torch.searchsorted(who, torch.tensor([start, start + at_once]))
        rows = slice(int(low), int(high))
        member = who[rows] - start
        people_here = slice(start, start + at_once)
        local = b[people_here][member]
        slope, bend = _derivatives(
            likelihood,
            rows,
            local * margin[rows].unsqueeze(-1),
            local,
            width[people_here][member],
            sampled.outcome,
            sampled.lapse,
        )
        counted = likelihood.judged.weight[rows].unsqueeze(-1)
        share = weight[people_here]
        direct = (share[member] * counted * local.square() * bend).sum(-1)
        first, second = likelihood.judged.item[rows].unbind(-1)
        n = len(share)
        scores = torch.zeros(n * n_items, b.shape[-1], dtype=torch.float64)
        scores.index_add_(0, member * n_items + first, counted * local * slope)
        scores.index_add_(0, member * n_items + second, -counted * local * slope)
        scores = scores.view(n, n_items, -1)
        mean = (scores * share.unsqueeze(1)).sum(-1)
        spread = (scores * share.sqrt().unsqueeze(1)).movedim(1, -1).reshape(-1, n_items)
        total += spread.T @ spread - mean.T @ mean
        flat = total.view(-1)
        for i, j, sign in ((first, first, 1), (second, second, 1), (first, second, -1)):
            flat.index_add_(0, i * n_items + j, sign * direct)
        flat.index_add_(0, second * n_items + first, -direct)
    return total


def _derivatives(
    likelihood: OutcomeLikelihood,
    rows: slice,
    scaled: Tensor,
    strength: Tensor,
    log_width: Tensor,
    outcome: Tensor | None,
    lapse: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """First and second derivative of each row's log probability in strength times margin."""
    model = likelihood.model
    assert isinstance(model, TieModel)
    assert outcome is not None
    part = model.of_rows(rows)
    log_factor = model.log_factor(outcome, strength.unsqueeze(0), log_width.unsqueeze(0))
    with torch.enable_grad():
        s = scaled.unsqueeze(0).detach().requires_grad_()
        log_p = part.at(s, outcome, log_factor)
        share = None if lapse is None else lapse.unsqueeze(-1)
        log_p = log_lapsed(log_p, share, model.n_options)
        (slope,) = torch.autograd.grad(log_p.sum(), s, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), s)
    return slope.detach()[0], bend[0]
