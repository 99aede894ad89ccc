"""The Hessian of many item utilities against autograd, for ties and grades."""

import numpy as np
import pandas as pd
import pytest
import torch
from judges import generator

import mixlogit as ml
from mixlogit.models.curvature import utility_hessian
from mixlogit.models.mode import gradient_and_hessian
from mixlogit.models.outcome_problem import make_problem


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
