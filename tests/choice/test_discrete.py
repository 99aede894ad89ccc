"""The families with atoms: fixed and classes."""

import re

import pytest
import torch
from torch.nn.functional import logsigmoid

from mixlogit.choice import Classes, Fixed
from mixlogit.errors import UsageError

F64 = torch.float64


def classes(strengths: list[float], shares: list[float]) -> Classes:
    return Classes(torch.tensor(strengths, dtype=F64), torch.tensor(shares, dtype=F64))


def test_fixed() -> None:
    family = Fixed(torch.tensor([0.5, 2.0]))
    assert family.sd.tolist() == [0.0, 0.0]
    assert family.log_sd.tolist() == [0.0, 0.0]
    assert family.cv.tolist() == [0.0, 0.0]
    strengths, log_shares = family.atoms
    assert strengths.tolist() == [[0.5], [2.0]]
    assert log_shares.tolist() == [[0.0], [0.0]]
    assert family.sample((3,)).tolist() == [[0.5, 2.0]] * 3
    assert family.quantile(torch.tensor([0.1, 0.9])).tolist() == [0.5, 2.0]


def test_classes() -> None:
    family = classes([-1.0, 0.5, 2.0], [0.1, 0.3, 0.6])
    margin = torch.tensor([-3.0, 0.0, 2.0, 40.0], dtype=F64)
    parts = [s * logsigmoid(b * margin).exp() for b, s in ((-1, 0.1), (0.5, 0.3), (2, 0.6))]
    torch.testing.assert_close(family.log_choice_prob(margin).exp(), sum(parts))
    assert family.signed
    assert family.log_sd.isnan()
    assert family.mean.item() == pytest.approx(1.25)
    q = torch.tensor([0.05, 0.1, 0.11, 0.4, 0.41, 1.0], dtype=F64)
    assert family.quantile(q).tolist() == [-1.0, -1.0, 0.5, 0.5, 2.0, 2.0]


def test_classes_are_accurate_where_everybody_agrees() -> None:
    family = classes([1.0, 2.0], [0.5, 0.5])
    log_p = family.log_choice_prob(torch.tensor([50.0], dtype=F64))
    assert log_p.item() == pytest.approx(-0.5 * torch.tensor(-50.0, dtype=F64).exp().item())


def test_classes_of_a_batch() -> None:
    strengths = torch.tensor([[0.2, 1.0], [0.5, 3.0], [1.0, 1.0]], dtype=F64)
    family = Classes(strengths.unsqueeze(1), torch.tensor([0.4, 0.6]))
    assert family.batch_shape == (3, 1)
    assert not family.signed
    assert family.log_choice_prob(torch.zeros(5)).shape == (3, 5)
    assert family.sample((7,)).shape == (7, 3, 1)
    assert family.log_sd.squeeze(1)[2] == 0


def test_equal_strengths_have_finite_gradients() -> None:
    strengths = torch.tensor([1.0, 1.0], dtype=F64, requires_grad=True)
    family = Classes(strengths, torch.tensor([0.4, 0.6]))
    for value in (family.sd, family.log_sd, family.cv):
        assert torch.autograd.grad(value, strengths)[0].isfinite().all()


def test_an_empty_class_has_a_finite_gradient() -> None:
    shares = torch.tensor([0.0, 1.0], dtype=F64, requires_grad=True)
    family = Classes(torch.tensor([0.5, 1.0]), shares)
    log_p = family.log_choice_prob(torch.tensor([-1.0, 1e300], dtype=F64))
    assert torch.autograd.grad(log_p.sum(), shares)[0].isfinite().all()


@pytest.mark.parametrize(
    ("strengths", "shares", "message"),
    [
        ([1.0], [1.0], "Expected two or more strengths but got 1."),
        ([2.0, 1.0], [0.5, 0.5], "Expected strengths in ascending order. Consider sorting them."),
        ([-2.0, -1.0], [0.5, 0.5], "Expected at most the first strength to be negative."),
        ([1.0, 2.0], [0.5, 0.6], "Expected shares that sum to 1 but got a sum of 1.1."),
        ([1.0, 2.0], [-0.5, 1.5], "Expected shares between 0 and 1 but got -0.5."),
        (
            [1.0, torch.nan],
            [0.5, 0.5],
            "Expected strengths between -1e+100 and 1e+100 but got nan",
        ),
    ],
)
def test_classes_that_cannot_be(strengths: list[float], shares: list[float], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        classes(strengths, shares)


@pytest.mark.parametrize("family", [Fixed(1.0), classes([1.0, 2.0], [0.5, 0.5])])
def test_there_is_no_density(family: Fixed | Classes) -> None:
    with pytest.raises(UsageError, match=f"The {family.name} family has no density."):
        family.log_density(torch.zeros(()))
    with pytest.raises(UsageError, match=f"The {family.name} family has no density."):
        family.location_scale()
