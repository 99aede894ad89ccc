"""Log-likelihoods by unit add up to the likelihood that the fit maximises."""

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

import mixlogit as ml
from mixlogit.models import tree
from mixlogit.models.problem import Problem
from mixlogit.models.tree import unit_log_likelihood

DESIGNS = {
    "margins": {"ties": 0.1},
    "margins by group": {"ties": 0.1, "groups": 2},
    "items": {"ties": 0.1, "items": 5},
    "features": {"features": 2},
}


def problem_of(name, **options):
    made = ml.simulate(200, 20, family="lognormal", cv=0.6, seed=4, **DESIGNS[name])
    data = made.comparisons()
    return Problem(data, by=["group"] if "group" in name else [], **options)


@pytest.mark.parametrize("lapse", [False, True])
@pytest.mark.parametrize("panel", [False, True])
@pytest.mark.parametrize("name", DESIGNS)
def test_units_add_up_to_the_log_likelihood(name, panel, lapse):
    problem = problem_of(name, panel=panel)
    joint = problem.joint("gamma", lapse=lapse)
    theta = 0.5 * torch.randn(2, 12, joint.size, dtype=torch.float64)
    each = unit_log_likelihood(problem, joint, theta)
    total = joint.log_likelihood(theta.reshape(-1, 1, joint.size)).view(2, 12)
    assert each.shape == (2, 12, len(problem.units.block) if panel else 200)
    assert np.allclose(each.sum(-1), total.numpy(), atol=2e-3)


def test_a_comparison_against_scipy():
    problem = problem_of("margins", panel=False)
    joint = problem.joint("lognormal")
    theta = torch.tensor([[[0.2, 0.3]]]).double()
    each = unit_log_likelihood(problem, joint, theta)[0, 0]
    family = joint.sampled(theta).family
    s = np.log1p(float(family.cv) ** 2) ** 0.5
    median = float(family.mean) * np.exp(-(s**2) / 2)

    def chance(margin):
        return integrate.quad(
            lambda u: special.expit(margin * median * np.exp(s * u)) * stats.norm.pdf(u), -9, 9
        )[0]

    for i in range(10):
        p = chance(float(problem.data.margin[i]))
        y = float(problem.data.outcome[i])
        assert each[i] == pytest.approx(y * np.log(p) + (1 - y) * np.log(1 - p), abs=1e-6)


def test_too_many_comparisons_are_left_out(monkeypatch):
    monkeypatch.setattr(tree, "_COMPARISONS", 100)
    problem = problem_of("margins", panel=False)
    joint = problem.joint("fixed")
    assert unit_log_likelihood(problem, joint, torch.zeros(1, 2, joint.size).double()) is None


def test_elpd_without_respondents_is_by_comparison():
    data = ml.simulate(300, family="lognormal", cv=0.6, seed=4).comparisons()
    posterior = ml.fit(data, draws=400)
    stored = posterior.to_datatree()["log_likelihood"]["choice"]
    assert stored.dims == ("chain", "draw", "comparison")
    assert posterior.to_dict()["elpd"]["per"] == "comparison"
    assert posterior.to_dict()["elpd"]["estimate"] == pytest.approx(
        float(stored.mean(("chain", "draw")).sum()), abs=5
    )
