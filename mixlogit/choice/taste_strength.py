"""Random strength beside random tastes: strengths at draws, and their derivatives.

A strength of mean 1 multiplies a respondent's coefficients. A continuous family is reached by its
quantile function from one more standard normal of the respondent; classes are summed exactly, each
with draws of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from mixlogit.choice.discrete import class_strengths
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.registry import FAMILIES, strength
from mixlogit.choice.rules import lagrange_weights

__all__ = ["StrengthAt", "TasteStrength", "taste_strength"]

_REACH, _NODES = 6.5, 105  # of the table of quantiles over the standard normal
_STEP = 0.01  # of the differences in cv
_LEAST = 1e-4  # cv below which a tabulated family is not evaluated


@dataclass(frozen=True, eq=False)
class StrengthAt:
    """Strengths at draws, their log masses, and derivatives of both in the parameters.

    Attributes:
        value: `respondent x draw`.
        slope: `respondent x draw x parameter`.
        bend: `respondent x draw x parameter x parameter`.
        in_latent: Derivative in the respondent's own normal, `respondent x draw`.
        log_mass: Log share of the class of each draw, a `draw`-vector; 0 without classes.
        mass_slope: `draw x parameter`.
        mass_bend: `draw x parameter x parameter`.
    """

    value: Tensor
    slope: Tensor
    bend: Tensor
    in_latent: Tensor
    log_mass: Tensor
    mass_slope: Tensor
    mass_bend: Tensor


class TasteStrength(ABC):
    """A strength family of mean 1 as random tastes use it.

    Attributes:
        family: Name of the family.
        names: Names of its parameters.
        start: Where a search for them begins.
        latent: Standard normals that it takes: 1, or 0 for classes.
        copies: How many times each draw of tastes is used: once for each class.
    """

    family: str
    names: tuple[str, ...]
    start: tuple[float, ...]
    latent: int = 1
    copies: int = 1

    @abstractmethod
    def at(self, phi: Tensor, z: Tensor) -> StrengthAt:
        """Strengths at one parameter value.

        Args:
            phi: A `parameter`-vector.
            z: Standard normals, `respondent x draw x latent`, strength's own first.
        """

    def starts(self, phi: Tensor) -> tuple[float, ...]:
        """Where searches for modes of its own normal begin."""
        return (0.0,)

    @abstractmethod
    def population(self, phi: Tensor) -> StrengthFamily:
        """The mixing distribution at `draw x parameter`, of batch shape `draw x 1`."""


class _LogNormal(TasteStrength):
    """`exp(tau z - tau^2 / 2)`."""

    family = "lognormal"
    names = ("tau",)
    start = (0.4,)

    def at(self, phi: Tensor, z: Tensor) -> StrengthAt:
        """Strengths at one parameter value, see the base class."""
        tau, own = phi[0], z[..., 0]
        value = (tau * own - tau.square() / 2).exp()
        move = own - tau
        return _continuous(value, value * move, value * (move.square() - 1.0), tau * value)

    def population(self, phi: Tensor) -> StrengthFamily:
        """The mixing distribution, see the base class."""
        cv = torch.expm1(phi.square()).sqrt()
        return FAMILIES["lognormal"](mean=torch.ones_like(cv), cv=cv, validate_args=False)


class _Normal(TasteStrength):
    """`1 + cv z`, which may be negative."""

    family = "normal"
    names = ("cv",)
    start = (0.4,)

    def at(self, phi: Tensor, z: Tensor) -> StrengthAt:
        """Strengths at one parameter value, see the base class."""
        own = z[..., 0]
        return _continuous(1.0 + phi[0] * own, own, 0.0 * own, phi[0].expand(own.shape))

    def starts(self, phi: Tensor) -> tuple[float, ...]:
        """Strengths of 1 and of -1, the latter no further out than there is anybody."""
        return (0.0, max(-6.0, min(6.0, -2.0 / (float(phi[0]) or 1.0))))

    def population(self, phi: Tensor) -> StrengthFamily:
        """The mixing distribution, see the base class."""
        sd = phi.abs()
        return FAMILIES["normal"](mean=torch.ones_like(sd), sd=sd, validate_args=False)


class _Tabulated(TasteStrength):
    """Any family with a mean and a cv, by a table of its quantiles.

    A negative cv stands for the same family with its normal turned round: so continued, strength
    is a smooth function of cv through 0, where it is 1.

    Args:
        family: Name of the family.
    """

    names = ("cv",)
    start = (0.4,)

    def __init__(self, family: str) -> None:
        self.family = family

    def at(self, phi: Tensor, z: Tensor) -> StrengthAt:
        """Strengths at one parameter value, see the base class."""
        cv, own = phi[0], z[..., 0]
        first, weight = lagrange_weights(
            (own.detach() + _REACH) * ((_NODES - 1) / (2 * _REACH)), _NODES
        )
        index = first.unsqueeze(-1) + torch.arange(weight.shape[-1])
        columns = _quantile_table(self.family, float(cv.detach()))
        value, slope, bend, rise = ((column[index] * weight).sum(-1) for column in columns)
        moved = value + slope * (cv - cv.detach()) + rise * (own - own.detach())  # for autograd
        return _continuous(moved, slope, bend, rise)

    def population(self, phi: Tensor) -> StrengthFamily:
        """The mixing distribution, see the base class."""
        cv = phi.abs()
        return FAMILIES[self.family](mean=torch.ones_like(cv), cv=cv, validate_args=False)


@lru_cache(maxsize=16)
def _quantile_table(family: str, cv: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Strength at nodes of its normal, its first and second derivative in cv, and that in z."""
    z = torch.linspace(-_REACH, _REACH, _NODES, dtype=torch.float64)
    around = cv + _STEP * torch.arange(-2, 3, dtype=torch.float64).unsqueeze(-1)
    turned = torch.where(around < 0, -z, z)
    with torch.no_grad():
        size = around.abs().clamp_min(_LEAST)
        member = FAMILIES[family](mean=torch.ones_like(size), cv=size)
        a, b, c, d, e = member.quantile(torch.special.ndtr(turned)).unbind(0)
    slope = (a - 8.0 * b + 8.0 * d - e) / (12.0 * _STEP)
    bend = (-a + 16.0 * b - 30.0 * c + 16.0 * d - e) / (12.0 * _STEP**2)
    (rise,) = torch.gradient(c, spacing=2 * _REACH / (_NODES - 1))
    return c, slope, bend, rise


