"""Random tastes with contexts, covariates of strength, groups, lapses and widths."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from judges import choice_sets, davidson, double, generator, graded, pairs
from scipy.special import expit, logsumexp

import mixlogit as ml
from mixlogit.data.comparisons import Labels
from mixlogit.models.taste_predictor import TastePredictor
from mixlogit.models.taste_problem import TasteProblem
from mixlogit.models.votes_left_out import vote_log_likelihood

PEOPLE, PER = 4, 8
ABOUT = ml.Covariates.read(
    "~ age", pd.DataFrame({"respondent": list("0123"), "age": [20.0, 30.0, 50.0, 80.0]})
)
AGE = np.array([20.0, 30.0, 50.0, 80.0])
AGE = (AGE - AGE.mean()) / AGE.std()
NODE = np.linspace(-6, 6, 61)
LOG_WEIGHT = -0.5 * NODE**2 - logsumexp(-0.5 * NODE**2)
# of tastes 0.7 and -0.5, sd 0.9 of the first; tau of log strength
TASTES, TAU = [0.7, -0.5, 0.9], [0.5]
OUTCOME = {"davidson": [np.log(0.7)], "grades": [0.4, 1.5]}


def data_of(outcome: str):
    """Judgements of four respondents with a number of each, and a group of it."""
    rng = generator(outcome, "shifts")
    coefficients = np.array([0.7, -0.5]) + np.array([0.9, 0.0]) * rng.standard_normal((PEOPLE, 2))
    if outcome == "choice":
        data = choice_sets(coefficients, rng, per=PER)
    elif outcome == "davidson":
        data = davidson(coefficients, 0.7, rng, per=PER)
    elif outcome == "grades":
        data = graded(coefficients, [0.4, 1.5], rng, per=PER)
    else:
        frame, s = pairs(coefficients, rng, per=PER)
        frame["outcome"] = np.where(rng.random(len(s)) < expit(s), "a", "b")
        data = ml.Comparisons.from_pandas(frame, features=["x0", "x1"])
    number = torch.arange(len(data)) % 5
    stance = torch.arange(len(data)) % 2
    groups = {
        "length": Labels(number, tuple("01234")),
        "stance": Labels(stance, ("pro", "con")),
    }
    return replace(data, groups=groups)


def log_probs(outcome: str, data, c, wide, factor: np.ndarray) -> np.ndarray:
    """Log probability of each judgement, by its definition: `judgement x point`.

    `c` are coefficients, `point x feature`, `wide` factors of width, `factor` those of contexts.
    """
    out = []
    for k in range(len(data)):
        if outcome == "choice":
            rows = data.choice == k
            u = factor[k] * c @ data.features[rows].numpy().T
            out.append(u[:, data.chosen[rows].numpy()][:, 0] - logsumexp(u, axis=1))
            continue
        s = factor[k] * c @ data.features[k].numpy()
        answer = float(data.outcome[k])
        if outcome == "pairs":
            out.append(-np.logaddexp(0.0, (1 - 2 * answer) * s))
        elif outcome == "davidson":
            every = {0.0: -s / 2, 0.5: np.log(0.7 * wide), 1.0: s / 2}
            out.append(every[answer] - logsumexp(list(every.values()), axis=0))
        else:
            cuts = np.array([-np.inf, -1.5, -0.4, 0.4, 1.5, np.inf])
            level = int(data.grade[k]) + 2
            low, high = (x * wide if np.isfinite(x) else x for x in cuts[level : level + 2])
            out.append(np.log(np.maximum(expit(s - low) - expit(s - high), 1e-300)))
    return np.stack(out)


OPTIONS = {"pairs": 2, "choice": 3, "davidson": 3, "grades": 5}
CASES = [
    ("pairs", {"context": "~ length", "lapse": True}),
    ("pairs", {"by": ["stance"], "strength_covariates": ABOUT}),
    ("choice", {"strength_covariates": ABOUT, "lapse": True}),
    ("choice", {"by": ["stance"]}),
    ("davidson", {"width": "strength", "context": "~ length"}),
    ("davidson", {"width": "respondent", "lapse": True}),
    ("grades", {"width": "respondent", "context": "~ length", "lapse": True}),
    ("grades", {"width": "strength"}),
]


@pytest.mark.parametrize(("outcome", "options"), CASES)
def test_likelihood_and_predictions_against_a_dense_grid(outcome: str, options) -> None:
    data = data_of(outcome)
    asked = ml.RandomTastes("x0:normal", draws=2048)
    ties = {"ties": "davidson"} if outcome == "davidson" else {}
    problem = TasteProblem.of(data, asked, "lognormal", 0, **ties, **options)
    own_width = [0.6] if options.get("width") == "respondent" else []
    exponent = [0.4] if "width" in options else []
    slopes, factor = [], np.ones(len(data))
    who = data.respondent.codes.numpy()
    if "context" in options:
        z = np.arange(len(data)) % 5
        slopes, factor = [0.5], factor * np.exp(0.5 * (z - z.mean()) / z.std())
    if "strength_covariates" in options:
        slopes, factor = [*slopes, 0.4], factor * np.exp(0.4 * AGE[who])
    if "by" in options:
        slopes += [0.3, -0.3]
        factor = factor * np.exp(np.where(np.arange(len(data)) % 2, -0.3, 0.3))
    rate = 0.1 if "lapse" in options else 0.0
    lapse = [np.log(0.1 / 0.9)] if rate else []
    tail = [*OUTCOME.get(outcome, []), *exponent, *slopes, *lapse]
    psi = double([*TASTES, *own_width, *TAU, *tail])
    assert len(psi) == problem.design.size
    likelihood = problem.likelihood()
    likelihood.adapt(psi)
    found = likelihood.evaluate(psi).value

    nodes = NODE[::3] if own_width else np.zeros(1)
    b, taste, w = (x.ravel() for x in np.meshgrid(NODE, NODE, nodes, indexing="ij"))
    log_mass = np.add.outer(np.add.outer(LOG_WEIGHT, LOG_WEIGHT), 0 * nodes)
    if own_width:
        log_mass = log_mass + LOG_WEIGHT[::3] - logsumexp(LOG_WEIGHT[::3])
    b = np.exp(0.5 * b - 0.125)
    c = b[:, None] * np.stack([0.7 + 0.9 * taste, np.full(len(taste), -0.5)], -1)
    wide = np.exp(0.6 * w) * b**0.4 if exponent else np.exp(0.6 * w)
    each = log_probs(outcome, data, c, wide, factor)
    if rate:
        each = np.log(rate / OPTIONS[outcome] + (1 - rate) * np.exp(each))
    total = np.stack([log_mass.ravel() + each[who == a].sum(0) for a in range(PEOPLE)])
    assert torch.allclose(found, double(logsumexp(total, axis=1)), atol=0.01)

    predictor = TastePredictor.of(problem, likelihood, psi.unsqueeze(0), 4)
    rows = torch.arange(len(data))
    left_out = vote_log_likelihood(problem, predictor, rows, single=True)[0].numpy()
    others = total[who] - each
    expected = logsumexp(others + each, axis=1) - logsumexp(others, axis=1)
    assert np.allclose(left_out, expected, atol=0.02)
    p, _, _ = predictor.at(0).people(rows, 8000, torch.Generator().manual_seed(0))
    assert torch.allclose(p.sum(0), torch.ones(()).double())
    recorded = (predictor.answers.recorded.unsqueeze(-1) * p).sum(0).mean(-1).numpy()
    own = np.exp(logsumexp(log_mass.ravel() + each, axis=1))
    assert np.allclose(recorded, own, atol=0.02)
