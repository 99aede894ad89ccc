"""The messages that the interface promises, word for word."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mixlogit as ml
from mixlogit.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def message(error: type[Exception], data: str, **columns: object) -> str:
    with pytest.raises(error) as caught:
        ml.load(data, **columns)
    return str(caught.value)


def test_a_key_is_missing() -> None:
    rows = [{"prompt": "p", "chosen": f"a{i}", "rejected": "b"} for i in range(30)]
    for i in (16, 20, 29):
        del rows[i]["rejected"]
    Path("votes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert message(DataError, "votes.jsonl") == (
        'votes.jsonl, row 17: "rejected" is missing. A row needs prompt, chosen, rejected; '
        "this one has prompt, chosen. 3 rows are like this; --bad-rows drop skips them."
    )


def test_no_such_column() -> None:
    Path("votes.csv").write_text("prompt,chosen,rejected,annotator\np,a,b,w1\n")
    assert message(DataError, "votes.csv", respondent="anotator") == (
        'votes.csv: no column "anotator" for --respondent. Did you mean "annotator"? '
        "Columns: prompt, chosen, rejected, annotator."
    )
    assert message(DataError, "votes.csv", groups=["stance"]) == (
        'votes.csv: no column "stance" for --by. Columns: prompt, chosen, rejected, annotator.'
    )


def test_margin_is_nan() -> None:
    margins = [0.1 * i for i in range(1000)]
    margins[901] = margins[950] = float("nan")
    pq.write_table(pa.table({"margin": margins}), "margins.parquet")
    assert message(DataError, "margins.parquet") == (
        "margins.parquet, row 902: margin is NaN. Margins must be finite. "
        'Recompute them with "mixlogit margins", or drop the row.'
    )


def test_all_margins_are_zero() -> None:
    pq.write_table(pa.table({"margin": [0.0] * 5210}), "margins.parquet")
    assert message(DataError, "margins.parquet") == (
        "margins.parquet: all 5,210 margins are 0, so strength cannot be estimated. "
        "A policy equal to its reference has zero margins."
    )
    pq.write_table(pa.table({"margin": [0]}), "margins.parquet")
    assert "the only margin is 0, so" in message(DataError, "margins.parquet")


def test_one_row_is_like_this() -> None:
    Path("votes.csv").write_text("margin,respondent\n1,w\n2,\n")
    assert message(DataError, "votes.csv") == (
        'votes.csv, row 2: "respondent" is empty. A row needs margin, respondent; '
        "this one has margin. 1 row is like this; --bad-rows drop skips it."
    )
    Path("votes.csv").write_text("margin,respondent\n1,w\n,\n")
    assert "A row needs margin, respondent; this one has none of them." in message(
        DataError, "votes.csv"
    )


def test_nothing_says_what_is_compared() -> None:
    Path("votes.csv").write_text("chosen,rejected,who\na,b,w\n")
    assert message(DataError, "votes.csv") == (
        "votes.csv: no column says what is compared. Make margins with "
        '"mixlogit margins", or name one of --margin, --item-a with --item-b, and --features. '
        "Columns: chosen, rejected, who."
    )


def test_items_need_an_outcome() -> None:
    Path("votes.csv").write_text("item_a,item_b\na,b\n")
    assert message(DataError, "votes.csv") == (
        'votes.csv: no column "outcome", which items need. Name it with --outcome. '
        "Columns: item_a, item_b."
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"margin": "m", "item_a": "x", "item_b": "y"},
            "--margin and --item-a are both given. Name exactly one of --margin, "
            "--item-a with --item-b, and --features.",
        ),
        ({"item_a": "x"}, "Items need two columns: --item-b is missing."),
        ({"item_b": "y"}, "Items need two columns: --item-a is missing."),
        ({"features": "m,m"}, "--features names a column twice: m, m."),
        ({"bad_rows": "skip"}, 'Expected bad_rows "stop" or "drop" but got "skip".'),
        (
            {"respondant": "x"},
            'No column role "respondant". Did you mean "respondent"? Roles: margin, chosen, '
            "rejected, prompt, item_a, item_b, features, outcome, respondent, groups, weight, "
            "grade.",
        ),
        ({"zzz": "x"}, 'No column role "zzz". Roles: '),
        ({"labels": "a=1,c=2"}, 'Labels map a, b and tie, not "c". Write a=1,b=2,tie=equal.'),
        ({"labels": "a=1"}, "Labels lack b. Write a=1,b=2,tie=equal."),
        ({"labels": "a=1,b=1"}, 'Labels use "1" for both a and b.'),
        ({"labels": "a=1,b"}, 'Expected labels as a=1,b=2,tie=equal but got "a=1,b".'),
    ],
)
def test_usage(columns: dict[str, object], says: str) -> None:
    Path("votes.csv").write_text("m,x,y\n1,a,b\n")
    assert message(
        UsageError,
        "votes.csv",
        **({"margin": "m"} | columns if "labels" in columns or "bad_rows" in columns else columns),
    ).startswith(says)


def test_unknown_outcome_names_the_labels() -> None:
    Path("votes.csv").write_text("item_a,item_b,outcome\nx,y,1\nx,y,missing\n")
    assert message(DataError, "votes.csv", labels="a=1,b=2,tie=equal") == (
        'votes.csv, row 2: outcome is "missing". Outcomes must be one of 1, 2, equal; name '
        'others by --labels. The column holds "1", "missing". 1 row is like this; --bad-rows drop '
        "skips it."
    )


def test_the_values_of_a_column_of_many_outcomes_are_not_all_told() -> None:
    rows = "".join(f"x,y,w{i}\n" for i in range(8))
    Path("votes.csv").write_text("item_a,item_b,outcome\n" + rows)
    assert message(DataError, "votes.csv") == (
        'votes.csv, row 1: outcome is "w0". Outcomes must be one of a, b, tie; name others by '
        '--labels. The column holds "w0", "w1", "w2", "w3", "w4", "w5" and 2 more. 8 rows are '
        "like this; --bad-rows drop skips them."
    )


def test_long_and_strange_values_stay_on_one_line() -> None:
    Path("votes.csv").write_text('margin,outcome\n1,"x\n' + "y" * 100 + '"\n')
    assert 'outcome is "x\\n' + "y" * 34 + '..."' in message(DataError, "votes.csv")


def test_a_check_that_leaves_no_row() -> None:
    Path("votes.csv").write_text("margin\nx\nNaN\n")
    assert message(DataError, "votes.csv", bad_rows="drop") == (
        "votes.csv: no row is left, all 2 are malformed. Row 1: margin is text ('x')."
    )


def test_many_columns_are_not_all_listed() -> None:
    names = ["m\ny", *(f"c{i}" for i in range(40))]
    Path("votes.jsonl").write_text(json.dumps(dict.fromkeys(names, 1)))
    said = message(DataError, "votes.jsonl")
    assert said.endswith("c27, c28 and 11 more.")
    assert "Columns: m\\ny, c0" in said
