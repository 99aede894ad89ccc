"""Held-out judgements with modelled ties, grades and choice sets, and with covariates."""

import numpy as np
import pandas as pd
import pytest
import torch
from judges import generator

import mixlogit as ml
from mixlogit.models.outcome_held_out import outcome_log_scores
from mixlogit.models.outcome_problem import make_problem

QUICK = {"inference": "laplace", "evidence": False, "draws": 100}


def judged(people=80, votes=10) -> pd.DataFrame:
    """Ties after Davidson; strength falls with age, half of the taste is turned in the old."""
    rng = generator("held out")
    age = rng.normal(0, 1, people)
    who = np.repeat(np.arange(people), votes)
    length = rng.normal(size=len(who))
    x = rng.normal(size=(len(who), 2))
    turned = np.where(age[who] > 0.3, -1.0, 1.0)
    s = np.exp(-0.8 * age[who] + 1.2 * length) * (1.5 * turned * x[:, 0] - x[:, 1])
    weight = np.stack([np.exp(-s / 2), np.full(len(s), 0.6), np.exp(s / 2)], -1)
    pick = (rng.random(len(s))[:, None] > (weight / weight.sum(1, keepdims=True)).cumsum(1)).sum(1)
    return pd.DataFrame(
        {
            "respondent": [f"r{k}" for k in who],
            "x1": x[:, 0],
            "x2": x[:, 1],
            "outcome": np.array(["b", "tie", "a"])[pick],
            "grade": pick - 1,
            "age": age[who],
            "old": np.where(age[who] > 0.3, "old", "young"),
            "length": length,
        }
    )


FRAME = judged()
DATA = ml.load(FRAME, features=["x1", "x2"], groups=["old", "length"])
GRADED = ml.load(
    FRAME.drop(columns="outcome"), features=["x1", "x2"], grade="grade", groups=["old", "length"]
)
NEW = torch.tensor((FRAME["respondent"].str[1:].astype(int) < 25).to_numpy())
AGE = ml.Covariates.read("~ age", FRAME)
OLD = ml.Covariates.read("~ C(old)", FRAME)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
def test_groups_against_a_sum_over_a_grid(ties: str) -> None:
    """Known and new respondents of either group, at a few draws of the parameters."""
    train, test = DATA.take(~NEW), DATA.take(torch.arange(240, 360))
    problem = make_problem(train, ties=ties, by=["old"])
    joint = problem.joint("lognormal")
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(3, 1, joint.size, generator=generator, dtype=torch.float64)
    theta = joint.start() + 0.3 * eps
    got = outcome_log_scores(problem, joint, theta, test)

    labels = {name: k for k, name in enumerate(train.respondent.labels)}
    levels = problem.units.level[:, 0].tolist()
    chance = torch.zeros(len(test), dtype=torch.float64)
    for one in theta:
        sampled = joint.sampled(one.unsqueeze(0))
        weights, outcome = sampled.utilities[0], sampled.outcome[0]
        for k in range(len(test)):
            level = test.groups["old"].labels[int(test.groups["old"].codes[k])]
            block = levels.index(train.groups["old"].labels.index(level))
            family = sampled.family
            location, scale = (part[0, block] for part in family.location_scale())
            z = torch.linspace(-8, 8, 2001, dtype=torch.float64)
            b, log_w = (location + scale * z).exp(), -0.5 * z.square()
            who = labels.get(test.respondent.labels[int(test.respondent.codes[k])])
            rows = [] if who is None else torch.nonzero(train.respondent.codes == who).flatten()
            for i in rows:
                log_w = log_w + _log_prob(ties, train, int(i), b, weights, outcome)
            p = _log_prob(ties, test, k, b, weights, outcome)
            chance[k] += (torch.softmax(log_w, 0) * p.exp()).sum() / len(theta)
    assert torch.allclose(got.exp(), chance, atol=1e-5)


def _log_prob(ties, data, k, b, weights, outcome):
    """Log probability of a judgement at strengths b, by its definition."""
    s = b * (data.features[k] @ weights)
    first, second = torch.sigmoid(s - outcome[0]), torch.sigmoid(-s - outcome[0])
    p = {1.0: first, 0.0: second, 0.5: 1 - first - second}
    if ties == "davidson":
        total = (s / 2).exp() + (-s / 2).exp() + outcome[0].exp()
        p = {1.0: (s / 2).exp(), 0.0: (-s / 2).exp(), 0.5: outcome[0].exp() + 0 * s}
        p = {key: value / total for key, value in p.items()}
    return p[float(data.outcome[k])].clamp_min(1e-300).log()


CASES = {
    "strength formula": {"covariates": AGE},
    "context and formula": {"context": "~ length", "covariates": AGE},
    "shares by group": {"by": ["old"], "tastes": 2},
    "share formula": {"covariates": OLD, "tastes": 2},
}


@pytest.mark.parametrize(
    ("case", "outcome"),
    [*((case, "davidson") for case in list(CASES)[:3]), ("share formula", "grades")],
)
def test_what_is_known_of_new_respondents_helps(case: str, outcome: str) -> None:
    data, options = (GRADED, {}) if outcome == "grades" else (DATA, {"ties": "davidson"})
    informed = {"family": "fixed" if "tastes" in CASES[case] else "lognormal", **CASES[case]}
    plain = {"family": informed["family"], "tastes": informed.get("tastes", 1)}
    fitted, alone = (
        ml.fit(data.take(~NEW), **options, **asked, **QUICK) for asked in (informed, plain)
    )
    test = data.take(NEW)
    assert float((fitted.log_scores(test) - alone.log_scores(test)).sum()) > 2.0


@pytest.mark.parametrize(
    "asked",
    [{"tastes": 2, "covariates": OLD}, {"covariates": AGE}],
    ids=lambda asked: " ".join(asked),
)
def test_folds_of_compare(asked) -> None:
    """Votes of known judges, and the same verdict words, with classes and with covariates."""
    small = FRAME["respondent"].str[1:].astype(int) < 30
    data = DATA.take(torch.tensor(small.to_numpy()))
    runs = {
        "plain": ml.fit(data, "fixed", ties="davidson", **QUICK),
        "more": ml.fit(data, "fixed", ties="davidson", **asked, **QUICK),
    }
    compared = ml.compare(runs, folds=2, data=data)
    kind = "taste" if "tastes" in asked else "strength"
    assert set(compared.table["kind"]) == {"homogeneous", kind}
    gain = compared.table["votes"]["more"] - compared.table["votes"]["plain"]
    assert gain > 0
    assert any("votes held out" in sentence for sentence in compared.verdict.sentences)
