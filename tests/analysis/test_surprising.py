"""The most surprising votes: which, with what texts, and what goes wrong."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixlogit as ml
from mixlogit.analysis import report
from mixlogit.analysis.saved import read_run
from mixlogit.analysis.surprising import surprising_votes
from mixlogit.data import data_record
from mixlogit.errors import StorageError, UsageError
from mixlogit.run import write_json


@pytest.fixture(scope="module")
def votes() -> pd.DataFrame:
    made = ml.simulate(120, 12, seed=1).frame
    for name in ("prompt", "chosen", "rejected"):
        made[name] = [f"{name} {k + 1}" for k in range(120)]
    made.loc[0, "margin"] = np.nan  # one row that is dropped
    return made


@pytest.fixture(scope="module")
def fitted(votes: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, beside the data."""
    folder = tmp_path_factory.mktemp("run")
    votes.to_csv(folder / "votes.csv", index=False)
    data = ml.load(folder / "votes.csv", bad_rows="drop")
    ml.fit(data, "fixed", evidence=False, draws=200, inference="laplace").save(folder / "run")
    write_json(folder / "run" / "data.json", data_record(data))
    write_json(folder / "run" / "config.yaml", {"data": str(folder / "votes.csv")})
    return folder / "run"


def quotes(folder: Path):
    return surprising_votes(folder, read_run(folder))


def elsewhere(fitted: Path, tmp_path: Path, data: object, **card: object) -> Path:
    """The same run with another data file."""
    import json
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(fitted, folder)
    known = json.loads((folder / "data.json").read_text())
    write_json(folder / "data.json", known | card)
    write_json(folder / "config.yaml", {"data": str(data)})
    return folder


def test_the_least_probable_votes_come_with_their_texts(votes, fitted):
    """One strength for all: the decided votes with the largest margin against them."""
    against = votes["margin"].where(votes["outcome"] != "a", -votes["margin"])
    rows = (against.drop(0).sort_values(ascending=False).index[:10] + 1).tolist()
    found = quotes(fitted)
    shown = [int(re.findall(r"Row (\d+):", quote.title)[0]) for quote in found]
    assert shown[0] == rows[0]
    assert len(set(shown) & set(rows)) >= 9  # leaving them out moves them a little
    first = "chosen" if votes["outcome"][rows[0] - 1] == "a" else "rejected"
    other = "rejected" if first == "chosen" else "chosen"
    assert found[0].parts == [
        ("prompt", f"prompt {rows[0]}"),
        ("preferred", f"{first} {rows[0]}"),
        ("not preferred", f"{other} {rows[0]}"),
    ]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "csv.gz", "tsv", "csv"])
def test_any_kind_of_file(votes, fitted, tmp_path, kind):
    from mixlogit.data.readers import checksum

    file = tmp_path / f"votes.{kind}"
    if kind == "parquet":
        votes.to_parquet(file)
    elif "sv" in kind:
        mark = {"csv.gz": ",", "tsv": "\t", "csv": ";"}[kind]  # as spreadsheets may write it
        votes.to_csv(file, index=False, sep=mark)
    else:
        votes.to_json(file, orient="records", lines=kind == "jsonl")
    folder = elsewhere(fitted, tmp_path, file, sha256=checksum([file]))
    assert quotes(folder) == quotes(fitted)


def test_texts_are_shown_only_when_asked_for(fitted, tmp_path):
    page = report(fitted, tmp_path / "plain.html").read_text()
    assert "prompt 1" not in page
    assert "surprising" not in page
    page = report(fitted, tmp_path / "texts.html", show_text=True).read_text()
    assert page.count('<article class="quote">') == 10


def test_long_texts_say_how_long_they_are(votes, fitted, tmp_path):
    from mixlogit.data.readers import checksum

    file = tmp_path / "votes.csv"
    votes.assign(prompt="x" * 2345).to_csv(file, index=False)
    folder = elsewhere(fitted, tmp_path, file, sha256=checksum([file]))
    assert quotes(folder)[0].parts[0][1] == "x" * 600 + "… (2,345 characters in all)"


def refused(error, folder: Path, message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        quotes(folder)


def test_data_that_are_gone(fitted, tmp_path):
    folder = elsewhere(fitted, tmp_path, tmp_path / "votes.csv")
    refused(
        StorageError,
        folder,
        f"{tmp_path}/votes.csv, which {folder} was fitted to, is gone, so its texts cannot be "
        "shown. Put it back, or leave out --show-text.",
    )


def test_data_that_have_changed(fitted, tmp_path):
    (tmp_path / "votes.csv").write_text("margin\n1\n")
    folder = elsewhere(fitted, tmp_path, tmp_path / "votes.csv")
    refused(
        StorageError,
        folder,
        f"{tmp_path}/votes.csv is not what {folder} was fitted to (its sha256 differs), so its "
        "texts cannot be shown. Put it back, or leave out --show-text.",
    )


def test_a_folder_of_files(fitted, tmp_path):
    refused(
        UsageError,
        elsewhere(fitted, tmp_path, tmp_path),
        f"{tmp_path} is not a single file; texts are shown of a single file only.",
    )


def test_votes_without_texts(fitted, tmp_path):
    folder = elsewhere(fitted, tmp_path, fitted.parent / "votes.csv", columns={"prompt": "prompt"})
    refused(
        UsageError,
        folder,
        f"{folder} was not fitted to texts: --show-text needs columns with chosen and rejected "
        "texts in its data.",
    )


def test_runs_that_do_not_say_where_their_data_are(saved_run, fitted):
    refused(
        UsageError,
        saved_run,
        f"{saved_run} does not say where its data are, so no texts can be shown: fit with "
        '"mixlogit fit".',
    )
    posterior = ml.open_run(fitted)
    message = "A posterior in memory does not say where its texts are."
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        report(posterior, fitted / "other.html", show_text=True)
