"""Votes joined with texts: the preferred one first, ties kept, on debate arguments."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from debates import votes_on_texts

import mixlogit as ml
from mixlogit.errors import DataError

VOTES = {
    "left": ["x", "y", "x", "z"],
    "right": ["y", "z", "z", "x"],
    "won": ["1", "2", "equal", "1"],
    "who": ["w1", "w1", "w2", "w2"],
}
ITEMS = {"id": ["x", "y", "z"], "text": ["X.", "Y.", "Z."], "topic": ["t"] * 3}
NAMES = {"item_a": "left", "item_b": "right", "outcome": "won", "labels": "a=1,b=2,tie=equal"}


def joined(votes: dict[str, Any], items: dict[str, Any], **options: Any) -> pa.Table:
    names = NAMES | {"prompt": "topic"} | options
    return ml.join_texts(pa.table(votes), pd.DataFrame(items), **names)


def test_the_preferred_text_comes_first() -> None:
    assert joined(VOTES, ITEMS).to_pydict() == {
        "prompt": ["t"] * 4,
        "chosen": ["X.", "Z.", "X.", "Z."],
        "rejected": ["Y.", "Y.", "Z.", "X."],
        "outcome": ["a", "a", "tie", "a"],
        "left": ["x", "z", "x", "z"],
        "right": ["y", "y", "z", "x"],
        "who": ["w1", "w1", "w2", "w2"],
    }


def test_prompts_of_the_votes() -> None:
    asked = [f"Why {i}?" for i in range(4)]
    found = joined(VOTES | {"topic": asked}, {"id": ITEMS["id"], "text": ITEMS["text"]})
    assert found["prompt"].to_pylist() == asked
    assert found.column_names == [
        "prompt",
        "chosen",
        "rejected",
        "outcome",
        "left",
        "right",
        "who",
    ]


@pytest.mark.parametrize(
    ("votes", "items", "says"),
    [
        (
            {"right": ["y", "q", "z", "x"]},
            {},
            'votes, row 2: right is "q", which has no text. Every item must be in texts. 1 row is '
            "like this; --bad-rows drop skips it.",
        ),
        (
            {"won": ["1", "2", "?", "1"]},
            {},
            'votes, row 3: won is "?". Outcomes must be one of 1, 2, equal; name others by '
            '--labels. The column holds "1", "2", "?". 1 row is like this; --bad-rows drop skips '
            "it.",
        ),
        (
            {},
            {"topic": ["t", "t", "u"]},
            "votes, row 2: the items have no topic in common. Both answers of a comparison stand "
            "behind one prompt. 3 rows are like this; --bad-rows drop skips them.",
        ),
        (
            {},
            {"id": ["x", "y", "y"]},
            'texts: id "y" has several texts. Each item needs exactly one.',
        ),
        (
            {},
            {"text": ["X.", "", "Z."]},
            'texts, row 2: "text" is empty. A row needs text, id; this one has id. 1 row is like '
            "this; --bad-rows drop skips it.",
        ),
    ],
)
def test_messages(votes: dict[str, Any], items: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as caught:
        joined(VOTES | votes, ITEMS | items)
    assert str(caught.value) == says


def test_columns_that_are_not_there() -> None:
    for options, says in (
        (
            {"key": "idd"},
            'texts: no column "idd" for --key. Did you mean "id"? Columns: ',
        ),
        ({"prompt": "title"}, 'texts: no column "title" for --prompt. Columns: id, text, topic.'),
        ({"outcome": "wno"}, 'votes: no column "wno" for --outcome. Did you mean "won"?'),
    ):
        with pytest.raises(DataError) as caught:
            joined(VOTES, ITEMS, **options)
        assert str(caught.value).startswith(says)


def test_votes_that_are_dropped() -> None:
    votes = VOTES | {"won": ["1", "2", "?", "1"], "left": ["q", "y", "x", "z"]}
    assert joined(votes, ITEMS, bad_rows="drop")["chosen"].to_pylist() == ["Z.", "Z."]


def test_debates(shared_data: Path) -> None:
    table = votes_on_texts(shared_data / "ukpconvarg1")
    frame = table.to_pandas()
    votes = pd.read_csv(shared_data / "ukpconvarg1" / "votes.csv.gz")
    texts = pd.read_csv(shared_data / "ukpconvarg1" / "arguments.csv.gz").set_index("arg_id").text
    assert table.num_rows == 84_445
    assert (frame.outcome == "tie").sum() == 19_105
    assert (frame.worker == votes.worker).all()
    flipped = votes.value == "a2"
    assert (frame.arg1 == votes.arg1.where(~flipped, votes.arg2)).all()
    assert (frame.chosen == frame.arg1.map(texts)).all()
    assert (frame.rejected == frame.arg2.map(texts)).all()
    assert frame.prompt.nunique() == 32
    assert next(iter(ml.texts(table, respondent="worker"))).table.num_rows == 1_000
