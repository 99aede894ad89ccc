"""The prior predictive of every site, and what no data give back."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from mixlogit.models.grouped import grouped
from mixlogit.models.infer import infer
from mixlogit.models.joint import LogJoint
from mixlogit.models.latent_utility import latent_utility
from mixlogit.models.panel import panel
from mixlogit.models.per_comparison import per_comparison
from mixlogit.models.priors import Priors
from mixlogit.models.sites import GroupDesign, Spec

PRIORS = Priors(log_mean_sd=0.8, cv_scale=0.7, lapse=(2.0, 8.0), group_scale=0.4, utility_sd=1.5)
N = 4000


def says_nothing(family, *_):
    return torch.zeros(family.batch_shape, dtype=torch.float64)


def drawn(program, spec, seed=0):
    joint = LogJoint(program, says_nothing, spec)
    theta = joint.prior_draws(N, seed).unsqueeze(1)
    return joint, theta, joint.sampled(theta)


def agrees(values, distribution):
    return stats.kstest(values.reshape(-1).numpy(), distribution.cdf).pvalue > 1e-3


@pytest.mark.parametrize("program", [panel, per_comparison])
def test_mean_cv_and_lapse_follow_their_priors(program):
    _, _, sampled = drawn(program, Spec("lognormal", PRIORS, centre=3.0, lapse=True))
    assert sampled.family.batch_shape == (N, 1)
    assert agrees(sampled.family.mean.log(), stats.norm(math.log(3.0), 0.8))
    assert agrees(sampled.family.cv.clamp_min(1e-3), stats.halfnorm(scale=0.7))
    assert agrees(sampled.lapse, stats.beta(2.0, 8.0))


def test_normal_family_has_the_same_priors():
    _, _, sampled = drawn(panel, Spec("normal", PRIORS))
    assert agrees(sampled.family.sd / sampled.family.mean, stats.halfnorm(scale=0.7))


def test_anchored_mean_is_one():
    spec = Spec("gamma", PRIORS, anchored=True, n_utilities=3)
    _, _, sampled = drawn(latent_utility, spec)
    assert torch.allclose(sampled.family.mean, torch.ones(N, 1).double())
    assert sampled.utilities.shape == (N, 3)
    assert agrees(sampled.utilities, stats.norm(0, 1.5))


@pytest.mark.parametrize("contrarians", [False, True])
def test_classes_are_ordered_with_the_mean_of_the_prior(contrarians):
    spec = Spec("classes", PRIORS, n_classes=3, contrarians=contrarians)
    _, _, sampled = drawn(panel, spec)
    strengths, log_shares = sampled.family.atoms
    assert strengths.shape == (N, 1, 3)
    assert bool((strengths.diff(dim=-1) >= 0).all())
    assert bool(((strengths < 0).sum(-1) == int(contrarians)).all())
    size = (strengths.abs() * log_shares.exp()).sum(-1)
    assert agrees(size.log(), stats.norm(0, 0.8))
    gaps = strengths[..., int(contrarians) :].log().diff(dim=-1)
    assert agrees(gaps, stats.halfnorm(scale=1.4))


def test_group_effects():
    group = GroupDesign("g", ("a", "b"), torch.tensor([0, 1]))
    joint, theta, sampled = drawn(grouped, Spec("lognormal", PRIORS, groups=(group,)))
    assert sampled.family.batch_shape == (N, 2)
    values = joint.unpack(theta)
    effect = sampled.family.mean.log() - values["log_mean"].unsqueeze(-1)
    scale = stats.halfnorm(scale=0.4).rvs(200_000, random_state=0)
    expected = scale * stats.norm.rvs(size=200_000, random_state=1)
    assert stats.ks_2samp(effect[:, 0].numpy(), expected).pvalue > 1e-3
    assert [site.name for site in joint.sites] == [
        "normal_scale_mean:g",
        "z_mean:g",
        "normal_scale_cv:g",
        "z_cv:g",
        "log_mean",
        "normal_cv",
    ]


def test_fixed_strength_has_no_effect_on_spread():
    group = GroupDesign("g", ("a", "b"), torch.tensor([0, 1]))
    joint, _, _ = drawn(grouped, Spec("fixed", PRIORS, groups=(group,)))
    assert [site.name for site in joint.sites] == ["normal_scale_mean:g", "z_mean:g", "log_mean"]


def test_replicates_are_independent_blocks():
    joint = LogJoint(panel, says_nothing, Spec("classes", PRIORS, n_replicates=5, lapse=True))
    theta = torch.randn(7, 5, joint.size, dtype=torch.float64)
    sampled = joint.sampled(theta)
    assert sampled.family.batch_shape == (7, 5)
    assert sampled.lapse.shape == (7, 5)
    alone = LogJoint(panel, says_nothing, Spec("classes", PRIORS, lapse=True))
    one = alone.sampled(theta[:, 2:3])
    assert torch.allclose(one.family.mean[:, 0], sampled.family.mean[:, 2])
    assert torch.allclose(joint(theta)[:, 2], alone(theta[:, 2:3])[:, 0])


def test_no_data_give_the_prior_back():
    """A lost or doubled Jacobian shows here: ELBO and weights against the stated priors."""
    spec = Spec("lognormal", replace(PRIORS, lapse=(1.0, 9.0)), centre=2.0, lapse=True)
    joint = LogJoint(panel, says_nothing, spec)
    # 24,000 proposals, two thirds of them effective: standard error of the evidence 0.0045
    found = infer(joint, chains=2, draws=12_000, seed=0, method="importance")
    sampled = joint.sampled(found.theta.flatten(0, 1))
    quantiles = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    for values, prior in (
        (sampled.family.mean.log(), stats.norm(math.log(2.0), 0.8)),
        (sampled.family.cv, stats.halfnorm(scale=0.7)),
        (sampled.lapse, stats.beta(1, 9)),
    ):
        ranks = prior.cdf(np.quantile(values.numpy(), quantiles))
        assert np.allclose(ranks, quantiles, atol=0.03)
    assert abs(float(found.log_evidence[0])) < 0.01
    assert abs(found.elbo[0]) < 1e-6  # the Laplace approximation of a Gaussian prior
    assert -0.5 < found.elbo[-1] < 0.01
