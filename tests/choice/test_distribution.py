"""MixedLogit as a Pyro distribution."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.distributions.testing.gof import auto_goodness_of_fit
from pyro.infer import SVI, Trace_ELBO
from torch.distributions import constraints

from mixlogit.choice import FAMILIES, Gamma, LogNormal, MixedLogit
from mixlogit.errors import UsageError

F64 = torch.float64
TEST_FAILURE_RATE = 2e-5  # for all goodness-of-fit tests


@pytest.mark.parametrize("name", FAMILIES)
def test_follows_the_contract(name: str) -> None:
    margin = torch.linspace(-2, 2, 6, dtype=F64).reshape(2, 3)
    votes = MixedLogit(FAMILIES[name].example(), margin)
    assert votes.batch_shape == (2, 3)
    assert votes.event_shape == ()
    assert votes.support is constraints.boolean
    assert votes.enumerate_support().shape == (2, 2, 3)
    assert votes.enumerate_support(expand=False).shape == (2, 1, 1)
    log_p = votes.log_prob(votes.enumerate_support())
    torch.testing.assert_close(log_p.exp().sum(0), torch.ones(2, 3, dtype=F64))
    torch.testing.assert_close(votes.mean, log_p[1].exp())
    torch.testing.assert_close(votes.variance, log_p.sum(0).exp())
    assert votes.sample((5,)).shape == (5, 2, 3)


@pytest.mark.parametrize("name", FAMILIES)
def test_goodness_of_fit(name: str) -> None:
    """Outcomes of several comparisons, coded as one number, against their joint probabilities."""
    margin = torch.tensor([-1.5, 0.0, 0.8], dtype=F64)
    votes = MixedLogit(FAMILIES[name].example(), margin)
    samples = votes.sample((20_000,))
    code = (samples * torch.tensor([4.0, 2.0, 1.0], dtype=F64)).sum(-1).long()
    counts = torch.bincount(code, minlength=8).to(F64)
    cells = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], dtype=F64)
    probs = votes.log_prob(cells).sum(-1).exp()
    chi2 = ((counts - 20_000 * probs) ** 2 / (20_000 * probs)).sum()
    tail = 1 - torch.special.gammainc(torch.tensor(3.5, dtype=F64), chi2 / 2)
    assert tail > TEST_FAILURE_RATE


def test_strength_samples_fit_the_density() -> None:
    """Pyro's own test on the draws of the mixing distribution."""
    for family in (LogNormal(1.3, 0.7), Gamma(1.3, 0.7)):
        draw = family.sample((20_000,), torch.Generator().manual_seed(0))
        density = family.log_density(draw.log()).exp() / draw
        assert auto_goodness_of_fit(draw, density) > TEST_FAILURE_RATE


def test_expand() -> None:
    votes = MixedLogit(Gamma(1.0, 0.5), torch.tensor([0.3, -0.2]), nodes=64)
    wide = votes.expand((4, 2))
    assert isinstance(wide, MixedLogit)
    assert wide.batch_shape == (4, 2)
    assert wide.sample().shape == (4, 2)
    torch.testing.assert_close(
        wide.log_prob(torch.ones(4, 2)), votes.log_prob(torch.ones(2)).expand(4, 2)
    )
    assert wide.expand((3, 4, 2)).to_event(1).event_shape == (2,)


def test_outcomes_of_margin_zero_pull_both_ways() -> None:
    margin = torch.zeros(2, dtype=F64, requires_grad=True)
    log_p = MixedLogit(Gamma(2.0, 0.5), margin).log_prob(torch.tensor([1.0, 0.0], dtype=F64))
    (slope,) = torch.autograd.grad(log_p.sum(), margin)
    torch.testing.assert_close(slope, torch.tensor([1.0, -1.0], dtype=F64))


def test_validates() -> None:
    family = Gamma(1.0, 0.5)
    votes = MixedLogit(family, torch.zeros(2), validate_args=True)
    with pytest.raises(ValueError, match="Expected value argument"):
        votes.log_prob(torch.tensor([0.0, 0.5]))
    with pytest.raises(ValueError, match="margin"):
        MixedLogit(family, torch.tensor([math.nan]), validate_args=True)
    with pytest.raises(UsageError, match=r"Expected margins of a float type but got torch\.int64"):
        MixedLogit(family, torch.tensor([1]))


def test_draws_are_fresh_at_every_call() -> None:
    generator = torch.Generator().manual_seed(0)
    votes = MixedLogit(LogNormal(1.0, 0.9), torch.ones(3), draws=16, generator=generator)
    assert not torch.equal(votes.log_prob(torch.ones(3)), votes.log_prob(torch.ones(3)))


def test_recovers_the_mean_by_svi() -> None:
    """In a Pyro model: sampled, observed, and differentiable down to the parameters."""
    torch.manual_seed(1)
    margin = 3 * torch.randn(4000)
    outcome = pyro.sample("y", MixedLogit(LogNormal(1.5, 0.5), margin))

    def model(margin: torch.Tensor, outcome: torch.Tensor | None) -> None:
        log_mean = pyro.sample("log_mean", dist.Normal(0.0, 1.0))
        with pyro.plate("comparison", len(margin)):
            pyro.sample("y", MixedLogit(LogNormal(log_mean.exp(), 0.5), margin), obs=outcome)

    def guide(margin: torch.Tensor, outcome: torch.Tensor | None) -> None:
        pyro.sample("log_mean", dist.Delta(pyro.param("place", torch.zeros(()))))

    pyro.clear_param_store()
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
    for _ in range(60):
        svi.step(margin, outcome)
    assert pyro.param("place").exp().item() == pytest.approx(1.5, abs=0.15)
    pyro.clear_param_store()
