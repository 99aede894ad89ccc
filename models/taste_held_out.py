"""Held-out choices under random tastes."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.panel_sets import make_blocks
from mixlogit.choice.simulated import SimulatedLikelihood, normal_points
from mixlogit.data import ChoiceSets
from mixlogit.errors import UsageError
from mixlogit.models.held_out import recode
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem
from mixlogit.models.taste_class_held_out import one_for_all_scores
from mixlogit.models.taste_problem import TasteProblem

__all__ = ["one_taste", "taste_held_out", "taste_log_scores"]

_DRAWS = 32


def one_taste(problem: TasteProblem, priors: Priors) -> Problem:
    """The same data with one taste for all, under the same priors of its coefficients."""
    alone = make_problem(problem.data, priors=priors)
    alone.spec = replace(alone.spec, utility_basis=torch.diag(1.0 / problem.rms))
    return alone


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
        test: Held-out choices with the features of the fit, without ties.

    Raises:
        UsageError: For choices that the fit cannot score.
    """
    fitted = problem.data
    if type(test) is not type(fitted) or test.features is None:
        raise UsageError("The held-out choices are not of the kind of the fit.")
    place = recode(fitted.feature_names, test.feature_names, "feature")
    names = fitted.feature_names
    test = replace(test, features=test.features[:, place], feature_names=names)
    if not isinstance(test, ChoiceSets) and test.n_ties:
        test = test.take(test.outcome != 0.5)
    features, mask, _, _ = replace(problem, data=test).rows()
    n = simulated.n_respondents
    unit = _units(problem, test, n)
    population = normal_points(1, simulated.draws, problem.design.n_latent, "sobol", 1)
    z = torch.cat([simulated.z, population])
    rows = torch.arange(len(unit))
    largest = max(1, 1_000_000 // simulated.draws)
    blocks = make_blocks(features, mask, torch.ones(len(unit)).double(), rows, largest)
    chosen = psi[torch.linspace(0, len(psi) - 1, min(_DRAWS, len(psi))).round().long()]
    chance = torch.zeros(len(unit), dtype=torch.float64)
    even = torch.full((1, simulated.draws), 1.0 / simulated.draws, dtype=torch.float64)
    with torch.no_grad():
        for one in chosen:
            weight = torch.cat([simulated.weights(one), even])
            for block in blocks:
                who = unit[block.respondent]
                at = problem.design.at(one, z[who])
                p = block.moments(at.value).value.exp()
                chance[block.respondent] += (weight[who] * p).sum(-1) / len(chosen)
    return chance.clamp_min(1e-300).log()


def taste_held_out(
    problem: TasteProblem,
    simulated: SimulatedLikelihood,
    psi: Tensor,
    priors: Priors,
    test: Any,
    seed: int,
) -> dict[str, Any]:
    """Score held-out choices by the fit and by one taste and one strength for all.

    Args:
        problem: The data of the fit.
        simulated: The likelihood, its draws around the modes.
        psi: Population parameters, `draw x parameter`.
        priors: The priors.
        test: Held-out choices.
        seed: Seed of the fit of one taste for all.
    """
    score = taste_log_scores(problem, simulated, psi, test)
    reference = one_for_all_scores(one_taste(problem, priors), test, seed)
    gain = 1000 * (score - reference)
    return {
        "log_score": float(score.mean()),
        "n": len(score),
        "accuracy": None,
        "fixed_strength": float(reference.mean()),
        "gain_millinats": float(gain.mean()),
        "se": float(gain.std()) / len(gain) ** 0.5,
    }


def _units(problem: TasteProblem, test: Any, n: int) -> Tensor:
    """Respondent of the fit of each choice; n where the fit has none."""
    if not problem.panel or test.respondent is None:
        return torch.full((len(test),), n)
    place = {name: k for k, name in enumerate(problem.labels())}
    who = torch.tensor([place.get(name, n) for name in test.respondent.labels])
    return who[test.respondent.codes]
