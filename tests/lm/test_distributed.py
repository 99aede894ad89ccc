"""Two CPU processes by torchrun: the same gradients, and the same file of margins."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tree import ROOT

TESTS = ROOT / "tests"


def torchrun(*command: str) -> str:
    """Run a script or `-m module` on two ranks, one thread each."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, *command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ddp_and_fsdp_see_the_scoring() -> None:
    torchrun(str(TESTS / "lm" / "on_two_ranks.py"))


def test_two_processes_write_the_file_of_one(
    folders: dict[str, Path], comparisons: Callable[[int], pa.Table], tmp_path: Path
) -> None:
    import mixlogit as ml

    pq.write_table(comparisons(50), tmp_path / "data.parquet")
    models: dict[str, Any] = {name: str(folder) for name, folder in folders.items()}
    alone = ml.margins(
        tmp_path / "data.parquet", output=tmp_path / "one.parquet", shard_rows=8, **models
    )
    options = [part for name, folder in models.items() for part in (f"--{name}", folder)]
    options += ["--output", str(tmp_path / "two.parquet"), "--shard-rows", "8", "--json"]
    options += ["--cache", "none"]
    said = torchrun("-m", "mixlogit", "margins", str(tmp_path / "data.parquet"), *options)
    assert said.count("\n") == 1, "one of the processes speaks"
    assert f'"pairs": {alone.pairs}' in said
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
