"""Every contract of a strength family, runnable on a family of one's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.distributions import Distribution

from mixlogit.choice.check_density import DENSITY_CONTRACTS
from mixlogit.choice.contract import Contract, close, margins, require
from mixlogit.choice.family import StrengthFamily

__all__ = ["check_strength_family"]

_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@contextmanager
def _unchecked() -> Iterator[None]:
    """Switch validation off: finite differences step out of a family's domain."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


def _leaves(family: StrengthFamily) -> list[Tensor]:
    return [v.detach().clone().requires_grad_() for v in family.parameters.values()]


def _rebuilt(family: StrengthFamily, values: list[Tensor] | tuple[Tensor, ...]) -> StrengthFamily:
    return type(family)(**dict(zip(family.parameters, values, strict=True)))


def declares_itself(family: StrengthFamily) -> None:
    """Name, coordinate, float64 parameters, moments of the batch shape, rebuilding."""
    require(bool(family.name), "Expected a name.")
    require(family.coordinate in ("log", "linear"), "Expected coordinate 'log' or 'linear'.")
    require(not family.signed or family.coordinate == "linear", "Expected signed to be linear.")
    for key, value in family.parameters.items():
        require(value.dtype == torch.float64, f"Expected {key} in float64 but got {value.dtype}.")
    for key in ("mean", "sd", "cv", "log_sd"):
        shape = getattr(family, key).shape
        require(shape == family.batch_shape, f"Expected {key} of the batch shape, not {shape}.")
    again = _rebuilt(family, list(family.parameters.values()))
    close(again.mean, family.mean, 0.0, "mean of the family rebuilt from its parameters")


def sums_to_one(family: StrengthFamily) -> None:
    """p(margin) + p(-margin) = 1, and log p = log(1/2) at margin 0."""
    margin = margins(family)
    total = family.log_choice_prob(margin).exp() + family.log_choice_prob(-margin).exp()
    close(total, torch.ones_like(total), 1e-12, "p(margin) + p(-margin)")
    half = family.log_choice_prob(torch.zeros_like(margin)).exp()
    close(half, torch.full_like(half, 0.5), 1e-12, "p(0)")


def is_monotone(family: StrengthFamily) -> None:
    """A larger margin is preferred more, unless strength may be negative."""
    log_p = family.log_choice_prob(margins(family))
    rises = log_p.diff(dim=0) >= -1e-14 * log_p[1:].abs()
    require(rises | torch.tensor(family.signed), "Expected log p to rise with the margin.")


