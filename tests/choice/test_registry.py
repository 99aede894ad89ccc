"""The registry of families."""

import re

import pytest
import torch

import mixlogit as ml
from mixlogit.choice import FAMILIES
from mixlogit.errors import UsageError


def test_families_by_name() -> None:
    assert set(ml.families()) == {"fixed", "lognormal", "gamma", "normal", "classes"}
    assert ml.families() is not FAMILIES
    for name, family in FAMILIES.items():
        example = family.example()
        again = ml.strength(name, **example.parameters)
        assert type(again) is family
        assert torch.equal(again.mean, example.mean)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("gama", {}, "No strength family 'gama'. Did you mean 'gamma'?"),
        ("xyz", {}, "No strength family 'xyz'. Expected one of fixed, lognormal, gamma, "),
        ("gamma", {"mean": 1.0}, "Strength family 'gamma':"),
        ("gamma", {"mean": 1.0, "sd": 1.0}, "unexpected keyword argument 'sd'"),
    ],
)
def test_what_cannot_be_used(name: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        ml.strength(name, **parameters)
