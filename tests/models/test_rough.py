"""A rough mode from a few of many respondents."""

import torch

import mixlogit as ml
from mixlogit.models.mode import Mode, find_mode
from mixlogit.models.problem import Problem
from mixlogit.models.rough import _different, rough_mode, rough_modes


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


def test_starts_that_lead_to_one_mode_count_once():
    joint = Problem(ml.simulate(600, 60, "lognormal", seed=1).comparisons()).joint("lognormal")
    starts = joint.start().repeat(4, 1, 1)
    starts[1:, 0, 0] += torch.tensor([0.7, -0.7, 1.4]).double()
    (found,) = rough_modes(joint, starts)
    assert torch.allclose(found, rough_mode(joint, joint.start()), atol=0.1)


def test_modes_that_differ_are_all_kept():
    ends = torch.tensor([[-2.0], [2.0]]).double()
    modes = [Mode(end, end, -torch.ones(1, 1, 1).double(), 0 * end, 1) for end in ends.split(1)]
    assert len(_different([*modes, modes[0]])) == 2
