"""The normal family, whose strengths may be negative."""

import pytest
import scipy.stats
import torch
from torch.autograd import gradcheck, gradgradcheck

from mixlogit.choice import Normal, StrengthFamily
from mixlogit.errors import UsageError

F64 = torch.float64
TWIN = scipy.stats.norm(1.7, 0.9)


def test_agrees_with_scipy() -> None:
    family = Normal(1.7, 0.9)
    b = torch.tensor([-20.0, -0.5, 1.7, 6.0], dtype=F64)
    torch.testing.assert_close(
        family.log_density(b), torch.tensor(TWIN.logpdf(b)), rtol=1e-12, atol=0
    )
    low, high = family.log_tails(b, b)
    torch.testing.assert_close(low, torch.tensor(TWIN.logcdf(b)), rtol=1e-11, atol=0)
    torch.testing.assert_close(high, torch.tensor(TWIN.logsf(b)), rtol=1e-11, atol=0)
    q = torch.tensor([0.01, 0.5, 0.99], dtype=F64)
    torch.testing.assert_close(family.quantile(q), torch.tensor(TWIN.ppf(q)), rtol=1e-12, atol=0)
    assert family.log_sd.isnan()


@pytest.mark.parametrize("mean", [-2.0, -1e-9, 0.0, 1e-9, 3.0])
def test_closed_form_agrees_with_quadrature_at_every_spread(mean: float) -> None:
    margin = torch.tensor([-40.0, -3.0, -0.2, 0.0, 0.7, 12.0], dtype=F64)
    for sd in (0.01, 0.3, 0.99, 1.01, 4.0):
        family = Normal(mean, sd)
        expected = StrengthFamily._log_choice_prob(family, margin, 1025)
        torch.testing.assert_close(family.log_choice_prob(margin), expected, rtol=1e-9, atol=1e-12)


def test_mirror_image() -> None:
    margin = torch.linspace(-9, 9, 19, dtype=F64)
    there = Normal(1.2, 2.0).log_choice_prob(margin)
    back = Normal(-1.2, 2.0).log_choice_prob(-margin)
    torch.testing.assert_close(there, back, rtol=1e-14, atol=0)


def test_a_huge_margin_counts_the_contrarians() -> None:
    family = Normal(1.0, 1.0)
    zero = torch.zeros((), dtype=F64)
    log_p = family.log_choice_prob(torch.tensor([-1e12, -1e307], dtype=F64))
    torch.testing.assert_close(log_p, family.log_tails(zero, zero)[0].expand(2), rtol=1e-9, atol=0)


def test_differentiable_on_both_sides_of_the_change_of_method() -> None:
    margin = torch.tensor([-5.0, -1.01, -0.99, 0.0, 0.99, 1.01, 30.0], dtype=F64)
    margin = margin.requires_grad_()
    mean = torch.tensor(0.8, dtype=F64, requires_grad=True)
    sd = torch.tensor(1.0, dtype=F64, requires_grad=True)

    def log_p(margin: torch.Tensor, mean: torch.Tensor, sd: torch.Tensor) -> torch.Tensor:
        return Normal(mean, sd).log_choice_prob(margin)

    assert gradcheck(log_p, (margin, mean, sd))
    assert gradgradcheck(log_p, (margin, mean, sd))


def test_parameters_out_of_domain() -> None:
    with pytest.raises(UsageError, match=r"Expected sd between 0 and 1e\+100 but got -1."):
        Normal(1.0, -1.0)
    with pytest.raises(
        UsageError, match=r"Expected mean between -1e\+100 and 1e\+100 but got nan"
    ):
        Normal(torch.nan, 1.0)
    with pytest.raises(UsageError, match="Expected sd > 0 for a density but got 0"):
        Normal(1.0, 0.0).log_density(torch.zeros((), dtype=F64))
