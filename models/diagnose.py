"""Can a fit be believed? Predictions against the data, sensitivity, identification: checks."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mixlogit.models.calibration import Reliability, reliability
from mixlogit.models.identify import Identified, Information, identify
from mixlogit.models.individual import Individuals
from mixlogit.models.infer import Inferred
from mixlogit.models.joint import LogJoint
from mixlogit.models.leave_out import k_limit, units_left_out
from mixlogit.models.parameters import Named
from mixlogit.models.predictive import Predicted, predict
from mixlogit.models.problem import Problem
from mixlogit.models.replicated import Replicated, compare_with_replicates
from mixlogit.models.sensitivity import population_log_prior, power_sensitivity
from mixlogit.models.thin import thinned
from mixlogit.models.verdict import Check

__all__ = ["Diagnosis", "LeftOut", "diagnose"]

Array = NDArray[np.float64]
_P = 0.005  # a clean fit with five such checks fails one of them in a fortieth of all cases
_SENSITIVE, _NOTABLE = 0.15, 0.05  # sensitivity to a power of the prior, of the likelihood
_HIGH, _NAMED = 0.05, 3  # share of respondents with a high k, and how many of them are named
_WORDS = {
    "agreeing": "The share that agrees with the margin is not what the fit expects at every size "
    "of margin: try --lapse, another --family, or margins on another scale.",
    "respondent_sd": "Respondents differ more or less in how often they agree with the margins "
    "than the fit expects: try another --family (normal or classes allow reversed respondents).",
    "taste": "Votes of one respondent deviate together in some direction: people differ in taste, "
    "and strength alone misleads; compare with random tastes (--random).",
    "tied": "Ties are not as frequent as the fit expects at every size of margin: try the other "
    "--ties model, or --width.",
    "mean_grade": "Grades do not rise with the margin as the fit expects: try --width, or leave "
    "them out.",
}
_NAMES = {
    "agreeing": "agreement by margin",
    "respondent_sd": "spread between respondents",
    "taste": "taste in residuals",
    "tied": "ties by margin",
    "mean_grade": "grades by margin",
}


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Leaving out one unit: a respondent, or a comparison where there is no panel.

    Attributes:
        elpd: Log predictive density given all others, a `unit`-vector, nats.
        k_hat: Pareto k of it, a `unit`-vector.
        limit: Largest k to trust.
    """

    elpd: Array
    k_hat: Array
    limit: float


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Everything that was looked at, and the checks that come of it.

    Attributes:
        predicted: Predictions.
        replicated: The data against replicates.
        calibration: Reliability of the predictions; None with fewer than 50 judgements.
        left_out: Leaving out units, where their log-likelihood is kept.
        identified: What the data identify.
        log_prior: Of the population's parameters, `chain x draw`.
        shrinkage: Weight of the own votes in individual strengths, by kept draw.
        reliability: Of individual strengths, by kept draw.
        checks: Value, threshold, verdict, advice.
    """

    predicted: Predicted
    replicated: Replicated
    calibration: Reliability | None
    left_out: LeftOut | None
    identified: Identified
    log_prior: Array
    shrinkage: Array | None
    reliability: Array | None
    checks: list[Check]


def diagnose(
    problem: Problem,
    joint: LogJoint,
    inferred: Inferred,
    named: tuple[Named, Named],
    found: Individuals | None,
    log_likelihood: NDArray[np.float32] | None,
    with_lapse: Information | None,
    seed: int,
) -> Diagnosis:
    """Look at a fit from every side.

    Args:
        problem: The data.
        joint: The fitted program.
        inferred: Its result.
        named: Posterior and prior parameters.
        found: Individual strengths of a panel.
        log_likelihood: Of units, `chain x draw x unit`.
        with_lapse: What the model with a lapse rate identifies.
        seed: Seed of replicates and bands.
    """
    theta = inferred.theta.squeeze(-2)
    flat = theta.reshape(-1, 1, joint.size)
    with torch.no_grad():
        log_prior = population_log_prior(joint, flat).reshape(theta.shape[:2]).numpy()
    predicted = predict(problem, joint, flat, found, seed)
    replicated = compare_with_replicates(problem, predicted)
    calibration = _calibration(predicted, seed)
    left_out = None
    if log_likelihood is not None:
        kept = log_likelihood.shape[0] * log_likelihood.shape[1]
        left_out = LeftOut(*units_left_out(log_likelihood), k_limit(max(kept, 200)))
    identified = identify(problem, joint, inferred, *named, with_lapse)
    shrinkage, reliable = _individual(problem, joint, found)
    checks = [
        *_sensitivity(named[0], log_prior, log_likelihood),
        *_identification(identified),
        *_predictions(replicated, calibration),
        *_influence(problem, left_out),
    ]
    return Diagnosis(
        predicted,
        replicated,
        calibration,
        left_out,
        identified,
        log_prior,
        shrinkage,
        reliable,
        checks,
    )


def _calibration(predicted: Predicted, seed: int) -> Reliability | None:
    answers, rows = predicted.answers, predicted.rows
    direction, recorded = answers.direction, answers.recorded
    first = torch.where(direction > 0, recorded, 0.0).sum(0)[rows]
    decided = torch.where(direction != 0, recorded, 0.0).sum(0)[rows] > 0
    if int(decided.sum()) < 50:
        return None
    return reliability(predicted.without[decided].numpy(), first[decided].numpy(), seed=seed)


def _individual(
    problem: Problem, joint: LogJoint, found: Individuals | None
) -> tuple[Array | None, Array | None]:
    """Shrinkage and reliability of individual strengths (their logarithms) at each kept draw."""
    if found is None or joint.spec.family == "fixed" or len(found.strengths) < 2:
        return None, None
    kept = len(found.theta)
    shape = len(found.strengths), kept, -1
    b, weight = found.strengths.view(shape), found.weights.view(shape) * kept
    family = joint.sampled(found.theta).family
    log_sd = family.log_sd
    signed = bool(torch.isnan(log_sd).any()) or bool((b <= 0).any())
    x, sd = (b, family.sd) if signed else (b.log(), log_sd)
    mean = (weight * x).sum(-1)
    within = (weight * (x - mean.unsqueeze(-1)).square()).sum(-1).mean(0)
    between = mean.var(0)
    population = sd[:, problem.units.block].square().mean(-1)
    shrinkage = 1 - within / population.clamp_min(1e-12)
    reliable = between / (between + within).clamp_min(1e-300)
    return shrinkage.clamp(0.0, 1.0).numpy(), reliable.numpy()


def _sensitivity(
    named: Named, log_prior: Array, log_likelihood: NDArray[np.float32] | None
) -> list[Check]:
    """Whether the prior moves mean or spread."""
    values = {name: named.values[name] for name in ("mean", "cv") if name in named.values}
    if not values:
        return []
    found = {
        name: power_sensitivity(value.reshape(-1), log_prior.reshape(-1))
        for name, value in values.items()
    }
    name = max(found, key=lambda key: found[key])
    advice = f"Prior and data disagree about {name}: set its prior with care (--prior-...)."
    if log_likelihood is not None:
        total = log_likelihood.sum(-1, dtype=np.float64)
        kept = thinned(values[name].shape[1], total.shape[1])
        data = power_sensitivity(values[name][:, kept].reshape(-1), total.reshape(-1))
        if data < _NOTABLE:
            advice = f"The prior decides about {name}, not the data: collect more votes."
    ok = found[name] <= _SENSITIVE
    return [Check("prior sensitivity", found[name], _SENSITIVE, ok, advice)]


def _identification(found: Identified) -> list[Check]:
    """Whether the data weigh more than the prior in every direction, at any scale of margins."""
    checks = []
    if found.information is not None:
        least = found.information.eigenvalues[0]
        parts = zip(found.information.parameters, found.information.weakest, strict=True)
        names = " and ".join(name for name, share in parts if abs(share) > 0.5)
        advice = f"The data cannot tell {names} apart from the prior; fix one, or collect more."
        checks.append(Check("information in the data", least, 1.0, least >= 1.0, advice))
    if found.rescaled is not None:
        advice = "Report this data set: the answer depends on the unit of the margins."
        ok = found.rescaled <= 0.01
        checks.append(Check("rescaled margins", found.rescaled, 0.01, ok, advice))
    return checks


def _predictions(found: Replicated, calibration: Reliability | None) -> list[Check]:
    """Whether the fit replicates its data, and its probabilities are right."""
    checks = [
        Check(_NAMES[name], p, _P, p >= _P, _WORDS[name]) for name, p in found.p_value.items()
    ]
    if calibration is not None:
        p = calibration.p_value
        advice = "Predicted probabilities are not right: see the calibration curve; try --lapse."
        checks.append(Check("calibration", p, _P, p >= _P, advice))
    return checks


def _influence(problem: Problem, found: LeftOut | None) -> list[Check]:
    """Whether single respondents weigh so much that leaving them out cannot be computed.

    Without a panel there is no such check: one comparison weighs next to nothing, and the tail of
    weights that are all alike has no meaning.
    """
    if found is None or not problem.panel:
        return []
    high = np.flatnonzero(found.k_hat > found.limit)
    share = len(high) / len(found.k_hat)
    labels = problem.unit_labels()
    worst = high[np.argsort(-found.k_hat[high])][:_NAMED]
    names = ", ".join(labels[unit] for unit in worst)
    more = f" and {len(high) - _NAMED} more" if len(high) > _NAMED else ""
    advice = (
        f"Respondents {names}{more} weigh so much that the elpd is not to be trusted: look at "
        "them, or fit without."
    )
    return [Check("share of high leave-one-out k", share, _HIGH, share <= _HIGH, advice)]
