"""The checks of a fit: value, threshold, verdict, and what to do."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.taste_classes import TasteClassLikelihood
from mixlogit.choice.utility import UtilityLikelihood
from mixlogit.models.infer import K_LIMIT, Inferred
from mixlogit.models.joint import LogJoint
from mixlogit.models.parameters import Named
from mixlogit.models.separation import separation_check
from mixlogit.models.verdict import Check

__all__ = ["elbo_gain", "make_checks", "quadrature_error", "r_hat"]

_FINE = 61  # nodes of the rule that the fit's own is compared with
_COMPARED = 2000  # most respondents that it is compared for, evenly spread
_ADVICE = {
    "Pareto k": "Run again with --inference nuts.",
    "effective draws": "Ask for more --posterior-draws, or run with --inference nuts.",
    "ELBO still rising": "The guide has not settled, nats in its last steps: run with --inference "
    "nuts.",
    "restarts reach one mode": "The posterior has several modes, nats apart: fit a simpler model, "
    "or use NUTS.",
    "restarts agree (R-hat)": "The restarts found different answers; fit a simpler model or more "
    "data.",
    "quadrature error": "Report this data set: the panel integral is not accurate to 0.001 nats.",
    "prior weight on cv": "The data say little about the spread; collect more votes per "
    "respondent.",
}


def make_checks(joint: LogJoint, inferred: Inferred, named: Named, prior: Named) -> list[Check]:
    """Checks of the guide, the restarts, the quadrature and the weight of the prior.

    Args:
        joint: The fitted program.
        inferred: The result.
        named: Posterior parameters.
        prior: Prior parameters.
    """
    checks = []
    if inferred.method == "importance":
        checks.append(_at_most("Pareto k", float(inferred.k_hat.max()), K_LIMIT))
        effective = float(inferred.effective.min())
        name = "effective draws"
        checks.append(Check(name, effective, 100.0, effective >= 100.0, _ADVICE[name]))
    gain = elbo_gain(inferred.elbo)
    if gain is not None:
        checks.append(_at_most("ELBO still rising", gain, 0.5))
    checks.append(_at_most("restarts reach one mode", inferred.spread_of_modes, 0.01))
    worst = max(r_hat(value) for value in named.values.values())
    checks.append(_at_most("restarts agree (R-hat)", worst, 1.05))
    error = quadrature_error(joint, inferred.theta[0, :1])
    if error is not None:
        checks.append(_at_most("quadrature error", error, 1e-3))
    if "cv" in named.values:
        weight = float(named.values["cv"].var() / prior.values["cv"].var())
        checks.append(_at_most("prior weight on cv", weight, 0.5))
    labels = named.coords.get("item") or named.coords.get("feature")
    separable = separation_check(joint, labels) if labels else None
    return checks if separable is None else [*checks, separable]


def _at_most(name: str, value: float, threshold: float) -> Check:
    return Check(name, value, threshold, value <= threshold, _ADVICE[name])


def elbo_gain(elbo: list[float]) -> float | None:
    """How much the ELBO rose over its last half, nats; 0 where it fell, None if it is short.

    Example:
        >>> elbo_gain([-9.0, -5.0, -3.0, -2.0, -1.5, -1.2, -1.1, -1.1])
        0.25
    """
    quarter = len(elbo) // 4
    if quarter < 2:
        return None
    before, after = elbo[-2 * quarter : -quarter], elbo[-quarter:]
    return max(0.0, round(float(np.mean(after) - np.mean(before)), 12))


def r_hat(draws: np.ndarray) -> float:
    """Largest R-hat over the entries of `chain x draw x ...`; 1 for a single chain.

    Example:
        >>> r_hat(np.random.default_rng(0).normal(size=(4, 1000))) < 1.01
        True
    """
    if draws.shape[0] < 2:
        return 1.0
    within = draws.var(axis=1, ddof=1).mean(axis=0)
    between = draws.mean(axis=1).var(axis=0, ddof=1)
    ratio = np.where(within > 0, between / np.where(within > 0, within, 1.0), 0.0)
    return float(np.sqrt(1.0 + ratio).max())


def quadrature_error(joint: LogJoint, theta: Tensor) -> float | None:
    """Largest change of a respondent's log-likelihood when the nodes are 2.5 times as dense.

    Args:
        joint: The fitted program.
        theta: One draw, `1 x 1 x parameter`.

    Returns:
        Nats, or None where nothing is integrated by nodes.
    """
    likelihood: Any = joint.likelihood
    sampled = joint.sampled(theta)
    if sampled.family.atoms is not None:
        return None
    with torch.no_grad():
        if isinstance(likelihood, PanelLikelihood):
            return likelihood.error(sampled.family, sampled.lapse, _FINE, _COMPARED)
        integrated = isinstance(likelihood, (UtilityLikelihood, TasteClassLikelihood))
        if integrated and likelihood.panel:
            coarse = likelihood.by_respondent(*sampled.arguments())
            fine = likelihood.finer(_FINE).by_respondent(*sampled.arguments())
            change = (fine - coarse).abs().max()
            return float(change) if math.isfinite(float(change)) else math.inf
    return None
