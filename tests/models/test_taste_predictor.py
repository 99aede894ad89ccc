"""Predictions where tastes differ: enumeration, known measures, planted faults."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit

import mixlogit as ml
from mixlogit import analysis
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.predictive import predict
from mixlogit.models.taste_class_joint import TasteClassJoint
from mixlogit.models.taste_class_predictor import ClassPredictor
from mixlogit.models.taste_measures import taste_measures
from mixlogit.models.taste_predictor import TastePredictor
from mixlogit.models.taste_problem import TasteProblem
from mixlogit.models.votes_left_out import vote_log_likelihood

quick = partial(ml.fit, evidence=False, draws=400, inference="laplace")
few = partial(ml.RandomTastes, draws=64)


def failed(posterior):
    return {check.name: check for check in posterior.checks if not check.ok}


def classes_at_one_draw(data, family="fixed"):
    problem = make_problem(data)
    joint = TasteClassJoint(problem, family, 2, lapse=False)
    theta = joint.prior_draws(1, 3).unsqueeze(1)
    return problem, joint, ClassPredictor.of(problem, joint, theta, 4)


def tastes_at_one_draw(data, psi, random="x1:normal", family="fixed"):
    problem = TasteProblem.of(data, ml.RandomTastes(random, draws=1024), family, 0)
    simulated = problem.likelihood()
    simulated.adapt(psi)
    return problem, TastePredictor.of(problem, simulated, psi.unsqueeze(0), 4)


def test_a_vote_left_out_of_latent_tastes_by_enumeration():
    data = ml.simulate(30, 6, "fixed", items=4, tastes=2, seed=1).comparisons()
    problem, joint, predictor = classes_at_one_draw(data)
    sampled = joint.sampled(predictor.theta)
    utility, share = sampled.utilities[0].numpy(), sampled.log_share[0, 0].exp().numpy()
    a, b, y = (getattr(data, name).numpy() for name in ("item_a", "item_b", "outcome"))
    p = expit(utility[:, a] - utility[:, b])  # class_ x vote
    own = np.where(y == 1, p, 1 - p)
    who = data.respondent.codes.numpy()
    found = vote_log_likelihood(predictor, torch.arange(30), single=True)
    without = predict(problem, predictor, 0).without
    for i in range(30):
        others = (who == who[i]) & (np.arange(30) != i)
        weight = share * own[:, others].prod(-1)
        weight /= weight.sum()
        assert float(found[0, i].exp()) == pytest.approx(weight @ own[:, i])
        assert float(without[i]) == pytest.approx(weight @ p[:, i])


def test_a_vote_left_out_of_random_tastes_by_quadrature():
    data = ml.simulate(60, 10, "fixed", features=1, tastes=2, seed=1).comparisons()
    psi = torch.tensor([0.4, 1.2]).double()
    _, predictor = tastes_at_one_draw(data, psi)
    z = np.linspace(-8, 8, 2001)
    taste = 0.4 + 1.2 * z
    x, y, who = data.features[:, 0].numpy(), data.outcome.numpy(), data.respondent.codes.numpy()
    p = expit(taste[:, None] * x)
    own = np.where(y == 1, p, 1 - p)
    found = vote_log_likelihood(predictor, torch.arange(60), single=True)
    for i in (0, 11, 35, 59):
        others = (who == who[i]) & (np.arange(60) != i)
        weight = np.exp(-0.5 * z**2) * own[:, others].prod(-1)
        weight /= weight.sum()
        assert float(found[0, i].exp()) == pytest.approx(weight @ own[:, i], abs=3e-3)


def test_measures_of_latent_tastes_are_exact():
    data = ml.simulate(80, 8, "fixed", items=4, tastes=2, seed=1).comparisons()
    _, joint, predictor = classes_at_one_draw(data)
    sampled = joint.sampled(predictor.theta)
    utility, share = sampled.utilities[0].numpy(), sampled.log_share[0, 0].exp().numpy()
    margin = utility[:, data.item_a] - utility[:, data.item_b]
    p, mean = expit(margin), share @ expit(margin)
    found = taste_measures(predictor, 0)
    many = [taste_measures(predictor, seed) for seed in range(12)]
    for name, expected in {
        "disagreement": (share @ (p - mean) ** 2).sum() / (mean * (1 - mean)).sum(),
        "minority": np.minimum(share @ (margin > 0), share @ (margin < 0)).mean(),
    }.items():
        average = np.mean([float(one[name]) for one in many])
        assert average == pytest.approx(expected, rel=0.05), name
    assert float(found["taste_share"]) == pytest.approx(1.0)
    assert 0 <= float(found["reliability"]) <= 1


def test_share_of_taste_beside_random_strength():
    """By quadrature over taste and strength, on one comparison."""
    data = ml.simulate(30, 6, "fixed", features=1, tastes=2, seed=1).comparisons()
    psi = torch.tensor([0.5, 1.0, 0.9]).double()
    _, predictor = tastes_at_one_draw(data, psi, family="lognormal")
    z = np.linspace(-6, 6, 301)
    weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    taste, strength = 0.5 + z, np.exp(0.9 * z - 0.405)
    total = due = possible = 0.0
    for x in data.features[:, 0].numpy():
        p = expit(x * taste[:, None] * strength)
        given = p @ weight
        mean = weight @ given
        total += weight @ ((p - mean) ** 2 @ weight)
        due += weight @ (given - mean) ** 2
        possible += mean * (1 - mean)
    found = [taste_measures(predictor, seed) for seed in range(12)]
    assert np.mean([float(one["taste_share"]) for one in found]) == pytest.approx(
        due / total, abs=0.03
    )
    assert np.mean([float(one["disagreement"]) for one in found]) == pytest.approx(
        total / possible, rel=0.06
    )


CLEAN = {
    "classes": ({"items": 6, "tastes": 2, "seed": 3}, {"tastes": 2}),
    "classes with strength": (
        {"items": 6, "tastes": 2, "seed": 6},
        {"tastes": 2, "family": "lognormal"},
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_no_alarm_where_latent_tastes_are_right(name):
    made, asked = CLEAN[name]
    cv = {"cv": 0.7} if "family" in asked else {}
    data = ml.simulate(1200, 60, asked.get("family", "fixed"), **made, **cv).comparisons()
    posterior = quick(data, **asked)
    assert not {name for name in failed(posterior) if name != "prior weight on cv"}
    names = {check.name for check in posterior.checks}
    assert {"agreement by margin", "calibration", "taste in residuals"} <= names
    assert {"share of high leave-one-out k", "share of high k by vote"} <= names
    assert {"prior sensitivity", "information in the data"} <= names


def test_tastes_that_are_no_few_classes():
    """Everybody has utilities of their own; two classes cannot hold them."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(60), 30)
    pair = np.stack([rng.choice(8, 2, replace=False) for _ in who])
    utility = 1.5 * rng.normal(size=(60, 8))
    y = rng.random(1800) < expit(utility[who, pair[:, 0]] - utility[who, pair[:, 1]])
    data = ml.Comparisons(
        torch.from_numpy(y.astype(float)),
        item_a=torch.from_numpy(pair[:, 0]),
        item_b=torch.from_numpy(pair[:, 1]),
        items=tuple("abcdefgh"),
        respondent=ml.data.Labels(torch.from_numpy(who), tuple(f"r{k}" for k in range(60))),
    )
    found = failed(quick(data, tastes=2))["taste in residuals"]
    assert found.advice == (
        "People differ in taste in another way than the fit lets them: try another number of "
        "--tastes or, with features, random ones (--random)."
    )


def test_a_random_coefficient_that_was_held_fixed():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(60), 20)
    x = rng.normal(size=(1200, 2))
    taste = np.column_stack([1 + 0.5 * rng.normal(size=60), 1.5 * rng.normal(size=60)])
    y = rng.random(1200) < expit((x * taste[who]).sum(-1))
    data = ml.Comparisons(
        torch.from_numpy(y.astype(float)),
        features=torch.from_numpy(x),
        feature_names=("x1", "x2"),
        respondent=ml.data.Labels(torch.from_numpy(who), tuple(f"r{k}" for k in range(60))),
    )
    assert "taste in residuals" in failed(quick(data, random=few("x1:normal")))
    right = quick(data, random=few("x1:normal,x2:normal"))
    assert not failed(right)
    tree = right.to_datatree()
    assert tree["observed_data"]["outcome"].sizes == {"comparison": 1200}
    known = right.to_dict()["identified"]
    assert known["information"]["parameters"] == ("sd[x1]", "sd[x2]")
    assert known["contraction"]["sd[x2]"] > 0.9
    table = analysis.heterogeneity(right).set_index("measure")
    assert table.loc["taste_share", "mean"] == pytest.approx(1.0)
    assert 0.1 < table.loc["disagreement", "mean"] < 0.6
