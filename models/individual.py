"""Individual strengths: exact one-dimensional posteriors given the population's parameters."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from mixlogit.choice.rules import stretched_rule
from mixlogit.choice.utility import UtilityLikelihood
from mixlogit.models.joint import LogJoint
from mixlogit.models.problem import Problem
from mixlogit.models.thin import thinned

__all__ = ["Individuals", "individuals", "strength_table", "unit_nodes"]

_NODES = 6_000_000  # units x nodes x draws kept, but at least four draws


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
    kept = min(len(theta), max(4, min(most, _NODES // (25 * n_units))))
    theta = theta[thinned(len(theta), kept)]
    # every draw's nodes are shifted by another part of a step, so that together they lie dense
    rules = [stretched_rule(shift=(0.618034 * k) % 1.0 - 0.5) for k in range(kept)]
    strengths, log_weights = unit_nodes(joint, theta, rules)
    return Individuals(theta, strengths, log_weights.exp_().div_(kept))


def unit_nodes(
    joint: LogJoint, theta: Tensor, rules: list[tuple[Tensor, Tensor]] | None = None
) -> tuple[Tensor, Tensor]:
    """Strengths and log weights of each unit, `unit x node`, at one draw or at several in turn.

    Args:
        joint: The fitted program, of a panel.
        theta: Draws, `draw x 1 x parameter`; the weights of each sum to one.
        rules: Nodes and log weights of each, in units of the widths.
    """
    likelihood: Any = joint.likelihood
    with torch.no_grad():
        if not isinstance(likelihood, UtilityLikelihood):
            sampled = joint.sampled(theta)
            strengths, log_weight = likelihood.nodes(sampled.family, sampled.lapse, rules)
            return strengths.flatten(1), log_weight.flatten(1)
        parts = []
        for k, one in enumerate(theta.split(1)):
            rule = None if rules is None else rules[k]
            b, log_mass = likelihood.nodes_of(*joint.sampled(one).arguments(), rule=rule)
            parts.append((b[0], torch.log_softmax(log_mass[0], -1)))
        strengths, log_weight = (torch.cat(part, -1) for part in zip(*parts, strict=True))
        return strengths, log_weight


def strength_table(problem: Problem, found: Individuals) -> pd.DataFrame:
    """One row for each unit: mean, sd, 5 % and 95 %, P(b < 0) and the number of comparisons.

    Args:
        problem: The data.
        found: From `individuals`.
    """
    b, w = found.strengths, found.weights
    mean = (w * b).sum(-1)
    sd = (w * (b - mean.unsqueeze(-1)).square()).sum(-1).sqrt()
    sorted_b, order = b.sort(-1)
    mass = w.gather(-1, order)
    below = mass.cumsum(-1) - 0.5 * mass
    columns: dict[str, Any] = {"respondent": problem.unit_respondents(), **problem.unit_groups()}
    columns["n"] = problem.unit_sizes.numpy()
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
