"""A rough mode from a few of many respondents."""

import torch

import mixlogit as ml
from mixlogit.models.mode import find_mode
from mixlogit.models.problem import Problem
from mixlogit.models.rough import rough_mode


def test_rough_mode_is_near_the_mode_and_leads_to_it():
    data = ml.simulate(60_000, 6_000, "lognormal", cv=0.8, seed=1).comparisons()
    joint = Problem(data).joint("lognormal")
    rough = rough_mode(joint, joint.start())
    whole = find_mode(joint, joint.start())
    again = find_mode(joint, rough)
    sd = torch.linalg.inv(-whole.hessian[0]).diagonal().sqrt()
    assert bool(((rough - whole.theta)[0].abs() < 3 * sd).all())
    assert bool(((again.theta - whole.theta)[0].abs() < 1e-4 * sd).all())
    assert again.evaluations < whole.evaluations


def test_few_respondents_are_all_taken():
    data = ml.simulate(2_000, 100, "gamma", seed=1).comparisons()
    joint = Problem(data).joint("gamma")
    whole = find_mode(joint, joint.start())
    assert (
        float(whole.value[0] - joint(rough_mode(joint, joint.start()).unsqueeze(0))[0, 0]) < 0.01
    )
