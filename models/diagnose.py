"""Can a fit be believed? Predictions against the data, sensitivity, identification: checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mixlogit.models.calibration import Reliability, reliability
from mixlogit.models.diagnosis_checks import (
    identification_checks,
    prediction_checks,
    respondent_checks,
    sensitivity_checks,
    vote_checks,
)
from mixlogit.models.identify import (
    Identified,
    Information,
    identify,
    information_at_mode,
    rescaling_error,
)
from mixlogit.models.individual import Individuals
from mixlogit.models.infer import Inferred
from mixlogit.models.joint import LogJoint
from mixlogit.models.loo import UnitsLeftOut, units_left_out
from mixlogit.models.parameters import Named
from mixlogit.models.predictive import Predicted, Predictor, predict
from mixlogit.models.problem import Problem
from mixlogit.models.replicated import Replicated, compare_with_replicates
from mixlogit.models.sensitivity import population_log_prior
from mixlogit.models.strength_predictor import StrengthPredictor
from mixlogit.models.taste_measures import taste_measures
from mixlogit.models.thin import thinned
from mixlogit.models.verdict import Check
from mixlogit.models.votes_left_out import VOTE_DRAWS, VotesLeftOut, votes_left_out

__all__ = [
    "Diagnosis",
    "Seen",
    "diagnose",
    "diagnose_strength",
    "diagnose_tastes",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Everything that was looked at, and the checks that come of it.

    Attributes:
        predicted: Predictions.
        replicated: The data against replicates.
        calibration: Reliability of the predictions; None with weights, or with fewer than 50
            judgements.
        left_out: Leaving out units, where their log-likelihood is kept.
        votes: Leaving out single votes of a panel.
        identified: What the data identify.
        log_prior: Of the population's parameters, `chain x draw`.
        measures: Measures of heterogeneity where tastes differ, by kept draw.
        shrinkage: Weight of the own votes in individual strengths or tastes, by kept draw.
        reliability: Of these, by kept draw.
        checks: Value, threshold, verdict, advice.
    """

    predicted: Predicted
    replicated: Replicated
    calibration: Reliability | None
    left_out: UnitsLeftOut | None
    votes: VotesLeftOut | None
    identified: Identified
    log_prior: Array
    measures: Mapping[str, Array]
    shrinkage: Array | None
    reliability: Array | None
    checks: list[Check]

    def vote_record(self) -> dict[str, Any] | None:
        """Density of a new vote of a known respondent, for the record; None without a panel."""
        return None if self.votes is None else self.votes.record()


