"""Outcomes by the words of the data."""

import pandas as pd
import pytest

import mixlogit as ml

FRAME = pd.DataFrame({"item_a": ["x", "y", "x"], "item_b": ["y", "x", "y"], "won": [1, 2, 3]})


@pytest.mark.parametrize(
    ("won", "labels"),
    [
        (["a", "b", "tie"], None),
        ([1, 2, 3], "a=1,b=2,tie=3"),
        ([1.0, 2.0, 3.0], {"a": 1, "b": 2.0, "tie": [3, 4]}),
        ([True, False, "="], {"a": True, "b": False, "tie": "="}),
        (["A!", "B", "0"], " a = A!, b=B, tie=0 , tie=both bad"),
    ],
)
def test_words(won: list[object], labels: object) -> None:
    frame = FRAME.assign(outcome=pd.Series(won, dtype=object))
    assert ml.load(frame, labels=labels).outcome.tolist() == [1.0, 0.0, 0.5]


def test_margins_with_and_without_an_outcome() -> None:
    frame = pd.DataFrame({"margin": [1.0, -2.0], "vote": ["b", "tie"]})
    assert ml.load(frame).outcome.tolist() == [1.0, 1.0]
    assert ml.load(frame, outcome="vote").outcome.tolist() == [0.0, 0.5]


def test_default_columns() -> None:
    frame = FRAME.assign(margin=[1.0, 2.0, -1.0], outcome=["a", "b", "a"], respondent=[1, 2, 1])
    assert ml.load(frame).kind == "margin"
    data = ml.load(frame, item_a="item_a", item_b="item_b", weight="won")
    assert data.kind == "items"
    assert dict(data.columns) == {
        "item_a": "item_a",
        "item_b": "item_b",
        "outcome": "outcome",
        "respondent": "respondent",
        "weight": "won",
    }
    assert ml.load(frame, features=["margin", "won"]).feature_names == ("margin", "won")
