import pytest
import torch

import mixlogit as ml
from mixlogit.models.curvature import utility_hessian
from mixlogit.models.mode import gradient_and_hessian
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
