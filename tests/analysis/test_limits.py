"""Each sentence on what data cannot tell follows from a number."""

from typing import Any

import pytest

from mixlogit.analysis.limits import limits

PANEL: dict[str, Any] = {
    "panel": True,
    "family": "lognormal",
    "parameters": {},
    "n": {"ties": 0, "items": 0, "features": 0, "components": 0, "dropped": 0},
}


def said(reliability: float | None = 0.9, card: Any = None, **more: Any) -> str:
    return " ".join(limits({**PANEL, **more}, card, reliability))


def test_a_panel_of_margins() -> None:
    assert limits(PANEL, None, 0.9) == [
        "A weak respondent may be careless, undecided, or of another taste: strength alone does "
        "not say which.",
        "Taste was not examined: a positive strength cannot change which answer is preferred, so "
        "disagreement about direction looks like weak strength or noise.",
        "Strength is per unit of the margin: compare it between data sets only by measures free "
        "of that scale, such as relative disagreement.",
    ]


def test_without_respondents_nothing_is_said_of_people() -> None:
    text = said(panel=False)
    assert "nothing here measures people" in text
    assert "weak respondent" not in text


@pytest.mark.parametrize(("reliability", "named"), [(0.49, True), (0.5, False), (None, False)])
def test_nobody_is_named_where_individual_strengths_are_unreliable(
    reliability: float | None, named: bool
) -> None:
    assert ("too few votes each to rank or to name anybody" in said(reliability)) is named


def test_half_ties_are_said_and_modelled_ones_not() -> None:
    n = {**PANEL["n"], "ties": 1200}
    assert "1,200 ties count as half a vote each way" in said(n=n)
    assert "half a vote" not in said(n=n, parameters={"tie_odds": {}})
    assert "half a vote" not in said(n=n, parameters={"threshold[1]": {}})


def test_items_carry_the_scale_within_their_components() -> None:
    text = said(n={**PANEL["n"], "items": 30, "components": 3})
    assert "The mean strength is 1 by convention" in text
    assert "3 groups that were never compared" in text
    assert "never compared" not in said(n={**PANEL["n"], "items": 30, "components": 1})
    text = said(n={**PANEL["n"], "items": 30}, groups={"side": {}})
    assert "mean strengths compare groups with each other only" in text


def test_taste_that_was_examined_is_no_limit() -> None:
    assert "Taste was not examined" not in said(tastes={"classes": 2})


def test_dropped_rows_are_named_if_there_is_a_card() -> None:
    n = {**PANEL["n"], "dropped": 7}
    assert "7 rows were dropped" in said(n=n, card={})
    assert "dropped" not in said(n=n)
