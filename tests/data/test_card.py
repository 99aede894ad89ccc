"""The data card: the object of `check --json`."""

import json
from pathlib import Path

import numpy as np
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


def test_length_of_texts() -> None:
    said = [("aaaa", "b"), ("a", "bbb"), ("aaa", "b"), ("aaa", "bbb"), ("aaaaa", "b")]
    frame = pd.DataFrame(said, columns=["chosen", "rejected"])
    frame["margin"] = [0.1, 0.2, -0.3, 0.4, 0.5]
    length = [3, -2, 2, 0, 4]
    found = ml.data_card(ml.load(frame))["length"]
    both_orders = np.corrcoef([*length, *(-n for n in length)], [1] * 5 + [-1] * 5)[0, 1]
    assert found == {"correlation": pytest.approx(both_orders), "longer_chosen": 0.75}
    # the second was preferred in rows 1 and 3, and row 4 is a tie
    frame["outcome"] = ["b", "a", "b", "tie", "a"]
    turned = [-3, -2, -2, 4]
    expected = sum(turned) / np.sqrt(4 * np.square(length).sum())
    assert ml.data_card(ml.load(frame))["length"] == {
        "correlation": pytest.approx(expected),
        "longer_chosen": 0.25,
    }


def test_texts_of_one_length() -> None:
    frame = pd.DataFrame({"chosen": ["a", "b"], "rejected": ["c", "d"]})
    card = ml.data_card(ml.load(frame, texts_suffice=True))
    assert card["length"] == {"correlation": None, "longer_chosen": None}
    assert card["identified"] == {
        "strength": False,
        "taste": False,
        "why": [
            'Texts alone: "mixlogit align" learns it with a policy; "mixlogit margins" makes '
            "margins of two language models, which can be fitted.",
            "Given margins fix one direction for all: taste needs items or features.",
        ],
    }
    assert "length" not in ml.data_card(ml.load(frame.assign(margin=[1.0, 2.0]).iloc[:, 2:]))


def test_length_of_conversations() -> None:
    said = [[{"role": "assistant", "content": text}] for text in ("four", "to")]
    frame = pd.DataFrame({"chosen": said[:1], "rejected": said[1:]})
    data = ml.load(frame, texts_suffice=True)
    assert data.length is not None
    assert data.length.tolist() == [2]


def test_the_longer_argument_wins(shared_data: Path) -> None:
    folder = shared_data / "ukpconvarg1"
    table = ml.join_texts(
        folder / "votes.csv.gz",
        pd.read_csv(folder / "arguments.csv.gz", dtype=str),
        item_a="arg1",
        item_b="arg2",
        outcome="value",
        labels="a=a1,b=a2,tie=equal",
        key="arg_id",
        prompt="topic",
    )
    card = ml.data_card(ml.load(table, respondent="worker", texts_suffice=True))
    assert card["n"]["comparisons"] == 84_445
    frame = table.to_pandas().query("outcome == 'a'")
    longer = frame.chosen.str.len() - frame.rejected.str.len()
    assert card["length"]["longer_chosen"] == pytest.approx((longer[longer != 0] > 0).mean())
    assert card["length"]["longer_chosen"] > 0.6
