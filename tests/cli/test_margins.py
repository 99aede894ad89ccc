"""`mixlogit margins`: what it says, what it writes, and how it stops."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from word_models import make_comparisons, save_models

from mixlogit.cli import main
from mixlogit.lm.ratios import COLUMNS

Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def command(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command line for 20 comparisons of which one has no answer."""
    monkeypatch.setenv("MIXLOGIT_CACHE", str(tmp_path / "cache"))
    table = make_comparisons(20)
    chosen = ["", *table["chosen"].to_pylist()[1:]]
    table = table.set_column(2, "better", pa.array(chosen))
    pq.write_table(table, tmp_path / "data.parquet")

    def make(*more: str) -> list[str]:
        models = [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]
        output = ["--output", str(tmp_path / "m.parquet"), "--chosen", "better"]
        return ["margins", str(tmp_path / "data.parquet"), *models, *output, *more]

    return make


def test_says_what_was_done(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("--bad-rows", "drop")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("margins  19 comparisons, ")
    assert said[1:3] == [
        "dropped  1 row, the first ones:",
        f'         {tmp_path / "data.parquet"}, row 1: "better" is empty',
    ]
    assert [line.split()[0] for line in said[3:]] == ["choice", "length", "Wrote"]
    written = pq.read_table(tmp_path / "m.parquet")
    assert written.column_names == ["id", "prompt", "chosen", "worker", "rejected", *COLUMNS]


def test_one_object_for_programs(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command("--bad-rows", "drop", "--json", "--overwrite")
    for hits in (0, 19):
        assert main(told) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["output"] == str(tmp_path / "m.parquet")
        assert said["pairs"] == 19
        assert said["pairs_per_second"] > 0
        assert said["cache_hits"] == hits
        assert said["fallback"] is None
        assert said["dropped"] == 1


def test_a_malformed_row_stops_it(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command()) == 3
    assert f'{tmp_path / "data.parquet"}, row 1: "better" is empty.' in capsys.readouterr().err


def test_ctrl_c_says_that_the_command_continues(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*data: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mixlogit.margins", stop)
    assert main(command()) == 130
    assert capsys.readouterr().err == "Interrupted; the same command continues where it stopped.\n"


def test_a_model_that_cannot_be_loaded(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(command("--policy", str(tmp_path / "empty"))) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'empty'}: its model cannot be loaded (")
    assert said.count("\n") == 1
