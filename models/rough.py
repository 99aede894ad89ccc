"""Starts near the mode, from a few of many respondents."""

from dataclasses import replace

import torch
from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import LikelihoodTable
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import Mode, find_mode
from mixlogit.models.thin import thinned

__all__ = ["rough_mode", "rough_modes"]

_FEW = 4000  # respondents: their mode lies a few standard errors of all the others' away
_ENOUGH, _SAME = 0.01, 0.1  # nats: from the mode, and between two that are one


def rough_mode(joint: LogJoint, start: Tensor) -> Tensor:
    """The mode roughly, `replicate x parameter`: that of 4,000 respondents where there are more.

    Two Newton steps on all of them lead from there to the mode, and steps on few cost little.

    Args:
        joint: The program.
        start: Where to begin, `replicate x parameter`.
    """
    return rough_modes(joint, start.unsqueeze(0))[0]


def rough_modes(joint: LogJoint, starts: Tensor) -> list[Tensor]:
    """The different modes that several starts lead to, roughly, each `replicate x parameter`.

    Args:
        joint: The program.
        starts: Where to begin, `start x replicate x parameter`.
    """
    likelihood = joint.likelihood
    if not isinstance(likelihood, PanelLikelihood) or joint.spec.n_replicates is not None:
        return _different([find_mode(joint, start, enough=_ENOUGH) for start in starts])
    few = _thinned(likelihood.table)
    joint = LogJoint(joint.program, few, joint.spec, joint.draws_at_once)

    def together(theta: Tensor) -> Tensor:  # draw x start x parameter
        return joint(theta.reshape(-1, 1, joint.size)).view(theta.shape[:2])

    found = find_mode(together, starts.squeeze(1), enough=_ENOUGH)
    modes = zip(
        found.theta.split(1),
        found.value.split(1),
        found.hessian.split(1),
        found.gradient.split(1),
        strict=True,
    )
    return _different([Mode(t, v, h, g, found.evaluations) for t, v, h, g in modes])


def _different(modes: list[Mode]) -> list[Tensor]:
    """One of all modes between which the log density hardly falls."""
    kept: list[Mode] = []
    for mode in modes:
        values, vectors = torch.linalg.eigh(mode.hessian)
        if all(_away(mode, other, values, vectors) > _SAME for other in kept):
            kept.append(mode)
    return [mode.theta for mode in kept]


def _away(mode: Mode, other: Mode, values: Tensor, vectors: Tensor) -> float:
    """Squared distance of two modes by the curvature at the first; the farthest replicate."""
    along = (vectors.mT @ (other.theta - mode.theta).unsqueeze(-1)).squeeze(-1)
    return float((values.abs() * along.square()).sum(-1).max())


def _thinned(table: LikelihoodTable) -> PanelLikelihood:
    """The likelihood of some of the respondents, evenly spread."""
    rows = thinned(len(table.block), _FEW)
    return PanelLikelihood(replace(table, values=table.values[:, rows], block=table.block[rows]))
