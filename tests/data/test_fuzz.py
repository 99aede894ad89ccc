"""Whatever the bytes, rows or tables: comparisons, or one of our errors in one line."""

import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mixlogit as ml
from mixlogit.errors import DataError, UsageError

NAMES = [
    "margin",
    "outcome",
    "respondent",
    "item_a",
    "item_b",
    "chosen",
    "rejected",
    "prompt",
    "g",
]
QUICK = settings(
    max_examples=int(os.environ.get("MIXLOGIT_FUZZ", "200")),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["a", "b", "tie", "x", "1.5", "", " ", "NaN"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
)
good = st.fixed_dictionaries(
    {"margin": st.floats(-5, 5), "outcome": st.sampled_from(["a", "b", "tie"])},
    optional={"respondent": st.sampled_from(["w1", "w2"]), "g": st.sampled_from(["s", "t"])},
)
told = st.fixed_dictionaries(
    {"chosen": values, "rejected": st.text(min_size=1, max_size=3)},
    optional={"g": values, "prompt": st.text(max_size=2)},
)
wild = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), values, max_size=6)
rows = st.lists(good | told | wild, max_size=6) | st.lists(told, max_size=6)
options = st.fixed_dictionaries(
    {"bad_rows": st.sampled_from(["stop", "drop"])},
    optional={
        "respondent": st.sampled_from(NAMES),
        "groups": st.lists(st.sampled_from(NAMES), max_size=2),
        "weight": st.sampled_from(NAMES),
        "features": st.lists(st.sampled_from(NAMES), max_size=2),
        "item_a": st.just("chosen"),
        "item_b": st.just("rejected"),
        "outcome": st.sampled_from(NAMES),
        "labels": st.sampled_from(["a=a,b=b,tie=tie", "a=1,b=2", "a=x", "?"]),
    },
)


def ours(load: Callable[[], Any]) -> None:
    """Success with whole comparisons, or one of our errors, in one line."""
    try:
        data = load()
    except (DataError, UsageError) as error:
        said = error
    else:
        said = None
    if said is not None:
        assert "\n" not in str(said)
        assert json.dumps(said.to_dict()).encode()
        return
    assert isinstance(data, ml.Comparisons)
    card = json.dumps(ml.data_card(data)).encode()
    assert card
    assert data.take([0]).n_comparisons == 1


def file(name: str, content: bytes, **columns: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        ours(lambda: ml.load(path, **columns))
        streams(path, **columns)


def streams(path: Path, **columns: Any) -> None:
    """Batches of one schema whose rows know where they came from, or one of our errors."""
    said = ""
    try:
        found = ml.texts(path, batch_rows=2, **columns)
        for batch in found:
            assert batch.table.schema == found.schema
            assert batch.source.n_rows == batch.table.num_rows <= batch.end - batch.start
            assert all(batch.source.locate(i)[1] > batch.start for i in range(batch.source.n_rows))
    except (DataError, UsageError) as error:
        said = str(error)
    assert "\n" not in said


def damaged(content: bytes, at: float, patch: bytes, cut: int) -> bytes:
    """The content with a piece replaced."""
    start = int(at * len(content))
    return content[:start] + patch + content[start + cut :]


damage = st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 5))
SUFFIXES = st.sampled_from(["csv", "jsonl", "json", "parquet", "csv.gz", "json.gz"])


@QUICK
@given(SUFFIXES, st.binary(max_size=200), options)
def test_any_bytes(suffix: str, content: bytes, columns: dict[str, Any]) -> None:
    file(f"v.{suffix}", content, **columns)


@QUICK
@given(st.sampled_from(["csv", "jsonl", "json"]), rows, options, damage, st.booleans())
def test_text_files(
    suffix: str, made: list[dict[str, Any]], columns: dict[str, Any], hurt: Any, whole: bool
) -> None:
    if suffix == "csv":
        buffer = io.StringIO()
        pd.DataFrame(made).to_csv(buffer, index=False, errors="replace")
        content = buffer.getvalue().encode("utf-8", "replace")
    elif suffix == "jsonl":
        content = "\n".join(json.dumps(row) for row in made).encode()
    else:
        content = json.dumps(made).encode()
    file(f"v.{suffix}", content if whole else damaged(content, *hurt), **columns)


@QUICK
@given(rows, options)
def test_data_frames(made: list[dict[str, Any]], columns: dict[str, Any]) -> None:
    frame = pd.DataFrame(made)
    ours(lambda: ml.load(frame, **columns))
    ours(lambda: ml.load(frame.astype(object), **columns))


@QUICK
@given(rows, options, damage, st.booleans())
def test_parquet(
    made: list[dict[str, Any]], columns: dict[str, Any], hurt: Any, whole: bool
) -> None:
    arrays = {}
    for key in {key: None for row in made for key in row}:
        try:
            arrays[key] = pa.array([row.get(key) for row in made])
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            continue
    buffer = io.BytesIO()
    try:
        pq.write_table(pa.table(arrays), buffer)
    except (pa.ArrowException, ValueError):
        return  # not every type can be written
    content = buffer.getvalue()
    file("v.parquet", content if whole else damaged(content, *hurt), **columns)


def accounted(load: Callable[[], Any], rows: int) -> None:
    """Rows read are comparisons, dropped or left out; each dropped one is another row."""
    try:
        data = load()
    except (DataError, UsageError):
        return
    left_out = sum(told.count for told in data.warnings if told.name == "left_out")
    assert data.n_comparisons + len(data.dropped) + left_out == rows
    assert len({drop.row for drop in data.dropped}) == len(data.dropped)
    assert all(1 <= drop.row <= rows for drop in data.dropped)


voted = st.fixed_dictionaries(
    {"margin": st.one_of(st.floats(-5, 5), scalars)},
    optional={
        "outcome": st.sampled_from(["a", "b", "tie", "c", None]),
        "respondent": st.sampled_from(["w1", "w2", None, "", 3]),
        "g": st.sampled_from(["s", "t", None]),
    },
)


@QUICK
@given(st.lists(voted, min_size=1, max_size=12), st.sampled_from([None, "outcome"]))
def test_votes_add_up(made: list[dict[str, Any]], outcome: str | None) -> None:
    frame = pd.DataFrame(made).astype(object)
    accounted(lambda: ml.load(frame, bad_rows="drop", outcome=outcome), len(made))


@QUICK
@given(st.lists(told, min_size=1, max_size=12), st.integers(1, 5))
def test_texts_add_up(made: list[dict[str, Any]], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in made))
        try:
            batches = list(ml.texts(path, bad_rows="drop", batch_rows=size))
        except (DataError, UsageError):
            return
    for batch in batches:
        counted = batch.table.num_rows + len(batch.dropped) + sum(batch.left_out.values())
        assert counted == batch.end - batch.start
    assert [batch.start for batch in batches[1:]] == [batch.end for batch in batches[:-1]]
    assert batches[-1].end == len(made)
