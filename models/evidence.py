"""Mixed against fixed strength: log Bayes factors and the likelihood ratio at the boundary."""

import math
from dataclasses import asdict, dataclass
from functools import partial

import torch
from scipy.stats import chi2

from mixlogit.models.identify import Information, information_at_mode
from mixlogit.models.infer import Inferred, Progress, infer
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import find_mode
from mixlogit.models.problem import Problem

__all__ = ["Evidence", "weigh_evidence"]

_MOST, _MANY = 60_000, 60


@dataclass(frozen=True)
class Evidence:
    """What the data say for a spread of strength, without and with a lapse rate.

    Attributes:
        log_bayes_factor: Mixed against fixed, nats; above 3 is strong.
        log_bayes_factor_lapse: The same, both with a lapse rate.
        log_bayes_factor_noise: Fixed with a lapse rate against fixed without.
        likelihood_ratio: 2 (log-likelihood of mixed - of fixed), at the maxima; None with
            groups or classes, where the boundary is not a simple one, and with more than 60
            utilities.
        p_value: Half the upper tail of chi-squared with one degree of freedom (Self and Liang
            1987); None where there is no likelihood ratio.
        likelihood_ratio_lapse: The same, both with a lapse rate.
        p_value_lapse: The same, both with a lapse rate.
        log_sd_lapse: Posterior mean of the sd of log strength (of cv, for signed families) in
            the mixed model with a lapse rate.
        lapse: Posterior mean of the lapse rate in that model.
        probabilities: Posterior probabilities of the four models, equal before.
        respondents: Number of respondents whose votes were weighed.
        by: How the log marginal likelihoods were found, "importance" or "laplace".
        with_lapse: The data's information about mean, spread and lapse rate, in that model.
    """

    log_bayes_factor: float
    log_bayes_factor_lapse: float
    log_bayes_factor_noise: float
    likelihood_ratio: float | None
    p_value: float | None
    likelihood_ratio_lapse: float | None
    p_value_lapse: float | None
    log_sd_lapse: float
    lapse: float
    probabilities: dict[str, float]
    respondents: int
    by: str
    with_lapse: Information | None = None

    def to_dict(self) -> dict[str, object]:
        """As a JSON object; what is identified has its own place."""
        return {name: value for name, value in asdict(self).items() if name != "with_lapse"}


def weigh_evidence(
    problem: Problem,
    family: str,
    fitted: tuple[LogJoint, Inferred],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evidence:
    """Fit fixed and mixed strength, without and with a lapse rate, and compare.

    Args:
        problem: The data.
        family: The mixed family.
        fitted: The program and result of the fit itself, used again.
        seed: Seed.
        progress: Called with a stage, steps done and steps in all.

    With more than 60,000 rows a random part of the respondents is weighed: there the evidence
    for any spread worth speaking of is overwhelming, and the lapse rate's table stays small.
    """
    if problem.n_rows > _MOST and problem.data.kind == "margin":
        problem = problem.part(_MOST, seed)
        joint = problem.joint(family, lapse=fitted[0].spec.lapse)
        fitted = joint, infer(joint, chains=2, seed=seed, method="evidence")
    models = _four_models(problem, family, fitted, seed, progress)
    log_z = {name: float(inferred.log_evidence[0]) for name, (_, inferred) in models.items()}
    top = max(log_z.values())
    weight = {name: math.exp(value - top) for name, value in log_z.items()}
    ratio = _ratio(models, "mixed", "fixed")
    ratio_lapse = _ratio(models, "mixed, lapse", "fixed, lapse")
    joint, inferred = models["mixed, lapse"]
    sampled = joint.sampled(inferred.theta.flatten(0, 1))
    log_sd = sampled.family.log_sd
    spread = torch.where(torch.isnan(log_sd), sampled.family.cv, log_sd)  # NaN where signed
    assert sampled.lapse is not None
    by_laplace = any(found.evidence_by == "laplace" for _, found in models.values())
    return Evidence(
        log_bayes_factor=log_z["mixed"] - log_z["fixed"],
        log_bayes_factor_lapse=log_z["mixed, lapse"] - log_z["fixed, lapse"],
        log_bayes_factor_noise=log_z["fixed, lapse"] - log_z["fixed"],
        likelihood_ratio=ratio,
        p_value=_p_value(ratio),
        likelihood_ratio_lapse=ratio_lapse,
        p_value_lapse=_p_value(ratio_lapse),
        log_sd_lapse=float(spread.mean()),
        lapse=float(sampled.lapse.mean()),
        probabilities={name: value / sum(weight.values()) for name, value in weight.items()},
        respondents=len(problem.units.block),
        by="laplace" if by_laplace else "importance",
        with_lapse=information_at_mode(joint, inferred),
    )


def _four_models(
    problem: Problem,
    family: str,
    fitted: tuple[LogJoint, Inferred],
    seed: int,
    progress: Progress | None,
) -> dict[str, tuple[LogJoint, Inferred]]:
    """Fixed and mixed strength, without and with a lapse rate; one of them is fitted already."""
    kinds = {
        "fixed": ("fixed", False),
        "mixed": (family, False),
        "fixed, lapse": ("fixed", True),
        "mixed, lapse": (family, True),
    }
    models = {}
    for name, (kind, lapse) in kinds.items():
        if (fitted[0].spec.family, fitted[0].spec.lapse) == (kind, lapse):
            models[name] = fitted
        else:
            joint = problem.joint(kind, lapse=lapse)
            models[name] = joint, infer(joint, chains=2, seed=seed, method="evidence")
        if progress is not None:
            progress("evidence", len(models), len(kinds))
    return models


def _ratio(models: dict[str, tuple[LogJoint, Inferred]], mixed: str, fixed: str) -> float | None:
    """Likelihood ratio statistic; utilities keep their prior in both (a penalised ratio)."""
    spec = models[mixed][0].spec
    if spec.groups or spec.family == "classes" or spec.n_utilities > _MANY:
        return None
    best = []
    for name in (mixed, fixed):
        joint, inferred = models[name]
        objective = partial(joint.log_likelihood, penalised=True)
        found = find_mode(objective, inferred.mode.theta, steps=40)
        best.append(float(found.value[0]))
    return max(0.0, 2 * (best[0] - best[1]))


def _p_value(ratio: float | None) -> float | None:
    """Tail of an even mixture of a point at 0 and chi-squared with one degree of freedom."""
    if ratio is None:
        return None
    return 1.0 if ratio == 0 else 0.5 * float(chi2.sf(ratio, 1))
