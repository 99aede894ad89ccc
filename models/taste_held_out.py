"""Held-out choices under random tastes."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.panel_sets import make_blocks
from mixlogit.choice.simulated import SimulatedLikelihood, normal_points
from mixlogit.data import ChoiceSets
from mixlogit.errors import UsageError
from mixlogit.models.held_out import recode
from mixlogit.models.outcome_held_out import against, one_for_all_scores
from mixlogit.models.taste_problem import TasteProblem
from mixlogit.models.thin import thinned

__all__ = ["taste_held_out", "taste_log_scores"]

_DRAWS = 32


def taste_log_scores(
    problem: TasteProblem, simulated: SimulatedLikelihood, psi: Tensor, test: Any
) -> Tensor:
    """Log predictive probability of each held-out choice, nats.

    A respondent of the fit is predicted with their own posterior tastes, one without choices in
    the fit with the population.

    Args:
        problem: The data of the fit.
        simulated: The likelihood, its draws around the modes.
        psi: Population parameters, `draw x parameter`; 32 draws are used.
        test: Held-out choices with the features of the fit; ties that are half votes are left out.

    Raises:
        UsageError: For choices that the fit cannot score.
    """
    fitted = problem.data
    if type(test) is not type(fitted) or test.features is None:
        raise UsageError("The held-out choices are not of the kind of the fit.")
    place = recode(fitted.feature_names, test.feature_names, "feature")
    names = fitted.feature_names
    test = replace(test, features=test.features[:, place], feature_names=names)
    if not isinstance(test, ChoiceSets) and problem.model is None:
        test = test.take(test.outcome != 0.5)
    if len(test) == 0:
        raise UsageError("All held-out votes are ties, so none can be scored.")
    test = replace(test, weight=None)
    n, design = simulated.n_respondents, problem.design
    unit = _units(problem, test, n)
    population = normal_points(1, simulated.draws, design.n_latent, "sobol", 1)
    z = torch.cat([simulated.z, population.repeat(1, design.copies, 1)])
    covariates = _covariates(problem, test)
    largest = max(1, 1_000_000 // z.shape[1])
    blocks = make_blocks(problem.rows_of(test), torch.arange(len(test)), largest)
    chosen = psi[thinned(len(psi), _DRAWS)]
    chance = torch.zeros(len(unit), dtype=torch.float64)
    log_even = torch.full((1, z.shape[1]), -math.log(simulated.draws), dtype=torch.float64)
    with torch.no_grad():
        for one in chosen:
            known = simulated.weights(one).log()
            for block in blocks:
                who = block.respondent
                at = design.at(one, z[unit[who]], None if covariates is None else covariates[who])
                log_weight = torch.cat([known, log_even + at.log_mass])[unit[who]]
                p = block.moments(at.value).value
                chance[who] += torch.logsumexp(log_weight + p, -1).exp() / len(chosen)
    return chance.clamp_min(1e-300).log()


def taste_held_out(
    problem: TasteProblem,
    simulated: SimulatedLikelihood,
    psi: Tensor,
    test: Any,
    seed: int,
) -> dict[str, Any]:
    """Score held-out choices by the fit and by one taste and one strength for all.

    Args:
        problem: The data of the fit.
        simulated: The likelihood, its draws around the modes.
        psi: Population parameters, `draw x parameter`.
        test: Held-out choices.
        seed: Seed of the fit of one taste for all.
    """
    score = taste_log_scores(problem, simulated, psi, test)
    joined = problem.alone.like_fitted(test)
    reference = one_for_all_scores(problem.alone, joined, seed, lapse=problem.lapse)
    return against(score, reference, decided=False)


def _covariates(problem: TasteProblem, test: Any) -> Tensor | None:
    """Covariates of the respondent of each held-out choice; None without."""
    found = problem.covariates_of(test)
    return None if found is None else found[replace(problem, data=test).unit_of_judgement]


def _units(problem: TasteProblem, test: Any, n: int) -> Tensor:
    """Respondent of the fit of each choice; n where the fit has none."""
    if not problem.panel or test.respondent is None:
        return torch.full((len(test),), n)
    place = {name: k for k, name in enumerate(problem.labels())}
    who = torch.tensor([place.get(name, n) for name in test.respondent.labels])
    return who[test.respondent.codes]