def _continuous(value: Tensor, slope: Tensor, bend: Tensor, in_latent: Tensor) -> StrengthAt:
    """Strengths with one parameter and no classes."""
    zero = value.new_zeros(value.shape[-1])
    return StrengthAt(
        value,
        slope.unsqueeze(-1),
        bend[..., None, None],
        in_latent,
        zero,
        zero.unsqueeze(-1),
        zero[:, None, None],
    )


class _Classes(TasteStrength):
    """Classes of strength, summed exactly: log odds of shares, gaps of log strengths.

    Args:
        copies: Number of classes.
        contrarians: Whether the first has a negative strength.
    """

    family = "classes"
    latent = 0

    def __init__(self, copies: int, *, contrarians: bool) -> None:
        self.copies, self.contrarians = copies, contrarians
        first = 1 + int(contrarians)
        names = [f"log odds of class {c + 1}" for c in range(1, copies)]
        names += [f"gap below class {c + 1}" for c in range(first, copies)]
        start = [2.0 if contrarians else 0.0] * (copies - 1) + [0.8] * (copies - first)
        self.names = (*names, *(["log reversal"] if contrarians else []))
        self.start = (*start, *([0.0] if contrarians else []))

    def _parts(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Strengths and log shares, `... x class_`."""
        logits = torch.cat([torch.zeros_like(phi[..., :1]), phi[..., : self.copies - 1]], -1)
        gaps = phi[..., self.copies - 1 : len(self.names) - int(self.contrarians)]
        levels = torch.cat([torch.zeros_like(phi[..., :1]), gaps.cumsum(-1)], -1)
        log_shares = torch.log_softmax(logits, -1)
        reversal = phi[..., -1:] if self.contrarians else None
        return class_strengths(levels, log_shares.exp(), reversal), log_shares

    def at(self, phi: Tensor, z: Tensor) -> StrengthAt:
        """Strengths at one parameter value, see the base class."""
        slope, bend = _derivatives(lambda at: torch.cat(self._parts(at)), phi.detach())
        every = [
            part.repeat_interleave(z.shape[1] // self.copies, 0)
            for part in (*self._parts(phi), *slope.chunk(2), *bend.chunk(2))
        ]
        value, log_mass, slope, mass_slope, bend, mass_bend = every
        value, slope, bend = (part.expand(len(z), *part.shape) for part in (value, slope, bend))
        none = torch.zeros_like(value)
        return StrengthAt(value, slope, bend, none, log_mass, mass_slope, mass_bend)

    def population(self, phi: Tensor) -> StrengthFamily:
        """The mixing distribution, see the base class."""
        strengths, log_shares = self._parts(phi.unsqueeze(-2))
        return FAMILIES["classes"](
            strengths=strengths, shares=log_shares.exp(), validate_args=False
        )


def _derivatives(function: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Tensor, Tensor]:
    """First and second derivatives of a vector of few values in few parameters."""

    def slopes(x: Tensor) -> Tensor:
        found: Tensor = jacobian(function, x, create_graph=True)
        return found

    bends: Tensor = jacobian(slopes, at)
    return slopes(at).detach(), bends


def taste_strength(
    family: str, n_classes: int = 2, *, contrarians: bool = False
) -> TasteStrength | None:
    """A family of strengths of mean 1 beside random tastes; None if it is fixed.

    Args:
        family: Name of the family.
        n_classes: Classes of the `classes` family.
        contrarians: Whether its first class has a negative strength.

    Raises:
        UsageError: For an unknown family.

    Example:
        >>> made = taste_strength("gamma")
        >>> z = torch.zeros(1, 1, 1, dtype=torch.float64)
        >>> round(float(made.at(torch.tensor([0.5]).double(), z).value), 3)
        0.918
    """
    if family not in FAMILIES:
        strength(family)  # says which families there are
    if family == "fixed":
        return None
    if family == "classes":
        return _Classes(n_classes, contrarians=contrarians)
    named: dict[str, TasteStrength] = {"lognormal": _LogNormal(), "normal": _Normal()}
    return named.get(family) or _Tabulated(family)
