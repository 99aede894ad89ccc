"""`mixlogit simulate` writes data and the truth beside them; ml.simulate does the same."""

import json
from pathlib import Path

import pandas as pd
import pytest

import mixlogit as ml


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_every_format(say, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "new" / f"votes.{suffix}"
    options = ["--comparisons", 200, "--respondents", 20, "--family", "gamma", "--cv", "0.8"]
    code, out, err = say("simulate", *options, "--seed", 3, "--output", file)
    assert (code, err) == (0, "")
    truth = tmp_path / "new" / "votes.truth.json"
    data = "data     200 comparisons, 20 respondents"
    assert out.splitlines() == [data, f"Wrote {file}", f"Wrote {truth}"]
    made = ml.simulate(200, 20, "gamma", cv=0.8, seed=3)
    assert json.loads(truth.read_text()) == made.truth
    data = ml.load(file)
    assert data.margin is not None
    assert data.margin.tolist() == made.comparisons().margin.tolist()


def test_ties_lapse_groups_and_items(say, tmp_path: Path) -> None:
    options = ["--comparisons", 500, "--respondents", 20, "--groups", 2, "--lapse", 0.1]
    options += ["--items", 6, "--ties", "--tie-share", 0.3, "--tastes", 2]
    code, out, _ = say("simulate", *options, "--output", tmp_path, "--json")
    assert code == 0
    result = json.loads(out)
    assert result["output"] == str(tmp_path / "comparisons.parquet")
    asked = {"groups": 2, "lapse": 0.1, "items": 6, "ties": 0.3, "tastes": 2}
    assert asked.items() <= result["arguments"].items()
    frame = pd.read_parquet(tmp_path / "comparisons.parquet")
    assert set(frame) == {"item_a", "item_b", "outcome", "respondent", "group"}
    assert 0.15 < (frame["outcome"] == "tie").mean() < 0.45


def test_the_default_file(say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = say("simulate", "--comparisons", 10)
    assert code == 0
    assert out.splitlines()[1:] == ["Wrote simulated.parquet", "Wrote simulated.truth.json"]


def test_an_existing_file_is_replaced_only_on_request(say, tmp_path: Path) -> None:
    line = ["simulate", "--comparisons", 10, "--output", tmp_path / "x.csv"]
    assert say(*line)[0] == 0
    before = (tmp_path / "x.csv").read_text()
    message = f"{tmp_path}/x.csv exists. Choose another --output, or add --overwrite.\n"
    assert say(*line, "--seed", 1) == (5, "", message)
    assert (tmp_path / "x.csv").read_text() == before
    assert say(*line, "--seed", 1, "--overwrite")[0] == 0
    assert (tmp_path / "x.csv").read_text() != before


def test_errors(say, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = ["simulate", "--comparisons", 10, "--output", tmp_path / "file" / "x.csv"]
    message = f"{tmp_path}/file/x.csv cannot be written: File exists.\n"
    assert say(*line) == (5, "", message)
    line = ["simulate", "--comparisons", 10, "--output", tmp_path / "y.csv"]
    message = "No strength family 'gama'. Did you mean 'gamma'?\n"
    assert say(*line, "--family", "gama") == (2, "", message)
    assert say("simulate") == (2, "", "Missing option '--comparisons'.\n")


def test_texts(say, tmp_path: Path) -> None:
    options = ["--comparisons", 60, "--respondents", 6, "--seed", 2]
    code, out, _ = say("simulate", "--texts", *options, "--output", tmp_path / "texts.jsonl")
    assert (code, out.splitlines()[0]) == (0, "data     60 comparisons, 6 respondents")
    made = ml.simulate_texts(60, 6, mean=1.0, cv=0.6, seed=2)
    frame = pd.read_json(tmp_path / "texts.jsonl", lines=True)
    assert frame["chosen"].tolist() == made.table["chosen"].to_pylist()


def test_texts_without_what_they_lack(say, tmp_path: Path) -> None:
    options = ["--comparisons", 60, "--respondents", 6, "--output", tmp_path / "x.csv"]
    code, _, err = say("simulate", "--texts", "--ties", *options)
    assert code == 2
    assert (
        "Texts are simulated without --groups, --tastes, --ties, --lapse, --items and --features."
        in err
    )
