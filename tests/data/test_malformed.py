"""Every malformed row, in every format: one clear error with row and column, or a counted drop."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mixlogit as ml
from mixlogit.errors import DataError

FORMATS = ("jsonl", "csv", "parquet", "Dataset", "DataFrame")
TYPED = ("parquet", "Dataset")  # formats whose columns have one type
Row = dict[str, Any]
ABSENT = object()


def rows(**changed: Any) -> list[Row]:
    """Four rows of which the second is changed."""
    made = [
        {
            "prompt": f"p{i}",
            "chosen": f"yes{i}",
            "rejected": f"no{i}",
            "margin": 0.5 - i * 0.3,
            "respondent": f"w{i % 2}",
            "size": 1.0 + i,
            "outcome": "a",
        }
        for i in range(4)
    ]
    made[1] |= changed
    made[1] = {key: value for key, value in made[1].items() if value is not ABSENT}
    return made


def table_of(made: list[Row]) -> pa.Table:
    """An Arrow table; a column of mixed types becomes text, as it would in such a file."""
    columns: dict[str, Any] = {}
    for key in made[0]:
        values = [row.get(key) for row in made]
        try:
            if bool in map(type, values) and float in map(type, values):
                raise TypeError("Arrow reads True among numbers as 1")
            columns[key] = pa.array(values)
        except (pa.ArrowInvalid, TypeError, OverflowError):
            columns[key] = pa.array([None if v is None else str(v) for v in values])
    return pa.table(columns)


def write(made: list[Row], kind: str, folder: Path) -> Any:
    """The rows in one of the formats."""
    path = folder / f"votes.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    elif kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(made[0]), restval="")
            writer.writeheader()
            writer.writerows(made)
    elif kind == "parquet":
        pq.write_table(table_of(made), path)
    elif kind == "Dataset":
        return datasets.Dataset(table_of(made))
    else:
        return pd.DataFrame(made)
    return path


@dataclass(frozen=True)
class Case:
    """A change to the second row, and what each format says; None: the format accepts it."""

    name: str
    changed: Row
    column: str
    says: str
    but: dict[str, str | None] = field(default_factory=dict)
    all_rows: bool = False  # in typed formats the whole column is wrong


EMPTY_IN_CSV = {"csv": '"COLUMN" is empty'}
TEXT = "is text ("
CASES = [
    Case("key", {"rejected": ABSENT}, "rejected", '"rejected" is missing', EMPTY_IN_CSV),
    Case("null text", {"chosen": None}, "chosen", '"chosen" is missing', EMPTY_IN_CSV),
    Case("empty text", {"prompt": ""}, "prompt", '"prompt" is empty'),
    Case("blank text", {"chosen": " \t"}, "chosen", '"chosen" is empty'),
    Case(
        "number as text",
        {"chosen": 5},
        "chosen",
        "chosen is a number (5)",
        {"csv": None, "parquet": None, "Dataset": None},
    ),
    Case(
        "chat list",
        {"chosen": [{"role": "wizard", "content": "x"}]},
        "chosen",
        "chosen is a list ([{'role': 'wizard'",
        {"csv": None, "parquet": None, "Dataset": None},
    ),
    Case("nan", {"margin": float("nan")}, "margin", "margin is NaN. Margins must be finite."),
    Case("inf", {"margin": float("inf")}, "margin", "margin is infinite."),
    Case("-inf", {"margin": float("-inf")}, "margin", "margin is infinite."),
    Case("text", {"margin": "abc"}, "margin", TEXT + "'abc')", all_rows=True),
    Case("text number", {"margin": "1.5"}, "margin", TEXT, {"csv": None}, all_rows=True),
    Case("bool", {"margin": True}, "margin", "is true/false (True)", {"csv": TEXT}, all_rows=True),
    Case(
        "400 digits",
        {"margin": 10**399},
        "margin",
        "margin is an integer of 400 digits. Margins must be finite.",
        {"csv": "margin is infinite."},
        all_rows=True,
    ),
    Case("margin list", {"margin": [1]}, "margin", "a list ([1])", {"csv": TEXT}, all_rows=True),
    Case("margin dict", {"margin": {}}, "margin", "an object", {"csv": TEXT}, all_rows=True),
    Case(
        "null margin",
        {"margin": None},
        "margin",
        '"margin" is missing',
        {"DataFrame": "margin is NaN"},
    ),
    Case("no respondent", {"respondent": None}, "respondent", "is missing", EMPTY_IN_CSV),
    Case("blank respondent", {"respondent": " "}, "respondent", '"respondent" is empty'),
    Case(
        "respondent list",
        {"respondent": ["w1"]},
        "respondent",
        "respondent is a list (['w1']). Names must be text or numbers.",
        {"csv": None, "parquet": None, "Dataset": None},
    ),
    Case("zero weight", {"size": 0.0}, "size", "size is 0. Weights must be finite and positive."),
    Case("weight < 0", {"size": -1.5}, "size", "size is -1.5."),
    Case("nan weight", {"size": float("nan")}, "size", "size is NaN. Weights must be"),
    Case("text weight", {"size": "big"}, "size", TEXT, all_rows=True),
    Case("outcome", {"outcome": "c"}, "outcome", 'outcome is "c". Outcomes must be one of a, b,'),
    Case("no outcome", {"outcome": None}, "outcome", '"outcome" is missing', EMPTY_IN_CSV),
]


def expected(case: Case, kind: str) -> tuple[str | None, int]:
    """What a format says, and the row."""
    if case.all_rows and kind in TYPED:
        return f"{case.column} {TEXT}", 1
    says = case.but.get(kind, case.says)
    return says and says.replace("COLUMN", case.column), 2


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_error_or_a_counted_drop(case: Case, kind: str, tmp_path: Path) -> None:
    data = write(rows(**case.changed), kind, tmp_path)
    name = str(data) if isinstance(data, Path) else kind
    says, row = expected(case, kind)
    if says is None:
        assert ml.load(data, weight="size").n_comparisons == 4
        return
    with pytest.raises(DataError) as caught:
        ml.load(data, weight="size")
    error = caught.value
    assert str(error).startswith(f"{name}, row {row}: ")
    assert says in str(error)
    assert "\n" not in str(error)
    assert (error.file, error.row, error.column) == (name, row, case.column)
    if row == 1:  # the whole column is wrong
        with pytest.raises(DataError, match="no row is left, all 4 are malformed"):
            ml.load(data, weight="size", bad_rows="drop")
        return
    kept = ml.load(data, weight="size", bad_rows="drop")
    assert kept.n_comparisons == 3
    assert [(drop.row, drop.column) for drop in kept.dropped] == [(2, case.column)]
    assert kept.dropped[0].reason in str(error)
    assert kept.dropped[0].file == name


@pytest.mark.parametrize("kind", FORMATS)
def test_item_compared_with_itself(kind: str, tmp_path: Path) -> None:
    made = [{"item_a": a, "item_b": b, "outcome": "a"} for a, b in ("xy", "zz", "yz")]
    data = write(made, kind, tmp_path)
    with pytest.raises(DataError, match=r'row 2: item_a and item_b are both "z"\. An item cannot'):
        ml.load(data)
    kept = ml.load(data, bad_rows="drop")
    assert kept.items == ("x", "y", "z")
    assert kept.dropped[0].row == 2


@pytest.mark.parametrize("kind", FORMATS)
def test_extra_columns_are_ignored(kind: str, tmp_path: Path) -> None:
    made = [row | {"note": [1, {"x": 2}]} for row in rows()]
    assert ml.load(write(made, kind, tmp_path)).n_comparisons == 4


@pytest.mark.parametrize("kind", FORMATS)
def test_a_bad_feature(kind: str, tmp_path: Path) -> None:
    made = [
        {"x1": 1.0, "x2": 2.0, "outcome": "b"},
        {"x1": 1.0, "x2": float("inf"), "outcome": "a"},
    ]
    with pytest.raises(DataError, match=r"row 2: x2 is infinite. Features must be finite."):
        ml.load(write(made, kind, tmp_path), features="x1,x2")


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "Dataset", "DataFrame"])
def test_whole_columns_of_the_wrong_type(kind: str, tmp_path: Path) -> None:
    for change, says in (
        ({"chosen": 5}, "chosen is a number (5). Texts must be text. 4 rows are like this;"),
        ({"chosen": [{"role": "user"}]}, "chosen is a list ("),
        ({"margin": True}, "margin is true/false (True). Margins must be numbers."),
        ({"respondent": ["x"]}, "respondent is a list ("),
        ({"respondent": b"x"}, "respondent is bytes (b'x')"),
    ):
        if kind == "jsonl" and isinstance(change.get("respondent"), bytes):
            continue
        with pytest.raises(DataError) as caught:
            ml.load(write([row | change for row in rows()], kind, tmp_path))
        assert f"row 1: {says}" in str(caught.value)


def test_two_faults_in_one_row_are_one_drop(tmp_path: Path) -> None:
    data = write(rows(margin=float("nan"), chosen=""), "parquet", tmp_path)
    kept = ml.load(data, bad_rows="drop")
    assert [(drop.row, drop.column) for drop in kept.dropped] == [(2, "chosen")]
    assert repr(kept) == "Comparisons(margin, 3 comparisons, 2 respondents, 1 dropped)"


def test_broken_unicode_in_json(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"margin": 1, "respondent": "\\ud800"}\n{"margin": 2, "respondent": "w"}\n')
    with pytest.raises(DataError, match="row 1: respondent is text with broken Unicode"):
        ml.load(path)
    assert ml.load(path, bad_rows="drop").n_comparisons == 1


def test_bytes_among_names() -> None:
    frame = pd.DataFrame({"margin": [1.0, 2.0], "respondent": ["w", b"w"]})
    with pytest.raises(DataError, match=r"row 2: respondent is bytes \(b'w'\)"):
        ml.load(frame)


@pytest.mark.parametrize("column", ["margin", "respondent", "chosen", "outcome"])
def test_columns_of_nulls(column: str) -> None:
    table = table_of(rows())
    table = table.set_column(table.column_names.index(column), column, pa.nulls(4))
    with pytest.raises(DataError, match=f'Table, row 1: "{column}" is missing'):
        ml.load(table)
