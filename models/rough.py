"""A start near the mode, from a few of many respondents."""

from dataclasses import replace

from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import LikelihoodTable
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import find_mode
from mixlogit.models.thin import thinned

__all__ = ["rough_mode"]

_FEW = 4000  # respondents: their mode lies a few standard errors of all the others' away
_ENOUGH = 0.01  # nats


def rough_mode(joint: LogJoint, start: Tensor) -> Tensor:
    """The mode roughly, `replicate x parameter`: that of 4,000 respondents where there are more.

    Two Newton steps on all of them lead from there to the mode, and steps on few cost little.

    Args:
        joint: The program.
        start: Where to begin, `replicate x parameter`.
    """
    likelihood = joint.likelihood
    if isinstance(likelihood, PanelLikelihood) and joint.spec.n_replicates is None:
        few = _thinned(likelihood.table)
        joint = LogJoint(joint.program, few, joint.spec, joint.draws_at_once)
    return find_mode(joint, start, enough=_ENOUGH).theta


def _thinned(table: LikelihoodTable) -> PanelLikelihood:
    """The likelihood of some of the respondents, evenly spread."""
    rows = thinned(len(table.block), _FEW)
    return PanelLikelihood(replace(table, values=table.values[:, rows], block=table.block[rows]))