def diagnose_strength(
    problem: Problem,
    joint: LogJoint,
    inferred: Inferred,
    named: tuple[Named, Named],
    found: Individuals | None,
    log_likelihood: NDArray[np.float32] | None,
    with_lapse: Information | None,
    seed: int,
) -> Diagnosis:
    """Look at a fit of strength from every side.

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
    flat = inferred.theta.reshape(-1, 1, joint.size)
    predictor = StrengthPredictor.of(problem, joint, flat, found)
    voter = None
    if problem.panel:
        some = flat[thinned(len(flat), VOTE_DRAWS)]
        voter = StrengthPredictor(problem, joint, some, None, predictor.answers)
    identified = identify(
        problem,
        information_at_mode(joint, inferred),
        with_lapse,
        named[0].values,
        named[1].values,
        rescaling_error(problem, joint, inferred.theta),
    )
    values = named[0].values
    watched = {str(name): values[name] for name in ("mean", "cv") if name in values}
    shrinkage, reliable = _individual(problem, joint, found)
    seen = Seen(
        predictor,
        voter,
        identified,
        watched,
        measures={},
        shrinkage=shrinkage,
        reliability=reliable,
        tastes=False,
    )
    return diagnose(problem, joint, inferred, seen, log_likelihood, seed)


def diagnose_tastes(
    problem: Any,
    joint: LogJoint,
    inferred: Inferred,
    predictor: Predictor,
    named: tuple[Mapping[str, Array], Mapping[str, Array]],
    log_likelihood: NDArray[np.float32] | None,
    seed: int,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> Diagnosis:
    """Look at a fit in which tastes differ from every side.

    Args:
        problem: The data.
        joint: The fitted program.
        inferred: Its result.
        predictor: Draws, `VOTE_DRAWS` of them or fewer.
        named: Posterior and prior of the population's parameters, `chain x draw` each.
        log_likelihood: Of units, `chain x draw x unit`.
        seed: Seed of replicates and bands.
        labels: Names of the numbers of a site that has several.
    """
    identified = identify(problem, information_at_mode(joint, inferred, labels), None, *named)
    watched = {
        name: value for name, value in named[0].items() if name.startswith(("sd[", "share[", "cv"))
    }
    measures = {name: value.numpy() for name, value in taste_measures(predictor, seed).items()}
    seen = Seen(
        predictor,
        predictor if problem.panel else None,
        identified,
        watched,
        shrinkage=measures.pop("shrinkage"),
        reliability=measures.pop("reliability"),
        measures=measures,
        tastes=True,
    )
    return diagnose(problem, joint, inferred, seen, log_likelihood, seed)


@dataclass(frozen=True, eq=False)
class Seen:
    """What is particular to one kind of fit.

    Attributes:
        predictor: The draws that predict.
        voter: Draws at which votes are left out; None without a panel.
        identified: What the data identify.
        watched: Parameters that the prior should not move, `chain x draw` each, by name.
        measures: Measures of heterogeneity where tastes differ, by name, `kept`-vectors.
        shrinkage: Of individuals, by kept draw.
        reliability: Of individuals, by kept draw.
        tastes: Whether tastes differ.
    """

    predictor: Predictor
    voter: Predictor | None
    identified: Identified
    watched: Mapping[str, Array]
    measures: Mapping[str, Array]
    shrinkage: Array | None
    reliability: Array | None
    tastes: bool


def diagnose(
    problem: Any,
    joint: LogJoint,
    inferred: Inferred,
    seen: Seen,
    log_likelihood: NDArray[np.float32] | None,
    seed: int,
) -> Diagnosis:
    """Look at a fit of any kind from every side.

    Args:
        problem: The data.
        joint: The fitted program.
        inferred: Its result.
        seen: What is particular to its kind.
        log_likelihood: Of units, `chain x draw x unit`.
        seed: Seed of replicates and bands.
    """
    theta = inferred.theta.squeeze(-2)
    with torch.no_grad():
        flat = theta.reshape(-1, 1, joint.size)
        log_prior = population_log_prior(joint, flat).reshape(theta.shape[:2]).numpy()
    predicted = predict(problem, seen.predictor, seed)
    replicated = compare_with_replicates(problem, predicted, tastes=seen.tastes)
    calibration = None
    if predicted.single:
        calibration = _calibration(predicted, seed, tastes=seen.tastes)
    left_out = None if log_likelihood is None else units_left_out(log_likelihood)
    votes = None if seen.voter is None else votes_left_out(seen.voter, predicted)
    checks = [
        *sensitivity_checks(seen.watched, log_prior, log_likelihood),
        *identification_checks(seen.identified),
        *prediction_checks(replicated, calibration, tastes=seen.tastes),
        *respondent_checks(problem, left_out),
        *vote_checks(problem, votes),
    ]
    return Diagnosis(
        predicted=predicted,
        replicated=replicated,
        calibration=calibration,
        left_out=left_out,
        votes=votes,
        identified=seen.identified,
        log_prior=log_prior,
        measures=seen.measures,
        shrinkage=seen.shrinkage,
        reliability=seen.reliability,
        checks=checks,
    )


def _calibration(predicted: Predicted, seed: int, *, tastes: bool) -> Reliability | None:
    answers, rows = predicted.answers, predicted.rows
    direction, recorded = answers.direction_of(rows), answers.recorded[:, rows]
    first = torch.where(direction > 0, recorded, 0.0).sum(0)
    decided = torch.where(direction != 0, recorded, 0.0).sum(0) > 0
    if int(decided.sum()) < 50:
        return None
    y, p, own = (x[decided].numpy() for x in (first, predicted.without, predicted.first))
    optimism = float(((y - p) ** 2 - (y - own) ** 2).mean()) if tastes else 0.0
    return reliability(p, y, seed=seed, optimism=max(0.0, optimism))


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
