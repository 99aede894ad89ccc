"""Leaving out single votes: enumeration, refits by brute force, and counted votes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.choice.link import log_lapsed
from mixlogit.data import Comparisons, Labels
from mixlogit.models import votes_left_out as module
from mixlogit.models.diagnosis_checks import vote_checks
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.strength_predictor import StrengthPredictor
from mixlogit.models.votes_left_out import VotesLeftOut, vote_log_likelihood


def predictor_of(data, family="lognormal", *, lapse=False, draws=3):
    problem = make_problem(data, priors=ml.Priors(mean=1.0))
    joint = problem.joint(family, lapse=lapse)
    theta = joint.prior_draws(draws, 1).unsqueeze(1)
    return problem, StrengthPredictor.of(problem, joint, theta, None)


def enumerated(problem, predictor, row):
    """Density of one judgement given the others of its respondent, by a fine rule: `draw`."""
    data, out = problem.data, []
    who = data.respondent.codes == data.respondent.codes[row]
    who[row] = False
    z = torch.linspace(-9, 9, 6001).double()
    for theta in predictor.theta.split(1):
        sampled = predictor.joint.sampled(theta)
        sd = float(torch.log1p(sampled.family.cv.square()).sqrt())
        b = (sampled.family.mean.log() - sd**2 / 2 + sd * z).exp()[0]

        def log_p(rows, b=b, lapse=sampled.lapse):
            scaled = b.unsqueeze(-1) * data.margin[rows]
            sides = [log_lapsed(logsigmoid(x), lapse) for x in (scaled, -scaled)]
            first = data.outcome[rows]
            return sides[0] * first + sides[1] * (1 - first)

        log = log_p(who).sum(-1) - z.square() / 2
        own = log_p(torch.tensor([row]))[:, 0]
        out.append(torch.logsumexp(log + own, 0) - torch.logsumexp(log, 0))
    return torch.stack(out)


@pytest.mark.parametrize("lapse", [False, True])
@pytest.mark.parametrize("long", [False, True])
def test_one_vote_by_enumeration(lapse, long, monkeypatch):
    """From the table, and from nodes, as panels too long for it go."""
    if long:
        monkeypatch.setattr(
            module, "bends_fast", lambda table: torch.ones(len(table.block)).bool()
        )
    data = ml.simulate(40, 8, cv=0.8, ties=0.2, seed=3).comparisons()
    problem, predictor = predictor_of(data, lapse=lapse)
    found = vote_log_likelihood(predictor, torch.arange(40), single=True)
    for row in (0, 7, 21):
        expected = enumerated(problem, predictor, row)
        assert found[:, row].numpy() == pytest.approx(expected.numpy(), abs=2e-3)


def test_latent_utilities_agree_with_the_table():
    """The same margins as a feature, its weight and strength's mean both at one."""
    data = ml.simulate(60, 6, cv=0.8, seed=3).comparisons()
    _, by_table = predictor_of(data)
    features = replace(
        data, margin=None, features=data.margin.unsqueeze(-1), feature_names=("margin",)
    )
    latent = make_problem(features)
    joint = latent.joint("lognormal")
    names = {site.name: site for site in by_table.joint.sites}
    theta = torch.zeros(len(by_table), 1, joint.size, dtype=torch.float64)
    for site in joint.sites:
        if site.name == "normal_cv":
            theta[..., site.start] = by_table.theta[..., names["normal_cv"].start]
        else:
            assert site.name == "utilities_free"
            theta[..., site.start] = by_table.theta[..., names["log_mean"].start].exp()
    by_nodes = StrengthPredictor.of(latent, joint, theta, None)
    rows = torch.arange(60)
    one = vote_log_likelihood(by_table, rows, single=True)
    other = vote_log_likelihood(by_nodes, rows, single=True)
    assert one.numpy() == pytest.approx(other.numpy(), abs=2e-3)


