"""`mixlogit fit --stream`, and the same by two processes of torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mixlogit as ml
from mixlogit.cli import main

QUICK = ["--inference", "laplace", "--no-evidence", "--posterior-draws", "400", "--no-report"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Votes in three files of several row groups; the first files lack some respondents."""
    folder = tmp_path_factory.mktemp("shards")
    frame = ml.simulate(1800, 60, cv=0.8, ties=0.1, groups=2, seed=1).frame
    frame = frame.sort_values("respondent", kind="stable").reset_index(drop=True)
    frame = pd.concat([frame[700:], frame[:700]])
    for k in range(3):
        rows = pa.Table.from_pandas(frame[600 * k : 600 * (k + 1)], preserve_index=False)
        pq.write_table(rows, folder / f"{k}.parquet", row_group_size=250)
    return folder


@pytest.fixture(scope="module")
def streamed(shards: Path) -> Path:
    """A run of one process that read the votes in blocks."""
    run = shards.parent / "streamed"
    assert main(["fit", str(shards), *QUICK, "--stream", "--output", str(run), "--quiet"]) == 0
    return run


def record(run: Path, name: str = "summary") -> Any:
    return json.loads((run / f"{name}.json").read_text())


def test_a_streamed_fit_is_that_of_votes_in_memory(shards: Path, streamed: Path) -> None:
    held = shards.parent / "held"
    assert main(["fit", str(shards), *QUICK, "--no-stream", "--output", str(held), "--quiet"]) == 0
    one, two = record(held), record(streamed)
    for name, summary in one["parameters"].items():
        assert two["parameters"][name] == pytest.approx(summary, rel=1e-6)
    assert two["n"] == one["n"]
    known, found = record(held, "data"), record(streamed, "data")
    assert found["sha256"] == known["sha256"]
    assert found["warnings"].pop()["message"] == (
        "The votes were read in blocks and not held: rows entered twice were not looked for."
    )
    assert found == known
    assert {file.name for file in streamed.iterdir()} == {file.name for file in held.iterdir()}


def test_a_large_file_is_streamed_without_a_word(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixlogit.cli.streaming.LARGE", 1000)
    line = ["fit", str(shards), "--inference", "maximum", "--quiet", "--output"]
    assert main([*line, str(tmp_path / "streamed")]) == 0
    assert main([*line, str(tmp_path / "held"), "--ties", "davidson"]) == 0
    for name in ("streamed", "held"):
        warnings = [found["name"] for found in record(tmp_path / name, "data")["warnings"]]
        assert ("streamed" in warnings) == (name == "streamed")


def error(line: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(line) == 2
    return " ".join(capsys.readouterr().err.split())


def test_options_that_need_all_votes(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["fit", str(shards), "--stream"]
    needs = "needs the votes in memory and cannot go with --stream."
    for option in ("--test-fraction=0.2", "--ties=davidson", "--tastes=2", "--no-panel"):
        assert error([*line, option], capsys) == f"{option.partition('=')[0]} {needs}"


def test_several_processes_share_blocks_only(
    shards: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert error(["fit", str(shards), "--no-stream"], capsys) == (
        "Several processes share votes in blocks only: leave out --no-stream."
    )
    assert error(["fit", str(shards), "--sbc", "20"], capsys) == (
        "--sbc needs the votes in memory and cannot go with several processes."
    )


def torchrun(*line: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *TORCHRUN, "mixlogit", *line]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)


def test_two_processes_give_the_result_of_one(shards: Path, streamed: Path) -> None:
    run = shards.parent / "two"
    line = ["fit", str(shards), *QUICK, "--lapse", "--output"]
    done = torchrun(*line, str(run), "--by", "group", "--json")
    assert done.stdout.count("\n") == 1, done.stderr  # one of the processes speaks
    alone = shards.parent / "one"
    assert main([*line, str(alone), "--by", "group", "--stream", "--quiet"]) in (0, 4)
    assert done.returncode == 0, "a check that fails is no failure of a process"
    one, two = record(alone), json.loads(done.stdout)
    for name, summary in one["parameters"].items():
        assert two["parameters"][name] == pytest.approx(summary, rel=1e-6)
    assert record(run, "data") == record(alone, "data")
    pd.testing.assert_frame_equal(
        pd.read_parquet(run / "strengths.parquet"),
        pd.read_parquet(alone / "strengths.parquet"),
        rtol=1e-5,
    )


def test_what_goes_wrong_in_one_process_ends_all(shards: Path, tmp_path: Path) -> None:
    """A malformed row in a share of the second process; the first one's folder does not stay."""
    for k in range(2):
        table = pq.read_table(shards / f"{k}.parquet").to_pandas()
        table.loc[k * 17, "margin"] = float("inf") if k else table["margin"][0]
        rows = pa.Table.from_pandas(table, preserve_index=False)
        pq.write_table(rows, tmp_path / f"{k}.parquet")
    done = torchrun("fit", str(tmp_path), *QUICK, "--output", str(tmp_path / "run"))
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if "margin is infinite" in line]
    assert said == [
        f"{tmp_path}/1.parquet, row 18: margin is infinite. Margins must be finite. Recompute "
        'them with "mixlogit margins", or drop the row.'
    ]
    assert "exitcode  : 3" in done.stderr
    assert "bug" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_taken_ends_all(shards: Path, streamed: Path) -> None:
    done = torchrun("fit", str(shards), *QUICK, "--output", str(streamed))
    assert done.returncode == 1
    message = f"{streamed} holds a run. Choose another --output, or add --overwrite."
    assert done.stderr.count(message) == 1
