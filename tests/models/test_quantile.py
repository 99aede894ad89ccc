import math

import numpy as np
import pytest
import torch
from scipy import stats

from mixlogit.models.quantile import beta_from_normal, half_normal_from_normal

X = torch.tensor([-12.0, -6.0, -3.0, -1.0, 0.0, 0.2, 0.3, 1.0, 4.0, 7.0], dtype=torch.float64)


def test_half_normal_has_the_normal_quantile():
    z = half_normal_from_normal(X, 2.0).numpy()
    low = X.numpy() < 0
    assert np.allclose(
        stats.halfnorm.logcdf(z[low], scale=2.0), stats.norm.logcdf(X[low]), rtol=1e-12
    )
    assert np.allclose(
        stats.halfnorm.logsf(z[~low], scale=2.0), stats.norm.logsf(X[~low]), rtol=1e-12
    )


@pytest.mark.parametrize(("a", "b"), [(1.0, 9.0), (1.0, 1.0), (2.0, 8.0), (0.7, 3.0)])
def test_beta_has_the_normal_quantile(a, b):
    x = X[1:-1]
    rate = beta_from_normal(x, a, b).numpy()
    assert np.allclose(stats.beta.cdf(rate, a, b), stats.norm.cdf(x), rtol=1e-8, atol=1e-16)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: half_normal_from_normal(x, 1.3),
        lambda x: beta_from_normal(x, 1.0, 9.0),
        lambda x: beta_from_normal(x, 2.0, 8.0),
    ],
)
def test_first_and_second_derivatives(function):
    x = torch.linspace(-2.5, 2.5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (x,))
    assert torch.autograd.gradgradcheck(function, (x,), atol=1e-4)


def test_far_tails_are_finite_with_gradients():
    x = torch.tensor([-40.0, -37.0, 36.0, 45.0], dtype=torch.float64, requires_grad=True)
    value = half_normal_from_normal(x, 1.0)
    (grad,) = torch.autograd.grad(value.sum(), x)
    value = value.detach()
    assert bool(torch.isfinite(value).all())
    assert bool(torch.isfinite(grad).all())
    assert math.isclose(float(value[2]), 36.0, rel_tol=0.01)
