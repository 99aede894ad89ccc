"""Power-scaling against the closed form of normals, and against ArviZ."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from judges import choice_sets
from scipy import stats

import mixlogit as ml
from mixlogit.analysis import az
from mixlogit.models.problem import Problem
from mixlogit.models.sensitivity import population_log_prior, power_sensitivity
from mixlogit.models.taste_fit import TasteJoint
from mixlogit.models.taste_problem import TasteProblem

arviz = az._arviz()


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_agrees_with_arviz(weight):
    """A normal posterior whose prior has a share `weight` of its precision, and a mean of 1."""
    x = np.random.default_rng(0).normal(size=(4, 1000))
    log_prior = -0.5 * weight * (x - 1) ** 2
    groups = {"posterior": {"x": x}, "log_prior": {"x": log_prior}}
    tree = xr.DataTree.from_dict(
        {
            name: xr.Dataset({key: (("chain", "draw"), v) for key, v in values.items()})
            for name, values in groups.items()
        }
    )
    theirs = float(arviz.psens(arviz.from_datatree(tree), component="prior")["x"])
    ours = power_sensitivity(x.reshape(-1), log_prior.reshape(-1))
    assert ours == pytest.approx(theirs, rel=0.05)


def test_a_heavier_prior_moves_more():
    x = np.random.default_rng(1).normal(size=4000)
    values = [power_sensitivity(x, -0.5 * w * (x - 1) ** 2) for w in (0.05, 0.2, 0.8)]
    assert values == sorted(values)


@pytest.mark.parametrize("lapse", [False, True])
def test_priors_on_their_own_scales(lapse):
    """Up to a constant: normal log mean, half-normal cv, beta lapse rate."""
    problem = Problem(ml.simulate(100, 10, seed=1).comparisons())
    joint = problem.joint("lognormal", lapse=lapse)
    theta = joint.prior_draws(50, 0).unsqueeze(1)
    sampled = joint.sampled(theta)
    mean, cv = sampled.family.mean[:, 0].numpy(), sampled.family.cv[:, 0].numpy()
    expected = stats.norm.logpdf(np.log(mean), np.log(problem.spec.centre), 1.0)
    expected = expected + stats.halfnorm.logpdf(cv)
    if lapse:
        expected = expected + stats.beta.logpdf(sampled.lapse[:, 0].numpy(), 1, 9)
    found = population_log_prior(joint, theta).numpy()
    assert found - found[0] == pytest.approx(expected - expected[0], abs=1e-6)


def test_effects_of_covariates_are_normal():
    """Between respondents of random tastes; the sds and cv beside them are half-normal."""
    rng = np.random.default_rng(0)
    data = choice_sets(rng.normal(size=(10, 1)), rng, per=2)
    people = pd.DataFrame({"respondent": map(str, range(10)), "age": np.arange(10.0)})
    covariates = ml.Covariates.read("~ age", people)
    joint = TasteJoint(TasteProblem.of(data, "x0:normal", "gamma", 0, covariates=covariates))
    theta = joint.prior_draws(20, 0).unsqueeze(1)
    values = {name: value.numpy() for name, value in joint.unpack(theta).items()}
    expected = -0.5 * (values["normal_means"] ** 2 + values["normal_effects"] ** 2)[:, 0]
    for name in ("normal_sds", "normal_cv"):
        expected -= 0.5 * stats.halfnorm.isf(stats.norm.sf(values[name]))[:, 0] ** 2
    found = population_log_prior(joint, theta).numpy()
    assert found - found[0] == pytest.approx(expected - expected[0], abs=1e-6)


def test_utilities_and_single_groups_are_left_out():
    problem = Problem(ml.simulate(200, 20, items=5, groups=2).comparisons(), by=["group"])
    joint = problem.joint("fixed")
    theta = torch.zeros(2, 1, joint.size, dtype=torch.float64)
    for site in joint.sites:
        if site.name.startswith(("z_", "utilities")):
            theta[1, :, site.start : site.stop] = 1.0
    one, other = population_log_prior(joint, theta).tolist()
    assert one == other
