"""Comparisons: what is accepted, what is refused, subsets and counts."""

from typing import Any

import pytest
import torch

import mixlogit as ml
from mixlogit.data import Labels
from mixlogit.errors import UsageError

ONE = torch.ones(3)
CODES = torch.tensor([0, 1, 0])


def items(**changed: Any) -> ml.Comparisons:
    made = {"item_a": CODES, "item_b": 1 - CODES, "items": ("x", "y")} | changed
    return ml.Comparisons(outcome=ONE, **made)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "Expected exactly one of margin, item_a with item_b, and features."),
        ({"margin": ONE, "features": ONE[:, None]}, "Expected exactly one of margin"),
        ({"item_a": CODES}, "Expected exactly one of margin"),
        ({"margin": ONE[:2]}, "Expected 3 values of margin but got [2]."),
        ({"margin": ONE / 0}, "Expected finite values of margin but got NaN or Inf."),
        ({"margin": ONE, "weight": ONE * 0}, "Expected positive weights but got zero or less."),
        ({"margin": ONE, "weight": ONE[:1]}, "Expected 3 values of weight but got [1]."),
        (
            {"margin": ONE, "respondent": Labels(CODES[:2], ("a", "b"))},
            "Expected 3 values of respondent but got [2].",
        ),
        (
            {"margin": ONE, "groups": {"g": Labels(CODES[:2], ("a", "b"))}},
            "Expected 3 values of g but got [2].",
        ),
        ({"margin": ONE, "outcome": ONE * 2}, "Expected outcomes 1 (first), 0 (second) or 0.5"),
        ({"margin": ONE, "outcome": ONE[:0]}, "Expected at least one outcome, in a vector."),
        (
            {"item_a": CODES, "item_b": CODES, "items": ("x", "y")},
            "Expected two different items in each comparison.",
        ),
        (
            {"item_a": CODES, "item_b": 1 - CODES, "items": ("x",)},
            "Expected item codes from 0 to 0 but got others.",
        ),
        (
            {"item_a": CODES.float(), "item_b": 1 - CODES, "items": ("x", "y")},
            "Expected a vector of int64 item codes but got torch.float32.",
        ),
        ({"features": ONE[:, None]}, "Expected features as comparison x feature with 0 names"),
        ({"features": ONE, "feature_names": ("x",)}, "but got shape [3]."),
        (
            {"features": ONE[:, None] / 0, "feature_names": ("x",)},
            "Expected finite values of features but got NaN or Inf.",
        ),
    ],
)
def test_what_does_not_fit_together(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        ml.Comparisons(**{"outcome": ONE} | arguments)
    assert says in str(caught.value)


def test_labels_are_checked() -> None:
    with pytest.raises(UsageError, match="Expected label codes from 0 to 1 but got others"):
        Labels(torch.tensor([2]), ("a", "b"))


def test_counts_and_repr() -> None:
    data = ml.Comparisons(
        outcome=torch.tensor([1, 0.5, 0]),
        features=torch.ones(3, 2),
        feature_names=("x1", "x2"),
        respondent=Labels(CODES, ("w1", "w2")),
        groups={"site": Labels(CODES * 0, ("s",))},
    )
    assert repr(data) == (
        "Comparisons(features, 3 comparisons, 2 respondents, site: 1 group, 2 features, 1 tie)"
    )
    assert (data.kind, len(data), data.n_ties, data.n_respondents) == ("features", 3, 1, 2)
    assert data.outcome.dtype == data.features.dtype == torch.float64
    assert data.n_components == 0
    assert items().kind == "items"
    assert repr(items()) == "Comparisons(items, 3 comparisons, 2 items)"


def test_it_is_frozen() -> None:
    with pytest.raises(AttributeError):
        items().outcome = ONE  # type: ignore[misc]


def test_take_keeps_the_tables() -> None:
    data = ml.Comparisons(
        outcome=torch.tensor([1, 0, 0.5]),
        item_a=torch.tensor([0, 1, 2]),
        item_b=torch.tensor([1, 2, 3]),
        items=tuple("wxyz"),
        respondent=Labels(CODES, ("w1", "w2")),
        weight=torch.tensor([1.0, 2, 3]),
    )
    assert data.component is not None
    assert data.component.tolist() == [0, 0, 0, 0]
    part = data.take(torch.tensor([True, False, True]))
    assert part.items == data.items
    assert part.respondent is not None
    assert part.respondent.labels == ("w1", "w2")
    assert part.respondent.codes.tolist() == [0, 0]
    assert part.outcome.tolist() == [1, 0.5]
    assert part.weight is not None
    assert part.weight.tolist() == [1, 3]
    assert part.component is not None
    assert part.component.tolist() == [0, 0, 1, 1]  # linked by what is left
    assert data.take([-1]).outcome.tolist() == [0.5]


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ([], "No comparison was chosen: the index is empty."),
        ([3], "Expected whole positions below 3 but got others."),
        ([0.5], "Expected whole positions below 3 but got others."),
        (torch.tensor([True]), "Expected a mask of 3 comparisons but got 1."),
        (torch.zeros(3, dtype=torch.bool), "No comparison was chosen"),
    ],
)
def test_take_refuses(index: Any, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        items().take(index)
    assert says in str(caught.value)


def test_split() -> None:
    data = ml.Comparisons(outcome=torch.ones(100), margin=torch.arange(100.0))
    train, test = data.split(0.3, seed=1)
    assert train.margin is not None
    assert test.margin is not None
    assert sorted([*train.margin.tolist(), *test.margin.tolist()]) == list(range(100))
    assert len(test) == 30
    again = data.split(0.3, seed=1)[1].margin
    assert again is not None
    assert again.tolist() == test.margin.tolist()
    other = data.split(0.3, seed=2)[1].margin
    assert other is not None
    assert other.tolist() != test.margin.tolist()
    for fraction in (0.0, 1.0, 1.5, -1.0, float("nan")):
        with pytest.raises(UsageError, match="100 comparisons leaves one part empty"):
            data.split(fraction)
