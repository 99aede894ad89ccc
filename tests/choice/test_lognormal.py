"""The lognormal family."""

import math

import pytest
import scipy.stats
import torch

from mixlogit.choice import LogNormal
from mixlogit.choice.lognormal import default_nodes
from mixlogit.errors import UsageError

F64 = torch.float64
MEAN, CV = 1.7, 0.6
SIGMA = math.sqrt(math.log1p(CV**2))
TWIN = scipy.stats.lognorm(SIGMA, scale=MEAN * math.exp(-(SIGMA**2) / 2))


def test_agrees_with_scipy() -> None:
    family = LogNormal(MEAN, CV)
    b = torch.tensor([0.05, 0.5, 1.7, 60.0], dtype=F64)
    torch.testing.assert_close(
        family.log_density(b.log()), torch.tensor(TWIN.logpdf(b)) + b.log(), rtol=1e-12, atol=1e-14
    )
    low, high = family.log_tails(b.log(), b.log())
    torch.testing.assert_close(low, torch.tensor(TWIN.logcdf(b)), rtol=1e-11, atol=1e-15)
    torch.testing.assert_close(high, torch.tensor(TWIN.logsf(b)), rtol=1e-11, atol=0)
    q = torch.tensor([0.01, 0.5, 0.99], dtype=F64)
    torch.testing.assert_close(family.quantile(q), torch.tensor(TWIN.ppf(q)), rtol=1e-12, atol=0)
    assert family.mean.item() == pytest.approx(TWIN.mean())
    assert family.sd.item() == pytest.approx(TWIN.std())
    assert family.log_sd.item() == pytest.approx(SIGMA)


@pytest.mark.parametrize("sigma", [1e-3, 0.3, 1.0, 2.0, 3.0, 5.0])
def test_the_default_number_of_nodes_is_enough(sigma: float) -> None:
    family = LogNormal(1.0, math.sqrt(math.expm1(sigma**2)))
    margin = torch.cat([torch.zeros(1, dtype=F64), torch.logspace(-6, 6, 49, dtype=F64)])
    exact = family.log_choice_prob(-margin, nodes=1024)
    error = (family.log_choice_prob(-margin) - exact) / exact
    assert error.abs().max() <= 1e-12
    assert default_nodes(torch.tensor(sigma)) <= 160


def test_very_far_margins() -> None:
    """Log p is minus half the square of log margin over sigma, to leading order."""
    family = LogNormal(1.0, math.sqrt(math.expm1(1.0)))
    log_p = family.log_choice_prob(torch.tensor([-1e200, -1e308], dtype=F64))
    expected = [-((math.log(1e200)) ** 2) / 2, -((math.log(1e308)) ** 2) / 2]
    torch.testing.assert_close(log_p.tolist(), expected, rtol=0.05, atol=0)


def test_gradients_of_several_backward_passes() -> None:
    cv = torch.tensor(0.5, dtype=F64, requires_grad=True)
    family = LogNormal(1.0, cv)
    first, second = (
        torch.autograd.grad(family.log_choice_prob(torch.ones(2)).sum(), cv)[0] for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("mean", "cv", "message"),
    [
        (-1.0, 0.5, r"Expected mean between 1e-100 and 1e\+100 but got -1."),
        (math.nan, 0.5, r"Expected mean between 1e-100 and 1e\+100 but got nan."),
        (1.0, -0.5, r"Expected cv between 0 and 1e\+06 but got -0.5."),
        (1.0, math.inf, r"Expected cv between 0 and 1e\+06 but got inf."),
    ],
)
def test_parameters_out_of_domain(mean: float, cv: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LogNormal(mean, torch.tensor([0.1, cv]))


def test_validation_can_be_switched_off() -> None:
    assert LogNormal(1.0, 1e9, validate_args=False).log_choice_prob(torch.ones(())) < 0
