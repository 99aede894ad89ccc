from dataclasses import replace

import numpy as np
import pytest
import torch
from gaussian import gaussian

import mixlogit as ml
from mixlogit.models.checks import elbo_gain, make_checks, quadrature_error, r_hat
from mixlogit.models.infer import infer
from mixlogit.models.parameters import Named
from mixlogit.models.problem import Problem

NAMES = [
    "Pareto k",
    "effective draws",
    "ELBO still rising",
    "restarts reach one mode",
    "restarts agree (R-hat)",
    "quadrature error",
    "prior weight on cv",
]


def made(**design):
    return ml.simulate(300, 20, "lognormal", mean=1.0, cv=1.0, seed=3, **design).comparisons()


def named(cv, shift=0.0):
    draws = cv * np.random.default_rng(0).normal(size=(4, 500))
    return Named({"cv": draws + shift * np.arange(4)[:, None]})


def checked(posterior, prior, **changed):
    joint = Problem(made()).joint("lognormal")
    inferred = infer(joint, chains=2, draws=200, method="importance")
    inferred = replace(inferred, **changed)
    return {check.name: check for check in make_checks(joint, inferred, posterior, prior)}


def test_good_fit():
    checks = checked(named(0.2), named(1.0))
    assert list(checks) == NAMES
    assert checks["prior weight on cv"].value == pytest.approx(0.04)
    assert all(check.ok for check in checks.values()), checks
    assert checks["quadrature error"].value < 1e-3


def test_restarts_that_disagree_and_data_that_say_little():
    checks = checked(named(0.9, shift=2.0), named(1.0))
    assert not checks["restarts agree (R-hat)"].ok
    assert checks["restarts agree (R-hat)"].advice == (
        "The restarts found different answers; fit a simpler model or more data."
    )
    assert not checks["prior weight on cv"].ok
    assert checks["prior weight on cv"].advice == (
        "The data say little about the spread; collect more votes per respondent."
    )


def test_a_bad_guide_and_several_modes():
    """Weights without a variance, few of them that count, a guide on its way, two modes."""
    bad = {
        "k_hat": torch.tensor([1.2]),
        "effective": torch.tensor([12.0]),
        "elbo": np.linspace(-400, -380, 40).tolist(),
        "spread_of_modes": 3.0,
    }
    checks = checked(named(0.2), named(1.0), **bad)
    assert [name for name in NAMES if not checks[name].ok] == NAMES[:4]
    assert checks["ELBO still rising"].value == pytest.approx(10 * 20 / 39)
    assert checks["ELBO still rising"].advice == (
        "The guide has not settled, nats in its last steps: run with --inference nuts."
    )
    assert checks["restarts reach one mode"].advice == (
        "The posterior has several modes, nats apart: fit a simpler model, or use NUTS."
    )


def test_elbo_gain():
    assert elbo_gain([1.0] * 7) is None
    assert elbo_gain(np.linspace(0, -5, 40).tolist()) == 0.0


def test_r_hat():
    draws = np.random.default_rng(0).normal(size=(4, 2000, 3))
    assert r_hat(draws) < 1.005
    draws[0, :, 1] += 1.0
    assert r_hat(draws) > 1.1
    assert r_hat(draws[:1]) == 1.0
    assert r_hat(np.ones((4, 10))) == 1.0


@pytest.mark.parametrize("design", [{}, {"items": 5}])
def test_quadrature_error(design):
    joint = Problem(made(**design)).joint("lognormal")
    assert 0 <= quadrature_error(joint, joint.start().unsqueeze(0)) < 1e-3


def test_an_integral_on_too_few_nodes_is_found():
    joint = Problem(made(items=5)).joint("lognormal")
    inferred = infer(joint, chains=2, draws=200, method="laplace")
    joint.likelihood = joint.likelihood.finer(3)
    checks = make_checks(joint, inferred, named(0.2), named(1.0))
    (found,) = (check for check in checks if check.name == "quadrature error")
    assert found.value > found.threshold
    assert not found.ok
    assert found.advice == (
        "Report this data set: the panel integral is not accurate to 0.001 nats."
    )


def test_nothing_to_integrate():
    problem = Problem(made())
    fixed, single = problem.joint("fixed"), Problem(made(), panel=False).joint("gamma")
    assert quadrature_error(fixed, fixed.start().unsqueeze(0)) is None
    assert quadrature_error(single, single.start().unsqueeze(0)) is None
    assert quadrature_error(gaussian(), torch.zeros(1, 1, 3).double()) is None
