"""Proposals of a respondent whose posterior has two modes."""

import numpy as np
import torch
from judges import double, generator, graded
from scipy.special import expit, logsumexp
from torch.distributions import Categorical as Shares
from torch.distributions import MixtureSameFamily, MultivariateNormal

import mixlogit as ml
from mixlogit.choice.proposals import Proposals
from mixlogit.choice.simulated import normal_points
from mixlogit.models.taste_problem import TasteProblem

LOG_TWO_PI = float(np.log(2 * np.pi))
CUTS = np.array([-np.inf, -1.5, -0.4, 0.4, 1.5, np.inf])


def test_mixture_integrates_a_target_of_two_modes() -> None:
    """Its mass by 1,024 draws, from proposals that know both modes, their widths not quite."""
    mode = double([[[1.0, 1.0], [-4.0, 0.0]]])
    root = torch.eye(2).double() * 0.5
    proposals = Proposals(mode, root.expand(1, 2, 2, 2), mixture=True)
    covariance = double([[0.36, 0.1], [0.1, 0.2]]).expand(2, 2, 2)
    target = MixtureSameFamily(
        Shares(double([0.9, 0.1])), MultivariateNormal(mode[0] + 0.1, covariance)
    )
    for pilot in range(3):
        z, log_weight = proposals.draws(normal_points(1, 1024, 2, "sobol", pilot))
        log_f = log_weight + target.log_prob(z) + 0.5 * z.square().sum(-1) + LOG_TWO_PI
        proposals = proposals.matched(z, log_f)
    assert z.shape == (1, 1024, 2)
    assert abs(float(log_f.logsumexp(-1))) < 0.01
    assert torch.allclose(proposals.mode[0], mode[0] + 0.1, atol=0.05)


def test_respondents_who_contradict_the_others() -> None:
    """Signed strength and random taste: weak and for, or against; a dense grid as oracle."""
    rng = generator("contrary")
    strength, taste = np.repeat([-1.2, -0.8, -0.4, 0.2], 5), 1.2 + 0.8 * rng.standard_normal(20)
    own = strength[:, None] * np.stack([taste, np.full(20, -0.8)], 1)
    data = graded(own, [0.4, 1.5], rng, per=25)
    problem = TasteProblem.of(data, ml.RandomTastes("x0:normal", draws=1024), "normal", 0)
    psi = double([1.2, -0.8, 0.8, 0.6, 0.4, 1.5])
    likelihood = problem.likelihood()
    likelihood.adapt(psi)
    found = likelihood.evaluate(psi).value.numpy()

    z = np.linspace(-7.0, 7.0, 281)
    first, second = (each.ravel() for each in np.meshgrid(z, z, indexing="ij"))
    log_mass = -0.5 * (first**2 + second**2) - np.log(2 * np.pi) + 2 * np.log(z[1] - z[0])
    b = np.stack([(1 + 0.6 * first) * (1.2 + 0.8 * second), -0.8 * (1 + 0.6 * first)])
    total = np.tile(log_mass, (20, 1))
    for x, grade, who in zip(data.features, data.grade, data.respondent.codes, strict=True):
        s, level = x.numpy() @ b, int(grade) + 2
        total[who] += np.log(expit(s - CUTS[level]) - expit(s - CUTS[level + 1]) + 1e-300)
    assert np.abs(found - logsumexp(total, axis=1)).max() < 0.05  # one mode alone: 0.14
