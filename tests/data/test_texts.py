"""Comparisons of texts as a stream: every kind of data, restarts, malformed rows, memory."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import mixlogit as ml
from mixlogit.errors import DataError, UsageError

N = 25
TABLE = pa.table(
    {
        "id": pa.array(range(N), pa.int64()),
        "prompt": [f"Why {i}?" for i in range(N)],
        "chosen": [f"Yes,\n\u201c{i}\u201d." for i in range(N)],
        "rejected": ["No."] * N,
        "respondent": [f"{i % 3:02d}" for i in range(N)],
        "site": [None if i % 5 == 0 else "x" for i in range(N)],
    }
)
KINDS = ["parquet", "jsonl", "jsonl.gz", "csv", "csv.gz", "json"]
KINDS += ["folder", "parquets", "Table", "DataFrame", "Dataset", "IterableDataset"]


def write(table: pa.Table, kind: str, folder: Path) -> Any:
    """The table as one kind of data."""
    path = folder / f"votes.{kind}"
    plain, _, zipped = kind.partition(".")
    if kind in ("folder", "parquets"):
        for i, start in enumerate((0, 7, 20)):
            part = table.slice(start, (7, 13, N)[i])
            write(part, "jsonl" if kind == "folder" else "parquet", folder).rename(
                folder / f"{i}.{'jsonl' if kind == 'folder' else 'parquet'}"
            )
        return folder
    if kind == "Table":
        return table
    if kind == "DataFrame":
        return table.to_pandas()
    if kind in ("Dataset", "IterableDataset"):
        rows = datasets.Dataset(table)
        return rows if kind == "Dataset" else rows.to_iterable_dataset()
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=4)
    elif plain == "csv":
        pacsv.write_csv(table, path)
    else:
        rows = table.to_pylist()
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(json.dumps(rows) if kind == "json" else lines, encoding="utf-8")
    if zipped:
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 6, 100])
def test_every_kind_streams(kind: str, size: int, tmp_path: Path) -> None:
    data = write(TABLE, kind, tmp_path)
    found = ml.texts(data, batch_rows=size)
    expected = TABLE
    if kind.startswith("csv"):
        expected = TABLE.set_column(0, "id", TABLE["id"].cast(pa.string()))
        expected = expected.set_column(5, "site", expected["site"].fill_null(""))
    for start in (0, 6, 18, 24, 25):
        batches = list(found.batches(start))
        assert [batch.start for batch in batches] == [
            start,
            *(batch.end for batch in batches[:-1]),
        ][: len(batches)]
        assert all(0 < batch.end - batch.start <= size for batch in batches)
        assert batches == [] or batches[-1].end == N
        tables = [batch.table for batch in batches]
        assert all(table.schema == found.schema for table in tables)
        read = pa.concat_tables([found.schema.empty_table(), *tables])
        assert read.cast(expected.schema).equals(expected.slice(start))
    assert found.n_rows in (N, None)
    assert (found.n_rows is None) == (kind in ("csv", "csv.gz", "IterableDataset"))
    if isinstance(data, Path) and data.is_file():
        assert found.sha256 == hashlib.sha256(data.read_bytes()).hexdigest()
    assert (found.sha256 is None) == (kind == "IterableDataset")


def test_checksums_of_values() -> None:
    first = ml.texts(TABLE, batch_rows=3).sha256
    assert ml.texts(datasets.Dataset(TABLE)).sha256 == first
    assert ml.texts(TABLE.to_pandas()).sha256 == first
    changed = TABLE.set_column(0, "id", pa.array(range(1, N + 1)))
    assert ml.texts(changed).sha256 != first


def test_columns_by_name(tmp_path: Path) -> None:
    table = TABLE.rename_columns(["id", "question", "better", "worse", "who", "site"])
    found = ml.texts(
        write(table, "parquet", tmp_path),
        prompt="question",
        chosen="better",
        rejected="worse",
        respondent="who",
    )
    assert found.schema.names == ["id", "prompt", "chosen", "rejected", "who", "site"]
    assert next(batch.table for batch in found).to_pylist()[1] == {
        "id": 1,
        "prompt": "Why 1?",
        "chosen": "Yes,\n\u201c1\u201d.",
        "rejected": "No.",
        "who": "01",
        "site": "x",
    }
    with pytest.raises(UsageError) as caught:
        ml.texts(TABLE, chosen="prompt")
    assert str(caught.value) == (
        'Table: there is a column "chosen" besides the one named by --chosen. Rename it.'
    )


def test_rows_say_where_they_came_from(tmp_path: Path) -> None:
    write(TABLE, "folder", tmp_path)
    lines = (tmp_path / "1.jsonl").read_text(encoding="utf-8").splitlines()
    lines[2] = "{"
    lines[4] = json.dumps(json.loads(lines[4]) | {"chosen": " "})
    (tmp_path / "1.jsonl").write_text("\n".join(["", *lines]), encoding="utf-8")
    batches = list(ml.texts(tmp_path, bad_rows="drop", batch_rows=10))
    assert [(batch.start, batch.end) for batch in batches] == [(0, 7), (7, 17), (17, 20), (20, 25)]
    second = batches[1]
    name = str(tmp_path / "1.jsonl")
    assert [second.source.locate(i) for i in (0, 2, 3, 7)] == [
        (name, 1),
        (name, 4),
        (name, 6),
        (name, 10),
    ]
    assert second.table["id"].to_pylist() == [7, 8, 10, 12, 13, 14, 15, 16]
    assert [(drop.file, drop.row, drop.column) for drop in second.dropped] == [
        (name, 3, ""),
        (name, 5, "chosen"),
    ]
    with pytest.raises(DataError, match=r"1\.jsonl, row 3: not valid JSON .* 1 of the first 17 r"):
        list(ml.texts(tmp_path, batch_rows=10))


def test_the_message_of_a_malformed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": "p", "chosen": f"a{i}", "rejected": "b"} for i in range(30)]
    for i in (16, 20, 29):
        del rows[i]["rejected"]
    Path("votes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = ml.texts("votes.jsonl")
    with pytest.raises(DataError) as caught:
        list(found)
    assert str(caught.value) == (
        'votes.jsonl, row 17: "rejected" is missing. A row needs prompt, chosen, rejected; '
        "this one has prompt, chosen. 3 rows are like this; --bad-rows drop skips them."
    )
    assert (caught.value.file, caught.value.row) == ("votes.jsonl", 17)
    for size, says in ((25, "2 of the first 25 rows are"), (18, "1 of the first 18 rows is")):
        with pytest.raises(DataError) as caught:
            list(ml.texts("votes.jsonl", batch_rows=size))
        assert str(caught.value).endswith(
            f"{says} like this; --bad-rows drop skips {'it' if size == 18 else 'them'}."
        )


SAID = [
    {
        "prompt": [{"role": "user", "content": f"Why {i}?"}],
        "chosen": [{"role": "assistant", "content": "Yes.", "score": i}],
        "rejected": [{"role": "assistant", "content": "No."}],
    }
    for i in range(6)
]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "Dataset", "DataFrame"])
def test_conversations(kind: str, tmp_path: Path) -> None:
    if kind == "DataFrame":
        data: Any = pd.DataFrame(SAID)
    else:
        data = write(pa.Table.from_pylist(SAID), kind, tmp_path)
    found = pa.concat_tables(batch.table for batch in ml.texts(data, batch_rows=4))
    assert found.to_pylist() == [
        row | {"chosen": [{"role": "assistant", "content": "Yes."}]} for row in SAID
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"chosen": "Yes."}, "chosen: not a list of messages"),
        ({"chosen": ["Yes."]}, "chosen: turn 1 is no message"),
        ({"rejected": [{"role": "assistant"}]}, "rejected: turn 1 has no content"),
        ({"prompt": []}, '"prompt" is empty'),
        ({"prompt": None}, '"prompt" is missing'),
    ],
)
def test_malformed_conversations(changed: dict[str, Any], says: str, tmp_path: Path) -> None:
    rows = [row if i != 2 else row | changed for i, row in enumerate(SAID)]
    path = tmp_path / "v.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError) as caught:
        list(ml.texts(path))
    assert f"v.jsonl, row 3: {says}. " in str(caught.value)
    (batch,) = ml.texts(path, bad_rows="drop")
    assert [drop.reason for drop in batch.dropped] == [says]
    assert batch.table.num_rows == 5


def test_text_among_conversations_and_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    rows = [{"chosen": "a", "rejected": "b"}, {"chosen": SAID[0]["chosen"], "rejected": "b"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"row 2: chosen is a list \(\[\{'role': 'assistant'"):
        list(ml.texts(path, batch_rows=1))


def test_columns_whose_type_changes(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"chosen": "a", "rejected": "b"} for _ in range(4)]
    rows[1] |= {"id": 7, "note": {"x": 1}, "size": 1}
    rows[2] |= {"id": "q", "note": {"y": [2]}, "size": 0.5}
    rows[3] |= {"id": [1, 2]}
    path = tmp_path / "v.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tables = [batch.table for batch in ml.texts(path, batch_rows=1)]
    found = pa.concat_tables(tables).to_pydict()
    assert found["id"] == [None, "7", "q", "[1, 2]"]
    assert found["size"] == [None, 1.0, 0.5, None]
    assert found["note"][1:3] == [{"x": 1, "y": None}, {"x": None, "y": [2]}]


def test_other_roles_are_checked_too() -> None:
    table = TABLE.append_column("outcome", pa.array(["a", "tie", "x"] + ["a"] * (N - 3)))
    with pytest.raises(DataError, match=r'row 3: outcome is "x"\. Outcomes must be one of a'):
        list(ml.texts(table))
    with pytest.raises(DataError, match="row 1: outcome is"):
        list(ml.texts(table, labels="a=1,b=2"))


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        (
            pa.table({"chosen": ["a"], "text": ["b"]}),
            {},
            'Table: no column "rejected". Comparisons of texts need chosen and rejected, and '
            "prompt unless they hold it. Columns: chosen, text.",
        ),
        (TABLE, {"batch_rows": 0}, "Expected batch_rows of 1 or more but got 0."),
        (
            TABLE,
            {"rejected": "rejectd"},
            'Table: no column "rejectd" for --rejected. Did you mean "rejected"? Columns: id, '
            "prompt, chosen, rejected, respondent, site.",
        ),
        ("none.csv", {}, "none.csv: no such file or folder."),
    ],
)
def test_what_cannot_be_streamed(data: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises((DataError, UsageError)) as caught:
        ml.texts(data, **options)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("v.csv", b"chosen,rejected\na,b\n\xff,c\n", "row 2: byte 0xff is not UTF-8. Save the"),
        ("v.csv", b"chosen,rej\xff\na,b\n", "the header: byte 0xff is not UTF-8."),
        ("v.csv", b"chosen,rejected\na\nb,c\n", "row 1: 1 cell where the header has 2. 1 row is"),
        ("v.csv", b"\n\n", "the file is empty."),
        ("v.csv", b"chosen,chosen\na,b\n", 'two columns are called "chosen". Rename one of'),
        ("v.jsonl", b"\n\n", "the file is empty."),
        (
            "v.jsonl.gz",
            gzip.compress(b'{"chosen": 1}\n' * 99, mtime=0)[:-9],
            "the gzip file is damaged (",
        ),
        ("v.jsonl.gz", b"no gzip", "the gzip file is damaged ("),
        ("v.parquet", b"no parquet", "not a readable Parquet file ("),
        ("v.txt", b"x", "not a kind of file that can be read. Use .csv, .tsv, .jsonl, .json"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(ml.texts(path))
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_long_texts_in_csv(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = tmp_path / "v.csv"
    path.write_text("chosen,rejected\n" + "x" * 1_000_000 + ",b\n")
    (batch,) = ml.texts(path)
    assert len(batch.table["chosen"][0].as_py()) == 1_000_000
    assert csv.field_size_limit() == before


def test_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[str, dict[str, str]]] = []

    def load_dataset(name: str, **options: str) -> datasets.Dataset:
        asked.append((name, options))
        return datasets.Dataset(TABLE)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert ml.texts("owner/name", split="test").n_rows == N
    assert ml.texts("owner/name").name == "owner/name"
    assert asked == [("owner/name", {"split": "test"}), ("owner/name", {"split": "train"})]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_only_the_current_batch_is_held(kind: str, tmp_path: Path) -> None:
    long = pa.table(
        {"chosen": [f"{i:05}" * 1_000 for i in range(4_000)], "rejected": ["n"] * 4_000}
    )
    path = write(long, kind, tmp_path)
    del long
    pool = pa.default_memory_pool()
    pool.release_unused()
    before = pool.bytes_allocated()

    def held() -> Iterator[int]:
        for batch in ml.texts(path, batch_rows=100):
            assert batch.table.num_rows == 100
            yield pool.bytes_allocated() - before

    assert max(held()) < 5_000_000  # of 20 MB