def test_against_refits_without_each_vote():
    """Ratios of exact marginal likelihoods, the population on a grid, as if fitted again."""
    data = ml.simulate(120, 12, mean=1.0, cv=1.0, seed=7).comparisons()
    problem = make_problem(data)
    who, margin = problem.unit_of_row, problem.margin
    shifts, cvs = torch.linspace(-2, 2, 31).double(), torch.linspace(0.02, 3.5, 40).double()
    prior = torch.as_tensor(stats.norm.logpdf(shifts)).unsqueeze(-1) + torch.as_tensor(
        stats.halfnorm.logpdf(cvs)
    )
    z = torch.linspace(-7, 7, 141).double()
    weight = torch.softmax(-0.5 * z.square(), 0).log().unsqueeze(-1)
    joint, without = [], []
    for shift in shifts:
        for cv in cvs:
            sigma = torch.log1p(cv.square()).sqrt()
            b = (shift + np.log(problem.spec.centre) - 0.5 * sigma.square() + sigma * z).exp()
            each = logsigmoid(b.unsqueeze(-1) * margin)
            panels = torch.zeros(len(z), 12).double().index_add_(1, who, each)
            whole = torch.logsumexp(panels + weight, 0)
            joint.append(whole.sum())
            left = torch.logsumexp(panels[:, who] - each + weight, 0)
            without.append(whole.sum() - whole[who] + left)
    log_prior = prior.flatten().unsqueeze(-1)
    evidence = torch.logsumexp(torch.stack(joint).unsqueeze(-1) + log_prior, 0)
    exact = evidence - torch.logsumexp(torch.stack(without) + log_prior, 0)
    posterior = ml.fit(data, evidence=False)
    stats_of = posterior.to_datatree()["sample_stats"]
    assert stats_of["vote_elpd"].to_numpy() == pytest.approx(exact.numpy(), abs=0.05)
    record = posterior.to_dict()["elpd_vote"]
    assert record["estimate"] == pytest.approx(float(exact.mean()), abs=0.005)
    assert (record["per"], record["n"]) == ("vote", 120)
    assert float(stats_of["vote_k_hat"].max()) < 0.7


def test_one_of_several_counted_votes_is_left_out():
    """Rows that stand for several votes, and the same votes one by one."""
    single = ml.simulate(80, 8, cv=0.8, seed=5).comparisons()
    times = torch.tensor([1, 2, 3, 2] * 20)
    many = single.take(torch.arange(80).repeat_interleave(times))
    counted = replace(single, weight=times.double())
    first = torch.cat([torch.zeros(1).long(), times.cumsum(0)[:-1]])
    one = vote_log_likelihood(predictor_of(many)[1], first, single=True)
    other = vote_log_likelihood(predictor_of(counted)[1], torch.arange(80), single=True)
    assert one.numpy() == pytest.approx(other.numpy(), abs=1e-6)


def test_the_worst_votes_are_named_by_their_rows():
    data = Comparisons(
        torch.ones(6), margin=torch.ones(6), row=torch.tensor([1, 2, 3, 5, 6, 9]),
        respondent=Labels(torch.zeros(6).long(), ("a",)),
    )  # fmt: skip
    problem = make_problem(data)
    k = np.array([0.9, 0.1, 0.7, 1.2, 0.8, 0.0])
    (check,) = vote_checks(problem, VotesLeftOut(np.arange(6), np.zeros(6), k, 0.5))
    assert (check.name, check.ok, round(check.value, 2)) == (
        "share of high k by vote",
        False,
        0.67,
    )
    assert check.advice == (
        "Votes of rows 5, 1, 6 and 1 more weigh so much that predictions of votes are not to be "
        "trusted: look at them, or fit without."
    )
    assert vote_checks(problem, None) == []


def test_no_panel_has_no_votes_to_leave_out():
    data = ml.simulate(200, cv=0.5, seed=1).comparisons()
    posterior = ml.fit(data, evidence=False, draws=200, inference="laplace")
    assert posterior.to_dict()["elpd_vote"] is None
    assert "vote_elpd" not in posterior.to_datatree()["sample_stats"]
