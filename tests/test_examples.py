"""Every numbered example runs as a command line, on a small part of its data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tree import ROOT

# arguments that make it fast, and what it prints at its end
FAST = {
    "01_margins.py": (
        ["--steps", "2", "--votes", "400", "--data", "DATA", "--output", "RUN"],
        "RUN/fit",
    ),
    "02_known_truth.py": (["--log-sd", "2"], "fitted after training; the truth is 2"),
    "03_notebook.py": ([], "Strength: respondents differ in how strongly they prefer"),
    "04_tastes.py": (
        ["--data", "DATA", "--draws", "100"],
        "Taste: respondents differ in what they prefer",
    ),
    "05_choice_sets.py": (["--data", "DATA", "--households", "60"], "-3888.465"),
    "06_alignment.py": (
        ["--people", "3", "--steps", "2", "--data", "DATA", "--output", "RUN"],
        "Wrote RUN/new",
    ),
}


def test_every_example_is_here() -> None:
    assert {file.name for file in (ROOT / "examples").glob("[0-9]*.py")} == set(FAST)


@pytest.mark.parametrize("name", FAST)
def test_example(name: str, shared_data: Path, tmp_path: Path) -> None:
    places = {"DATA": str(shared_data), "RUN": str(tmp_path / "run")}
    arguments, says = FAST[name]
    command = [sys.executable, str(ROOT / "examples" / name)]
    command += [places.get(argument, argument) for argument in arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "MIXLOGIT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in (0, 4), done.stderr  # 4: a check failed on so few votes
    assert says.replace("RUN", places["RUN"]) in done.stdout + done.stderr
