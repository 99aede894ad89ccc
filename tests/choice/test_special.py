"""Special functions: against mpmath, and their derivatives."""

import math

import mpmath as mp
import pytest
import torch
from torch import Tensor
from torch.autograd import grad, gradcheck, gradgradcheck

from mixlogit.choice.special import (
    downcast,
    legendre,
    log1mexp,
    log1p_over,
    log_ndtr,
    mills,
    saturate,
    upcast,
)

F64 = torch.float64


def points(*values: float) -> Tensor:
    return torch.tensor(values, dtype=F64, requires_grad=True)


def derivatives(y: Tensor, x: Tensor, count: int) -> list[Tensor]:
    found = []
    for _ in range(count):
        (y,) = grad(y.sum(), x, create_graph=True)
        found.append(y.detach())
    return found


def test_log1mexp() -> None:
    x = points(-1e-300, -1e-16, -1e-9, -0.1, -0.6931, -0.6932, -3, -40, -700)
    with mp.workdps(400):
        expected = [float(mp.log(-mp.expm1(mp.mpf(v)))) for v in x.tolist()]
    torch.testing.assert_close(log1mexp(x)[1:].tolist(), expected[1:], rtol=1e-14, atol=0)
    assert log1mexp(points(0.0)).item() == pytest.approx(math.log(1e-17))
    assert grad(log1mexp(x).sum(), x)[0].isfinite().all()


def test_log_ndtr_is_finite_to_the_second_derivative() -> None:
    z = points(-1e200, -1e5, -50, -1, 0, 1, 37, 38, 1e3, 1e200)
    value = log_ndtr(z)
    assert value.isfinite().all()
    for order in derivatives(value, z, 2):
        assert order.isfinite().all()
    inside = points(-30, -3, 0, 2)
    assert gradcheck(log_ndtr, inside)
    assert gradgradcheck(log_ndtr, inside)


def test_casts_keep_gradients_finite() -> None:
    x = torch.tensor([1.0], dtype=torch.float16, requires_grad=True)
    assert grad(upcast(x) * 1e9, x)[0].item() == 65504.0
    y = points(0.0)
    assert grad(saturate(y**2) * 1e308 * 1e308, y)[0].item() == 0.0
    assert downcast(points(-1e300).detach(), torch.float32).item() == torch.finfo().min
    assert downcast(torch.tensor(math.nan), torch.float16).isnan()
    assert gradgradcheck(lambda v: saturate(v) ** 3, points(0.3, -2.0))


def test_legendre_integrates_polynomials() -> None:
    nodes, weights = legendre(5)
    total = sum(w * x**9 for x, w in zip(nodes, weights, strict=True))
    assert total == pytest.approx(0.1, rel=1e-14)


Y = (0.0, 1e-300, 1e-8, 0.3, 1.0, 50.0, 1e6, 1e150)
V = (0.0, 1e-24, 1e-6, 0.01, 1.0, 900.0, 1e12)


def test_log1p_over_and_its_derivatives() -> None:
    y = torch.tensor(Y, dtype=F64)[:, None].expand(-1, len(V)).clone().requires_grad_()
    v = torch.tensor(V, dtype=F64).expand(len(Y), -1).clone().requires_grad_()
    value = log1p_over(y, v)
    by_y, by_v = grad(value.sum(), [y, v])
    for i, a in enumerate(Y):
        for j, b in enumerate(V):
            with mp.workdps(60):
                x, t = mp.mpf(a), mp.mpf(a) * mp.mpf(b)
                expected = mp.log1p(t) / b if t else x
                slope = (x / (1 + t) - expected) / b if t > 1e-25 else -x * x / 2
                expected_y = 1 / (1 + t)
            assert value[i, j].item() == pytest.approx(float(expected), rel=2e-15)
            assert by_y[i, j].item() == pytest.approx(float(expected_y), rel=2e-15)
            assert by_v[i, j].item() == pytest.approx(float(slope), rel=3e-14)


def test_log1p_over_is_differentiable_twice() -> None:
    y, v = points(0.2, 1.0, 3.0, 40.0), points(1e-3, 0.4, 2.0, 0.02)
    assert gradcheck(log1p_over, (y, v))
    assert gradgradcheck(log1p_over, (y, v))
    assert gradcheck(lambda y: log1p_over(y, v.detach()), (y,))


def test_log1p_over_where_the_product_overflows() -> None:
    y, v = points(1e308, 1e300), points(1e6, 1e20)
    value = log1p_over(y, v)
    expected = [(math.log(1e308) + math.log(1e6)) / 1e6, (math.log(1e300) + math.log(1e20)) / 1e20]
    torch.testing.assert_close(value.tolist(), expected, rtol=1e-14, atol=0)
    for gradient in grad(value.sum(), [y, v]):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("t", [0.0, 1e-9, 0.5, 3.0, 11.99, 12.01, 40.0, 1e4, 1e9])
def test_mills_ratio_and_its_derivatives(t: float) -> None:
    x = points(t)
    value = mills(x)
    with mp.workdps(60):
        s = mp.mpf(t)
        moments = (
            [mp.sqrt(mp.pi / 2) * mp.erfc(s / mp.sqrt(2)) * mp.exp(s * s / 2)] if t < 100 else []
        )
        if moments:
            moments.append(1 - s * moments[0])
            moments.append(moments[0] - s * moments[1])
        else:
            moments = [1 / s - s**-3, s**-2 - 3 * s**-4, 2 * s**-3 - 12 * s**-5]
        expected = [float(m) for m in moments]
    assert value.item() == pytest.approx(expected[0], rel=1e-13 if t < 100 else 1e-12)
    first, second = derivatives(value, x, 2)
    assert first.item() == pytest.approx(-expected[1], rel=1e-11)
    assert second.item() == pytest.approx(expected[2], rel=1e-9)
