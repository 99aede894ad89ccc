"""Every planted fault is found, and nothing is found in clean data."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixlogit as ml
from mixlogit.data import Finding

Frame = pd.DataFrame


def clean(kind: str, seed: int = 1) -> Frame:
    sizes = {"margin": {}, "items": {"items": 30}, "features": {"features": 2}}[kind]
    return ml.simulate(600, 60, seed=seed, **sizes).frame.astype({"respondent": str})


def texts(seed: int = 1) -> Frame:
    """Margins with texts; every pair is shown to several respondents."""
    rng = np.random.default_rng(seed)
    pair = np.concatenate([rng.permutation(40)[:15] for _ in range(30)])
    margin = rng.normal(size=40)[pair] * np.where(rng.random(450) < 0.7, 1, -1)
    first = np.char.add("A", pair.astype(str))
    second = np.char.add("B", pair.astype(str))
    return Frame(
        {
            "prompt": np.char.add("p", (pair // 2).astype(str)),
            "chosen": np.where(margin > 0, first, second),
            "rejected": np.where(margin > 0, second, first),
            "margin": margin,
            "respondent": np.repeat(np.arange(30), 15).astype(str),
        }
    )


def found(frame: Frame, **columns: Any) -> dict[str, Finding]:
    if "x1" in frame:
        columns["features"] = ["x1", "x2"]
    warnings = ml.load(frame, **columns).warnings
    assert len({w.name for w in warnings}) == len(warnings)
    return {w.name: w for w in warnings}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["margin", "items", "features"])
def test_nothing_in_clean_data(kind: str, seed: int) -> None:
    assert found(clean(kind, seed)) == {}
    assert found(clean(kind, seed).drop(columns="respondent")) == {}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_in_clean_designs_with_repeats(seed: int) -> None:
    assert found(texts(seed)) == {}
    assert found(ml.simulate(2000, 20, items=6, seed=seed).frame) == {}  # all pairs, often
    rounded = ml.simulate(2000, 50, seed=seed).frame.round({"margin": 1})
    assert found(rounded) == {}
    rng = np.random.default_rng(seed)  # pairs drawn with replacement
    a = rng.integers(8, size=1000)
    b = (a + rng.integers(1, 8, size=1000)) % 8
    who = rng.integers(10, size=1000)
    vote = rng.choice(["a", "b"], size=1000)
    assert found(Frame({"item_a": a, "item_b": b, "outcome": vote, "respondent": who})) == {}


def test_one_respondent() -> None:
    one = found(clean("margin").assign(respondent="w"))["one_respondent"]
    assert one.message.startswith('"w" made every comparison')


def test_single_comparisons() -> None:
    frame = clean("margin")
    single = found(frame.assign(respondent=range(len(frame))))
    assert single["single_comparisons"].count == 600


def test_perfect_separation() -> None:
    frame = clean("margin")
    agree = frame.assign(outcome=np.where(frame.margin > 0, "a", "b"))
    assert found(agree)["perfect_separation"].count == 600
    assert "perfect_separation" in found(frame[["margin"]].abs())
    ladder = Frame({"item_a": list("wxy"), "item_b": list("xyz"), "outcome": ["a"] * 3})
    assert "fits one order of the items" in found(ladder)["perfect_separation"].message
    ladder.loc[3] = ["z", "w", "a"]
    assert found(ladder) == {}
    ladder.loc[3] = ["z", "w", "tie"]
    assert list(found(ladder)) == ["ties"]


def test_one_margin_value() -> None:
    frame = clean("margin")
    one = found(frame.assign(margin=np.sign(frame.margin) * 0.25))["one_margin_value"]
    assert one.message.startswith("Every margin is 0.25 in size")


def test_zero_feature() -> None:
    zero = found(clean("features").assign(x2=0.0))["zero_feature"]
    assert zero.message == 'Feature "x2" is 0 in every row: its weight cannot be estimated.'


def test_components() -> None:
    other = clean("items").astype(str).replace("^i", "j", regex=True)
    two = pd.concat([clean("items").astype(str), other])
    assert found(two)["components"].count == 2


@pytest.mark.parametrize(
    ("kind", "n"),
    [("margin", 1), ("features", 1), ("texts", 1), ("items", 50), ("margin", 50)],
)
def test_duplicates(kind: str, n: int) -> None:
    frame = texts() if kind == "texts" else clean(kind)
    double = pd.concat([frame, frame[:n]])
    assert found(double)["duplicates"].count == n
    assert found(double.assign(id=range(len(double)))) == {}


def test_a_few_equal_judgments_of_few_items_are_chance() -> None:
    frame = clean("items")
    assert found(pd.concat([frame, frame[:1]])) == {}


@pytest.mark.parametrize("kind", ["margin", "features", "texts"])
def test_duplicates_without_respondents(kind: str) -> None:
    frame = (clean(kind) if kind != "texts" else texts()[:15]).drop(columns="respondent")
    assert found(pd.concat([frame, frame]))["duplicates"].count == len(frame)


def test_a_file_that_is_there_twice_among_repeated_judgments() -> None:
    frame = ml.simulate(2000, 20, items=6).frame.assign(repetition=np.arange(2000))
    double = pd.concat([frame, frame])
    assert found(double)["duplicates"].count == 2000


def test_duplicates_look_at_every_column() -> None:
    frame = clean("margin").assign(
        site=["s"] * 600, weight=[1.0] * 600, note=[[1, {"x": 2}]] * 600, gap=None
    )
    double = pd.concat([frame, frame[:7]])
    columns: dict[str, Any] = {"groups": "site", "weight": "weight"}
    assert found(double, **columns)["duplicates"].count == 7
    for column, value in (("site", "t"), ("weight", 2.0), ("note", "x"), ("gap", 1.0)):
        other = pd.concat([frame, frame[:7].assign(**{column: value})])
        assert "duplicates" not in found(other, **columns), column


@pytest.mark.parametrize("kind", ["margin", "items", "features", "texts"])
def test_flipped_duplicates(kind: str) -> None:
    frame = texts() if kind == "texts" else clean(kind)
    some = frame[:30].copy()
    if kind == "texts":
        some = some.rename(columns={"chosen": "rejected", "rejected": "chosen"})
    else:
        some["outcome"] = ["b" if vote == "a" else "a" for vote in some.outcome]
    flips = found(pd.concat([frame, some]))
    assert flips["flipped_duplicates"].count == 30
    assert (
        "30 pairs were judged both ways by one respondent:" in flips["flipped_duplicates"].message
    )
    assert "duplicates" not in flips


def test_the_same_pair_shown_the_other_way_round_is_a_duplicate() -> None:
    frame = clean("items")
    turned = frame[:50].rename(columns={"item_a": "item_b", "item_b": "item_a"})
    turned["outcome"] = ["b" if vote == "a" else "a" for vote in turned.outcome]
    assert found(pd.concat([frame, turned]))["duplicates"].count == 50


def test_same_texts() -> None:
    frame = texts()
    frame.loc[:2, "rejected"] = frame.loc[:2, "chosen"]
    same = found(frame)["same_texts"]
    assert (same.count, same.message[:9]) == (3, "3 rows ha")
    assert found(frame[2:])["same_texts"].message.startswith("1 row has the same text")


def test_ties() -> None:
    frame = clean("items")
    frame["outcome"] = ["tie", *frame.outcome[1:]]
    assert found(frame)["ties"].message == "1 tie is kept: it enters as half a vote each way."
    frame["outcome"] = ["tie"] * 20 + list(frame.outcome[20:])
    assert found(frame)["ties"].message == "20 ties are kept: each enters as half a vote each way."


def test_groups() -> None:
    frame = clean("margin").assign(site="s", topic=["t", "u"] * 300)
    assert found(frame, groups=["site"]) == {}
    varies = found(frame, groups=["site", "topic"])["group_varies"]
    assert varies.message.startswith("topic varies within ")
    assert varies.count <= 60
    frame["site"] = [None] * 10 + ["s"] * 590
    assert found(frame.drop(columns="respondent"), groups="site")["empty_group"].count == 10


def test_dropped_rows_are_not_looked_at() -> None:
    frame = clean("margin")
    extra = frame[:5].assign(margin=np.nan, note=1)
    assert found(pd.concat([frame, extra, extra]), bad_rows="drop") == {}
    double = pd.concat([frame, extra, frame[:5]])
    assert found(double, bad_rows="drop")["duplicates"].count == 5


@pytest.mark.parametrize("name", ["annotator_id", "Judge Name", "worker", "user-id"])
def test_a_column_that_looks_like_respondents(name: str) -> None:
    frame = pd.DataFrame({"margin": [0.5, -1.0, 2.0], name: ["ann", "bob", "ann"]})
    (found,) = [one for one in ml.load(frame).warnings if one.name == "no_respondents"]
    assert found.message == (
        f'No respondents are named. If "{name}" says who judged, add --respondent "{name}": one '
        "strength a respondent is what tells people apart."
    )
    for named in ({"respondent": name}, {"groups": [name]}):
        data = ml.load(frame, **named)
        assert "no_respondents" not in [one.name for one in data.warnings]
