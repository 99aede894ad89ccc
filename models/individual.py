"""Individual strengths: exact one-dimensional posteriors given the population's parameters."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.utility import UtilityLikelihood, latent_margins
from mixlogit.data import Comparisons
from mixlogit.models.joint import LogJoint
from mixlogit.models.problem import Problem

__all__ = ["Individuals", "held_out_log_scores", "individuals", "strength_table"]

_NODES = 40_000_000  # units x nodes x draws kept


@dataclass(frozen=True, eq=False)
class Individuals:
    """Posterior of every unit's strength, at some draws of the population's parameters.

    Attributes:
        theta: The draws, `draw x 1 x parameter`.
        strengths: `unit x node`, the nodes of all draws.
        weights: `unit x node`, summing to one over nodes.
    """

    theta: Tensor
    strengths: Tensor
    weights: Tensor


def individuals(problem: Problem, joint: LogJoint, theta: Tensor, most: int = 64) -> Individuals:
    """Nodes and weights of every unit's strength, averaged over draws.

    Given the population's parameters a unit's posterior is one-dimensional and is integrated on
    nodes at its own mean and sd; the average over draws carries the population's uncertainty.

    Args:
        problem: The data.
        joint: The fitted program, of a panel.
        theta: Draws, `draw x 1 x parameter`; thinned to as many as memory allows.
        most: Most draws to use.
    """
    n_units = len(problem.units.block)
    kept = max(4, min(most, _NODES // (25 * n_units), len(theta)))
    theta = theta[torch.linspace(0, len(theta) - 1, kept).round().long()]
    parts = [_nodes(joint, one) for one in theta.split(1)]
    strengths = torch.cat([b for b, _ in parts], -1)
    weights = torch.cat([w.exp() for _, w in parts], -1) / kept
    return Individuals(theta, strengths, weights)


def _nodes(joint: LogJoint, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Strengths and log weights of each unit at one draw, `unit x node`."""
    sampled = joint.sampled(theta)
    likelihood: Any = joint.likelihood
    if not isinstance(likelihood, UtilityLikelihood):
        strengths, log_weight = likelihood.nodes(sampled.family, sampled.lapse)
        return strengths, log_weight
    with torch.no_grad():
        margin = latent_margins(likelihood.rows, sampled.utilities)
        strengths, log_mass = likelihood.nodes(sampled.family, sampled.lapse, margin)
        return strengths[0], torch.log_softmax(log_mass[0], -1)


def strength_table(problem: Problem, found: Individuals) -> pd.DataFrame:
    """One row for each unit: mean, sd, 5 % and 95 %, P(b < 0) and the number of comparisons.

    Args:
        problem: The data.
        found: From `individuals`.
    """
    data, units = problem.data, problem.units
    assert data.respondent is not None
    assert units.respondent is not None
    b, w = found.strengths, found.weights
    mean = (w * b).sum(-1)
    sd = (w * (b - mean.unsqueeze(-1)).square()).sum(-1).sqrt()
    sorted_b, order = b.sort(-1)
    mass = w.gather(-1, order)
    below = mass.cumsum(-1) - 0.5 * mass
    labels = [data.respondent.labels[code] for code in units.respondent.tolist()]
    columns: dict[str, Any] = {"respondent": labels}
    for k, group in enumerate(problem.spec.groups):
        level = units.level[units.block, k].tolist()
        columns[group.column] = [group.labels[code] for code in level]
    columns["n"] = torch.bincount(units.of_comparison, minlength=len(labels)).numpy()
    columns |= {"mean": mean.numpy(), "sd": sd.numpy()}
    for name, q in (("q05", 0.05), ("q95", 0.95)):
        columns[name] = _quantile(sorted_b, below, q).numpy()
    columns["p_negative"] = torch.where(b < 0, w, 0.0).sum(-1).numpy()
    return pd.DataFrame(columns)


def _quantile(strengths: Tensor, below: Tensor, q: float) -> Tensor:
    """Quantile of each row's weighted nodes, linear between their middles."""
    at = torch.searchsorted(below, torch.full((len(below), 1), q, dtype=below.dtype))
    right = at.clamp(1, below.shape[-1] - 1)
    left = right - 1
    low, high = below.gather(-1, left), below.gather(-1, right)
    share = ((q - low) / (high - low).clamp_min(1e-300)).clamp(0.0, 1.0)
    value = strengths.gather(-1, left) * (1 - share) + strengths.gather(-1, right) * share
    return value.squeeze(-1)