def has_slope_at_zero(family: StrengthFamily) -> None:
    """The derivative of log p at margin 0 is half the mean strength."""
    margin = torch.zeros(family.batch_shape, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(family.log_choice_prob(margin).sum(), margin)
    close(slope, family.mean / 2, 1e-9, "slope of log p at margin 0")


def is_finite(family: StrengthFamily) -> None:
    """Value and every gradient are finite for finite margins of every float type."""
    for dtype in _DTYPES:
        info = torch.finfo(dtype)
        extremes = torch.tensor([0.0, info.tiny / 4, info.tiny, 1e4, info.max], dtype=dtype)
        shape = (-1, *[1] * len(family.batch_shape))
        margin = torch.cat([extremes, -extremes]).reshape(shape).requires_grad_()
        leaves = _leaves(family)
        log_p = _rebuilt(family, leaves).log_choice_prob(margin)
        require(log_p.dtype == dtype, f"Expected log p in {dtype} but got {log_p.dtype}.")
        require(log_p.isfinite(), f"Expected finite log p for every margin in {dtype}.")
        for gradient in torch.autograd.grad(log_p.sum(), [margin, *leaves], allow_unused=True):
            good = gradient is None or gradient.isfinite()
            require(good, f"Expected finite gradients for every margin in {dtype}.")


def is_differentiable(family: StrengthFamily) -> None:
    """First and second derivatives agree with finite differences."""
    shape = (-1, *[1] * len(family.batch_shape))
    margin = torch.tensor([-30.0, -0.4, 0.0, 1e-8, 1.5], dtype=torch.float64).reshape(shape)

    def log_p(margin: Tensor, *values: Tensor) -> Tensor:
        return _rebuilt(family, values).log_choice_prob(margin)

    inputs = (margin.requires_grad_(), *_leaves(family))
    with _unchecked():
        require(gradcheck(log_p, inputs), "Expected gradcheck to pass.")
        require(gradgradcheck(log_p, inputs), "Expected gradgradcheck to pass.")


def broadcasts(family: StrengthFamily) -> None:
    """Parameters with a last axis of size 1 broadcast with margins along that axis."""
    event = family.event_dims
    wide = _rebuilt(family, [v.unsqueeze(v.dim() - event) for v in family.parameters.values()])
    margin = margins(family)
    log_p = wide.log_choice_prob(margin.reshape(-1))
    expected = family.log_choice_prob(margin).movedim(0, -1)
    close(log_p, expected.expand_as(log_p), 1e-12, "log p of a broadcast family")


def samples(family: StrengthFamily) -> None:
    """Draws have the shape, mean and spread of the family, and follow the generator."""
    count = 40_000
    draw = family.sample((count,), torch.Generator().manual_seed(1))
    again = family.sample((count,), torch.Generator().manual_seed(1))
    require(draw.shape == (count, *family.batch_shape), f"Got draws of shape {draw.shape}.")
    require(not draw.requires_grad, "Expected draws without gradient.")
    require(draw == again, "Expected the same draws from the same generator.")
    require((draw >= 0) | torch.tensor(family.signed), "Expected draws of at least 0.")
    mean, square = family.mean.detach(), family.sd.detach() ** 2
    for value, expected, what in ((draw, mean, "mean"), ((draw - mean) ** 2, square, "variance")):
        error = (value.mean(0) - expected).abs()
        good = error <= 5 * value.std(0) / count**0.5 + 1e-9 * expected.abs()
        require(good, f"Expected the {what} of draws within 5 standard errors.")


def agrees_with_draws(family: StrengthFamily) -> None:
    """Monte Carlo is within 4.5 of its own standard errors, where p is 0.01 to 0.99."""
    repeats = 500
    margin = margins(family)[::3].expand(-1, *family.batch_shape)
    exact = family.log_choice_prob(margin).exp().detach()
    for sampling in ("plain", "antithetic", "sobol"):
        generator = torch.Generator().manual_seed(2)
        p = family.log_choice_prob(
            margin.expand(repeats, *margin.shape), draws=16, sampling=sampling, generator=generator
        ).exp().detach()  # fmt: skip
        good = (p.mean(0) - exact).abs() <= 4.5 * p.std(0) / repeats**0.5 + 1e-12
        good = good | ((exact - 0.5).abs() > 0.49)  # of rare events the error is not to be trusted
        require(good, f"Expected {sampling} draws within 4.5 standard errors of the exact value.")


_CONTRACTS: tuple[Contract, ...] = (
    declares_itself,
    sums_to_one,
    is_monotone,
    has_slope_at_zero,
    is_finite,
    is_differentiable,
    broadcasts,
    samples,
    agrees_with_draws,
    *DENSITY_CONTRACTS,
)


def check_strength_family(
    family: StrengthFamily | type[StrengthFamily] | Callable[[], StrengthFamily],
) -> tuple[str, ...]:
    """Run every contract of a strength family, ours or one of your own.

    Args:
        family: A family, a class (its `example()` is checked), or a function that makes one.

    Returns:
        The names of the contracts that hold.

    Raises:
        AssertionError: The first contract that fails, by name, with what was expected.

    Example:
        >>> from mixlogit.choice import LogNormal
        >>> check_strength_family(LogNormal(mean=1.0, cv=0.5))[:3]
        ('declares_itself', 'sums_to_one', 'is_monotone')
    """
    if not isinstance(family, StrengthFamily):
        make: Callable[[], StrengthFamily] = getattr(family, "example", family)
        return check_strength_family(make())
    names = []
    for contract in _CONTRACTS:
        name = contract.__name__
        try:
            contract(family)
        except (AssertionError, RuntimeError) as error:
            raise AssertionError(f"{family!r} fails {name}: {error}") from error
        names.append(name)
    return tuple(names)
