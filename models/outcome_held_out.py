"""Held-out judgements, with an outcome model too: the log predictive probability of each."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.outcomes import OutcomeModel
from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.held_out import (
    at_levels,
    blocks_of,
    held_out_log_scores,
    recode,
    scoring_draws,
    units_of,
)
from mixlogit.models.infer import infer
from mixlogit.models.joint import LogJoint
from mixlogit.models.outcome_problem import OutcomeProblem
from mixlogit.models.problem import Problem
from mixlogit.models.threads import few_threads

__all__ = [
    "against",
    "held_out",
    "log_scores",
    "match_judgements",
    "one_for_all_scores",
    "outcome_log_scores",
]


def held_out(
    problem: Problem, joint: LogJoint, theta: Tensor, test: Any, seed: int
) -> dict[str, Any]:
    """Score held-out judgements of any kind by the fit and by one strength for all.

    Args:
        problem: The data of the fit.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`.
        test: Held-out judgements.
        seed: Seed of the fit of one strength.
    """
    with few_threads(problem.n_rows), torch.random.fork_rng(devices=[]):
        score = log_scores(problem, joint, theta, test)
        reference = one_for_all_scores(problem, test, seed, lapse=joint.spec.lapse)
    return against(score, reference, decided=not isinstance(problem, OutcomeProblem))


def against(score: Tensor, reference: Tensor, *, decided: bool) -> dict[str, Any]:
    """What is recorded of held-out judgements.

    Args:
        score: Log predictive probability of each of them, nats.
        reference: The same under one taste and one strength for all.
        decided: Whether each is a choice of one of two, so that accuracy has a meaning.

    Example:
        >>> found = against(torch.tensor([-0.1, -0.9]), torch.tensor([-0.7, -0.7]), decided=True)
        >>> round(found["gain_millinats"]), found["accuracy"], found["n"]
        (200, 0.5, 2)
    """
    gain = 1000 * (score - reference)
    return {
        "log_score": float(score.mean()),
        "fixed_strength": float(reference.mean()),
        "gain_millinats": float(gain.mean()),
        "se": float(gain.std()) / len(gain) ** 0.5,
        "accuracy": float((score > -math.log(2)).double().mean()) if decided else None,
        "n": len(score),
    }


def one_for_all_scores(problem: Problem, test: Any, seed: int, *, lapse: bool = False) -> Tensor:
    """Log predictive probability of held-out judgements under one taste and one strength.

    Args:
        problem: The data of the fit.
        test: Held-out judgements.
        seed: Seed.
        lapse: Whether judgements may be made at random.
    """
    joint = problem.joint("fixed", lapse=lapse)
    found = infer(joint, chains=1, draws=500, seed=seed, method="evidence")
    return log_scores(problem, joint, found.theta.flatten(0, 1), test)


def log_scores(problem: Problem, joint: LogJoint, theta: Tensor, test: Any) -> Tensor:
    """Log predictive probability of held-out judgements of any kind, nats.

    Args:
        problem: The data of the fit.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`.
        test: Held-out judgements.
    """
    if isinstance(problem, OutcomeProblem):
        return outcome_log_scores(problem, joint, theta, test)
    return held_out_log_scores(problem, joint, theta, test)


def outcome_log_scores(
    problem: OutcomeProblem, joint: LogJoint, theta: Tensor, test: Any
) -> Tensor:
    """Log predictive probability of each held-out judgement, nats.

    A respondent of the fit is predicted with their own posterior strength and width, one
    without judgements in the fit with the population of its groups.

    Args:
        problem: The data of the fit.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`; `scoring_draws` of them are used.
        test: Held-out judgements with the items, features and groups of the fit.

    Raises:
        UsageError: For judgements that the fit cannot score.
    """
    fitted: Any = joint.likelihood
    votes, order, level = match_judgements(problem, fitted.model, test)
    # the population of each combination of groups is one more unit, without judgements
    first = problem.units.n_blocks if problem.spec.groups else 0
    block = torch.cat([fitted.judged.block, first + torch.arange(len(level))])
    population = replace(fitted.judged, block=block)
    wider = OutcomeLikelihood(population, fitted.model, pairs=fitted.pairs)
    across = at_levels(joint, torch.cat([problem.units.level, level]))
    theta = scoring_draws(theta)
    chance = torch.zeros(len(test), dtype=torch.float64)
    with torch.no_grad():
        for one in theta.split(1):
            sampled = across.sampled(one)
            chance += _predicted(wider, votes, sampled).exp() / len(theta)
    out = torch.empty_like(chance)
    out[order] = chance
    return out.clamp_min(1e-300).log()


def match_judgements(
    problem: OutcomeProblem, model: OutcomeModel, test: Any
) -> tuple[OutcomeLikelihood, Tensor, Tensor]:
    """Held-out judgements in the codes of the fit.

    Args:
        problem: The data of the fit.
        model: Its outcome model.
        test: Held-out judgements.

    Returns:
        The judgements in the order of their units, with one more unit for each combination of
        groups for those of respondents that the fit does not know; the place of each of them in
        `test`; and the labels of these combinations, `block x column`.

    Raises:
        UsageError: For judgements that the fit cannot score.
    """
    test = _recoded(problem.data, test)
    rows = torch.arange(len(test))
    level, block = blocks_of(problem, test, rows)
    unit = units_of(problem, test, rows, level, block)
    unit = torch.where(unit < 0, len(problem.units.block) + block, unit)
    options = {"exponent": model.exponent, "widths": model.widths}
    pairs = {} if isinstance(test, ChoiceSets) else options
    votes: OutcomeLikelihood = problem.likelihood(test, unit, **pairs)
    return votes, torch.argsort(unit, stable=True), level


def _predicted(fitted: OutcomeLikelihood, votes: OutcomeLikelihood, sampled: Any) -> Tensor:
    """Log probability of each judgement at one draw, in the order of `votes`."""
    family, lapse, utilities, outcome = sampled
    strengths, widths, log_mass = fitted.joint_nodes(family, lapse, utilities, outcome)
    weight = torch.log_softmax(log_mass[0].flatten(1), -1).view_as(log_mass[0])
    who = votes.judged.respondent
    margin = votes.judged.margins(utilities, votes.pairs)
    parts = []
    for k, one in enumerate(widths.unbind(-1)):
        log_p = votes.each_row(strengths[:, who], one[:, who], margin, outcome, lapse)
        parts.append(log_p[0] + weight[who, :, k])
    return torch.logsumexp(torch.cat(parts, -1), -1)


def _recoded(fitted: Any, test: Any) -> Any:
    """The test with the items and features in the order of the fit."""
    if type(test) is not type(fitted) or test.kind != fitted.kind:
        raise UsageError(f"The fit has {fitted.kind} but the held-out judgements {test.kind}.")
    if test.features is not None:
        place = recode(fitted.feature_names, test.feature_names, "feature")
        names = fitted.feature_names
        return replace(test, features=test.features[:, place], feature_names=names)
    if isinstance(test, Comparisons):
        if test.item_a is None or test.item_b is None:
            return test
        code = recode(test.items, fitted.items, "item")
        a, b = code[test.item_a], code[test.item_b]
        return replace(test, item_a=a, item_b=b, items=fitted.items)
    code = recode(test.items, fitted.items, "item")
    names = replace(test.alternative, codes=code[test.alternative.codes], labels=fitted.items)
    return replace(test, alternative=names)
