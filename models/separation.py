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

__all__ = ["judged", "rival_margins", "separation_check"]

_LARGEST = 1_000_000  # free utilities x distinct judgements; of all judgements 20 times that
_MATTERS = 0.05  # share of judgements from which on unbounded utilities fail a fit


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
    if _too_large(likelihood, len(units)):
        return None
    margin = rival_margins(likelihood, units)  # free x row x rival
    decided = margin.flatten(1).T
    told = ~torch.isnan(decided).any(-1)
    weight = judged(likelihood).weight.unsqueeze(-1).expand(margin.shape[1:]).flatten()
    found = _direction(decided[told], weight[told], _ties(likelihood, units))
    if found is None:
        return None
    solution, share = found
    size = np.abs(solution @ units.numpy())
    return Check(
        "separable utilities",
        share,
        _MATTERS,
        share <= _MATTERS,
        f"No judgement bounds {names[int(size.argmax())]}: it explains all that it bears on, and "
        "only the prior keeps it from growing without end. Trust its sign, not its size."
        if share
        else "Every utility is bounded by judgements for it and against it.",
    )


def judged(likelihood: UtilityLikelihood) -> Any:
    """What was judged: pairs or sets, equal ones merged and weighted."""
    return likelihood.judged if isinstance(likelihood, OutcomeLikelihood) else likelihood.rows


def _too_large(likelihood: UtilityLikelihood, free: int) -> bool:
    """Whether the linear program would be, known without its rows."""
    n = distinct = len(judged(likelihood).weight)
    if likelihood.of_item_pairs:
        distinct = min(n, free * (free + 1))  # ordered pairs of the free + 1 items
    return free * distinct > _LARGEST or free * n > 20 * _LARGEST


def _direction(decided: Tensor, weight: Tensor, tied: Tensor) -> tuple[np.ndarray, float] | None:
    """The utilities that no judgement bounds, and the share of judgements that they explain.

    Args:
        decided: Margins of what was chosen over its rivals, `row x free`.
        weight: Judgements that each stands for, a `row`-vector.
        tied: Margins of modelled ties, `tie x free`.

    Returns:
        A `free`-vector, 0 with share 0 where judgements bound all; None if it is too large.
    """
    rows = np.unique(torch.cat([decided, tied, -tied]).numpy(), axis=0)
    if rows.size > _LARGEST:
        return None
    goal = -decided.sum(0).numpy()
    found = linprog(goal, -rows, np.zeros(len(rows)), bounds=(-1.0, 1.0))
    if found.x is None or float(goal @ found.x) > -1e-6:
        return np.zeros(len(goal)), 0.0
    explained = decided.numpy() @ found.x > 1e-6
    return found.x, float(np.average(explained, weights=weight.numpy()))


def _ties(likelihood: UtilityLikelihood, units: Tensor) -> Tensor:
    """Margins of modelled ties, `tie x free`."""
    none = units.new_zeros(0, len(units))
    if not isinstance(likelihood, OutcomeLikelihood):
        return none
    if not isinstance(likelihood.model, TieModel):
        return none
    return likelihood.judged.margins(units, likelihood.pairs)[:, likelihood.model.level == 0].T
