"""Designs of random tastes: what varies, how, and what is refused."""

import pytest
import torch
from judges import double

from mixlogit.choice.taste_strength import taste_strength
from mixlogit.choice.tastes import TasteDesign, parse_random
from mixlogit.errors import UsageError

FEATURES = ("a", "b", "c")


def test_names_of_the_parameters() -> None:
    random = {"a": "normal", "c": "normal"}
    assert TasteDesign(FEATURES, random).names == ("a", "b", "c", "sd a", "sd c")
    full = TasteDesign(FEATURES, random, correlated=True, strength=taste_strength("lognormal"))
    roots = ("root a, 1", "root c, 1", "root c, 2")
    assert full.names == ("a", "b", "c", *roots, "tau")
    low = TasteDesign(FEATURES, dict.fromkeys(FEATURES, "normal"), correlated=1)
    assert low.names[3:6] == ("sd a", "sd b", "sd c")
    assert low.names[6:] == ("root a, 1", "root b, 1", "root c, 1")


@pytest.mark.parametrize(
    ("family", "mean", "sd"),
    [
        ("normal", 0.3, 0.8),
        ("triangular", 0.3, 0.8 / 6**0.5),
        ("lognormal", 1.8589, 1.7583),
        ("-lognormal", -1.8589, 1.7583),
    ],
)
def test_moments_of_each_distribution(family: str, mean: float, sd: float) -> None:
    design = TasteDesign(("a",), {"a": family})
    z = torch.special.ndtri((torch.arange(200_000).double() + 0.5) / 200_000)
    value = design.at(double([0.3, 0.8]), z.view(1, -1, 1)).value
    assert float(value.mean()) == pytest.approx(mean, abs=2e-3)
    assert float(value.std()) == pytest.approx(sd, abs=8e-3)


def test_correlated_tastes_have_the_covariance_of_the_root() -> None:
    design = TasteDesign(("a", "b"), {"a": "normal", "b": "normal"}, correlated=True)
    psi = double([1.0, -1.0, 0.5, 0.3, 0.4])
    z = torch.randn(1, 200_000, 2, generator=torch.Generator().manual_seed(1)).double()
    found = torch.cov(design.at(psi, z).value[0].T)
    assert torch.allclose(found, double([[0.25, 0.15], [0.15, 0.25]]), atol=3e-3)


@pytest.mark.parametrize(
    ("random", "options", "says"),
    [
        ({"z": "normal"}, {}, 'No feature "z" to be random. Features: a, b, c.'),
        (
            {"a": "cauchy"},
            {},
            'No distribution "cauchy" of a. There are fixed, normal, lognormal, -lognormal, '
            "triangular.",
        ),
        ({}, {}, "No coefficient is random. Name some by --random."),
        (
            {"a": "triangular", "b": "normal"},
            {"correlated": True},
            "Triangular coefficients cannot be correlated; make them normal.",
        ),
        (
            {"a": "normal"},
            {"correlated": True},
            "Correlated tastes need two random coefficients or more.",
        ),
        (
            {"a": "normal", "b": "normal"},
            {"correlated": 2},
            "Expected between 1 and 1 common factors of 2 random coefficients but got 2.",
        ),
    ],
)
def test_what_is_refused(random, options, says) -> None:
    with pytest.raises(UsageError) as caught:
        TasteDesign(FEATURES, random, **options)
    assert str(caught.value) == says


def test_a_text_that_is_no_list_of_distributions() -> None:
    with pytest.raises(UsageError) as caught:
        parse_random("price")
    assert str(caught.value) == (
        'Expected random coefficients as price:normal,time:lognormal but got "price".'
    )
