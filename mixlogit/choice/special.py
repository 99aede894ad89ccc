"""Small special functions that stay accurate, finite and twice differentiable."""

import math
from typing import Any, cast

import torch
from torch import Tensor

__all__ = ["downcast", "log1mexp", "log1p_ratio", "log_ndtr", "mills", "saturate", "upcast"]

_LOG_HALF = math.log(0.5)


def log1mexp(x: Tensor) -> Tensor:
    """Return `log(1 - exp(x))` for x <= 0, finite (at the rounding of 1) even at x = 0.

    Source: Maechler (2012), "Accurately computing log(1 - exp(-|a|))".

    Example:
        >>> log1mexp(torch.tensor([-1e-10, -40.0], dtype=torch.float64))
        tensor([-2.3026e+01, -4.2484e-18], dtype=torch.float64)
    """
    near = x > _LOG_HALF
    small = torch.where(near, x, -1.0).clamp(max=-1e-17)  # a probability of 1 up to rounding
    return torch.where(near, torch.log(-torch.expm1(small)), torch.log1p(-_exp_below(x, near)))


def _exp_below(x: Tensor, near: Tensor) -> Tensor:
    return torch.exp(torch.where(near, -1.0, x))


def log_ndtr(z: Tensor) -> Tensor:
    """Log of the standard normal distribution function, with finite second derivatives.

    Example:
        >>> log_ndtr(torch.tensor([-40.0, 0.0, 50.0], dtype=torch.float64))
        tensor([-8.0461e+02, -6.9315e-01, -1.1225e-196], dtype=torch.float64)
    """
    # Beyond 30 torch's backward divides infinity by infinity; the value there is below 1e-196.
    return torch.special.log_ndtr(z.clamp(min=-1e150, max=30.0))


class _Cast(torch.autograd.Function):
    """Cast up; the gradient is clamped to the largest finite value of the input's type."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, dtype: torch.dtype) -> Tensor:
        return x.to(dtype, copy=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, torch.dtype], output: Tensor) -> None:
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return downcast(grads[0], ctx.dtype), None


def downcast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Cast to `dtype`, values beyond its range to its largest finite ones; NaN stays NaN.

    Example:
        >>> downcast(torch.tensor(-1e9, dtype=torch.float64), torch.float16)
        tensor(-65504., dtype=torch.float16)
    """
    limit = torch.finfo(dtype).max
    return x.clamp(min=-limit, max=limit).to(dtype)


def upcast(x: Tensor) -> Tensor:
    """Cast to float64; the gradient that flows back stays finite in the type of `x`.

    Example:
        >>> x = torch.tensor(1.0, dtype=torch.float16, requires_grad=True)
        >>> torch.autograd.grad(upcast(x) * 1e6, x)
        (tensor(65504., dtype=torch.float16),)
    """
    return cast(Tensor, _Cast.apply(x, torch.float64))


def saturate(x: Tensor) -> Tensor:
    """Return `x`; a gradient that overflowed to infinity flows back as the largest number.

    Example:
        >>> x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
        >>> torch.autograd.grad(saturate(x**2) * 1e308 * 1e308, x)
        (tensor(0., dtype=torch.float64),)
    """
    return cast(Tensor, _Cast.apply(x, x.dtype))


class _Ladder(torch.autograd.Function):
    """A function of one variable whose derivative of order j + 1 is its own next rung."""

    generate_vmap_rule = True

    @staticmethod
    def forward(t: Tensor, rung: Any, order: int) -> Tensor:
        return cast(Tensor, rung(t, order))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Any, int], output: Tensor) -> None:
        t, ctx.rung, ctx.order = inputs
        ctx.save_for_backward(t)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (t,) = ctx.saved_tensors
        return grads[0] * _Ladder.apply(t, ctx.rung, ctx.order + 1), None, None


def _legendre(count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(count)
    return like.new_tensor((nodes + 1) / 2), like.new_tensor(weights / 2)


def _log1p_ratio_rung(t: Tensor, order: int) -> Tensor:
    """The derivative of log1p(t)/t of the given order, t >= 0."""
    value = torch.where(t == 0, 1.0, torch.log1p(t) / t.clamp(min=5e-324))
    if order == 0:
        return value
    far = t.clamp(min=0.5)
    value = torch.log1p(far) / far
    for j in range(1, order + 1):  # from t f = log1p(t), differentiated j times
        value = ((-1) ** (j - 1) * math.factorial(j - 1) * (1 + far) ** -j - j * value) / far
    # Below 0.5 the recursion cancels; f = integral_0^1 ds / (1 + t s) does not.
    near = t.clamp(max=0.5)
    total = torch.zeros_like(t)
    for s, w in zip(*(x.tolist() for x in _legendre(10, t)), strict=True):
        total += w * (-s) ** order / (1 + near * s) ** (order + 1)
    return torch.where(t < 0.5, math.factorial(order) * total, value)


def log1p_ratio(t: Tensor) -> Tensor:
    """Return `log1p(t) / t` for t >= 0, with 1 at t = 0, differentiable to any order.

    Example:
        >>> log1p_ratio(torch.tensor([0.0, 1.0], dtype=torch.float64))
        tensor([1.0000, 0.6931], dtype=torch.float64)
    """
    return cast(Tensor, _Ladder.apply(t, _log1p_ratio_rung, 0))


def _mills_moment(t: Tensor, order: int) -> Tensor:
    """Integral over u > 0 of u^order exp(-t u - u^2/2), t >= 0."""
    near = t.clamp(max=12.0)
    last, value = (
        torch.ones_like(t),
        near.new_tensor(math.sqrt(math.pi / 2)) * torch.special.erfcx(near * math.sqrt(0.5)),
    )
    for j in range(order):
        last, value = value, (j * last if j else last) - near * value
    # Beyond 12 the recursion cancels; the asymptotic series is exact to rounding there.
    inverse = 1 / t.clamp(min=12.0)
    term = math.factorial(order) * inverse ** (order + 1)
    far = term
    for k in range(1, 16):
        term = -term * (order + 2 * k - 1) * (order + 2 * k) / (2 * k) * inverse**2
        far = far + term
    return torch.where(t < 12.0, value, far)


def _mills_rung(t: Tensor, order: int) -> Tensor:
    return (-1) ** order * _mills_moment(t, order)


def mills(t: Tensor) -> Tensor:
    """Mills ratio `P(Z > t) / density(t)` of a standard normal Z, t >= 0.

    Differentiable to any order without the cancellation of `2 x erfcx(x) - 2 / sqrt(pi)`.

    Example:
        >>> mills(torch.tensor([0.0, 100.0], dtype=torch.float64))
        tensor([1.2533, 0.0100], dtype=torch.float64)
    """
    return cast(Tensor, _Ladder.apply(t, _mills_rung, 0))