def held_out_log_scores(
    problem: Problem, joint: LogJoint, theta: Tensor, test: Comparisons
) -> Tensor:
    """Log predictive probability of the recorded choice of each decided held-out vote.

    A respondent of the fit is predicted with their own posterior strength, one without votes in
    the fit with the population. Ties are left out.

    Args:
        problem: The data of the fit.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`; 64 of them are used.
        test: Held-out votes with the items, features, respondents and groups of the fit.

    Returns:
        A vector with one log probability a decided vote, nats.
    """
    decided = torch.nonzero(test.outcome != 0.5).squeeze(-1)
    sign = 2 * test.outcome[decided] - 1
    unit, level, block = _match(problem, test, decided)
    fitted, joint = joint, _at_levels(joint, level)
    theta = theta[torch.linspace(0, len(theta) - 1, min(64, len(theta))).round().long()]
    chance = torch.zeros(len(decided), dtype=torch.float64)
    for one in theta.split(1):
        sampled = joint.sampled(one)
        margin = sign * _test_margin(test, sampled.utilities)[decided]
        lapse = None if sampled.lapse is None else sampled.lapse[0, 0]
        new = torch.stack(
            [
                log_lapsed(_population_log_prob(sampled.family, margin, b), lapse)
                for b in range(len(level))
            ]
        )
        log_p = new.gather(0, block.unsqueeze(0))[0]
        known = unit >= 0
        if problem.panel and bool(known.any()):
            strengths, log_weight = _nodes(fitted, one)
            at = torch.nn.functional.logsigmoid(strengths[unit[known]] * margin[known, None])
            own = torch.logsumexp(log_lapsed(at, lapse) + log_weight[unit[known]], -1)
            log_p = log_p.masked_scatter(known, own)
        chance += log_p.exp() / len(theta)
    return chance.clamp_min(1e-300).log()


def _population_log_prob(family: Any, margin: Tensor, block: int) -> Tensor:
    """Population choice probability of margins in one block, in logs."""
    parts = {name: value[0, block] for name, value in family.parameters.items()}
    out: Tensor = type(family)(**parts, validate_args=False).log_choice_prob(margin)
    return out


def _test_margin(test: Comparisons, utilities: Tensor | None) -> Tensor:
    """Margins of the test votes, first minus second, at one draw."""
    if test.margin is not None:
        return test.margin
    assert utilities is not None
    if test.features is not None:
        return test.features @ utilities[0]
    assert test.item_a is not None
    assert test.item_b is not None
    return utilities[0, test.item_a] - utilities[0, test.item_b]


def _at_levels(joint: LogJoint, level: Tensor) -> LogJoint:
    """The program with the blocks of other data: `level` is their `block x column` labels."""
    groups = tuple(replace(group, level=level[:, k]) for k, group in enumerate(joint.spec.groups))
    return LogJoint(joint.program, None, replace(joint.spec, groups=groups))


def _match(problem: Problem, test: Comparisons, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit of each test vote (-1: not in the fit), and the test's own blocks.

    Returns:
        Unit of each vote, labels of each block (`block x column`), and block of each vote.
    """
    fitted = problem.units.level
    level, block = torch.zeros(1, 0, dtype=torch.long), torch.zeros(len(rows), dtype=torch.long)
    if problem.spec.groups:
        codes = [test.groups[g.column].codes[rows] for g in problem.spec.groups]
        level, block = torch.unique(torch.stack(codes, -1), dim=0, return_inverse=True)
    unit = torch.full((len(rows),), -1)
    if problem.panel and test.respondent is not None:
        assert problem.units.respondent is not None
        same = (level.unsqueeze(1) == fitted.unsqueeze(0)).all(-1)  # test block x fitted block
        key = problem.units.respondent * len(fitted) + problem.units.block
        wanted = test.respondent.codes[rows] * len(fitted) + same.to(torch.long).argmax(-1)[block]
        place = torch.searchsorted(key, wanted).clamp(max=len(key) - 1)
        unit = torch.where((key[place] == wanted) & same.any(-1)[block], place, -1)
    return unit, level, block
