"""Simulated truth is recovered: every strength family with every outcome, in two tastes."""

import numpy as np
import pytest
from judges import TRUTH, choice_sets, davidson, generator, graded, pairs, strengths

import mixlogit as ml
from mixlogit.models.infer import infer
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.taste_class_joint import TasteClassJoint, find_class_mode
from mixlogit.models.taste_class_named import named_classes

OUTCOMES = ["choice", "votes", "davidson", "rao-kupper", "grades", "top two"]
TASTES = np.array([[1.6, -0.8], [-1.2, 1.4]])
SHARES = (0.6, 0.4)


def fitted(family: str, outcome: str, seed: int, people: int = 40) -> dict[str, float]:
    """How many posterior sds the means lie from the truth, either way."""
    rng = generator(family, outcome, "tastes", seed)
    kind = np.repeat([0, 1], [round(share * people) for share in SHARES])
    coefficients = strengths(family, people, rng)[:, None] * TASTES[kind]
    options, truth = {}, dict(TRUTH[family])
    if outcome in ("choice", "top two"):
        ranked = {"choice": 0, "top two": 2}[outcome]
        data = choice_sets(coefficients, rng, per=12, size=4, ranked=ranked)
    elif outcome == "davidson":
        data = davidson(coefficients, 0.7, rng, per=25)
        options, truth = {"ties": "davidson"}, {**truth, "tie_odds": 0.7}
    elif outcome == "votes":
        frame, s = pairs(coefficients, rng, per=25)
        frame["outcome"] = np.where(rng.logistic(size=len(s)) < s, "a", "b")
        data = ml.Comparisons.from_pandas(frame, features=["x0", "x1"])
    elif outcome == "rao-kupper":
        data = graded(coefficients, [0.5], rng, per=25)
        options, truth = {"ties": "rao-kupper"}, {**truth, "threshold": 0.5}
    else:
        data = graded(coefficients, [0.4, 1.5], rng, per=25)
        truth["threshold"] = [0.4, 1.5]
    problem = make_problem(data, **options)
    joint = TasteClassJoint(problem, family, 2, lapse=False)
    find_class_mode(problem, joint, 2, seed)
    theta = infer(joint, method="laplace", chains=1, draws=500, seed=seed).theta.squeeze(-2)
    found = named_classes(problem, joint, theta).values
    weights = found["weight"]
    turned = weights[..., 0, 0].mean() < 0  # the larger class of the sample is the first
    out = {name: _z(found[name], value) for name, value in truth.items()}
    for c, k in np.ndindex(2, 2):
        value = TASTES[1 - c if turned else c, k]
        out[f"weight[{c + 1},{k}]"] = _z(weights[..., c, k], value)
    return out


def _z(draws: np.ndarray, truth: float | list[float]) -> float:
    """Distance of the mean from the truth in sds, the largest of several."""
    return float(np.abs((draws.mean((0, 1)) - truth) / draws.std((0, 1))).max())


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("family", TRUTH)
def test_recovers_the_truth(family: str, outcome: str) -> None:
    scores = fitted(family, outcome, 0)
    assert max(scores.values()) < 3.5, scores


@pytest.mark.slow
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("family", TRUTH)
def test_intervals_cover_at_their_rate(family: str, outcome: str) -> None:
    """20 data sets: 90 % intervals miss at most as often as in 1 of 1,000 such tests."""
    scores = [fitted(family, outcome, seed, people=80) for seed in range(1, 21)]
    for name in scores[0]:
        covered = np.mean([score[name] < 1.645 for score in scores])
        assert covered >= 0.65, (name, covered)
