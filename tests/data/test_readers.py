"""Files, folders, the hub, data sets and data frames."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mixlogit as ml
from mixlogit.data.feed import gathered
from mixlogit.data.stream import open_feed
from mixlogit.errors import DataError, UsageError

ROWS = [{"margin": 0.5 * i - 1, "respondent": f"{i % 2:02d}"} for i in range(6)]
CSV = "margin,respondent\n" + "".join(f"{r['margin']},{r['respondent']}\n" for r in ROWS)
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
COLUMNS = {key: [row[key] for row in ROWS] for key in ROWS[0]}


def check(data: ml.Comparisons) -> None:
    assert data.margin is not None
    assert data.margin.tolist() == COLUMNS["margin"]
    assert data.respondent is not None
    assert data.respondent.labels == ("00", "01")
    assert data.respondent.codes.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("v.csv", CSV),
        ("v.csv", CSV.replace("\n", "\r\n")),
        ("v.csv", "\ufeff" + CSV),
        ("v.csv", "\n" + CSV.replace("\n", "\n\n")),
        ("v.csv", CSV.replace("1.5", " +1.5 ")),
        ("v.jsonl", JSONL),
        ("v.jsonl", "\ufeff" + JSONL.replace("\n", "\r\n\r\n")),
        ("v.json", JSONL),
        ("v.json", json.dumps(ROWS)),
        ("v.json", json.dumps({"data": ROWS, "version": 1})),
        ("v.json", json.dumps(COLUMNS)),
        ("v.JSON", "\ufeff" + json.dumps(ROWS, indent=2)),
    ],
)
def test_text_files(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    data = ml.load(path)
    check(data)
    assert data.source == str(path)
    assert data.source_sha256 == hashlib.sha256(content.encode()).hexdigest()
    zipped = tmp_path / f"{name}.gz"
    zipped.write_bytes(gzip.compress(content.encode()))
    check(ml.load(str(zipped)))


def test_one_record_in_json(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text('{"margin": 0.5}')
    assert ml.load(path).n_comparisons == 1


def test_tables_in_memory(tmp_path: Path) -> None:
    table = pa.table(COLUMNS)
    pq.write_table(table, tmp_path / "v.parquet", row_group_size=2)
    check(ml.load(tmp_path / "v.parquet"))
    check(ml.load(table))
    check(ml.Comparisons.from_pandas(pd.DataFrame(ROWS)))
    dataset = datasets.Dataset(table)
    check(ml.Comparisons.from_dataset(dataset))
    check(ml.load(datasets.DatasetDict(train=dataset)))
    double = datasets.concatenate_datasets([dataset, dataset])
    check(ml.load(double.select(range(6, 12))))


def test_pandas_types() -> None:
    frame = pd.DataFrame(
        {
            "margin": pd.array([1, 2, None], dtype="Int64"),
            "who": pd.Categorical(["w2", "w1", "w2"], categories=["w0", "w1", "w2"]),
            "day": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-01"]),
            "site": [3.0, None, 3.0],
        }
    )
    columns: dict[str, Any] = {"respondent": "who", "groups": ["day", "site"]}
    with pytest.raises(DataError, match='DataFrame, row 3: "margin" is missing'):
        ml.load(frame, **columns)
    data = ml.load(frame, bad_rows="drop", **columns)
    assert data.respondent is not None
    assert data.respondent.labels == ("w2", "w1")
    assert data.groups["site"].labels == ("3", "(none)")
    assert len(data.groups["day"]) == 2


def test_mixed_objects_in_a_data_frame() -> None:
    frame = pd.DataFrame({"margin": [1.0, 2, 3], "who": ["w", 7, True]}, dtype=object)
    data = ml.load(frame, respondent="who")
    assert data.respondent is not None
    assert data.respondent.labels == ("w", "7", "true")
    frame.loc[1, "who"] = pd.NA
    with pytest.raises(DataError, match='row 2: "who" is missing'):
        ml.load(frame, respondent="who")


def test_folder(tmp_path: Path) -> None:
    for i, part in enumerate((ROWS[:2], ROWS[2:5], ROWS[5:])):
        text = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"part-{i}.jsonl").write_text(text)
    (tmp_path / "README.md").write_text("Votes.")
    (tmp_path / "votes.truth.json").write_text("{}")
    (tmp_path / ".hidden.csv").write_text("x")
    check(ml.load(tmp_path))
    bad = tmp_path / "part-1.jsonl"
    bad.write_text(bad.read_text() + '{"margin": 1}\n{"margin": 1\n')
    kept = ml.load(tmp_path, bad_rows="drop")
    assert [(drop.file, drop.row) for drop in kept.dropped] == [(str(bad), 4), (str(bad), 5)]
    (tmp_path / "part-3.jsonl").write_text('{"other": 1}\n')
    with pytest.raises(DataError, match=r'part-3.jsonl: no column "margin", which .*part-0'):
        ml.load(tmp_path)
    (tmp_path / "x.csv").write_text(CSV)
    with pytest.raises(DataError, match=r"holds csv and jsonl files. Keep one kind"):
        ml.load(tmp_path)


def test_folder_with_types_that_differ(tmp_path: Path) -> None:
    pq.write_table(pa.table({"margin": [1], "who": ["7"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"margin": [0.5], "who": [7]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"margin": [0.25], "who": pa.nulls(1)}), tmp_path / "c.parquet")
    data = ml.load(tmp_path, respondent="who", bad_rows="drop")
    assert data.margin is not None
    assert data.margin.tolist() == [1.0, 0.5]
    assert data.n_respondents == 1


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no .csv, .tsv, .jsonl, .json or .parquet file in it"):
        ml.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("v.csv", b"", "v.csv: the file is empty."),
        ("v.csv", b"\n\n", "v.csv: the file is empty."),
        ("v.csv.gz", gzip.compress(b"", mtime=0), "the file is empty."),
        ("v.csv", b"margin,respondent\n", "v.csv: no rows, only column names."),
        ("v.jsonl", b"", "v.jsonl: the file is empty."),
        ("v.jsonl", b"\n \n", "v.jsonl: the file is empty."),
        ("v.json", b"", "v.json: the file is empty."),
        ("v.json", b"[]", "v.json: no rows, only column names."),
        ("v.parquet", b"", "v.parquet: the file is empty."),
        ("v.parquet", b"PAR1 or not", "v.parquet: not a readable Parquet file ("),
        ("v.csv.gz", b"no gzip", "the gzip file is damaged ("),
        ("v.csv.gz", gzip.compress(CSV.encode(), mtime=0)[:-9], "the gzip file is damaged ("),
        ("v.csv", "margin,who\n1,é\n".encode("latin-1"), "v.csv, row 1: byte 0xe9 is not UTF-8."),
        ("v.csv", "märgin\n1\n".encode("latin-1"), "v.csv, the header: byte 0xe4 is not UTF-8."),
        ("v.csv", "margin\n1\n".encode("utf-16"), "v.csv, the header: byte 0xff is not UTF-8."),
        ("v.csv", b"m" * 200_000, "v.csv: not a readable CSV file (field larger than"),
        ("v.csv", b"margin,margin\n1,2\n", 'two columns are called "margin". Rename one of them.'),
        ("v.json", b"[1, 2", "v.json: not valid JSON ("),
        ("v.json", b"5", "v.json: the file holds a number. It should hold a list of records."),
        ("v.json", b"[" * 100_000, "v.json: not valid JSON (brackets are nested too deeply)."),
        ("v.json", b'{"a": [1], "b": [1, 2]}', "columns of different lengths (a 1, b 2)."),
        ("v.xlsx", b"x", "v.xlsx: not a kind of file that can be read. Use .csv, .tsv, .jsonl"),
        ("v.gz", b"x", "v.gz: not a kind of file that can be read."),
    ],
)
def test_unreadable_files(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for bad_rows in ("stop", "drop"):
        with pytest.raises(DataError) as caught:
            ml.load(path, bad_rows=bad_rows)
        assert says in str(caught.value)
        assert caught.value.file == str(path)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_spreadsheet_of_another_country(mark: str, tmp_path: Path) -> None:
    """A byte-order mark, semicolons or tabs, decimal commas, columns without names."""
    comma = "," if mark == ";" else "."
    rows = [
        ("margin", "who", "", ""),
        (f"-0{comma}5", "Ann, B", "", ""),
        ("2", "1,000,00", "", ""),
    ]
    path = tmp_path / ("v.csv" if mark == ";" else "v.tsv")
    path.write_bytes("\r\n".join(mark.join((*row, "", "")) for row in rows).encode("utf-8-sig"))
    data = ml.load(path, respondent="who")
    assert data.margin is not None
    assert data.respondent is not None
    assert data.margin.tolist() == [-0.5, 2.0]
    assert data.respondent.labels == ("Ann, B", "1,000,00")
    with pytest.raises(DataError, match=r"Columns: margin, who\.$"):
        ml.load(path, respondent="judge")
    streamed = gathered(open_feed(path, "train", None))
    assert streamed.read("margin").to_pylist() == ["-0.5", "2"]
    assert streamed.read("who").to_pylist() == ["Ann, B", "1,000,00"]


@pytest.mark.parametrize("splits", [False, True])
def test_a_data_set_that_was_saved_to_disk(splits: bool, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_list(ROWS)
    (datasets.DatasetDict(train=rows) if splits else rows).save_to_disk(tmp_path / "saved")
    check(ml.load(tmp_path / "saved"))
    streamed = gathered(open_feed(tmp_path / "saved", "train", None))
    assert {name: streamed.read(name).to_pylist() for name in streamed.names} == COLUMNS
    for file in (tmp_path / "saved").rglob("*.arrow"):
        file.write_bytes(b"")
    for reader in (ml.load, lambda path: open_feed(path, "train", None)):
        with pytest.raises(DataError, match=r"saved: not a readable data set \("):
            reader(tmp_path / "saved")


GOOD = b'{"margin": 1}'


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"margin": 1', "row 3: not valid JSON ("),
        (b"[" * 100_000, "row 3: not valid JSON (brackets are nested too deeply)."),
        (b"[1]", "row 3: not a JSON object but a list."),
        (b"null", "row 3: not a JSON object but null."),
        (b'{"margin": 1, "margin": 2}', 'not valid JSON (key "margin" is given twice)'),
        (b'{"margin": ' + b"9" * 5000 + b"}", "row 3: not valid JSON (Exceeds the limit"),
        (b'{"margin": "\xff"}', "row 3: not valid JSON (byte 0xff is not UTF-8)."),
    ],
)
def test_unreadable_lines(line: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_bytes(b"\n".join([GOOD, b"", GOOD, line, GOOD, b'{"margin": null}']))
    with pytest.raises(DataError) as caught:
        ml.load(path)
    assert says in str(caught.value)
    assert "1 row is like this; --bad-rows drop skips it." in str(caught.value)
    kept = ml.load(path, bad_rows="drop")
    assert kept.n_comparisons == 3
    assert [drop.row for drop in kept.dropped] == [3, 5]


def test_records_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text('[{"margin": 1}, 7, {"margin": "x"}, {"margin": 2}]')
    with pytest.raises(DataError, match="row 2: not a JSON object but a number"):
        ml.load(path)
    assert [drop.row for drop in ml.load(path, bad_rows="drop").dropped] == [2, 3]


def test_ragged_csv(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text('margin,who\n1,"a\nb"\n\n2\n3,c\n4,d,e\nx,f\n')
    with pytest.raises(DataError) as caught:
        ml.load(path)
    assert str(caught.value) == (
        f"{path}, row 2: 1 cell where the header has 2. "
        "2 rows are like this; --bad-rows drop skips them."
    )
    assert caught.value.row == 2
    kept = ml.load(path, bad_rows="drop", respondent="who")
    assert kept.respondent is not None
    assert kept.respondent.labels == ("a\nb", "c")
    assert [(drop.row, drop.column) for drop in kept.dropped] == [(2, ""), (4, ""), (5, "margin")]


def test_csv_that_arrow_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise pa.ArrowInvalid("no such thing\nat all")

    monkeypatch.setattr("mixlogit.data.read_csv._parse", refuse)
    path = tmp_path / "v.csv"
    path.write_text(CSV)
    with pytest.raises(DataError, match=r"not a readable CSV file \(no such thing\)\.$"):
        ml.load(path)


def test_damaged_parquet_page(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table(COLUMNS), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[10:90] = b"\xff" * 80
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"v.parquet: not a readable Parquet file"):
        ml.load(path)


def test_a_folder_of_empty_and_full_files(tmp_path: Path) -> None:
    for i, values in enumerate(([], [1.0], [], [2.0, float("nan")])):
        column = pa.array(values, pa.float64())
        pq.write_table(pa.table({"margin": column}), tmp_path / f"{i}.parquet")
    kept = ml.load(tmp_path, bad_rows="drop")
    assert kept.n_comparisons == 2
    assert [(drop.file, drop.row) for drop in kept.dropped] == [(str(tmp_path / "3.parquet"), 2)]


def test_underscores_are_no_digits(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("margin\n1_000\n2\n")
    with pytest.raises(DataError, match="row 1: margin is text \\('1_000'\\)"):
        ml.load(path)


def test_a_text_of_ten_megabytes(tmp_path: Path) -> None:
    long = "x" * 10_000_000
    (tmp_path / "v.csv").write_text(f"margin,chosen,rejected\n1,{long},y\n-1,a,b\n")
    (tmp_path / "v.jsonl").write_text(json.dumps({"margin": 1, "chosen": long}) + "\n")
    assert ml.load(tmp_path / "v.csv").n_comparisons == 2
    assert ml.load(tmp_path / "v.jsonl").n_comparisons == 1


def test_many_blocks_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixlogit.data.read_json._BLOCK", 2)
    path = tmp_path / "v.jsonl"
    path.write_text(JSONL.replace('"00"', "0", 1) + '{"respondent": "x", "margin": 3, "z": 1}\n')
    data = ml.load(path)
    assert data.respondent is not None
    assert data.respondent.labels == ("0", "01", "00", "x")


def test_missing_paths_are_no_hub_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a local path was tried as a hub id")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    for name in ("votes.csv", "data/votes.parquet", "runs/votes", "a/b/c", "/x/y", "../x"):
        with pytest.raises(DataError, match="no such file or folder"):
            ml.load(name)


def test_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def fake(name: str, split: str) -> datasets.Dataset:
        asked.append((name, split))
        return datasets.Dataset(pa.table(COLUMNS))

    monkeypatch.setattr(datasets, "load_dataset", fake)
    data = ml.load("someone/votes", split="test")
    check(data)
    assert (data.source, asked) == ("someone/votes", [("someone/votes", "test")])

    def fail(name: str, split: str) -> None:
        raise ConnectionError("Could not reach it\nat all")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DataError) as caught:
        ml.load("someone/votes")
    assert str(caught.value) == (
        "someone/votes: no such file, and not loaded from the hub "
        "(ConnectionError: Could not reach it)."
    )


def test_other_objects() -> None:
    with pytest.raises(UsageError, match="but got dict"):
        ml.load({"margin": [1]})
    with pytest.raises(UsageError, match="Expected a Dataset but got IterableDataset"):
        ml.load(datasets.Dataset(pa.table(COLUMNS)).to_iterable_dataset())
    with pytest.raises(UsageError, match=r'no split "train". Splits: test.'):
        ml.load(datasets.DatasetDict(test=datasets.Dataset(pa.table(COLUMNS))))


def test_unreadable_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v.csv"
    path.write_text(CSV)

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mixlogit.data.readers._bytes", fail)
    with pytest.raises(DataError, match=r"v.csv: cannot be read \(Permission denied\)"):
        ml.load(path)
