"""Held-out judgements under latent tastes, by each respondent's own class and strength."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.utility import Rows, UtilityLikelihood, latent_margins
from mixlogit.models.held_out import at_levels, match_votes, scoring_draws
from mixlogit.models.outcome_held_out import against, match_judgements, one_for_all_scores
from mixlogit.models.outcome_problem import OutcomeProblem
from mixlogit.models.problem import Problem
from mixlogit.models.taste_class_joint import TasteClassJoint

__all__ = ["class_held_out", "class_log_scores"]


def class_held_out(
    problem: Problem, alone: Problem, joint: TasteClassJoint, theta: Tensor, test: Any, seed: int
) -> dict[str, Any]:
    """Score held-out judgements by the fit and by one taste and one strength for all.

    Args:
        problem: The data of the fit.
        alone: The same without groups.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`.
        test: Held-out judgements.
        seed: Seed of the fit of one taste for all.
    """
    score = class_log_scores(problem, joint, theta, test)
    reference = one_for_all_scores(alone, test, seed, lapse=joint.spec.lapse)
    return against(score, reference, decided=not isinstance(problem, OutcomeProblem))


def class_log_scores(problem: Problem, joint: TasteClassJoint, theta: Tensor, test: Any) -> Tensor:
    """Log predictive probability of each held-out judgement, nats.

    A respondent of the fit is predicted with the posterior of its own class and strength, one
    without judgements in the fit with the shares of its group. Ties are scored where they are
    modelled and left out otherwise.

    Args:
        problem: The data of the fit.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`; `scoring_draws` of them are used.
        test: Held-out judgements with the items or features of the fit.

    Raises:
        UsageError: For judgements that the fit cannot score.
    """
    classes = joint.classes
    n = classes.n_respondents
    test = problem.like_fitted(test)
    votes, order, level = _votes(problem, joint, test)
    across = at_levels(joint, level)
    fitted = classes.inner.part(slice(None), classes.inner.respondent, n + len(level))
    theta = scoring_draws(theta)
    chance = torch.zeros(len(order), dtype=torch.float64)
    with torch.no_grad():
        for one in theta.split(1):
            known: Any = joint.sampled(one)
            new: Any = across.sampled(one)  # a unit without judgements for each group
            log_share = torch.cat([known.log_share[0, classes.share_block], new.log_share[0]])
            arguments = classes.folded(known)
            chance += _predicted(fitted, votes, arguments, log_share).exp() / len(theta)
    out = torch.empty_like(chance)
    out[order] = chance
    return out.clamp_min(1e-300).log()


def _votes(
    problem: Problem, joint: TasteClassJoint, test: Any
) -> tuple[UtilityLikelihood, Tensor, Tensor]:
    """Held-out judgements by unit, their places, and labels of groups of the units added."""
    fitted: Any = joint.classes.inner
    if isinstance(problem, OutcomeProblem):
        return match_judgements(problem, fitted.model, test)
    found = match_votes(problem, test)
    n = joint.classes.n_respondents
    unit = torch.where(found.unit < 0, n + found.block, found.unit)
    order = torch.argsort(unit, stable=True)
    sign = found.sign[order]
    first = second = features = None
    if found.items is not None:
        items = torch.where(sign.unsqueeze(-1) > 0, found.items[order], found.items[order].flip(1))
        first, second = items.unbind(-1)
    elif found.features is not None:
        features = sign.unsqueeze(-1) * found.features[order]
    block = torch.zeros(n + len(found.level), dtype=torch.long)
    rows = Rows(first, second, features, torch.ones_like(sign), unit[order], block, 1)
    return UtilityLikelihood(rows), order, found.level


def _predicted(
    fitted: UtilityLikelihood,
    votes: UtilityLikelihood,
    arguments: tuple[Any, ...],
    log_share: Tensor,
) -> Tensor:
    """Log probability of each judgement at one draw.

    Args:
        fitted: Judgements of the fit.
        votes: Held-out judgements.
        arguments: Of the likelihood of one taste, a draw for each class.
        log_share: Log shares of the classes before a unit's judgements, `unit x class_`.
    """
    lapse, who = arguments[1], votes.respondent
    if not isinstance(fitted, OutcomeLikelihood) or not isinstance(votes, OutcomeLikelihood):
        strengths, log_mass = fitted.nodes_of(*arguments)
        weight = _posterior(log_mass.unsqueeze(-1), log_share)[:, who, :, 0]
        margin = latent_margins(votes.rows, arguments[2])
        rate = None if lapse is None else lapse.unsqueeze(-1)
        log_p = log_lapsed(logsigmoid(strengths[:, who] * margin.unsqueeze(-1)), rate)
        return torch.logsumexp(log_p + weight, (0, 2))
    family, lapse, utilities, *rest = arguments
    outcome = rest[0] if rest else None
    strengths, widths, log_mass = fitted.joint_nodes(family, lapse, utilities, outcome)
    log_weight = _posterior(log_mass, log_share)
    margin = votes.judged.margins(utilities, votes.pairs)
    parts = []
    for k, one in enumerate(widths.unbind(-1)):
        log_p = votes.each_row(strengths[:, who], one[:, who], margin, outcome, lapse)
        parts.append(log_p + log_weight[:, who, :, k])
    return torch.logsumexp(torch.cat(parts, -1), (0, 2))


def _posterior(log_mass: Tensor, log_share: Tensor) -> Tensor:
    """Log weights of `class_ x unit x node x width`, summing to 1 in each unit."""
    total = log_mass + log_share.T.unsqueeze(-1).unsqueeze(-1)
    return total - torch.logsumexp(total, (0, 2, 3), keepdim=True)
