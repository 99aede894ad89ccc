"""The Hessian of many item utilities against autograd: of choices, of ties and of grades."""

import numpy as np
import pandas as pd
import pytest
import torch
from judges import generator

import mixlogit as ml
from mixlogit.models.curvature import utility_hessian
from mixlogit.models.mode import gradient_and_hessian
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.problem import Problem


@pytest.mark.parametrize("panel", [True, False])
@pytest.mark.parametrize("lapse", [False, True])
@pytest.mark.parametrize("family", ["fixed", "lognormal", "gamma", "normal"])
def test_equals_autograd(family, lapse, panel):
    made = ml.simulate(300, 20, "lognormal", mean=1.0, cv=0.6, items=7, ties=0.1, seed=3)
    joint = Problem(made.comparisons(), panel=panel).joint(family, lapse=lapse)
    theta = joint.start() + 0.3 * torch.randn(joint.start().shape, dtype=torch.float64)
    # nodes that respondents share are another rule for the same integrals: second derivatives of
    # a gamma population's tail differ by about 1e-4 of them
    for slow, fast in zip(
        gradient_and_hessian(joint, theta), utility_hessian(joint, theta), strict=True
    ):
        assert torch.allclose(slow, fast, rtol=1e-4, atol=2e-3)
    joint.likelihood.__dict__["_shared"] = None
    for slow, fast in zip(
        gradient_and_hessian(joint, theta), utility_hessian(joint, theta), strict=True
    ):
        assert torch.allclose(slow, fast, rtol=1e-8, atol=1e-8)


def test_underflowing_choices_stay_finite():
    """A node where a choice has probability 0 in float64 has no weight, and no NaN."""
    made = ml.simulate(300, 20, "lognormal", mean=1.0, cv=0.6, items=7, seed=3)
    joint = Problem(made.comparisons()).joint("lognormal")
    theta = joint.start()
    theta[:, : joint.sites[0].stop] = 400.0
    assert bool(torch.isfinite(utility_hessian(joint, theta)[2]).all())


@pytest.fixture(scope="module")
def votes() -> ml.Comparisons:
    rng = generator("curvature")
    pair = np.array([rng.permutation(5)[:2] for _ in range(300)])
    frame = pd.DataFrame({"item_a": pair[:, 0], "item_b": pair[:, 1]})
    frame["respondent"] = rng.integers(0, 12, 300)
    frame["outcome"] = rng.choice(["a", "b", "tie"], 300, p=[0.45, 0.3, 0.25])
    return ml.Comparisons.from_pandas(frame)


@pytest.mark.parametrize("family", ["fixed", "lognormal"])
@pytest.mark.parametrize("width", ["shared", "respondent"])
@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
def test_hessian_of_item_utilities(votes, ties, width, family) -> None:
    lapse = ties == "davidson"
    joint = make_problem(votes, ties=ties, width=width).joint(family, lapse=lapse)
    theta = joint.start() + 0.3 * torch.sin(torch.arange(joint.size, dtype=torch.float64))
    value, gradient, hessian = utility_hessian(joint, theta)
    expected = gradient_and_hessian(joint, theta)
    assert torch.allclose(value, expected[0])
    assert torch.allclose(gradient, expected[1], atol=1e-8)
    assert torch.allclose(hessian, expected[2], atol=2e-3)
