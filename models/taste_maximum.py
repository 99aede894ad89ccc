"""Maximum simulated likelihood of random tastes."""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from mixlogit.choice.panel_sets import Moments, make_blocks
from mixlogit.choice.simulated import Evaluation, SimulatedLikelihood
from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.taste_problem import TasteProblem
from mixlogit.models.taste_rows import choice_rows
from mixlogit.models.verdict import Check

__all__ = [
    "TasteMaximum",
    "climb",
    "counts",
    "maximum_of_tastes",
    "spread_check",
    "start_values",
    "taste_checks",
    "taste_table",
]

_SEEDS = 4  # other sets of draws that the simulation error is taken from
_LIMIT = 2.0  # nats of simulation error of the log-likelihood
_CERTAIN = 1e-3  # nats a judgement; nearer to 0 coefficients grow without end
_FEW = 10.0  # effective draws of a respondent
_WIDTH, _EXPONENT, _LAPSE = 0.3, 0.5, -3.0  # where sd, exponent and log odds of a lapse begin
_ELEMENTS = 1_000_000  # sets x alternatives of a block


@dataclass(frozen=True, eq=False)
class TasteMaximum:
    """Where the simulated likelihood is highest.

    Attributes:
        psi: Population parameters.
        likelihood: The likelihood, its draws around the modes at `psi`.
        found: Value, scores and Hessian there.
    """

    psi: Tensor
    likelihood: SimulatedLikelihood
    found: Evaluation

    @property
    def log_likelihood(self) -> float:
        """Simulated log-likelihood, nats."""
        return float(self.found.value.sum())


def _one_taste(problem: TasteProblem) -> Tensor:
    """Coefficients with one taste for all, and parameters of ties or grades.

    By Newton's method; steps of bounded length, shortened until the likelihood grows.
    """
    rows = choice_rows(problem.data, problem.model)
    blocks, n = make_blocks(rows, problem.unit_of_judgement, _ELEMENTS), len(problem.rms)
    more = 0 if problem.model is None else problem.model.n_thresholds
    start = 0.5 * torch.arange(1, more + 1, dtype=torch.float64)
    weights = torch.cat([torch.zeros(n, dtype=torch.float64), start])
    limit = torch.cat([5.0 / problem.rms, torch.ones(more, dtype=torch.float64)])

    def moments(at: Tensor, order: int) -> list[Moments]:
        return [
            block.moments(at.expand(len(block.respondent), 1, n + more), order) for block in blocks
        ]

    def value(at: Tensor) -> float:
        return sum(float(found.value.sum()) for found in moments(at, 0))

    now = value(weights)
    for _ in range(30):
        gradient = torch.zeros_like(weights)
        information = 1e-9 * torch.eye(n + more, dtype=torch.float64)
        for found in moments(weights, 2):
            assert found.score is not None
            assert found.bend is not None
            gradient += found.score.sum((0, 1))
            information -= found.bend.sum((0, 1))
        step = torch.linalg.lstsq(information, gradient.unsqueeze(-1)).solution.squeeze(-1)
        step = torch.maximum(torch.minimum(step, limit), -limit)
        while (after := value(weights + step)) < now and float(step.abs().max()) > 1e-9:
            step = step / 2.0
        weights = weights + step
        gained, now = after - now, after
        if gained < 1e-8:
            break
    return weights


def start_values(problem: TasteProblem) -> Tensor:
    """Where to begin: the multinomial logit, with small spreads.

    Signs of lognormal coefficients are as asked, whatever the logit says.
    """
    design, logit = problem.design, _one_taste(problem)
    means, entries, effects, width, strength, outcome = design.parts(
        torch.zeros(design.size, dtype=torch.float64)
    )
    for k, family in enumerate(design.families):
        value = float(logit[k])
        if family.endswith("lognormal"):
            agrees = (value > 0) != family.startswith("-")
            size = abs(value) if agrees else 0.0
            value = float(torch.tensor(max(size, 0.1 / float(problem.rms[k]))).log()) - 0.1
        means[k] = value
    for i, (k, j) in enumerate(design.entries):
        size = 0.5 if design.families[k].endswith("lognormal") else 0.4 / float(problem.rms[k])
        factor = 0.0 if design.correlated is True else 0.3 * (-1.0) ** (k + j)
        entries[i] = size if design.own(i) else factor * size
    if design.strength is not None:
        strength[:] = torch.tensor(design.strength.start, dtype=torch.float64)
    width[:] = _WIDTH
    thresholds = logit[len(means) :]
    outcome[: len(thresholds)] = thresholds
    if design.exponent:
        outcome[len(thresholds)] = _EXPONENT
    if problem.lapse:
        outcome[-1] = _LAPSE
    return torch.cat([means, entries, effects, width, strength, outcome])


def climb(
    likelihood: SimulatedLikelihood, psi: Tensor, *, steps: int = 80, tolerance: float = 1e-6
) -> tuple[Tensor, Evaluation]:
    """Maximise by Newton's method, the draws following the respondents' modes.

    Where the Hessian is not negative definite the outer product of scores (BHHH) stands in. Once
    a step gains less than 0.01 nats the draws stay, and the maximum is that of a smooth function.

    Args:
        likelihood: The likelihood; its draws are moved.
        psi: Where to begin.
        steps: Most steps.
        tolerance: Predicted gain at which to stop, nats.
    """
    moving = likelihood.sampling == "adaptive"
    likelihood.adapt(psi)
    for step in range(steps):
        found = likelihood.evaluate(psi, 2)
        assert found.score is not None
        assert found.hessian is not None
        gradient = found.score.sum(0)
        direction = _direction(found.score, found.hessian, gradient)
        gain = float(gradient @ direction)
        if gain < tolerance:
            break
        value, length = float(found.value.sum()), 1.0
        while length > 1e-4:
            new = psi + length * direction
            after = float(likelihood.evaluate(new).value.sum())
            if after > value + 1e-4 * length * gain:
                break
            length /= 3.0
        else:
            break
        psi = new
        if moving:
            likelihood.adapt(psi)
            moving = gain > 0.02 and step < steps // 2
    return psi, likelihood.evaluate(psi, 2)


