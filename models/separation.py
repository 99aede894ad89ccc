"""Whether judgements set a bound to utilities, or the prior alone does."""

from typing import Any

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.outcomes import TieModel
from mixlogit.choice.utility import UtilityLikelihood, latent_margins
from mixlogit.models.joint import LogJoint
from mixlogit.models.verdict import Check

__all__ = ["rival_margins", "separation_check"]

_LARGEST = 1_000_000  # free utilities x distinct judgements


def rival_margins(likelihood: Any, utilities: Tensor) -> Tensor:
    """Margins of what was chosen over each rival; ties are NaN.

    Args:
        likelihood: Judgements with latent utilities.
        utilities: `draw x item` utilities or `draw x feature` weights.

    Returns:
        `draw x row x rival`.
    """
    if not isinstance(likelihood, OutcomeLikelihood):
        return latent_margins(likelihood.rows, utilities).unsqueeze(-1)
    margin = likelihood.judged.margins(utilities, likelihood.pairs)
    if isinstance(likelihood.model, TieModel):
        return margin.masked_fill(likelihood.model.level == 0, torch.nan).unsqueeze(-1)
    rivals: Any = likelihood.model
    return margin[..., 1:].masked_fill(torch.isinf(rivals.mask[:, 1:]), torch.nan)


def separation_check(joint: LogJoint, names: list[str]) -> Check | None:
    """Whether some utilities could grow without bound and no judgement would speak against it.

    A direction of utilities in which no margin falls and some rise (quasi-complete separation,
    Albert and Anderson 1984; for items that the wins do not connect, Ford 1957), by a linear
    program. Ties are margins that may neither fall nor rise.

    Args:
        joint: A program with one taste for all.
        names: Names of the items or features.

    Returns:
        The check; None where it is not made: strengths of either sign, effects of a context,
        given margins, or too many judgements.
    """
    likelihood, spec = joint.likelihood, joint.spec
    signed = spec.family == "normal" or spec.contrarians
    if not isinstance(likelihood, UtilityLikelihood) or signed or spec.n_context:
        return None
    if not spec.n_utilities:
        return None
    basis = spec.utility_basis
    units = torch.eye(spec.n_utilities, dtype=torch.float64) if basis is None else basis
    direction = _direction(rival_margins(likelihood, units).flatten(1).T, likelihood, units)
    if direction is None:
        return None
    found = float(np.abs(direction).max())
    name = names[int(np.abs(direction).argmax())]
    return Check(
        "separable utilities",
        found,
        0.0,
        found == 0.0,
        f"No judgement bounds {name}: it explains all that it bears on, and only the prior keeps "
        "it from growing without end. Trust its sign, not its size.",
    )


def _direction(design: Tensor, likelihood: UtilityLikelihood, units: Tensor) -> np.ndarray | None:
    """Utilities that no judgement bounds, 0 where there are none; None if it is too large."""
    decided = design[~torch.isnan(design).any(-1)]
    tied = _ties(likelihood, units)
    rows = np.unique(torch.cat([decided, tied, -tied]).numpy(), axis=0)
    if rows.size > _LARGEST:
        return None
    goal = -decided.sum(0).numpy()
    found = linprog(goal, -rows, np.zeros(len(rows)), bounds=(-1.0, 1.0))
    free = len(units)
    bounded = found.x is None or float(goal @ found.x) > -1e-6
    solution = np.zeros(free) if bounded else found.x
    direction: np.ndarray = solution @ units.numpy()
    return direction


def _ties(likelihood: UtilityLikelihood, units: Tensor) -> Tensor:
    """Margins of modelled ties, `tie x free`."""
    none = units.new_zeros(0, len(units))
    if not isinstance(likelihood, OutcomeLikelihood):
        return none
    if not isinstance(likelihood.model, TieModel):
        return none
    return likelihood.judged.margins(units, likelihood.pairs)[:, likelihood.model.level == 0].T
