"""Processes that are told to end, and two processes that want one folder."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from alignable import comparisons, policy
from commanded import command

import mixlogit as ml
from mixlogit.cli import main

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # transformers' own
    pytest.mark.usefixtures("one_thread"),
]
Line = Callable[[Path], list[str]]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# command -> the file at which it is told, what it says, what is left beside the lock
TOLD = {
    "fit": ("strength.json", "Interrupted; nothing was written.", set()),
    "margins": (
        "000000000016.parquet",
        "Interrupted; the same command continues where it stopped.",
        {".out.partial"},
    ),
    "align": (
        "strength-state.json",
        "Interrupted; {out}/checkpoint-3 is saved, and the same command goes on from it.",
        {"out"},
    ),
}


@pytest.fixture(scope="session")
def lines(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Line]:
    """The command lines, by output."""
    folder = tmp_path_factory.mktemp("told")
    ml.simulate(300, 30, cv=0.7, seed=1).write(folder / "votes.parquet")
    pq.write_table(comparisons(48, 6), folder / "texts.parquet")
    policy(1).save_pretrained(folder / "other")
    votes, texts, other = (str(folder / n) for n in ("votes.parquet", "texts.parquet", "other"))
    quick = ["--inference", "laplace", "--no-evidence", "--no-report", "--quiet"]
    short = ["--max-steps", "4", "--save-steps", "2", "--use-cpu", "--no-report", "--quiet"]
    short += ["--beta", "0.3", "--per-device-train-batch-size", "16", "--learning-rate", "1e-3"]
    scored = ["--reference", other, "--tokenizer", str(model), "--shard-rows", "16", "--quiet"]
    return {
        "fit": lambda out: ["fit", votes, "--output", str(out), *quick],
        "margins": lambda out: [
            *("margins", texts, "--policy", str(model), "--output", str(out), "--cache", "none"),
            *scored,
        ],
        "align": lambda out: [
            *("align", texts, "--model", str(model), "--output", str(out), *short)
        ],
    }


def left(folder: Path) -> set[str]:
    """What lies in a folder, without the lock and what the process said."""
    return {file.name for file in folder.iterdir()} - {".out.lock", "said"}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, number) for name in ("fit", "margins") for number in SIGNALS),
        ("align", SIGNALS[2]),
    ],
)
def test_told_to_end_while_it_writes(
    name: str, number: int, lines: dict[str, Line], tmp_path: Path
) -> None:
    stop_at, message, stays = TOLD[name]
    out, said = tmp_path / "out", tmp_path / "said"
    with command(lines[name](out), stop_at, said) as (process, line):
        assert stop_at in line.recv()
        os.kill(process.pid, number)
        line.send("go on")
        process.join(60)
        assert process.exitcode == 130
    assert said.read_text().splitlines()[-1] == message.format(out=out)
    assert left(tmp_path) == stays
    assert not list(tmp_path.rglob("*.tmp"))
    assert main(lines[name](out)) in (0, 4)
    assert left(tmp_path) == {"out"}


@pytest.mark.parametrize("name", ["fit", "margins"])
def test_a_second_process_is_refused(
    name: str, lines: dict[str, Line], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with command(lines[name](out), TOLD[name][0], tmp_path / "said") as (process, line):
        line.recv()
        assert main(lines[name](out)) == 5
        message = f"{out} is in use by process {process.pid} on host "
        assert capsys.readouterr().err.startswith(message)
        process.kill()
        process.join()
    assert main(lines[name](out)) in (0, 4)  # the lock of the dead process holds nobody up


def test_signals_that_are_ignored_stay_ignored(lines: dict[str, Line], tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        assert main(lines["fit"](tmp_path / "out")) in (0, 4)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