def _direction(score: Tensor, hessian: Tensor, gradient: Tensor) -> Tensor:
    """Newton's direction; by the outer product of scores where that is no ascent."""
    factor, failed = torch.linalg.cholesky_ex(-hessian)
    if int(failed) == 0:
        newton: Tensor = torch.cholesky_solve(gradient.unsqueeze(-1), factor).squeeze(-1)
        return newton
    outer = score.T @ score
    ridge = 1e-6 * outer.diagonal().clamp_min(1e-12)
    bhhh: Tensor = torch.linalg.solve(outer + torch.diag(ridge), gradient)
    return bhhh


def maximum_of_tastes(problem: TasteProblem) -> TasteMaximum:
    """The flat-prior maximum.

    Raises:
        UsageError: If it is not regular, naming the parameters that run off or are not
            identified.
    """
    likelihood = problem.likelihood()
    psi, found = climb(likelihood, start_values(problem))
    if float(found.value.sum()) > -_CERTAIN * len(problem.data):
        raise UsageError(
            "The likelihood has no regular maximum on these data: the features explain every "
            "choice, so that coefficients run off. Fit with priors instead."
        )
    refuse_unidentified(problem, found)
    return TasteMaximum(psi, likelihood, found)


def refuse_unidentified(problem: TasteProblem, found: Evaluation) -> None:
    """Raise a `UsageError` if the information matrix is not positive definite."""
    assert found.hessian is not None
    scale = (-found.hessian).diagonal().clamp_min(1e-12).rsqrt()
    values, vectors = torch.linalg.eigh(-found.hessian * scale * scale.unsqueeze(-1))
    flat = vectors[:, values <= 1e-5]
    if not flat.shape[1]:
        return
    load = flat.square().sum(-1)
    names = [problem.design.names[int(k)] for k in torch.nonzero(load > 0.1).flatten()]
    raise UsageError(
        "The likelihood has no regular maximum on these data: "
        f"{', '.join(names)} cannot be told apart or run off. Make fewer coefficients random, "
        "drop correlations, or fit with priors instead."
    )


def taste_checks(best: TasteMaximum, problem: TasteProblem) -> list[Check]:
    """Simulation error, effective draws, and whether the data have enough respondents."""
    others = [
        float(
            best.likelihood.with_seed(problem.seed + 1 + k, best.psi)
            .evaluate(best.psi)
            .value.sum()
        )
        for k in range(_SEEDS)
    ]
    error = float(torch.tensor([best.log_likelihood, *others]).std())
    effective = float(best.likelihood.tastes(best.psi)[3].min())
    each = float(counts(problem).to(torch.float64).mean())
    people, size = best.likelihood.n_respondents, problem.design.size
    more = "Ask for more --taste-draws."
    return [
        Check("simulation error (nats)", error, _LIMIT, error <= _LIMIT, more),
        Check("effective taste draws", effective, _FEW, effective >= _FEW, more),
        Check(
            "parameters per respondent",
            size / people,
            0.5,
            size <= 0.5 * people,
            "Too many parameters for so few respondents: make fewer coefficients random or "
            "drop correlations.",
        ),
        Check(
            "choices per respondent",
            each,
            2.0,
            each >= 2.0,
            "With fewer than two choices each, spreads are a shape of the choice probabilities "
            "and not a measure of people.",
        ),
    ]


def spread_check(names: list[str], estimate: Tensor, se: Tensor) -> Check:
    """Whether every spread is told from 0; where not, its standard error means little.

    Args:
        names: Names of what is reported.
        estimate: Estimates.
        se: Their standard errors.
    """
    found = {
        name: float(value) / float(error)
        for name, value, error in zip(names, estimate, se, strict=True)
        if name.startswith(("sd[", "log_sd")) or name == "cv"
    }
    least = min(found, key=lambda name: found[name])
    ratio = found[least]
    advice = (
        f"{least} is not told from 0 by these data; make it fixed, drop correlations, or fit "
        "with priors."
    )
    return Check("least spread (standard errors)", ratio, 1.0, ratio >= 1.0, advice)


def taste_table(
    problem: TasteProblem, likelihood: SimulatedLikelihood, psi: Tensor
) -> pd.DataFrame:
    """Each respondent's tastes given their choices: means, sds, number of choices.

    Args:
        problem: The data.
        likelihood: The likelihood, its draws around the modes.
        psi: Population parameters.
    """
    mean, sd, strength, effective = likelihood.tastes(psi)
    columns: dict[str, object] = {"respondent": problem.labels()}
    columns["n"] = counts(problem).numpy()
    for k, name in enumerate(problem.design.features):
        columns[f"mean[{name}]"] = mean[:, k].numpy()
        columns[f"sd[{name}]"] = sd[:, k].numpy()
    if problem.design.strength is not None:
        columns["strength"] = strength.numpy()
    columns["effective_draws"] = effective.numpy()
    return pd.DataFrame(columns)


def counts(problem: TasteProblem) -> Tensor:
    """Judgements of each respondent."""
    data: Comparisons | ChoiceSets = problem.data
    if data.respondent is None:
        return torch.ones(len(data), dtype=torch.long)
    found = data.respondent.counts()
    return found[found > 0]
