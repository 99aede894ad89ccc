"""Predictions and replicates: exact leave-one-out by enumeration, frequencies by simulation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special

import mixlogit as ml
from mixlogit.data import ChoiceSets, Comparisons, Labels
from mixlogit.models.answers import answers_of
from mixlogit.models.individual import individuals
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.predictive import predict
from mixlogit.models.replicated import compare_with_replicates, tail_probability
from mixlogit.models.strength_predictor import StrengthPredictor, draw_answers


def sets(n=60, seed=0):
    """Choice sets of two or three alternatives with one feature."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 4, size=n)
    choice = np.repeat(np.arange(n), sizes)
    first = np.r_[0, np.cumsum(sizes)[:-1]]
    chosen = np.zeros(len(choice), dtype=bool)
    chosen[first + rng.integers(0, sizes)] = True
    names = Labels(torch.from_numpy(np.arange(len(choice)) - first[choice]), ("a", "b", "c"))
    return ChoiceSets(
        torch.from_numpy(choice),
        torch.from_numpy(chosen),
        names,
        features=torch.from_numpy(rng.normal(size=(len(choice), 1))),
        feature_names=("x",),
        respondent=Labels(torch.from_numpy(np.arange(n) % 6), tuple("uvwxyz")),
    )


DESIGNS = {
    "margins": (lambda: ml.simulate(60, 6, ties=0.2, seed=1).comparisons(), {}),
    "ties": (lambda: ml.simulate(60, 6, ties=0.2, seed=1).comparisons(), {"ties": "davidson"}),
    "widths": (
        lambda: ml.simulate(60, 6, ties=0.2, seed=1).comparisons(),
        {"ties": "rao-kupper", "width": "respondent"},
    ),
    "items": (lambda: ml.simulate(60, 6, items=4, seed=1).comparisons(), {}),
    "sets": (sets, {}),
}


@pytest.mark.parametrize("lapse", [False, True])
@pytest.mark.parametrize("name", DESIGNS)
def test_probabilities_of_answers_sum_to_one(name, lapse):
    make, options = DESIGNS[name]
    problem = make_problem(make(), **options)
    joint = problem.joint("lognormal", lapse=lapse)
    theta = joint.prior_draws(3, 0).unsqueeze(1)
    answers = answers_of(problem, joint, theta)
    sampled = joint.sampled(theta[:1])
    strength = torch.rand(60, 4, dtype=torch.float64)
    total = answers.log_prob(sampled, answers.margins(sampled), strength).exp().sum(0)
    assert total.numpy() == pytest.approx(np.ones((60, 4)))
    assert answers.recorded.sum(0).numpy() == pytest.approx(np.ones(60))


def test_the_recorded_answer_has_the_probability_that_the_likelihood_gives_it():
    problem = make_problem(sets())
    joint = problem.joint("fixed")
    theta = torch.full((1, 1, joint.size), 0.7, dtype=torch.float64)
    answers, sampled = answers_of(problem, joint, theta), joint.sampled(theta)
    one = torch.ones(60, 1, dtype=torch.float64)
    log_p = answers.log_prob(sampled, answers.margins(sampled), one)[0]
    assert float(log_p.sum()) == pytest.approx(float(joint.log_likelihood(theta)))


def test_a_vote_left_out_by_enumeration():
    """One draw of the population, panels of three votes: fit the other two by brute force."""
    data = ml.simulate(30, 10, cv=0.8, seed=3).comparisons()
    problem = make_problem(data)
    joint = problem.joint("lognormal")
    theta = torch.tensor([[[0.1, 0.4]]], dtype=torch.float64)
    found = individuals(problem, joint, theta)
    predicted = predict(problem, StrengthPredictor.of(problem, joint, theta, found), 0)
    family = joint.sampled(theta).family
    sd = float(np.log1p(float(family.cv) ** 2)) ** 0.5
    z = np.linspace(-8, 8, 4001)
    b = np.exp(np.log(float(family.mean)) - sd**2 / 2 + sd * z)
    who, margin, y = data.respondent.codes.numpy(), data.margin.numpy(), data.outcome.numpy()
    for i in range(30):
        others = (who == who[i]) & (np.arange(30) != i)
        x = b[:, None] * margin[others]
        log = (y[others] * x - np.logaddexp(0, x)).sum(-1) - z**2 / 2
        weight = np.exp(log - log.max())
        p = (weight * special.expit(b * margin[i])).sum() / weight.sum()
        assert float(predicted.without[i]) == pytest.approx(p, abs=1e-4)


