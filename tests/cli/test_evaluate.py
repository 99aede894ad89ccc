"""`mixlogit evaluate`: what it says and writes, and that its margins are those of `margins`."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from alignable import comparisons, policy, tokenizer

import mixlogit as ml
from mixlogit.cli import main
from mixlogit.errors import DataWarning, UsageError

pytestmark = pytest.mark.usefixtures("one_thread")

Command = Callable[..., list[str]]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and held-out votes: of eight respondents it knows four."""
    made = tmp_path_factory.mktemp("evaluate")
    policy().save_pretrained(made / "model")
    tokenizer().save_pretrained(made / "model")
    table = comparisons(120, 8).rename_columns({"respondent": "worker"})
    side = [
        "left" if who in ("r1", "r2", "r3", "r4") else "right"
        for who in table["worker"].to_pylist()
    ]
    table = table.append_column("side", [side])
    known = [place == "left" for place in side]
    pq.write_table(table.filter(known), made / "train.parquet")
    pq.write_table(table.slice(0, 80), made / "test.parquet")
    options = ["--max-steps", "8", "--learning-rate", "1e-3", "--use-cpu", "--beta", "0.3"]
    options += ["--model", str(made / "model"), "--respondent", "worker", "--seed", "3"]
    line = ["align", str(made / "train.parquet"), "--output", str(made / "run"), *options]
    assert main([*line, "--quiet", "--per-device-train-batch-size", "16"]) in (0, 4)
    return made


@pytest.fixture
def command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("MIXLOGIT_CACHE", str(tmp_path / "cache"))

    def make(*more: str) -> list[str]:
        return ["evaluate", str(folder / "run"), str(folder / "test.parquet"), *more]

    return make


def test_what_is_said(command: Command, capsys: Capture) -> None:
    assert main(command("--by", "side")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "data     80 comparisons, 8 respondents"
    assert said[2].split() == ["Accuracy", "estimate", "5%", "95%"]
    names = [line[:34].strip() for line in said[3:9]]
    assert names[:4] == [
        "all comparisons alike",
        "respondents alike",
        "groups of side alike",
        "at equal lengths",
    ]
    assert {name.split(",")[0] for name in names[4:]} == {"left (side", "right (side"}
    assert said[9].startswith("Worst group: ")
    assert "  known respondents" in "\n".join(said)


def test_one_object_and_files(
    command: Command, folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(command("--json", "--output", str(tmp_path / "e"), "--replicates", "50")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"run", "n", "accuracy", "log_score", "calibration", "win_rate"}
    assert found["win_rate"] is None
    assert found["log_score"]["known"]["n"] + found["log_score"]["new"]["n"] == 80
    names = {file.name for file in (tmp_path / "e").iterdir()}
    assert names >= {"evaluation.json", "summary.txt", "comparisons.parquet", "run.json"}
    assert json.loads((tmp_path / "e" / "evaluation.json").read_text()) == found
    rows = pd.read_parquet(tmp_path / "e" / "comparisons.parquet")
    ml.margins(
        folder / "test.parquet",
        policy=folder / "run" / "policy",
        reference=folder / "model",
        output=tmp_path / "margins.parquet",
        max_length=32,
    )
    margin = pd.read_parquet(tmp_path / "margins.parquet")["margin"]
    assert rows["margin"].to_numpy() == pytest.approx(margin.to_numpy(), abs=1e-5)
    assert found["accuracy"]["micro"]["estimate"] == pytest.approx((margin > 0).mean())
    assert found["log_score"]["micro"]["estimate"] == pytest.approx(rows["log_score"].mean())


def test_the_same_from_python(command: Command, folder: Path, capsys: Capture) -> None:
    assert main(command("--json")) == 0
    found = json.loads(capsys.readouterr().out)
    trained_on = (
        r"^\d+ of 80 comparisons look like ones that were trained on: respondent and margin "
    )
    with pytest.warns(DataWarning, match=trained_on):
        evaluation = ml.evaluate(folder / "run", folder / "test.parquet")
    assert json.loads(json.dumps(evaluation.to_dict())) == found
    table = evaluation.summary()
    assert table.loc["accuracy micro", "estimate"] == found["accuracy"]["micro"]["estimate"]
    assert "calibration slope" in repr(evaluation)


def test_a_folder_that_is_no_alignment(folder: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(folder), str(folder / "test.parquet")]) == 5
    assert capsys.readouterr().err == (
        f'{folder} is not a finished run of "mixlogit align": alignment.json is missing.\n'
    )
    inner = folder / "run" / "policy"
    assert main(["evaluate", str(inner), str(folder / "test.parquet")]) == 5
    assert capsys.readouterr().err == (
        f'{inner} is not a finished run of "mixlogit align": alignment.json is missing. '
        f"Did you mean {folder / 'run'}?\n"
    )


def test_comparisons_that_were_trained_on_are_told(
    command: Command, folder: Path, capsys: Capture
) -> None:
    known, new = (
        sum(
            n
            for who, n in pd.read_parquet(folder / "test.parquet")["worker"].value_counts().items()
            if (who in ("r1", "r2", "r3", "r4")) == here
        )
        for here in (True, False)
    )
    assert main(command("--replicates", "20")) == 0
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"warning: {known} of {known + new} comparisons look like ones that were trained on: "
        "respondent and margin are the same. Figures of held-out comparisons need others."
    )


def test_a_column_that_is_not_there(command: Command, folder: Path, capsys: Capture) -> None:
    assert main(command("--by", "sid")) == 3
    assert 'no column "sid" for --by. Did you mean "side"?' in capsys.readouterr().err


def test_a_win_rate_by_a_function(command: Command, folder: Path, capsys: Capture) -> None:
    judge = ("--judge", "alignable_judge:longer", "--prompts", "12", "--new-tokens", "8")
    assert main(command(*judge, "--json")) == 0
    found = json.loads(capsys.readouterr().out)["win_rate"]
    assert found["n"] == 12
    assert found["win"] + found["tie"] + found["loss"] == pytest.approx(1)
    assert found["q05"] <= found["estimate"] <= found["q95"]
    assert 0 < found["tokens"]["policy"] <= 8
    # the same seed: a policy ties with itself, answer by answer
    assert main(command(*judge, "--against", str(folder / "run"))) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-3].split() == ["against", str(folder / "run"), "0.500", "0.500", "0.500"]
    assert said[-2] == "  12 prompts: win 0.000, tie 1.000, loss 0.000"


def test_options_that_are_not_of_an_evaluation(
    command: Command, folder: Path, capsys: Capture
) -> None:
    assert main(command("--judge", "math:fsum", "--prompts", "0")) == 2
    assert capsys.readouterr().err.endswith("Expected at least 1 prompt but got 0.\n")
    with pytest.raises(UsageError) as error:
        ml.evaluate(folder / "run", folder / "test.parquet", max_steps=3)
    assert str(error.value) == 'Unknown option "max_steps".'


def test_a_win_rate_needs_a_judge(command: Command, capsys: Capture) -> None:
    assert main(command("--prompts", "3")) == 2
    assert capsys.readouterr().err == "A win rate needs a judge: name it by --judge.\n"
