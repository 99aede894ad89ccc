"""Small special functions that stay accurate, finite and twice differentiable."""

import inspect
import math
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from mixlogit.choice.shapes import broadcast_tensors

__all__ = [
    "downcast",
    "legendre",
    "log1mexp",
    "log1p_over",
    "log_ndtr",
    "mills",
    "saturate",
    "upcast",
]

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
    large = torch.where(near, -1.0, x)
    return torch.where(near, torch.log(-torch.expm1(small)), torch.log1p(-torch.exp(large)))


def log_ndtr(z: Tensor) -> Tensor:
    """Log of the standard normal distribution function, with finite second derivatives.

    Example:
        >>> log_ndtr(torch.tensor([-40.0, 0.0], dtype=torch.float64))
        tensor([-8.0461e+02, -6.9315e-01], dtype=torch.float64)
    """
    # Beyond 30 torch's backward divides infinity by infinity; the value there is below 1e-196.
    value: Tensor = torch.special.log_ndtr(z.clamp(min=-1e150, max=30.0))
    return value


def _known_signature(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Keep the signature, which torch asks for at every call and Python works out each time."""
    forward.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]  # any function has one
    return forward


class _Cast(torch.autograd.Function):
    """Cast up; the gradient is clamped to the largest finite value of the input's type."""

    generate_vmap_rule = True

    @staticmethod
    @_known_signature
    def forward(x: Tensor, dtype: torch.dtype) -> Tensor:
        return x.to(dtype, copy=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, torch.dtype], output: Tensor) -> None:
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return downcast(grads[0], ctx.dtype), None


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return cast(Tensor, _Cast.apply(x, dtype))  # type: ignore[no-untyped-call]


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
    return _cast(x, torch.float64)


def saturate(x: Tensor) -> Tensor:
    """Return `x`; a gradient that overflowed to infinity flows back as the largest number.

    Example:
        >>> x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
        >>> torch.autograd.grad(saturate(x**2) * 1e308 * 1e308, x)
        (tensor(0., dtype=torch.float64),)
    """
    return _cast(x, x.dtype)


@cache
def legendre(count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Gauss-Legendre nodes and weights on [0, 1].

    Example:
        >>> legendre(1)
        ((0.5,), (1.0,))
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return tuple(((nodes + 1) / 2).tolist()), tuple((weights / 2).tolist())


class _Ladder(torch.autograd.Function):
    """A function of one variable whose derivative of order j is its rung j."""

    @staticmethod
    @_known_signature
    def forward(t: Tensor, rung: Any, order: int) -> Tensor:
        return cast(Tensor, rung(t, order))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Any, int], output: Tensor) -> None:
        t, ctx.rung, ctx.order = inputs
        ctx.save_for_backward(t)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (t,) = ctx.saved_tensors
        return grads[0] * _ladder(t, ctx.rung, ctx.order + 1), None, None


def _ladder(t: Tensor, rung: Callable[[Tensor, int], Tensor], order: int = 0) -> Tensor:
    return cast(Tensor, _Ladder.apply(t, rung, order))  # type: ignore[no-untyped-call]


def _log1p_ratio_rung(t: Tensor, order: int) -> Tensor:
    """A derivative of log1p(t)/t = integral_0^1 ds / (1 + t s), 0 <= t <= 1/2."""
    total = torch.zeros_like(t)
    for s, w in zip(*legendre(10), strict=True):
        factor = w * (-s) ** order * math.factorial(order)
        total.addcdiv_(torch.full_like(t, factor), (1 + s * t).pow_(order + 1))
    return total


class _Log1pOver(torch.autograd.Function):
    """log1p(v y) / v with v = 0 as its limit y."""

    @staticmethod
    @_known_signature
    def forward(y: Tensor, v: Tensor) -> Tensor:
        t = v * y
        value = torch.log1p(t) / v
        least, most = (float(x) for x in torch.aminmax(t)) if t.numel() else (1.0, 1.0)
        if not least > 1e-300:  # v = 0, or a product that loses digits
            value = torch.where(t < 1e-300, y, value)
        if not most < 1e300:  # log1p(t) is log t there, and t itself may overflow
            value = torch.where(t > 1e300, (torch.log(y) + torch.log(v)) / v, value)
        return value

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None]:
        (grad,), (y, v) = grads, ctx.saved_tensors
        t = v * y
        grad_y = grad / (1 + t)
        if not ctx.needs_input_grad[1]:
            return grad_y, None
        near = t < 0.5
        ratio = _ladder(torch.where(near, t, 0.25), _log1p_ratio_rung, 1)
        far_y, far_v = torch.where(near, 1.0, y), torch.where(near, 1.0, v)
        far = (far_y / (1 + far_v * far_y) - log1p_over(far_y, far_v)) / far_v
        # This order of the products keeps 0 x infinity away when y^2 overflows.
        return grad_y, torch.where(near, (grad * y) * ratio * y, grad * far)


def log1p_over(y: Tensor, v: Tensor) -> Tensor:
    """Return `log1p(v y) / v` for y, v >= 0, with y at v = 0; differentiable to any order.

    Example:
        >>> y = torch.tensor(2.0, dtype=torch.float64)
        >>> log1p_over(y, 0 * y), log1p_over(y, y)
        (tensor(2., dtype=torch.float64), tensor(0.8047, dtype=torch.float64))
    """
    y, v = broadcast_tensors(y, v)
    return cast(Tensor, _Log1pOver.apply(y, v))  # type: ignore[no-untyped-call]


def _mills_moment(t: Tensor, order: int) -> Tensor:
    """Integral over u > 0 of u^order exp(-t u - u^2/2), 0 <= t <= 12, by recursion."""
    value: Tensor = math.sqrt(math.pi / 2) * torch.special.erfcx(t * math.sqrt(0.5))
    last = torch.ones_like(t)
    for j in range(order):
        last, value = value, (j * last if j else last) - t * value
    return value


def _mills_far(t: Tensor, order: int) -> Tensor:
    """The same for t >= 12, where the recursion cancels, by the asymptotic series."""
    inverse = 1 / t
    term: Tensor = math.factorial(order) * inverse ** (order + 1)
    total = term
    for k in range(1, 16):
        term = term * (inverse**2 * (-(order + 2 * k - 1) * (order + 2 * k) / (2 * k)))
        total = total + term
    return total


def _mills_rung(t: Tensor, order: int) -> Tensor:
    near = t < 12.0
    value = torch.empty_like(t)
    value[near] = _mills_moment(t[near], order)
    value[~near] = _mills_far(t[~near], order)
    return -value if order % 2 else value


def mills(t: Tensor) -> Tensor:
    """Mills ratio `P(Z > t) / density(t)` of a standard normal Z, t >= 0.

    Differentiable to any order without the cancellation of `2 x erfcx(x) - 2 / sqrt(pi)`.

    Example:
        >>> mills(torch.tensor([0.0, 100.0], dtype=torch.float64))
        tensor([1.2533, 0.0100], dtype=torch.float64)
    """
    return _ladder(t, _mills_rung)
