"""What the contracts of a strength family have in common."""

from typing import Protocol

import torch
from torch import Tensor

from mixlogit.choice.family import StrengthFamily

__all__ = ["Contract", "close", "margins", "require"]


class Contract(Protocol):
    """A named check of a family that raises AssertionError where it fails."""

    __name__: str

    def __call__(self, family: StrengthFamily, /) -> None:
        """Check the family."""


def require(good: Tensor | bool, message: str) -> None:
    """Raise AssertionError with `message` unless `good` holds everywhere.

    Example:
        >>> require(torch.tensor([True, True]), "Expected truth.")
    """
    if not bool(torch.as_tensor(good).all()):
        raise AssertionError(message)


def close(actual: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    """Raise AssertionError unless the error, relative to values above 1, is within `tolerance`.

    Example:
        >>> close(torch.ones(2), torch.ones(2), 1e-9, "ones")
    """
    actual, expected = actual.detach(), expected.detach()
    error = (actual - expected).abs() / expected.abs().clamp(min=1.0)
    worst = float(error.max())
    require(
        error <= tolerance, f"Expected {what} within {tolerance:g} but got off by {worst:.2g}."
    )


def margins(family: StrengthFamily) -> Tensor:
    """Margins of both signs in ascending order, along an axis before the family's batch.

    Example:
        >>> from mixlogit.choice import Fixed
        >>> margins(Fixed(mean=torch.ones(3))).shape
        torch.Size([13, 1])
    """
    positive = torch.tensor([1e-8, 1e-3, 0.3, 1.0, 4.0, 30.0], dtype=torch.float64)
    both = torch.cat([-positive.flip(0), positive.new_zeros(1), positive])
    return both.reshape(-1, *[1] * len(family.batch_shape))
