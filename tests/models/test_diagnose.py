"""Every check finds the fault planted for it, and is silent on clean simulations."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import mixlogit as ml
from mixlogit.data import Comparisons, Labels
from mixlogit.models import infer as inference
from mixlogit.models.checks import make_checks
from mixlogit.models.parameters import named_parameters, prior_parameters
from mixlogit.models.problem import Problem

quick = partial(ml.fit, evidence=False, draws=400, inference="laplace")


def failed(posterior):
    return {check.name: check for check in posterior.checks if not check.ok}


def graded(n, seed, *, with_margin):
    """Three grades that rise with the margin, or are given at random."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(0, 1.5, size=n)
    seen = margin + rng.logistic(size=n)
    size = np.abs(seen if with_margin else rng.permutation(seen))
    grade = np.sign(seen) * (1 + (size > 1) + (size > 2.5))
    return Comparisons(
        outcome=torch.from_numpy((seen > 0).astype(float)),
        margin=torch.from_numpy(margin),
        grade=torch.from_numpy(grade.astype(np.int64)),
        respondent=Labels(torch.arange(n) % 40, tuple(f"r{k}" for k in range(40))),
    )


CLEAN = {
    "lognormal": (lambda: ml.simulate(1500, 80, cv=0.7, seed=11).comparisons(), {}),
    "gamma with ties as half votes": (
        lambda: ml.simulate(1500, 80, "gamma", cv=0.7, ties=0.1, seed=12).comparisons(),
        {"family": "gamma"},
    ),
    "modelled ties": (
        lambda: ml.simulate(1000, 50, "fixed", ties=0.2, seed=13).comparisons(),
        {"family": "fixed", "ties": "davidson"},
    ),
    "items": (
        lambda: ml.simulate(1500, 60, "fixed", items=8, seed=14).comparisons(),
        {"family": "fixed"},
    ),
    "without respondents": (lambda: ml.simulate(4000, cv=1.0, seed=15).comparisons(), {}),
    "grades": (lambda: graded(1500, 16, with_margin=True), {"family": "fixed"}),
}


@pytest.mark.parametrize("name", CLEAN)
def test_no_alarm_on_clean_simulations(name):
    make, options = CLEAN[name]
    posterior = ml.fit(make(), evidence=False, draws=800, **options)
    assert not failed(posterior)
    assert {"ELBO still rising", "agreement by margin", "calibration"} <= {
        check.name for check in posterior.checks
    }


def test_random_votes_bend_the_curve():
    data = ml.simulate(6000, 60, "fixed", lapse=0.25, seed=1).comparisons()
    found = failed(quick(data, "fixed"))
    assert found["calibration"].advice == (
        "Predicted probabilities are not right: see the calibration curve; try --lapse."
    )
    assert not failed(quick(data, "fixed", lapse=True))


def test_reversed_respondents_among_positive_strengths():
    data = ml.simulate(3000, 100, "normal", cv=1.2, seed=1).comparisons()
    found = failed(quick(data))
    assert "spread between respondents" in found
    assert found["spread between respondents"].advice == (
        "Respondents differ more or less in how often they agree with the margins than the fit "
        "expects: try another --family (normal or classes allow reversed respondents)."
    )
    assert "spread between respondents" not in failed(quick(data, "normal"))


def test_one_strength_where_there_are_several():
    data = ml.simulate(2000, 60, cv=1.0, seed=2).comparisons()
    assert "spread between respondents" in failed(quick(data, "fixed"))


@pytest.mark.parametrize("design", [{"items": 8}, {"features": 3}])
def test_tastes_fitted_as_strength(design):
    data = ml.simulate(2000, 80, "fixed", tastes=2, seed=1, **design).comparisons()
    found = failed(quick(data, "fixed"))["taste in residuals"]
    assert found.value < 1e-6
    assert found.advice == (
        "Votes of one respondent deviate together in some direction: people differ in taste, and "
        "strength alone misleads; compare with --tastes 2,3 or, with features, --random."
    )


def test_ties_that_do_not_depend_on_the_margin():
    data = ml.simulate(2000, 60, "fixed", seed=3).comparisons()
    tied = torch.rand(2000, generator=torch.Generator().manual_seed(0)) < 0.3
    data = replace(data, outcome=torch.where(tied, 0.5, data.outcome))
    assert "ties by margin" in failed(quick(data, "fixed", ties="davidson"))


def test_grades_that_do_not_rise_with_the_margin():
    assert "grades by margin" in failed(quick(graded(1500, 3, with_margin=False), "fixed"))


