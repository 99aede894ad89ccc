"""Simulated data follow the truth that is written beside them."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import mixlogit as ml
from mixlogit.errors import StorageError, UsageError


def share(made: Any, vote: str) -> float:
    return float((made.frame["outcome"] == vote).mean())


@pytest.mark.parametrize("family", sorted(ml.families()))
def test_strengths_have_the_mean_and_cv(family: str) -> None:
    made = ml.simulate(20_000, 20_000, family, mean=0.7, cv=0.4, seed=3)
    b = made.respondents["strength"].to_numpy()
    assert b.mean() == pytest.approx(0.7, abs=0.01)
    assert b.std() == pytest.approx(0.0 if family == "fixed" else 0.28, abs=0.01)
    assert made.truth["strength"]["mean"] == b.mean()
    if family == "normal":
        assert made.truth["strength"]["log_sd"] is None
    else:
        assert made.truth["strength"]["log_sd"] == pytest.approx(np.log(b).std())


def test_votes_follow_strength_and_margin() -> None:
    made = ml.simulate(200_000, 100, cv=1.0, lapse=0.2, seed=1)
    frame = made.frame
    b = np.array(made.truth["respondents"]["strength"])[frame.respondent.cat.codes]
    p = expit(b * frame.margin.to_numpy())
    p = 0.1 + 0.8 * p
    first = (frame.outcome == "a").to_numpy()
    for low in np.arange(0.1, 0.9, 0.1):
        near = (p >= low) & (p < low + 0.1)
        error = np.sqrt(0.25 / near.sum())
        assert first[near].mean() == pytest.approx(p[near].mean(), abs=4 * error)
    assert frame.margin.std() == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("lapse", [0.0, 0.3])
def test_share_of_ties(lapse: float) -> None:
    made = ml.simulate(100_000, 100, ties=0.2, lapse=lapse)
    assert share(made, "tie") == pytest.approx(0.2, abs=0.006)
    assert made.comparisons().n_ties == round(share(made, "tie") * 100_000)
    assert share(ml.simulate(1000), "tie") == 0


def test_panels() -> None:
    made = ml.simulate(5000, 400)
    sizes = made.frame["respondent"].value_counts()
    assert len(sizes) == 400
    assert sizes.min() >= 1
    assert sizes.std() > 1
    assert "respondent" not in ml.simulate(10).frame
    assert ml.simulate(10).truth["respondents"] == {}
    assert list(ml.simulate(3, 3).frame["respondent"]) == ["r00001", "r00002", "r00003"]


def test_items_and_tastes() -> None:
    made = ml.simulate(20_000, 100, items=8, tastes=2, mean=5.0, seed=2)
    utilities = np.array(made.truth["items"]["utilities"])
    assert utilities.shape == (2, 8)
    assert np.allclose(utilities.sum(axis=1), 0)
    assert not np.allclose(utilities[0], utilities[1])
    frame = made.frame.astype(str)
    names = made.truth["items"]["names"]
    people = made.truth["respondents"]
    taste = np.array(people["taste"])[made.frame.respondent.cat.codes]
    a, b = (frame[c].map(names.index).to_numpy() for c in ("item_a", "item_b"))
    agrees = ((utilities[taste, a] > utilities[taste, b]) == (frame.outcome == "a")).mean()
    assert agrees > 0.9
    assert np.bincount(taste).min() > 0
    assert made.comparisons().kind == "items"


def test_no_pair_twice_while_others_are_left() -> None:
    for n in (9 * 45, 10 * 45, 4000):
        frame = ml.simulate(n, 10, items=10, seed=n).frame.astype(str)
        pairs = frame[["item_a", "item_b"]].to_numpy()
        pairs.sort(axis=1)
        frame[["item_a", "item_b"]] = pairs
        times = frame.groupby(["respondent", "item_a", "item_b"]).size()
        votes = frame.respondent.value_counts()
        for who, most in times.groupby("respondent").max().items():
            assert most == -(-votes[who] // 45)


def test_features() -> None:
    made = ml.simulate(50_000, 100, features=3, margin_sd=1.5, mean=4.0)
    w = np.array(made.truth["features"]["weights"][0])
    x = made.frame[["x1", "x2", "x3"]].to_numpy()
    assert (x @ w).std() == pytest.approx(1.5, abs=0.02)
    assert (((x @ w) > 0) == (made.frame.outcome == "a")).mean() > 0.8
    assert made.comparisons().feature_names == ("x1", "x2", "x3")


def test_groups() -> None:
    made = ml.simulate(2000, 300, "fixed", groups=3, seed=5)
    people = made.truth["respondents"]
    for group, b in zip(people["group"], people["strength"], strict=True):
        assert b == pytest.approx(made.truth["groups"][group])
    data = made.comparisons()
    assert set(data.groups["group"].labels) == {"g1", "g2", "g3"}
    assert data.warnings == ()


def test_seeds() -> None:
    one, two, other = (ml.simulate(100, 10, items=5, seed=s).table for s in (1, 1, 2))
    assert one.equals(two)
    assert not one.equals(other)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_write(kind: str, tmp_path: Path) -> None:
    made = ml.simulate(500, 20, groups=2, ties=0.1)
    files = made.write(tmp_path / "new" / f"votes.{kind}")
    assert [file.name for file in files] == [f"votes.{kind}", "votes.truth.json"]
    assert sorted(files) == sorted((tmp_path / "new").iterdir())
    read, held = ml.load(files[0], groups="group"), made.comparisons()
    assert read.outcome.tolist() == held.outcome.tolist()
    assert read.margin is not None
    assert held.margin is not None
    assert read.margin.tolist() == held.margin.tolist()
    assert read.respondent is not None
    assert held.respondent is not None
    assert read.respondent.labels == held.respondent.labels
    assert json.loads(files[1].read_text()) == made.truth
    assert ml.load(tmp_path / "new").n_comparisons == 500


@pytest.mark.parametrize("kind", [{"groups": 3}, {"items": 5, "ties": 0.2}, {"features": 3}])
def test_no_cell_is_a_formula_to_a_spreadsheet(kind: dict[str, Any], tmp_path: Path) -> None:
    file = ml.simulate(200, 20, **kind).write(tmp_path / "votes.csv")[0]
    with file.open(newline="") as lines:
        cells = {cell for line in csv.reader(lines) for cell in line}
    marked = {cell for cell in cells if cell[:1] in "=+-@\t\r"} - {""}
    assert all(math.isfinite(float(cell)) for cell in marked)  # numbers below 0


def test_many_respondents_go_to_a_table(tmp_path: Path) -> None:
    made = ml.simulate(10_001, 10_001)
    assert made.truth["respondents"] is None
    files = made.write(tmp_path / "votes.parquet")
    assert [file.name for file in files][2:] == ["votes.truth.parquet"]
    assert ml.load(tmp_path).n_respondents == 10_001


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"write simulated data to .parquet, .csv or .jsonl"):
        ml.simulate(10).write(tmp_path / "votes.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        ml.simulate(10).write(tmp_path / "file" / "votes.csv")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"comparisons": 0}, "Expected at least one comparison but got 0."),
        ({"respondents": 11}, "Expected 0 to 10 respondents but got 11: each makes at least one"),
        ({"respondents": -1}, "Expected 0 to 10 respondents but got -1"),
        ({"ties": 1.0}, "Expected ties as a share from 0 to below 1."),
        ({"lapse": -0.1}, "Expected lapse as a share from 0 to below 1."),
        ({"ties": 0.5, "lapse": 0.5}, "Ties and lapse together leave no vote to be decided."),
        ({"margin_sd": 0.0}, "Expected a positive margin_sd but got 0.0."),
        ({"items": 3, "features": 1}, "Simulate items or features, not both."),
        ({"items": 1}, "Expected two or more items, one or more features or groups, or none."),
        ({"tastes": 2}, "Several tastes need items or features: given margins fix one taste."),
        ({"tastes": 2, "items": 3}, "Groups and tastes need at least one respondent each."),
        ({"groups": 3, "respondents": 2}, "Groups and tastes need at least one respondent each."),
        ({"family": "gama"}, "No strength family 'gama'. Did you mean 'gamma'?"),
        ({"mean": -1.0}, "mean"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        ml.simulate(**{"comparisons": 10} | arguments)
    assert says in str(caught.value)
