"""Strength families and the choice probabilities that follow from them."""

from mixlogit.choice.check import check_strength_family
from mixlogit.choice.discrete import Classes, Fixed
from mixlogit.choice.distribution import MixedLogit
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.gamma import Gamma
from mixlogit.choice.lognormal import LogNormal
from mixlogit.choice.normal import Normal
from mixlogit.choice.registry import FAMILIES, add_family, families, strength

__all__ = [
    "FAMILIES",
    "Classes",
    "Fixed",
    "Gamma",
    "LogNormal",
    "MixedLogit",
    "Normal",
    "StrengthFamily",
    "add_family",
    "check_strength_family",
    "families",
    "strength",
]
