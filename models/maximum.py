"""Maximum likelihood: flat priors, exact Hessian, and the respondent-clustered sandwich."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.utility import UtilityLikelihood
from mixlogit.data import ChoiceSets, Comparisons, Streamed
from mixlogit.errors import UsageError
from mixlogit.models.covariates import Covariates
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import find_mode
from mixlogit.models.outcome_problem import Ties, Width, make_problem
from mixlogit.models.parameters import named_parameters
from mixlogit.models.problem import Problem
from mixlogit.models.rough import rough_mode
from mixlogit.models.streamed_problem import refuse_streamed
from mixlogit.models.taste_maximum import (
    maximum_of_tastes,
    spread_check,
    taste_checks,
    taste_table,
)
from mixlogit.models.taste_named import named_tastes
from mixlogit.models.taste_problem import Random, TasteProblem, refuse_with_tastes
from mixlogit.models.threads import few_threads
from mixlogit.models.verdict import Check

__all__ = ["Maximum", "maximum"]

_CERTAIN = 1e-3  # nats a judgement; nearer to 0 utilities grow without end
_STEP = 1e-4  # of the central differences that carry standard errors to the named parameters


@dataclass(frozen=True, eq=False)
class Maximum:
    """A maximum of the likelihood.

    Attributes:
        family: Name of the strength family.
        log_likelihood: At the maximum, nats.
        table: One row for each parameter: estimate, se (exact Hessian) and se_sandwich
            (clustered by respondent; NaN without a panel).
        n_respondents: Number of respondents.
        checks: Of random tastes: simulation error, effective draws, enough respondents.
        tastes: Individual tastes, where they are random.
    """

    family: str
    log_likelihood: float
    table: pd.DataFrame
    n_respondents: int
    checks: tuple[Check, ...] = ()
    tastes: pd.DataFrame | None = None

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "family": self.family,
            "log_likelihood": self.log_likelihood,
            "parameters": self.table.to_dict(orient="index"),
            "checks": [check.to_dict() for check in self.checks],
        }


def maximum(
    data: Comparisons | ChoiceSets | Streamed,
    family: str | None = None,
    *,
    random: Random | None = None,
    seed: int = 0,
    panel: bool | None = None,
    lapse: bool = False,
    ties: Ties = "half",
    width: Width = "shared",
    covariates: Covariates | None = None,
    strength_covariates: Covariates | None = None,
    context: str = "",
) -> Maximum:
    """Maximise the likelihood with flat priors.

    Standard errors come from the exact Hessian of the marginal likelihood, and from the
    sandwich of the scores summed by respondent, which stays right when comparisons of a
    respondent depend on each other beyond the model (Huber 1967; Liang and Zeger 1986).

    Args:
        data: Comparisons, choice sets or streamed votes; with items or features the mean
            strength is fixed at 1.
        family: "fixed", "lognormal" (the default), "gamma", "normal" or "classes"; with random
            tastes "fixed" is the default.
        random: As for `fit`.
        seed: Seed of the draws of random tastes.
        panel: One strength for each respondent; the default where there are respondents.
        lapse: Let a share of the votes be random.
        ties: As for `fit`.
        width: As for `fit`.
        covariates: Of respondents, on the means of random tastes.
        strength_covariates: Of respondents, on mean strength beside random tastes.
        context: Of comparisons, on strength beside random tastes, as for `fit`.

    Raises:
        UsageError: If the maximum is not regular (a parameter runs off or is not identified).

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(2000, 100, "lognormal", mean=1.0, cv=0.6, seed=1).comparisons()
        >>> list(maximum(data).table.index)
        ['mean', 'cv', 'log_sd']
    """
    if family is None:
        family = "fixed" if random else "lognormal"
    if (covariates or strength_covariates or context) and not random:
        raise UsageError("Covariates at a maximum move random tastes. Name some as random.")
    if isinstance(data, Streamed):
        refuse_streamed({"random": random})
    elif random:
        refuse_with_tastes({"no-panel": panel is False})
        options: dict[str, Any] = {"covariates": covariates, "context": context, "lapse": lapse}
        options |= {"strength_covariates": strength_covariates, "ties": ties, "width": width}
        with few_threads(len(data)):
            return _of_tastes(TasteProblem.of(data, random, family, seed, **options))
    return _maximise(make_problem(data, ties=ties, width=width, panel=panel), family, lapse)


def _maximise(problem: Problem, family: str, lapse: bool) -> Maximum:
    """The maximum with one taste for all."""
    with few_threads(problem.n_rows):
        joint = problem.joint(family, lapse=lapse)
        start = rough_mode(joint, joint.start())
        found = find_mode(joint.log_likelihood, start, steps=100)
        information = -found.hessian[0]
        certain = float(found.value[0]) > -_CERTAIN * problem.n_rows
        if certain or not bool((torch.linalg.eigvalsh(information) > 1e-8).all()):
            raise UsageError(
                f"The likelihood of the {family} family has no regular maximum on these data: a "
                "parameter runs off or is not identified. Fit with priors instead."
            )
        theta, covariance = found.theta[0], torch.linalg.inv(information)
        names, value, slope = _named(problem, joint, theta)
        hessian_se = _se(slope, covariance)
        sandwich_se = torch.full_like(hessian_se, torch.nan)
        scores = _scores(joint, theta) if problem.panel else None
        if scores is not None:
            sandwich_se = _se(slope, covariance @ (scores.T @ scores) @ covariance)
    table = pd.DataFrame(
        {"estimate": value, "se": hessian_se, "se_sandwich": sandwich_se},
        index=pd.Index(names, name="parameter"),
    )
    return Maximum(family, float(found.value[0]), table, problem.data.n_respondents)


def _of_tastes(problem: TasteProblem) -> Maximum:
    """The maximum with random tastes, named, with both kinds of standard error."""
    best = maximum_of_tastes(problem)
    assert best.found.hessian is not None
    assert best.found.score is not None
    covariance = torch.linalg.inv(-best.found.hessian)
    psi = best.psi.clone().requires_grad_()
    names, value = named_tastes(problem, psi.unsqueeze(0))
    rows = [torch.autograd.grad(one, psi, retain_graph=True)[0] for one in value[0]]
    slope, value = torch.stack(rows), value.detach()
    sandwich_se = torch.full_like(value[0], torch.nan)
    if problem.panel:
        scores = best.found.score
        sandwich_se = _se(slope, covariance @ (scores.T @ scores) @ covariance)
    se = _se(slope, covariance)
    table = pd.DataFrame(
        {"estimate": value[0], "se": se, "se_sandwich": sandwich_se},
        index=pd.Index(names, name="parameter"),
    )
    return Maximum(
        problem.family,
        best.log_likelihood,
        table,
        problem.data.n_respondents,
        (*taste_checks(best, problem), spread_check(names, value[0], se)),
        taste_table(problem, best.likelihood, best.psi),
    )


def _se(slope: Tensor, covariance: Tensor) -> Tensor:
    """Standard errors of functions with the given slopes (delta method)."""
    return torch.einsum("ip,pq,iq->i", slope, covariance, slope).sqrt()


def _around(theta: Tensor) -> Tensor:
    """Theta itself, then a step up and a step down in each parameter: `draw x 1 x parameter`."""
    steps = _STEP * torch.eye(len(theta), dtype=theta.dtype)
    return torch.cat([theta.unsqueeze(0), theta + steps, theta - steps]).unsqueeze(1)


def _slope(values: Tensor) -> Tensor:
    """Central differences of values at `_around`: `... x parameter`."""
    up, down = values[1:].chunk(2)
    return ((up - down) / (2 * _STEP)).movedim(0, -1)


def _named(problem: Problem, joint: LogJoint, theta: Tensor) -> tuple[list[str], Tensor, Tensor]:
    """Names, values and slopes of the named parameters."""
    named = named_parameters(problem, joint, _around(theta).squeeze(1).unsqueeze(0))
    names, columns = [], []
    for name, array in named.values.items():
        values = torch.from_numpy(array[0]).reshape(array.shape[1], -1)
        labels = named.coords[named.dims[name][0]] if name in named.dims else [""]
        names += [f"{name}[{label}]" if label else name for label in labels]
        columns.append(values)
    every = torch.cat(columns, -1)
    return names, every[0], _slope(every)


def _scores(joint: LogJoint, theta: Tensor) -> Tensor | None:
    """Gradient of each respondent's log-likelihood: `respondent x parameter`."""
    likelihood: Any = joint.likelihood
    if not isinstance(likelihood, (PanelLikelihood, UtilityLikelihood)):
        return None
    parts = []
    for part in _around(theta).split(max(1, joint.draws_at_once)):
        sampled = joint.sampled(part)
        with torch.no_grad():
            parts.append(likelihood.by_respondent(*sampled.arguments()))
    return _slope(torch.cat(parts))
