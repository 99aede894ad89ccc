"""The data card: the object of `check --json`."""

import json

import pandas as pd
import pytest

import mixlogit as ml


def test_the_whole_card() -> None:
    frame = pd.DataFrame(
        {
            "item_a": ["x", "y", "x", None],
            "item_b": ["y", "z", "y", "z"],
            "outcome": ["a", "tie", "b", "a"],
            "respondent": ["w1", "w1", "w2", "w2"],
            "site": ["s", "s", "t", "t"],
        }
    )
    card = ml.data_card(ml.load(frame, groups="site", bad_rows="drop"))
    assert json.loads(json.dumps(card)) == {
        "n": {
            "comparisons": 3,
            "respondents": 2,
            "groups": {"site": 2},
            "ties": 1,
            "dropped": 1,
            "items": 3,
            "components": 1,
            "features": 0,
        },
        "columns": {
            "item_a": "item_a",
            "item_b": "item_b",
            "outcome": "outcome",
            "respondent": "respondent",
            "groups": ["site"],
        },
        "warnings": [
            {
                "name": "ties",
                "count": 1,
                "message": "1 tie is kept: it enters as half a vote each way.",
            }
        ],
        "identified": {
            "strength": False,
            "taste": False,
            "why": [
                "1 of 2 respondents have two comparisons or more: a spread of strength over "
                "respondents is not identified.",
                "Taste needs respondents with two comparisons or more.",
            ],
        },
    }


@pytest.mark.parametrize(
    ("respondents", "arguments", "strength", "taste", "why"),
    [
        (0, {}, False, False, "a tail shape of the link, not a measure of people"),
        (1, {}, False, False, "One respondent: a spread of strength over respondents is not"),
        (20, {}, True, False, "20 of 20 respondents have two comparisons or more: they identify"),
        (20, {}, True, False, "Given margins fix one direction for all: taste needs items or"),
        (20, {"items": 5}, True, True, "Taste can be examined: items and panels are there."),
        (20, {"features": 2}, True, True, "Taste can be examined: features and panels"),
    ],
)
def test_what_is_identified(
    respondents: int, arguments: dict[str, int], strength: bool, taste: bool, why: str
) -> None:
    data = ml.simulate(400, respondents, **arguments).comparisons()
    found = ml.data_card(data)["identified"]
    assert (found["strength"], found["taste"]) == (strength, taste)
    assert why in " ".join(found["why"])
