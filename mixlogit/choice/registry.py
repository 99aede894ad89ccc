"""The strength families by name."""

from difflib import get_close_matches
from typing import Any

from mixlogit.choice.discrete import Classes, Fixed
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.gamma import Gamma
from mixlogit.choice.lognormal import LogNormal
from mixlogit.choice.normal import Normal
from mixlogit.errors import UsageError

__all__ = ["FAMILIES", "add_family", "families", "strength"]

FAMILIES: dict[str, type[StrengthFamily]] = {
    family.name: family for family in (Fixed, LogNormal, Gamma, Normal, Classes)
}


_OURS = tuple(FAMILIES)


def add_family(family: type[StrengthFamily]) -> None:
    """Register a family of your own: `fit` and `strength` then take it by its name.

    Run `check_strength_family` on it first. A fit makes it of `mean` and `cv`, tensors above 0,
    with the priors that every family has.

    Args:
        family: A class with a name of its own, made of `mean` and `cv`, of positive strengths
            integrated over log strength. One that was added before under its name is replaced.

    Raises:
        UsageError: For a class that a fit could not use.

    Example:
        >>> add_family(LogNormal)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: There is a family 'lognormal'. Choose another name.
    """
    if family.name in _OURS:
        raise UsageError(f"There is a family '{family.name}'. Choose another name.")
    if set(family.example().parameters) != {"mean", "cv"}:
        raise UsageError(
            f"Expected the family '{family.name}' to have the parameters mean and cv."
        )
    if family.signed or family.coordinate != "log":
        raise UsageError(
            f"Expected positive strengths with coordinate 'log' of the family '{family.name}'."
        )
    FAMILIES[family.name] = family


def families() -> dict[str, type[StrengthFamily]]:
    """The registered families, a copy: name -> class.

    Example:
        >>> list(families())
        ['fixed', 'lognormal', 'gamma', 'normal', 'classes']
    """
    return dict(FAMILIES)


def strength(name: str, **parameters: Any) -> StrengthFamily:
    """The family `name` with the given parameters.

    Args:
        name: A key of `families()`.
        **parameters: The family's parameters, numbers or tensors: `mean` (fixed), `mean` and
            `cv` (lognormal, gamma), `mean` and `sd` (normal), `strengths` and `shares` (classes).

    Raises:
        UsageError: For an unknown family, or parameters that it does not have.

    Example:
        >>> strength("gamma", mean=1.0, cv=0.5).sd
        tensor(0.5000, dtype=torch.float64)
        >>> strength("gama", mean=1.0, cv=0.5)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: No strength family 'gama'. Did you mean 'gamma'?
    """
    if name not in FAMILIES:
        close = get_close_matches(name, FAMILIES, n=1)
        hint = (
            f"Did you mean '{close[0]}'?" if close else f"Expected one of {', '.join(FAMILIES)}."
        )
        raise UsageError(f"No strength family '{name}'. {hint}")
    try:
        return FAMILIES[name](**parameters)
    except TypeError as error:
        raise UsageError(f"Strength family '{name}': {error}.") from error
