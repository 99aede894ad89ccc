"""Grades and counted votes."""

import pandas as pd
import pytest

import mixlogit as ml
from mixlogit.errors import DataError, UsageError

PAIRS = pd.DataFrame({"item_a": list("xxyy"), "item_b": list("yzzx")})


def test_grades_are_numbers_with_a_sign() -> None:
    data = ml.load(PAIRS.assign(gap=[5, -2, 0, 2]), grade="gap")
    assert data.grade.tolist() == [2, -1, 0, 1]
    assert data.outcome.tolist() == [1.0, 0.0, 0.5, 1.0]
    assert data.take([0, 2]).grade.tolist() == [2, 0]


def test_grades_are_words_in_order() -> None:
    words = "A much better,A better,same,B better,B much better"
    rows = PAIRS.assign(says=["A better", "B much better", "same", "A much better"])
    assert ml.load(rows, grade="says", grades=words).grade.tolist() == [1, -2, 0, 2]
    with pytest.raises(DataError) as caught:
        ml.load(rows.replace("same", "hm"), grade="says", grades=words)
    assert str(caught.value) == (
        'DataFrame, row 3: says is "hm". Grades must be one of A much better, A better, same, '
        "B better, B much better. 1 row is like this; --bad-rows drop skips it."
    )


def test_a_grade_that_is_no_number() -> None:
    with pytest.raises(DataError) as caught:
        ml.load(PAIRS.assign(gap=[1, None, 0, 1]), grade="gap")
    assert str(caught.value) == (
        "DataFrame, row 2: gap is NaN. Grades must be finite. 1 row is like this; --bad-rows "
        "drop skips it."
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"grade": "gap", "outcome": "won"},
            "--outcome and --grade are both given. Name one of them.",
        ),
        (
            {"grade": "gap", "grades": "A,B"},
            "Expected three or more different grades, from clearly first to clearly second, but "
            "got A, B.",
        ),
        ({"votes_a": "gap"}, "Counted votes need two columns: --votes-b is missing."),
        (
            {"votes_a": "gap", "votes_b": "gap", "outcome": "won"},
            "Counted votes cannot be joined with --outcome.",
        ),
    ],
)
def test_what_is_refused(columns, says) -> None:
    with pytest.raises(UsageError) as caught:
        ml.load(PAIRS.assign(gap=1, won="a"), **columns)
    assert str(caught.value) == says


def test_counted_votes_are_weights() -> None:
    rows = PAIRS.assign(yes=[3, 0, 2, 1], no=[0, 4, 2, 1], same=[1, 0, 0, 0])
    data = ml.load(rows, votes_a="yes", votes_b="no", votes_tie="same")
    assert data.weight.tolist() == [3.0, 2.0, 1.0, 4.0, 2.0, 1.0, 1.0]
    assert data.outcome.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("yes", "says"),
    [
        ([1, 1, -1, 1], "row 3: yes is -1"),
        ([1, 1, 0.5, 1], "row 3: yes is 0.5"),
        ([1, 1, None, 1], "row 3: yes is not a number"),
        ([1, 1, 0, 1], "row 3: there are no votes"),
    ],
)
def test_counts_that_are_none(tmp_path, yes, says) -> None:
    PAIRS.assign(yes=yes, no=[1, 1, 0, 1]).to_csv(tmp_path / "v.csv", index=False)
    with pytest.raises(DataError) as caught:
        ml.load(tmp_path / "v.csv", votes_a="yes", votes_b="no", source="v.csv")
    assert str(caught.value) == (
        f"v.csv, {says}. Counts of votes must be 0, 1, 2, ..., one of them above 0."
    )


def test_rows_of_a_folder_keep_their_numbers(tmp_path) -> None:
    for name in ("one", "two"):
        PAIRS.assign(yes=2, no=1).to_csv(tmp_path / f"{name}.csv", index=False)
    bad = PAIRS.assign(yes=2, no=1, item_b=["y", "z", "y", "x"])
    bad.to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(DataError, match=r'two.csv, row 3: item_a and item_b are both "y"'):
        ml.load(tmp_path, votes_a="yes", votes_b="no")
