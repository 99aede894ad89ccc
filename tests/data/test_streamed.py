"""Votes that are read in blocks and not held: the counts, parts and messages of those that are."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import mixlogit as ml
from mixlogit.data import Streamed, data_card
from mixlogit.data.stream import open_feed
from mixlogit.errors import DataError, UsageError

COLUMNS = {"respondent": "worker", "groups": ["side", "topic"], "weight": "w"}


def table(n: int = 900, seed: int = 0) -> pd.DataFrame:
    """Votes with ties, weights, a group of people and one of votes, and a column of no use."""
    made = np.random.default_rng(seed)
    who = made.integers(40, size=n)
    topic = np.where(made.random(n) < 0.1, None, made.choice(["x", "y"], n))
    return pd.DataFrame(
        {
            "margin": made.normal(size=n),
            "worker": [f"w{k}" for k in who],
            "outcome": made.choice(["a", "b", "tie"], n),
            "side": np.where(who % 3 == 0, "left", "right"),
            "topic": topic,
            "w": made.integers(1, 4, n).astype(float),
            "prompt": "Why?",
        }
    )


def write(kind: str, folder: Path, frame: pd.DataFrame) -> Path:
    """The same votes as a file, or a folder of three."""
    if kind == "folder":
        for k in range(3):
            rows = pa.Table.from_pandas(frame[300 * k : 300 * (k + 1)], preserve_index=False)
            pq.write_table(rows, folder / f"{k}.parquet", row_group_size=70)
        return folder
    file = folder / f"votes.{kind}"
    if kind == "parquet":
        rows = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(rows, file, row_group_size=70)
    elif kind == "csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_json(file, orient="records", lines=True)
    return file


@pytest.mark.parametrize("kind", ["parquet", "folder", "csv", "jsonl"])
def test_counts_are_those_of_votes_in_memory(kind: str, tmp_path: Path) -> None:
    data = write(kind, tmp_path, table())
    held, votes = ml.load(data, **COLUMNS), ml.streamed(data, **COLUMNS)
    assert isinstance(votes, Streamed)
    assert repr(votes) == "Streamed(900 comparisons, 40 respondents)"
    card = data_card(votes)
    *found, last = card["warnings"]
    assert last["message"] == (
        "The votes were read in blocks and not held: rows entered twice were not looked for."
    )
    known = data_card(held)
    del known["columns"]["prompt"], card["warnings"]  # texts are not read
    assert found == known.pop("warnings")
    assert card == known
    assert votes.source_sha256 == held.source_sha256
    assert held.respondent is not None
    assert votes.respondent.labels == held.respondent.labels
    assert torch.equal(votes.respondent.counts(), held.respondent.counts())
    for name, group in votes.groups.items():
        assert group.labels == held.groups[name].labels
        assert torch.equal(group.counts(), held.groups[name].counts())
    assert held.margin is not None
    rows = torch.cat([held.margin, held.margin[held.outcome == 0.5]])
    assert votes.rms == pytest.approx(float(rows.square().mean().sqrt()), rel=1e-14)
    assert votes.largest == float(held.margin.abs().max())


@pytest.mark.parametrize("kind", ["folder", "csv"])
def test_the_part_is_complete_panels(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("mixlogit.data.streamed"), "PART", 300)
    data = write(kind, tmp_path, table())
    held, votes = ml.load(data, **COLUMNS), ml.streamed(data, **COLUMNS)
    part = votes.part
    assert held.respondent is not None
    assert part.respondent is not None
    assert 250 < len(part) <= 300
    chosen = part.respondent.counts() > 0
    wanted = held.take(chosen[held.respondent.codes])
    for name in ("margin", "outcome", "weight"):
        assert torch.equal(getattr(part, name), getattr(wanted, name))
    for name, group in wanted.groups.items():
        assert torch.equal(part.groups[name].codes, group.codes)
    people = int(chosen.sum())
    assert votes.warnings[-1].message.endswith(
        f"; evidence, predictions and calibration are those of {len(part)} votes, all by {people} "
        "of the respondents, drawn at random."
    )


@pytest.mark.parametrize("kind", ["parquet", "folder", "csv"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_row_is_in_one_share(kind: str, count: int, tmp_path: Path) -> None:
    frame = table()
    feed = open_feed(str(write(kind, tmp_path, frame)), "train", None)
    seen: list[tuple[str, int]] = []
    values = []
    for rank in range(count):
        for covered, source in feed.share(["margin"], 64, rank, count):
            assert covered == source.n_rows <= 64
            seen += [source.locate(k) for k in range(source.n_rows)]
            column = source.read("margin")
            values += [float(value) for value in column.to_pylist()]
    assert len(seen) == len(set(seen)) == len(frame)
    assert sorted(values) == pytest.approx(sorted(frame["margin"]))


def test_counted_votes(tmp_path: Path) -> None:
    frame = table()[["margin", "worker"]].assign(yes=[2, 0, 1] * 300, no=[1, 3, 0] * 300)
    frame.to_csv(tmp_path / "counts.csv", index=False)
    columns = {"respondent": "worker", "votes_a": "yes", "votes_b": "no"}
    held, votes = (of(tmp_path / "counts.csv", **columns) for of in (ml.load, ml.streamed))
    assert votes.n_comparisons == held.n_comparisons == 1200
    assert float(votes.part.weight.sum()) == float(held.weight.sum()) == 2100


def test_malformed_rows_name_file_and_row(tmp_path: Path) -> None:
    frame = table()
    frame.loc[650, "margin"] = np.inf
    frame.loc[700, "worker"] = " "
    folder = write("folder", tmp_path, frame)
    with pytest.raises(DataError) as caught:
        ml.streamed(folder, **COLUMNS)
    assert str(caught.value) == (
        f"{folder}/2.parquet, row 51: margin is infinite. Margins must be finite. Recompute them "
        'with "mixlogit margins", or drop the row.'
    )
    votes = ml.streamed(folder, bad_rows="drop", **COLUMNS)
    assert [(row.file, row.row, row.reason) for row in votes.dropped] == [
        (f"{folder}/2.parquet", 51, "margin is infinite"),
        (f"{folder}/2.parquet", 101, '"worker" is empty'),
    ]
    assert votes.n_comparisons == 898
    assert votes.dropped == ml.load(folder, bad_rows="drop", **COLUMNS).dropped


def test_how_many_rows_are_like_this_is_known_of_those_nearby(tmp_path: Path) -> None:
    frame = table()
    frame["w"] = frame["w"].astype(object)
    frame.loc[[80, 90], "w"] = 0.0
    frame["w"] = frame["w"].astype(float)
    file = write("parquet", tmp_path, frame)
    with pytest.raises(DataError) as caught:
        ml.streamed(file, **COLUMNS)
    assert str(caught.value) == (
        f"{file}, row 81: w is 0. Weights must be finite and positive. 2 of the 70 nearest rows "
        "are like this; --bad-rows drop skips them."
    )


def changed(**columns: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**columns)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            lambda frame: frame.drop(columns="margin"),
            {},
            "Streamed votes need given margins, but these have none: name --margin, or load them "
            "whole (--no-stream).",
        ),
        (
            lambda frame: frame.rename(columns={"worker": "judge"}),
            {},
            "Streamed votes need respondents: name their column by --respondent, or load the "
            "votes whole (--no-stream).",
        ),
        (
            lambda frame: frame.rename(columns={"worker": "respondent", "w": "clear"}),
            {"grade": "clear"},
            "Streamed votes have no grades: load them whole (--no-stream).",
        ),
        (
            changed(margin=0.0),
            {"respondent": "worker"},
            "DataFrame: all 900 margins are 0, so strength cannot be estimated. A policy equal to "
            "its reference has zero margins.",
        ),
        (
            changed(margin=np.inf),
            {"respondent": "worker", "bad_rows": "drop"},
            "DataFrame: no row is left, all 900 are malformed. Row 1: margin is infinite.",
        ),
        (
            lambda frame: frame[:0],
            {"respondent": "worker"},
            "DataFrame: no rows, only column names.",
        ),
    ],
)
def test_what_cannot_be_streamed(
    change: Callable[[pd.DataFrame], pd.DataFrame], options: dict[str, Any], message: str
) -> None:
    with pytest.raises((DataError, UsageError)) as caught:
        ml.streamed(change(table()), **options)
    assert str(caught.value) == message
