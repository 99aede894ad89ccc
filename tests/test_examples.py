"""Every numbered example runs as a command line, on a small part of its data."""

import runpy
import sys
import warnings
from pathlib import Path

import pytest
from tree import ROOT

# arguments that make it fast, and what it prints at its end
FAST = {
    "01_margins.py": (
        ["--steps", "2", "--votes", "150", "--data", "DATA", "--output", "RUN"],
        "RUN/fit",
    ),
    "02_known_truth.py": (["--log-sd", "2"], "fitted after training; the truth is 2"),
    "03_notebook.py": ([], "Strength: respondents differ in how strongly they prefer"),
    "04_tastes.py": (
        ["--data", "DATA", "--draws", "100", "--students", "60"],
        "Taste: respondents differ in what they prefer",
    ),
    "05_choice_sets.py": (["--data", "DATA", "--households", "60"], "-3888.465"),
    "06_alignment.py": (
        ["--people", "2", "--steps", "2", "--data", "DATA", "--output", "RUN"],
        "Wrote RUN/new",
    ),
}


def test_every_example_is_here() -> None:
    assert {file.name for file in (ROOT / "examples").glob("[0-9]*.py")} == set(FAST)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers' own
@pytest.mark.parametrize("name", FAST)
def test_example(
    name: str,
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"DATA": str(shared_data), "RUN": str(tmp_path / "run")}
    arguments, says = FAST[name]
    line = [name, *(places.get(argument, argument) for argument in arguments)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIXLOGIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", line)
    code: object = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as from a command line: they are printed
        try:
            runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
        except SystemExit as end:
            code = end.code
    told = capsys.readouterr()
    assert code in (None, 0, 4), told.err  # 4: a check failed on so few votes
    assert says.replace("RUN", places["RUN"]) in told.out + told.err
