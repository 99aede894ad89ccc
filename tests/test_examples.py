"""Every numbered example runs as a command line, on a small part of its data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tree import ROOT

FAST = {"01_margins.py": ["--steps", "2", "--votes", "400"]}


def test_every_example_is_here() -> None:
    assert {file.name for file in (ROOT / "examples").glob("*.py")} == set(FAST)


@pytest.mark.parametrize("name", FAST)
def test_example(name: str, shared_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / name), *FAST[name]]
    command += ["--data", str(shared_data), "--output", str(tmp_path / "run")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "MIXLOGIT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in (0, 4), done.stderr  # 4: a check failed on so few votes
    assert (tmp_path / "run" / "fit" / "summary.txt").exists()
    assert (tmp_path / "run" / "margins.parquet").exists()
