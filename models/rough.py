"""A start near the mode, from a few of many respondents."""

from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import find_mode

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
    few = joint
    if isinstance(joint.likelihood, PanelLikelihood) and joint.spec.n_replicates is None:
        likelihood = joint.likelihood.thinned(_FEW)
        few = LogJoint(joint.program, likelihood, joint.spec, joint.draws_at_once)
    return find_mode(few, start, enough=_ENOUGH).theta
