"""`mixlogit check` prints the data card; ml.load and ml.data_card do the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from known_sets import write_set

import mixlogit as ml

VOTES = "margin,respondent,stance\n0.5,ann,pro\n-0.25,ann,con\n1.0,bob,pro\nnan,bob,con\n"


@pytest.fixture
def votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = Path("votes.csv")
    file.write_text(VOTES)
    return file


def test_a_malformed_row_stops(say, votes: Path) -> None:
    code, out, err = say("check", votes)
    assert (code, out) == (3, "")
    assert err.startswith("votes.csv, row 4: margin is NaN. Margins must be finite.")
    assert err.count("\n") == 1
    code, out, _ = say("check", votes, "--json")
    entry = json.loads(out)["error"]
    message = entry.pop("message")
    assert code == 3
    assert entry == {"code": "data", "file": "votes.csv", "row": 4, "column": "margin"}
    assert err == message + "\n"


def test_the_data_card(say, votes: Path) -> None:
    code, out, err = say("check", votes, "--by", "stance", "--bad-rows", "drop")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == (
        "data     3 comparisons, 2 respondents (median 1, largest 2), 2 groups; 1 row dropped"
    )
    assert lines[1] == "columns  margin: margin, respondent: respondent, groups: stance"
    assert lines[2] == "dropped  votes.csv, row 4: margin is NaN"
    assert "strength cannot be estimated from these data" in lines
    assert "taste    cannot be estimated from these data" in lines


def test_of_many_dropped_rows_the_first_are_told(say, votes: Path) -> None:
    Path("many.csv").write_text("margin\n" + "x\n" * 9 + "1\n")
    _, out, _ = say("check", "many.csv", "--bad-rows", "drop", "--output", "runs/many")
    assert out.count("dropped  ") == 5
    assert "         and 4 rows more: --output DIR lists them in DIR/data.json\n" in out
    assert len(json.loads(Path("runs/many/data.json").read_text())["dropped"]) == 9


def test_json_is_the_python_call(say, votes: Path) -> None:
    line = ["check", votes, "--by", "stance", "--bad-rows", "drop", "--output", "runs/card"]
    code, out, _ = say(*line, "--json", "--quiet")
    card = ml.data_card(ml.load(votes, groups=["stance"], bad_rows="drop"))
    assert (code, json.loads(out)) == (0, card)
    record = json.loads(Path("runs/card/data.json").read_text())
    assert record["n"] == card["n"]
    assert record["warnings"] == card["warnings"]
    assert len(record["sha256"]) == 64
    assert record["dropped"][0]["row"] == 4
    manifest = json.loads(Path("runs/card/run.json").read_text())
    assert manifest["command"] == ["mixlogit", *map(str, line), "--json", "--quiet"]


def test_configuration_is_written_back_and_runs_again(say, votes: Path) -> None:
    Path("check.yaml").write_text("data: votes.csv\nby: stance\nbad-rows: drop\n")
    code, first, _ = say("check", "--config", "check.yaml", "--output", "runs/one")
    assert code == 0
    code, second, _ = say("check", "--config", "runs/one/config.yaml", "--output", "runs/two")
    assert code == 0
    assert second == first.replace("runs/one", "runs/two")


def test_columns_by_repeating_or_by_commas(say, votes: Path) -> None:
    votes.write_text("margin,respondent,a,b\n0.5,ann,x,y\n1.5,bob,x,z\n")
    repeated = say("check", votes, "--by", "a", "--by", "b")
    assert repeated == say("check", votes, "--by", "a, b")
    assert "1 group by a, 2 groups by b" in repeated[1]


def test_a_column_that_is_not_there(say, votes: Path) -> None:
    message = (
        'votes.csv: no column "stanc" for --by. Did you mean "stance"? '
        "Columns: margin, respondent, stance.\n"
    )
    assert say("check", votes, "--by", "stanc") == (3, "", message)


def test_a_known_set_of_texts(say, tmp_path: Path) -> None:
    write_set("prism", tmp_path)
    line = ["check", tmp_path, "--schema", "prism", "--by", "gender", "--bad-rows", "drop"]
    code, out, err = say(*line)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == (
        "data     5 comparisons, 2 respondents (median 1, largest 4), 2 groups; 1 tie used as "
        "half a vote each way; 1 row dropped"
    )
    assert lines[2].endswith("row 4: scores are 7 and 700, not from 1 to 100")
    assert (
        "length   the longer text was chosen in 100% of comparisons (correlation of length with "
        "choice +0.61)"
    ) in lines
    assert "strength cannot be estimated from these data" in lines
    code, out, _ = say(*line, "--json")
    assert json.loads(out)["length"]["correlation"] == pytest.approx(3 / np.sqrt(4 * 6))
    code, _, err = say("fit", *line[1:])
    assert code == 3
    assert "no column says what is compared. Make margins with" in err


def test_texts_of_one_length(say, votes: Path) -> None:
    votes.write_text("chosen,rejected\na,b\n")
    assert "length   does not differ between chosen and rejected texts" in say("check", votes)[1]
