"""Settings: what is refused, word for word, and the recipes."""

from typing import Any

import pytest

from mixlogit.align import AlignSettings
from mixlogit.errors import UsageError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"family": "gama"}, "No strength family 'gama'. Did you mean 'gamma'?"),
        ({"beta": 0}, "Expected beta > 0 but got 0."),
        ({"rate": -0.1}, "Expected rate > 0 but got -0.1."),
        ({"anchor": "mode"}, 'Expected anchor "mean", "median" or None but got \'mode\'.'),
        (
            {"anchor": "median", "family": "classes"},
            "Classes have no smooth median. Choose anchor mean or none.",
        ),
        ({"lapse": 1.0}, 'Expected lapse from 0 to below 1, or "learned", but got 1.0.'),
        ({"lapse": "given"}, "Expected lapse from 0 to below 1, or \"learned\", but got 'given'."),
        ({"draws": 0}, "Expected draws of at least 1 but got 0."),
        ({"burn_in": -1}, "Expected burn_in of at least 0 epochs but got -1."),
        (
            {"contrarians": True, "family": "normal"},
            "Normal strength is negative for some already; drop contrarians.",
        ),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        AlignSettings(**settings)
    assert str(error.value) == message


def test_the_paper_s_recipe() -> None:
    settings = AlignSettings.recipe("mixdpo", beta=0.2)
    assert (settings.family, settings.draws, settings.anchor, settings.panel) == (
        "lognormal",
        16,
        None,
        False,
    )
    gamma = AlignSettings.recipe("mixdpo-gamma")
    assert (gamma.family, gamma.draws, gamma.anchor) == ("gamma", None, None)


def test_recipes_are_not_bent() -> None:
    with pytest.raises(UsageError) as error:
        AlignSettings.recipe("mixdpo", anchor="mean")
    assert str(error.value) == "Recipe 'mixdpo' has anchor=None, not 'mean'."
    with pytest.raises(UsageError) as error:
        AlignSettings.recipe("mixpo")
    assert str(error.value) == "No recipe 'mixpo'. Expected one of mixdpo, mixdpo-gamma."


def test_settings_are_json() -> None:
    settings = AlignSettings(by=("stance",), lapse="learned")
    assert settings.to_dict()["priors"]["cv_scale"] == 1.0
    assert settings.to_dict()["by"] == ("stance",)
