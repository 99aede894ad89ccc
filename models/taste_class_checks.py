"""Checks of latent classes: what makes a mixture of tastes worth nothing, said by name."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.outcomes import TieModel
from mixlogit.choice.utility import latent_margins
from mixlogit.models.parameters import Named
from mixlogit.models.taste_class_joint import Starts, TasteClassJoint
from mixlogit.models.taste_class_named import Members
from mixlogit.models.verdict import Check

__all__ = ["class_checks"]

_FEW = 5.0  # respondents
_ALIKE = 0.95  # correlation of two classes' margins
_AGAINST = 1e-3  # share of a class's judgements


def class_checks(
    joint: TasteClassJoint, starts: Starts, named: Named, members: Members
) -> list[Check]:
    """Whether starts agree, classes are filled, bounded, and differ in direction.

    Args:
        joint: The fitted program, its mode found.
        starts: What the starts found.
        named: Posterior parameters.
        members: Class probabilities of respondents.
    """
    sampled: Any = joint.sampled(joint.mode.unsqueeze(0))
    margin, decided = _margins(joint, sampled.utilities[0])
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
    weight = _weight(joint) * decided
    return [
        agree,
        empty,
        _bounded(joint, members, margin, weight),
        _told(joint, named),
        _different(margin, weight),
    ]


def _margins(joint: TasteClassJoint, utilities: Tensor) -> tuple[Tensor, Tensor]:
    """Margins of what was chosen over its best rival (`class_ x row`), and 0 for ties else 1."""
    inner: Any = joint.classes.inner
    if not isinstance(inner, OutcomeLikelihood):
        margin = latent_margins(inner.rows, utilities)
        return margin, torch.ones_like(margin[0])
    margin = inner.judged.margins(utilities, inner.pairs)
    if isinstance(inner.model, TieModel):
        return margin, (inner.model.level > 0).to(torch.float64)
    rivals: Any = inner.model
    missing = torch.isinf(rivals.mask)
    missing[:, 0] = True  # the chosen alternative itself
    return margin.masked_fill(missing, torch.inf).amin(-1), torch.ones_like(margin[0, :, 0])


def _weight(joint: TasteClassJoint) -> Tensor:
    inner: Any = joint.classes.inner
    weight: Tensor = (
        inner.judged.weight if isinstance(inner, OutcomeLikelihood) else inner.rows.weight
    )
    return weight


def _bounded(joint: TasteClassJoint, members: Members, margin: Tensor, weight: Tensor) -> Check:
    """Whether every class has judgements against its own order; without, utilities run off."""
    member = members.probability[joint.classes.inner.respondent].T * weight
    against = (member * (margin < 0)).sum(-1) / member.sum(-1).clamp_min(1e-300)
    worst = int(against.argmin()) + 1
    return Check(
        "judgements against their class",
        float(against.min()),
        _AGAINST,
        bool(against.min() >= _AGAINST),
        f"Class {worst} is separable: its utilities predict every judgement, and only their "
        "prior keeps them from growing without bound; fit fewer tastes.",
    )


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
    scaled = margin.clamp(-1e6, 1e6) * weight.sqrt()
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
