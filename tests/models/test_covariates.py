import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.errors import DataError, UsageError
from mixlogit.models.covariates import Covariates
from mixlogit.models.folds import fit_again
from mixlogit.models.outcome_problem import make_problem


def judged(people, votes, seed=0):
    """Votes of people whose log strength is 0.5 age + 0.4 if m + noise."""
    rng = np.random.default_rng(seed)
    age, sex = rng.normal(size=people), rng.choice(["f", "m"], people)
    strength = np.exp(0.5 * age + 0.4 * (sex == "m") + 0.3 * rng.normal(size=people))
    who = np.repeat(np.arange(people), votes)
    margin = 2 * rng.normal(size=people * votes)
    first = rng.random(len(who)) < 1 / (1 + np.exp(-strength[who] * margin))
    return pd.DataFrame(
        {
            "respondent": [f"r{k}" for k in who],
            "margin": margin,
            "outcome": np.where(first, "a", "b"),
            "age": 40 + 10 * age[who],
            "sex": sex[who],
        }
    )


FRAME = judged(120, 20)
DATA = ml.load(FRAME)
BOTH = Covariates.read("~ age + sex", FRAME)


@pytest.fixture(scope="module")
def posterior():
    return ml.fit(DATA, covariates=BOTH, evidence=False, draws=800)


def test_slopes_are_recovered(posterior):
    summary = posterior.summary()
    for name, true in (("effect[age]", 0.05), ("effect[sex[T.m]]", 0.4)):
        assert abs(summary.loc[name, "mean"] - true) < 3 * summary.loc[name, "sd"]
        assert summary.loc[name, "q05"] > 0
    without = ml.fit(DATA, evidence=False, draws=400).summary()
    assert summary.loc["log_sd", "mean"] < without.loc["log_sd", "mean"] - 0.1
    assert posterior.to_dict()["n"]["groups"] == posterior.to_dict()["groups"] == {}
    assert list(posterior.strengths().columns[:2]) == ["respondent", "n"]
    assert list(posterior.to_datatree()["posterior"]["covariate"].values) == ["age", "sex[T.m]"]


def test_likelihood_against_brute_force():
    """log mean of respondent a is mu + x_a' gamma, x per unit: a sum over dense nodes."""
    frame = judged(30, 8, seed=1)
    covariates = Covariates.read("~ age + sex", frame)
    data = ml.load(frame)
    joint = make_problem(data, covariates=covariates).joint("lognormal")
    theta = joint.start() + torch.tensor([[[0.3, 0.2, 0.4, -0.6]]]).double()
    sites = joint.unpack(theta)
    log_mean, slope = float(sites["log_mean"]), 0.5 * sites["z_covariates"].reshape(-1)
    sampled = joint.sampled(theta)
    cv = float(sampled.family.cv[0, 0])
    people = frame.drop_duplicates("respondent").set_index("respondent")
    x = np.stack([people["age"], people["sex"] == "m"], 1).astype(float)
    x = torch.from_numpy((x - x.mean(0)) / x.std(0))
    z = torch.linspace(-8, 8, 801).double()
    weight = torch.softmax(-0.5 * z.square(), 0).log()
    sigma = np.sqrt(np.log1p(cv**2))
    total = 0.0
    sign = np.where(frame["outcome"] == "a", 1, -1)
    for k, name in enumerate(people.index):
        rows = (frame["respondent"] == name).to_numpy()
        margin = torch.tensor((sign * frame["margin"])[rows].to_numpy())
        b = torch.exp(log_mean + x[k] @ slope - 0.5 * sigma**2 + sigma * z)
        each = logsigmoid(b.unsqueeze(-1) * margin).sum(-1)
        total += float(torch.logsumexp(each + weight, 0))
    assert float(joint.log_likelihood(theta)) == pytest.approx(total, abs=1e-3)


def test_held_out_votes_and_a_second_fit(posterior):
    train, test = DATA.split(0.2, seed=1)
    fitted = ml.fit(train, covariates=BOTH, evidence=False, draws=400)
    assert fitted.held_out(test)["gain_millinats"] > 0
    again = fit_again(posterior.to_dict()["arguments"], train)
    assert again.summary().equals(fitted.summary())


def numbered(**options):
    """Simulated votes, and the respondents' numbers as their age."""
    frame = ml.simulate(160, 18, seed=2, **options).frame
    age = frame["respondent"].astype(str).str[1:].astype(float)
    return frame, Covariates.read("~ age", frame.assign(age=age))


def test_with_groups_and_evidence():
    frame, covariates = numbered(groups=2)
    data = ml.load(frame, groups=["group"])
    found = ml.fit(data, by=["group"], covariates=covariates, inference="laplace", draws=400)
    assert "effect[age]" in found.summary().index
    assert list(found.to_dict()["groups"]) == ["group"]
    assert found.to_dict()["evidence"]["likelihood_ratio"] is None


def test_with_items_and_ties():
    frame, covariates = numbered(items=4, ties=0.1)
    options = {"inference": "laplace", "evidence": False, "draws": 400}
    found = ml.fit(ml.load(frame), ties="davidson", covariates=covariates, **options)
    assert "effect[age]" in found.summary().index


def usage(formula, frame=FRAME):
    with pytest.raises(UsageError) as caught:
        Covariates.read(formula, frame).matrix()
    return str(caught.value)


def test_formulas_that_cannot_be_used():
    assert usage("~ age +").startswith('Formula "~ age +" cannot be read: ')
    assert usage("age ~ sex") == (
        'Formula "age ~ sex": expected one side only, such as "~ age + sex".'
    )
    asked = "~ {__import__('os').getcwd()}"
    assert usage(asked) == (
        f"Formula \"{asked}\": __import__('os').getcwd() is not allowed. Use columns, or C, "
        "center, scale, log, exp, sqrt, poly, bs, cs of one."
    )
    assert usage("~ 1") == 'Formula "~ 1": nothing in it is a covariate over respondents.'
    flat = FRAME.assign(age=1.0)
    assert usage("~ age", flat) == 'Formula "~ age": age is constant over respondents.'


@pytest.mark.parametrize("formula", ["~ C(sex):age", "~ log(age)", "~ poly(age, degree=2)"])
def test_formulas_that_can(formula):
    matrix = Covariates.read(formula, FRAME[FRAME["age"] > 10]).matrix()
    assert matrix.values.isfinite().all()


def test_respondents_without_a_row():
    some = Covariates.read("~ age", FRAME[FRAME["respondent"] != "r7"])
    with pytest.raises(DataError) as caught:
        ml.fit(DATA, covariates=some)
    assert str(caught.value) == (
        "DataFrame: respondent r7 has no row of covariates (1 of 120 have none). Write "
        f'respondents as the covariates do: the first is "{FRAME["respondent"][0]}" there.'
    )
    nobody = ml.load(FRAME.drop(columns="respondent"))
    with pytest.raises(UsageError) as caught:
        ml.fit(nobody, covariates=BOTH)
    assert str(caught.value) == ("Covariates of respondents need respondents. Name --respondent.")
