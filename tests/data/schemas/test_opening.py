"""Known data sets from the hub, from folders, from memory; what stops, and what is refused."""

from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from known_sets import ROWS, SURVEY, write_set

import mixlogit as ml
from mixlogit.errors import DataError, UsageError

HUB = {
    "prism": [
        {"name": "conversations", "split": "train"},
        {"name": "survey", "split": "train"},
    ],
    "hh": [
        {"data_dir": part, "split": "train"}
        for part in (
            *("harmless-base", "helpful-base", "helpful-online"),
            "helpful-rejection-sampled",
        )
    ],
    "multipref": [{"split": "train"}],
    "community-alignment": [{"split": "train"}],
    "helpsteer2": [{"data_dir": "preference", "split": "train"}],
    "helpsteer3": [{"name": "preference", "split": "train"}],
    "ultrafeedback": [{"split": "train_prefs"}],
    "arena": [{"split": "train"}],
    "mtbench": [{"split": "human"}],
}


def all_rows(found: Any) -> list[dict[str, Any]]:
    return [row for batch in found for row in batch.table.to_pylist()]


@pytest.mark.parametrize("name", HUB)
def test_the_hub(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[str, dict[str, str]]] = []

    def load_dataset(hub: str, **options: str) -> datasets.Dataset:
        asked.append((hub, options))
        rows = SURVEY if options.get("name") == "survey" else ROWS[name]
        return datasets.Dataset(pa.Table.from_pylist(rows))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    hub = ml.schemas()[name].hub
    assert hub is not None
    found = all_rows(ml.texts(hub, schema=name, bad_rows="drop"))
    assert asked == [(hub, options) for options in HUB[name]]
    write_set(name, tmp_path / "local")
    local = all_rows(ml.texts(tmp_path / "local", schema=name, bad_rows="drop"))
    if name == "hh":
        parts = [options["data_dir"] for options in HUB[name]]
        assert [row["subset"] for row in found] == [p for p in parts for _ in local]
        found = found[: len(local)]
    assert found == local
    asked.clear()
    ml.texts("copy/of-it", schema=name, split="test")
    assert {(hub, options["split"]) for hub, options in asked} == {("copy/of-it", "test")}


@pytest.mark.parametrize("name", ROWS)
def test_files_tables_and_restarts(name: str, tmp_path: Path) -> None:
    path = write_set(name, tmp_path)
    whole = all_rows(ml.texts(tmp_path, schema=name, bad_rows="drop"))
    assert all_rows(ml.texts(path, schema=name, bad_rows="drop")) == whole
    found = ml.texts(path, schema=name, bad_rows="drop", batch_rows=1)
    batches = list(found)
    assert [row for batch in batches for row in batch.table.to_pylist()] == whole
    for i, batch in enumerate(batches):
        again = [b.table.to_pylist() for b in found.batches(batch.start)]
        assert again == [b.table.to_pylist() for b in batches[i:]]
    assert {batch.table.schema for batch in batches} == {found.schema}
    table = pa.Table.from_pylist(ROWS[name])
    in_memory = all_rows(ml.texts(table, schema=name, bad_rows="drop"))
    told = ("chosen", "rejected")
    assert [[row[k] for k in told] for row in in_memory] == [[r[k] for k in told] for r in whole]
    data = ml.load(path, schema=name, bad_rows="drop", texts_suffice=True)
    assert data.n_comparisons == len(whole)
    assert data.n_ties == sum(row.get("outcome") == "tie" for row in whole)
    assert data.source_sha256 == found.sha256
    assert data.length is not None


@pytest.mark.parametrize("name", ROWS)
def test_the_first_malformed_row_stops(name: str, tmp_path: Path) -> None:
    path = write_set(name, tmp_path)
    for read in (lambda: list(ml.texts(path, schema=name)), lambda: ml.load(path, schema=name)):
        with pytest.raises(DataError) as caught:
            read()
        assert str(caught.value).startswith(f"{path}, row ")
        assert str(caught.value).endswith("; --bad-rows drop skips it.") or "rows are" in str(
            caught.value
        )


def test_the_whole_message(tmp_path: Path) -> None:
    path = write_set("helpsteer2", tmp_path)
    with pytest.raises(DataError) as caught:
        list(ml.texts(path, schema="helpsteer2"))
    assert str(caught.value) == (
        f'{path}, row 5: preference_strength is "4", not a whole number from -3 to 3. 1 row is '
        "like this; --bad-rows drop skips it."
    )


def test_a_column_that_lacks(tmp_path: Path) -> None:
    table = pa.table({"chosen": ["a"], "text": ["b"]})
    with pytest.raises(DataError) as caught:
        ml.texts(table, schema="hh", source="hh.jsonl")
    assert str(caught.value) == (
        'hh.jsonl: no column "rejected", which --schema hh needs. Columns: chosen, text.'
    )


def test_no_such_schema() -> None:
    with pytest.raises(UsageError) as caught:
        ml.load("x.csv", schema="prims")
    assert str(caught.value) == (
        'No schema "prims". Did you mean "prism"? Schemas: prism, hh, multipref, '
        "community-alignment, helpsteer2, helpsteer3, ultrafeedback, arena, mtbench, dices."
    )


def test_prism_without_its_survey(tmp_path: Path) -> None:
    path = write_set("prism", tmp_path)
    (tmp_path / "survey.jsonl").unlink()
    with pytest.raises(DataError) as caught:
        ml.texts(path, schema="prism")
    assert str(caught.value) == (
        f"{path}: no survey file beside it, from which its groups come. Put survey.jsonl of PRISM "
        "into the same folder."
    )


def test_texts_alone_cannot_be_fitted(tmp_path: Path) -> None:
    path = write_set("helpsteer2", tmp_path)
    with pytest.raises(DataError) as caught:
        ml.load(path, schema="helpsteer2", bad_rows="drop")
    assert str(caught.value) == (
        f"{path}: no column says what is compared. Make margins with "
        '"mixlogit margins", or name one of --margin, --item-a with --item-b, and --features. '
        "Columns: prompt, chosen, rejected, outcome, grade, split."
    )
    data = ml.load(path, schema="helpsteer2", bad_rows="drop", texts_suffice=True)
    assert data.kind == "texts"
    with pytest.raises(UsageError) as refused:
        ml.fit(data)
    assert str(refused.value) == (
        'Texts alone cannot be fitted: make margins with "mixlogit margins" first.'
    )


def test_what_was_left_out_is_a_finding(tmp_path: Path) -> None:
    path = write_set("prism", tmp_path)
    data = ml.load(path, schema="prism", groups="gender", bad_rows="drop", texts_suffice=True)
    said = [finding.message for finding in data.warnings if finding.name == "left_out"]
    assert said == [
        "3 comparisons were left out: an answer is empty.",
        "1 comparison was left out: both answers are the same.",
        "2 comparisons were left out: an answer has no score.",
    ]
    assert data.groups["gender"].labels == ("Female", "(none)")


def test_items_of_dices(tmp_path: Path) -> None:
    path = write_set("dices", tmp_path)
    data = ml.load(
        path,
        schema="dices",
        item_a="item_chosen",
        item_b="item_rejected",
        bad_rows="drop",
    )
    assert data.kind == "items"