def test_a_prior_that_outweighs_the_data():
    data = ml.simulate(600, 40, cv=0.9, seed=1).comparisons()
    found = failed(quick(data, priors=ml.Priors(cv_scale=0.05)))
    assert found["prior sensitivity"].advice == (
        "The prior decides about cv, not the data: collect more votes."
    )


def test_a_prior_that_disagrees_with_many_votes():
    data = ml.simulate(4000, 80, cv=0.9, seed=1).comparisons()
    found = failed(quick(data, priors=ml.Priors(cv_scale=0.15)))
    assert found["prior sensitivity"].advice == (
        "Prior and data disagree about cv: set its prior with care (--prior-...)."
    )


def test_a_scale_that_the_data_do_not_see():
    """Tiny margins, each comparison by itself: mean and cv are one number."""
    data = ml.simulate(300, cv=0.8, margin_sd=0.05, seed=1).comparisons()
    found = failed(quick(data))
    assert found["information in the data"].advice == (
        "The data cannot tell cv apart from the prior; fix one, or collect more."
    )


def test_an_answer_that_depends_on_the_unit(monkeypatch):
    def forgets_the_prior(self, factor):
        data = replace(self.data, margin=factor * self.data.margin)
        return Problem(data, priors=ml.Priors(mean=self.spec.centre))

    monkeypatch.setattr(Problem, "rescaled", forgets_the_prior)
    found = failed(quick(ml.simulate(300, 20, seed=1).comparisons()))
    assert found["rescaled margins"].advice == (
        "Report this data set: the answer depends on the unit of the margins."
    )


def test_a_respondent_who_weighs_too_much_is_named():
    data = ml.simulate(3000, 8, "fixed", seed=1).comparisons()
    heavy = torch.arange(3000) < 2600
    codes = torch.where(heavy, 0, 1 + torch.arange(3000) % 7)
    labels = Labels(codes, ("busy", *(f"r{k}" for k in range(7))))
    flip = torch.rand(3000, generator=torch.Generator().manual_seed(1)) < 0.5
    outcome = torch.where(heavy & flip, 1 - data.outcome, data.outcome)
    found = failed(quick(replace(data, outcome=outcome, respondent=labels), "fixed"))
    assert found["share of high leave-one-out k"].advice == (
        "Respondents busy weigh so much that the elpd is not to be trusted: look at them, or fit "
        "without."
    )


def test_a_guide_in_the_wrong_place(monkeypatch):
    def lost(guide, **_):
        with torch.no_grad():
            guide.shift += 12.0
            guide.log_scale -= 4.0
        return np.linspace(-300, -290, 40).tolist()

    monkeypatch.setattr(inference, "fit_guide", lost)
    monkeypatch.setattr(inference, "_good", lambda found: True)  # no second attempt
    problem = Problem(ml.simulate(600, 40, seed=1).comparisons())
    joint = problem.joint("lognormal")
    inferred = inference.infer(joint, chains=2, draws=300, method="importance")
    named = named_parameters(problem, joint, inferred.theta.squeeze(-2))
    prior = prior_parameters(problem, joint, 200, 0)
    found = {c.name for c in make_checks(joint, inferred, named, prior) if not c.ok}
    assert {"Pareto k", "effective draws", "ELBO still rising"} <= found


def test_counted_votes_are_not_replicated():
    """A row of a hundred votes is no single answer, and the other side has a row of its own."""
    margin = torch.linspace(-2, 2, 60).double().repeat(2)
    first = torch.sigmoid(margin[:60])
    data = Comparisons(
        outcome=torch.cat([torch.ones(60), torch.zeros(60)]),
        margin=margin,
        weight=100 * torch.cat([first, 1 - first]),
        respondent=Labels(torch.arange(120) % 6, tuple("abcdef")),
    )
    posterior = quick(data, "fixed")
    names = {check.name for check in posterior.checks}
    assert not names & {"agreement by margin", "spread between respondents", "calibration"}
    assert not failed(posterior)
    assert "probability" in posterior.to_datatree()["posterior_predictive"]


def test_students_differ_in_taste(shared_data):
    """On business schools: strength explains their spread, and not its direction."""
    data = ml.load(
        shared_data / "cems/comparisons.csv",
        respondent="student",
        item_a="school1",
        item_b="school2",
        outcome="outcome",
        labels="a=1,b=2",
        bad_rows="drop",
    )
    data = data.take(data.outcome != 0.5)
    alike, different = quick(data, "fixed"), quick(data, "lognormal")
    assert set(failed(alike)) == {"spread between respondents", "taste in residuals"}
    assert set(failed(different)) == {"taste in residuals"}
