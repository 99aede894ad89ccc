import math

import torch

import mixlogit as ml
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem

DATA = ml.simulate(200, 20, "lognormal", mean=1.0, cv=0.5, groups=2, seed=1).comparisons()


def test_sites_and_start():
    joint = Problem(DATA, priors=Priors(mean=3.0)).joint("lognormal", lapse=True)
    assert [site.name for site in joint.sites] == ["log_mean", "normal_cv", "normal_lapse"]
    assert joint.size == 3
    assert torch.allclose(joint.start(), torch.tensor([[math.log(3.0), 0, 0]]).double())


def test_joint_is_prior_and_likelihood():
    joint = Problem(DATA).joint("lognormal")
    theta = torch.randn(5, 1, 2, dtype=torch.float64)
    prior, likelihood = joint.parts(theta)
    centre = math.log(joint.spec.centre)
    normal = torch.distributions.Normal(0.0, 1.0)
    by_hand = normal.log_prob(theta[..., 0] - centre) + normal.log_prob(theta[..., 1])
    assert torch.allclose(prior, by_hand)
    family = joint.sampled(theta).family
    assert torch.allclose(likelihood, joint.likelihood(family))
    assert torch.allclose(joint(theta), prior + likelihood)


def test_draws_are_split_into_parts_of_any_size():
    joint = Problem(DATA, by=["group"]).joint("gamma", lapse=True)
    theta = 0.3 * torch.randn(7, 1, joint.size, dtype=torch.float64)
    whole = joint(theta)
    joint.draws_at_once = 3
    assert torch.allclose(whole, joint(theta))


def test_penalised_likelihood_has_the_prior_of_utilities():
    data = ml.simulate(200, 20, "fixed", items=4, seed=1).comparisons()
    joint = Problem(data).joint("fixed")
    theta = torch.randn(2, 1, joint.size, dtype=torch.float64)
    plain, penalised = joint.log_likelihood(theta), joint.log_likelihood(theta, penalised=True)
    assert torch.allclose(penalised, plain - 0.5 * (theta / 2.0).square().sum(-1))


def test_population_is_without_group_effects():
    joint = Problem(DATA, by=["group"]).joint("lognormal")
    theta = torch.randn(3, 1, joint.size, dtype=torch.float64)
    sites = joint.unpack(theta)
    assert torch.allclose(joint.population(sites).mean[:, 0], sites["log_mean"].exp())


def test_prior_draws_are_reproducible_and_leave_the_seed_alone():
    joint = Problem(DATA).joint("normal")
    state = torch.random.get_rng_state()
    one = joint.prior_draws(50, 3)
    assert one.shape == (50, 2)
    assert torch.equal(one, joint.prior_draws(50, 3))
    assert torch.equal(state, torch.random.get_rng_state())
