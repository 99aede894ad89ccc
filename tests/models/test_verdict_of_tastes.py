"""Verdicts of fits with tastes, word for word, each from the numbers that lead to it."""

from types import SimpleNamespace

import pytest

from mixlogit.models.taste_class_fit import _verdict as of_classes
from mixlogit.models.taste_fit import _verdict as of_random

OPEN = "Strength was not examined beside taste: compare with --family lognormal."


@pytest.mark.parametrize(
    ("figures", "kind", "sentences"),
    [
        (
            (9.0, None),
            "taste",
            ["Respondents differ in taste (log Bayes factor +9.0 against one taste).", OPEN],
        ),
        (
            (9.0, 5.0),
            "both",
            [
                "Respondents differ in taste (log Bayes factor +9.0 against one taste).",
                "Strength differs within the classes (log Bayes factor +5.0).",
            ],
        ),
        (
            (9.0, -2.0),
            "taste",
            [
                "Respondents differ in taste (log Bayes factor +9.0 against one taste).",
                "No sign that strength differs within them (log Bayes factor -2.0).",
            ],
        ),
        (
            (-2.0, 1.0),
            "unknown",
            [
                "No sign of so many tastes (log Bayes factor -2.0 against one taste).",
                "Whether strength differs within them is open (+1.0).",
            ],
        ),
        (
            (1.0, None),
            "unknown",
            [
                "These data cannot tell how many tastes there are (log Bayes factor +1.0 against "
                "one taste)."
            ],
        ),
    ],
)
def test_classes(figures, kind, sentences):
    taste, strength = figures
    weighed = {"log_bayes_factor_taste": taste}
    if strength is not None:
        weighed["log_bayes_factor_strength"] = strength
    family = "fixed" if strength is None else "lognormal"
    verdict = of_classes(weighed, family, alike=False)
    assert (verdict.heterogeneity, list(verdict.sentences)) == (kind, sentences)


@pytest.mark.parametrize(
    ("weighed", "kind", "sentences"),
    [
        (None, "unknown", ["Whether tastes differ was not weighed.", OPEN]),
        (
            9.0,
            "taste",
            [
                "Tastes differ between respondents (log Bayes factor +9.0 against one taste for "
                "all).",
                OPEN,
            ],
        ),
        (
            -2.0,
            "homogeneous",
            [
                "No sign that tastes differ (log Bayes factor -2.0 against one taste for all).",
                OPEN,
            ],
        ),
        (
            1.0,
            "unknown",
            [
                "These data cannot tell whether tastes differ (log Bayes factor +1.0 against one "
                "taste for all)."
            ],
        ),
    ],
)
def test_random_tastes(weighed, kind, sentences):
    problem = SimpleNamespace(design=SimpleNamespace(strength=None), panel=True)
    verdict = of_random(problem, weighed)
    assert (verdict.heterogeneity, list(verdict.sentences)) == (kind, sentences)


def test_random_tastes_with_strength_and_without_respondents():
    together = SimpleNamespace(design=SimpleNamespace(strength=True), panel=True)
    assert of_random(together, 9.0).sentences[1] == (
        "Taste and strength were fitted together; compare with --family fixed."
    )
    nobody = SimpleNamespace(design=SimpleNamespace(strength=True), panel=False)
    assert of_random(nobody, 9.0).sentences == (
        "Without respondents random tastes are a shape of the choice probabilities and not a "
        "measure of people; no verdict on heterogeneity is given.",
    )