@pytest.mark.parametrize("name", ["margins", "ties", "sets"])
def test_new_respondents_answer_as_often_as_the_model_says(name):
    make, options = DESIGNS[name]
    problem = make_problem(make(), **options)
    joint = problem.joint("fixed", lapse=True)
    theta = joint.prior_draws(1, 5).unsqueeze(1)
    answers, sampled = answers_of(problem, joint, theta), joint.sampled(theta)
    strength = sampled.family.mean.expand(60, 1)
    p = answers.log_prob(sampled, answers.margins(sampled), strength).exp()[..., 0].numpy()
    generator = torch.Generator().manual_seed(0)
    made = [draw_answers(problem, answers, sampled, generator).numpy() for _ in range(2000)]
    share = np.stack([(np.stack(made) == k).mean(0) for k in range(len(p))])
    assert np.abs(share - p).max() < 5 * np.sqrt(0.25 / 2000)


def test_many_judgements_are_looked_at_in_part(monkeypatch):
    import mixlogit.models.predictive as module

    monkeypatch.setattr(module, "_MOST", 100)
    data = ml.simulate(400, 40, seed=1).comparisons()
    posterior = ml.fit(data, "fixed", evidence=False, draws=400, inference="laplace")
    tree = posterior.to_datatree()["posterior_predictive"]
    known = np.isfinite(tree["probability"].to_numpy())
    assert 50 < known.sum() <= 100
    assert set(data.respondent.codes.numpy()[known]).isdisjoint(
        data.respondent.codes.numpy()[~known]
    )


def test_shares_by_margin_by_hand():
    """Sixty-four votes, all agreeing but those of the smallest margins."""
    margin = torch.linspace(0.1, 3.2, 64).double() * torch.tensor([1.0, -1.0]).repeat(32)
    wrong = torch.arange(64) < 8
    outcome = ((margin > 0) ^ wrong).double()
    who = Labels(torch.arange(64) % 4, tuple("abcd"))
    problem = make_problem(Comparisons(outcome=outcome, margin=margin, respondent=who))
    joint = problem.joint("fixed")
    theta = torch.zeros(1, 1, 1, dtype=torch.float64)
    found = individuals(problem, joint, theta)
    predictor = StrengthPredictor.of(problem, joint, theta, found)
    figures = compare_with_replicates(problem, predict(problem, predictor, 0))
    assert figures.observed["agreeing"].tolist() == [0.75, 1.0]
    halves = [float(part.abs().mean()) for part in margin.split(32)]
    assert figures.bin_margin.tolist() == pytest.approx(halves)
    again = figures.replicated["agreeing"]
    assert again.shape == (64, 2)
    assert again[:, 1].mean() > again[:, 0].mean()


def test_tail_probabilities():
    rng = np.random.default_rng(0)
    p = [tail_probability(rng.normal(), rng.normal(size=64)) for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.035)
    several = tail_probability(np.zeros(8), rng.normal(size=(64, 8)))
    assert several == 1.0
    assert tail_probability(np.array(1.0), np.zeros(10)) == 0.0


def counted(data):
    """The same votes, those of one respondent on one margin in one row."""
    return replace(data, weight=torch.tensor([2.0, 3.0, 1.0, 4.0]).repeat(len(data) // 4))


def test_counted_votes_are_replicated_one_by_one():
    data = counted(ml.simulate(400, 40, cv=0.7, seed=4).comparisons())
    problem = make_problem(data)
    joint = problem.joint("lognormal")
    theta = torch.tensor([[[0.1, 0.4]]], dtype=torch.float64)
    predictor = StrengthPredictor.of(problem, joint, theta, None)
    predicted = predict(problem, predictor, 0)
    assert predicted.single
    assert torch.equal(torch.bincount(predicted.rows), data.weight.long())
    agree = (data.outcome * 2 - 1) * data.margin.sign()
    figures = compare_with_replicates(problem, predicted)
    many = torch.repeat_interleave(agree > 0, data.weight.long())
    size = torch.repeat_interleave(data.margin.abs(), data.weight.long())
    smallest = size <= size.quantile(1 / 8)
    expected = float(many[smallest].double().mean())
    assert figures.observed["agreeing"][0] == pytest.approx(expected, abs=0.05)
    assert figures.replicated["agreeing"].shape == (64, 8)


def test_a_fault_among_counted_votes_is_found():
    data = ml.simulate(4000, 60, "fixed", lapse=0.3, seed=1).comparisons()
    posterior = ml.fit(counted(data), "fixed", evidence=False, draws=400, inference="laplace")
    found = {check.name: check.ok for check in posterior.checks}
    assert not (found["agreement by margin"] and found["calibration"])


def test_weights_that_are_no_counts_stand_for_no_votes():
    data = ml.simulate(400, 40, seed=4).comparisons()
    data = replace(data, weight=torch.full((400,), 0.5))
    posterior = ml.fit(data, "fixed", evidence=False, draws=400, inference="laplace")
    names = {check.name for check in posterior.checks}
    assert not {"agreement by margin", "calibration"} & names
