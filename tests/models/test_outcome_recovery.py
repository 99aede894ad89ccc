"""Simulated truth is recovered: every strength family with every outcome."""

import numpy as np
import pytest
from judges import TRUTH, WEIGHTS, choice_sets, davidson, generator, graded, strengths, z_scores

import mixlogit as ml

OUTCOMES = ["choice", "ranking", "top two", "davidson", "rao-kupper", "grades"]
NAMES = {"weight[x0]": WEIGHTS[0], "weight[x1]": WEIGHTS[1]}


def fitted(family: str, outcome: str, seed: int, people: int = 60):
    """The maximum on data of a combination, and the truth of what it reports."""
    rng = generator(family, outcome, seed)
    coefficients = strengths(family, people, rng)[:, None] * WEIGHTS
    truth = {**NAMES, **TRUTH[family]}
    if outcome in ("choice", "ranking", "top two"):
        ranked = {"choice": 0, "ranking": 4, "top two": 2}[outcome]
        data = choice_sets(coefficients, rng, per=10, size=4, ranked=ranked)
        return ml.maximum(data, family), truth
    if outcome == "davidson":
        data = davidson(coefficients, 0.7, rng, per=20)
        return ml.maximum(data, family, ties="davidson"), {**truth, "tie_odds": 0.7}
    if outcome == "rao-kupper":
        data = graded(coefficients, [0.5], rng, per=20)
        return ml.maximum(data, family, ties="rao-kupper"), {**truth, "threshold": 0.5}
    data = graded(coefficients, [0.4, 1.5], rng, per=20)
    return ml.maximum(data, family), {**truth, "threshold[1]": 0.4, "threshold[2]": 1.5}


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("family", TRUTH)
def test_recovers_the_truth(family: str, outcome: str) -> None:
    scores = z_scores(*fitted(family, outcome, 0))
    assert max(map(abs, scores.values())) < 3.5, scores


@pytest.mark.slow
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("family", TRUTH)
def test_intervals_cover_at_their_rate(family: str, outcome: str) -> None:
    """20 data sets: 90 % intervals miss at most as often as in 1 of 1,000 such tests."""
    scores = [z_scores(*fitted(family, outcome, seed)) for seed in range(1, 21)]
    for name in scores[0]:
        covered = np.mean([abs(score[name]) < 1.645 for score in scores])
        assert covered >= 0.65, (name, covered)
