"""The accelerated alternating series."""

import math

import mpmath as mp
import pytest
import torch

from mixlogit.choice.alternating import TERMS, log_alternating_sum

N = torch.arange(TERMS + 1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("log_terms", "expected"),
    [
        (-torch.log1p(N), math.log(2)),
        (-torch.log1p(2 * N), math.pi / 4),
        (-2 * torch.log1p(N), math.pi**2 / 12),
        (-0.5 * torch.log1p(N), float((1 - mp.sqrt(2)) * mp.zeta(0.5))),
        (0 * N, 0.5),
        (-1e5 * N, 1.0),
        (-3.0 * N, 1 / (1 + math.exp(-3))),
    ],
)
def test_known_sums(log_terms: torch.Tensor, expected: float) -> None:
    value = log_alternating_sum(-log_terms.diff()).exp().item()
    assert value == pytest.approx(expected, rel=5e-16)


def test_equal_terms_have_an_exact_derivative() -> None:
    """The sum of (-1)^n exp(-n y) is 1 / (1 + exp(-y)), of slope 1/4 at 0."""
    y = torch.zeros((), dtype=torch.float64, requires_grad=True)
    total = log_alternating_sum(y * torch.ones(TERMS, dtype=torch.float64)).exp()
    (slope,) = torch.autograd.grad(total, y)
    assert slope.item() == pytest.approx(0.25, rel=1e-14)
