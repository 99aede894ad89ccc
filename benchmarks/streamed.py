"""Cost of a fit of votes that are read in blocks: CPU seconds of each step, and peak memory.

Writes votes of known truth (lognormal strength, mean 1, cv 0.8; a float32 margin and an int32
respondent each) into Parquet shards and fits them in one process. Shards that are there are used
again.

    OMP_NUM_THREADS=1 python benchmarks/streamed.py --comparisons 100000000 --folder /tmp/votes
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import mixlogit as ml
from mixlogit.models.infer import infer
from mixlogit.models.mode import find_mode
from mixlogit.models.streamed_problem import StreamedProblem
from mixlogit.run import peak_memory_mb

__all__ = ["write_shards"]

_ROWS, _SHARDS = 1 << 20, 4
_CV = 0.8


def write_shards(folder: Path, comparisons: int, respondents: int) -> None:
    """Write votes of known truth as Parquet shards, block by block."""
    folder.mkdir(parents=True)
    made = np.random.default_rng(1)
    variance = np.log1p(_CV**2)
    strength = np.exp(made.normal(-variance / 2, variance**0.5, respondents))
    schema = pa.schema([("margin", pa.float32()), ("respondent", pa.int32())])
    for shard in range(_SHARDS):
        rows = comparisons // _SHARDS
        with pq.ParquetWriter(folder / f"votes-{shard}.parquet", schema) as file:
            for start in range(0, rows, _ROWS):
                n = min(_ROWS, rows - start)
                who = made.integers(respondents, size=n, dtype=np.int32)
                margin = made.standard_normal(n)
                agrees = made.random(n) < 1 / (1 + np.exp(-strength[who] * margin))
                signed = np.where(agrees, margin, -margin).astype(np.float32)
                file.write_table(pa.table([signed, who], schema=schema), row_group_size=_ROWS)


def _timed(name: str, job: Callable[[], Any]) -> Any:
    start, wall = time.process_time(), time.monotonic()
    result = job()
    cpu, wall = time.process_time() - start, time.monotonic() - wall
    memory = peak_memory_mb() or 0.0
    print(f"{name:30s} {cpu:8.2f} CPU s {wall:8.2f} s, peak {memory:,.0f} MB", flush=True)
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--respondents", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--posterior", action=argparse.BooleanOptionalAction, default=True)
    chosen = parser.parse_args()
    if not chosen.folder.is_dir():
        _timed(
            "write", lambda: write_shards(chosen.folder, chosen.comparisons, chosen.respondents)
        )
    size = sum(file.stat().st_size for file in chosen.folder.iterdir())
    print(f"{size / 1e6:,.0f} MB of Parquet; imports: peak {peak_memory_mb() or 0.0:,.0f} MB")
    data = _timed("count, and keep a part", lambda: ml.streamed(chosen.folder))
    problem = StreamedProblem(data)
    joint = _timed("table", lambda: problem.joint("lognormal"))
    print(repr(data))
    if not chosen.posterior:
        return
    _timed("mode with Hessian", lambda: find_mode(joint, joint.start()))
    inferred = _timed("posterior", lambda: infer(joint, draws=500))
    sampled = joint.sampled(inferred.theta.flatten(0, 1))
    for name, values in (("mean", sampled.family.mean), ("cv", sampled.family.cv)):
        low, high = np.quantile(values.numpy(), [0.05, 0.95])
        print(f"{name}: {values.mean():.4f} ({low:.4f} to {high:.4f})")


if __name__ == "__main__":
    main()
