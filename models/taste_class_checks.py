"""Checks of latent classes: what makes a mixture of tastes worth nothing, said by name."""

from typing import Any

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from mixlogit.models.parameters import Named
from mixlogit.models.separation import judged, rival_margins
from mixlogit.models.taste_class_joint import Starts, TasteClassJoint
from mixlogit.models.taste_class_named import Members
from mixlogit.models.verdict import Check

__all__ = ["class_checks"]

_FEW = 5.0  # respondents
_ALIKE = 0.95  # correlation of two classes' margins
_NEARLY = 0.1  # share of a class's judgements against it from which on it is not separable
_LARGEST = 20_000_000  # free utilities x judgements of a class


def class_checks(
    joint: TasteClassJoint, starts: Starts, named: Named, members: Members
) -> list[Check]:
    """Whether starts agree, classes are filled, bounded, and, the last, differ in direction.

    Args:
        joint: The fitted program, its mode found.
        starts: What the starts found.
        named: Posterior parameters.
        members: Class probabilities of respondents.
    """
    sampled: Any = joint.sampled(joint.mode.unsqueeze(0))
    margin = rival_margins(joint.classes.inner, sampled.utilities[0])
    filled = members.probability.sum(0)
    small = int(filled.argmin()) + 1
    n, least = joint.spec.n_tastes, 2.0 / len(starts.log_densities)
    agree = Check(
        "starts agree",
        starts.agreement,
        least,
        starts.agreement >= least,
        "Only one start found the best answer and there may be a better one; fit fewer tastes.",
    )
    empty = Check(
        "smallest class (respondents)",
        float(filled.min()),
        _FEW,
        bool(filled.min() >= _FEW),
        f"Class {small} of {n} is all but empty; fit {n - 1} tastes.",
    )
    return [
        agree,
        empty,
        _bounded(joint, members, margin),
        _told(joint, named),
        _different(margin, judged(joint.classes.inner).weight),
    ]


def _bounded(joint: TasteClassJoint, members: Members, margin: Tensor) -> Check:
    """Whether some utilities explain all that a class has chosen; then they run off."""
    of_row = members.probability.argmax(-1)[joint.classes.inner.respondent]
    against = margin < 0  # a tie is not
    found = [
        c
        for c in range(joint.spec.n_tastes)
        if bool((of_row == c).any())
        and float(against[c, of_row == c].double().mean()) < _NEARLY
        and _separable(joint, of_row == c)
    ]
    first = found[0] + 1 if found else 1
    return Check(
        "separable classes",
        float(len(found)),
        0.0,
        not found,
        f"Class {first} is separable: some utilities explain every judgement of its members, "
        "and only the prior keeps them from growing without bound; fit fewer tastes.",
    )


def _separable(joint: TasteClassJoint, rows: Tensor) -> bool:
    """Whether some utilities give all margins of these rows their sign: a linear program.

    With fewer rows than utilities there is nothing to be found out: they do.
    """
    free, basis = joint.spec.n_utilities, joint.spec.utility_basis
    if free * int(rows.sum()) > _LARGEST:
        return False
    units = torch.eye(free, dtype=torch.float64) if basis is None else basis
    design = rival_margins(joint.classes.inner, units)[:, rows].flatten(1).T
    design = design[~torch.isnan(design).any(-1)]
    if not len(design):
        return False
    a_ub = np.column_stack([-design.numpy(), np.ones(len(design))])  # margin >= t
    bounds = [(-1.0, 1.0)] * free + [(0.0, 1.0)]
    goal = np.append(np.zeros(free), -1.0)
    found = linprog(goal, a_ub, np.zeros(len(design)), bounds=bounds)
    return found.x is not None and float(found.x[-1]) > 1e-7


def _told(joint: TasteClassJoint, named: Named) -> Check:
    """How much of the utilities' variance is the prior's, in the class that is known least."""
    name = "utility" if "utility" in named.values else "weight"
    basis = joint.spec.utility_basis
    sd = joint.spec.priors.utility_sd
    scale = (
        np.full(named.values[name].shape[-1], sd)
        if basis is None
        else sd * basis.square().sum(0).sqrt().numpy()
    )
    share = (named.values[name].std((0, 1)) / np.where(scale > 0, scale, np.inf)) ** 2
    worst = np.unravel_index(int(share.argmax()), share.shape)
    label = named.coords[named.dims[name][-1]][worst[-1]]
    value = float(share.max())
    return Check(
        "prior weight on utilities",
        value,
        0.5,
        value <= 0.5,
        f"The data say little about {label} in class {worst[0] + 1}; fit fewer tastes, or "
        "collect more judgements.",
    )


def _different(margin: Tensor, weight: Tensor) -> Check:
    """Whether two classes want the same and differ in strength alone."""
    scaled = (margin.nan_to_num(0.0) * weight.sqrt().unsqueeze(-1)).flatten(1)
    size = scaled.norm(dim=-1).clamp_min(1e-300)
    alike = (scaled @ scaled.T) / (size * size.unsqueeze(-1))
    alike.fill_diagonal_(-1.0)
    value = float(alike.max())
    first, second = sorted(divmod(int(alike.argmax()), len(alike)))
    return Check(
        "likeness of tastes",
        value,
        _ALIKE,
        value <= _ALIKE,
        f"Classes {first + 1} and {second + 1} prefer the same and differ in strength only, so "
        "taste and strength cannot be told apart; fit fewer tastes with a family of strength.",
    )
