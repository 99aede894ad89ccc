"""A program whose posterior is a known Gaussian."""

import pyro
import pyro.distributions as dist
import torch

from mixlogit.choice import strength
from mixlogit.models.joint import LogJoint
from mixlogit.models.priors import Priors
from mixlogit.models.sites import Sampled, Spec

MEAN = torch.tensor([1.0, -2.0, 0.5]).double()
ROOT = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.2, 0.4]]).double()
LOG_EVIDENCE = 1.7


def program(likelihood, spec):
    x = pyro.sample("x", dist.Normal(torch.zeros(3).double(), 5.0).to_event(1))
    target = dist.MultivariateNormal(MEAN, scale_tril=ROOT, validate_args=False)
    prior = dist.Normal(torch.zeros(3).double(), 5.0).to_event(1)
    pyro.factor("panels", target.log_prob(x) - prior.log_prob(x) + LOG_EVIDENCE)
    return Sampled(strength("fixed", mean=torch.ones(*x.shape[:-1], 1)), None)


def gaussian():
    return LogJoint(program, None, Spec("fixed", Priors()))
