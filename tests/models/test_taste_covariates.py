"""Covariates of respondents on the shares of latent tastes."""

import numpy as np
import pandas as pd
import pytest
import torch

import mixlogit as ml
from mixlogit.models.covariates import Covariates
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.taste_class_joint import TasteClassJoint

QUICK = {"tastes": 2, "inference": "laplace", "evidence": False, "draws": 400}
SLOPE = -0.1  # of the log odds of the second class, a year


def judged(people=150, votes=12, seed=0):
    """Votes of two classes of opposite taste; the old are mostly in the first, larger one."""
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 12, people)
    second = rng.random(people) < 1 / (1 + np.exp(0.5 - SLOPE * (age - 50)))
    who = np.repeat(np.arange(people), votes)
    x = rng.normal(size=(people * votes, 2))
    weights = np.where(second[who, None], [-1.5, 0.5], [1.5, 0.5])
    first = rng.random(len(who)) < 1 / (1 + np.exp(-(x * weights).sum(-1)))
    return pd.DataFrame(
        {
            "respondent": [f"r{k}" for k in who],
            "x1": x[:, 0],
            "x2": x[:, 1],
            "outcome": np.where(first, "a", "b"),
            "age": age[who],
            "sex": np.where(who % 2, "f", "m"),
        }
    )


FRAME = judged()
DATA = ml.load(FRAME, features=["x1", "x2"])
BOTH = Covariates.read("~ age + sex", FRAME)


@pytest.fixture(scope="module")
def posterior():
    return ml.fit(DATA, covariates=BOTH, **QUICK)


def test_slopes_are_recovered(posterior):
    summary = posterior.summary()
    for name, true in (("effect[age, 2]", SLOPE), ("effect[sex[T.m], 2]", 0.0)):
        assert abs(summary.loc[name, "mean"] - true) < 3 * summary.loc[name, "sd"]
    assert summary.loc["effect[age, 2]", "q95"] < 0
    assert posterior.to_dict()["groups"] == posterior.to_dict()["n"]["groups"] == {}
    assert list(posterior.memberships().columns[:3]) == ["respondent", "n", "class_"]


def test_shares_against_a_softmax_by_hand():
    """Log odds of a respondent's classes are l_c - l_1 + x' slope, x standardised."""
    problem = make_problem(DATA, covariates=BOTH)
    joint = TasteClassJoint(problem, "fixed", 3, lapse=False)
    theta = torch.linspace(-1, 1, joint.size).double().view(1, 1, -1)
    sampled = joint.sampled(theta)
    sites = joint.unpack(theta)
    people = FRAME.drop_duplicates("respondent")
    x = np.stack([people["age"], people["sex"] == "m"], 1).astype(float)
    x = torch.tensor((x - x.mean(0)) / x.std(0))
    basis = torch.tensor([[1, -1, 0], [1, 1, -2]]).double() / torch.tensor([[2.0], [6.0]]).sqrt()
    logits = (sites["taste_logits"] + x @ sites["z_taste:covariates"][0]) @ basis
    expected = torch.log_softmax(logits, -1)
    units = [problem.data.respondent.labels[k] for k in problem.units.respondent.tolist()]
    place = [list(people["respondent"]).index(name) for name in units]
    found = sampled.log_share[0, problem.units.block]
    assert torch.allclose(found, expected[place], atol=1e-6)


def test_new_respondents_are_predicted_by_their_covariates():
    """Without votes of their own, age says which class they are in."""
    new = (FRAME["respondent"].str[1:].astype(int) < 50).to_numpy()
    train, test = DATA.take(torch.tensor(~new)), DATA.take(torch.tensor(new))
    informed = ml.fit(train, covariates=BOTH, **QUICK).log_scores(test)
    plain = ml.fit(train, **QUICK).log_scores(test)
    assert informed.mean() > plain.mean() + 0.005


def test_evidence_with_strength():
    options = {**QUICK, "evidence": True}
    found = ml.fit(DATA, "lognormal", covariates=Covariates.read("~ age", FRAME), **options)
    assert found.to_dict()["evidence"]["log_bayes_factor_taste"] > 3
    assert "effect[age, 2]" in found.summary().index
