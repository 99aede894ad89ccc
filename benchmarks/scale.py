"""Cost of a fit against one pass of logsigmoid over comparisons x 64 nodes, in one process.

Simulates comparisons of known truth, then measures CPU seconds of reading, the likelihood table,
the mode with its Hessian and the whole posterior, and of the pass itself, before and after.

    OMP_NUM_THREADS=1 python benchmarks/scale.py --comparisons 1000000 --respondents 50000
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.models.infer import infer
from mixlogit.models.mode import find_mode
from mixlogit.models.problem import Problem
from mixlogit.run import peak_memory_mb

__all__ = ["one_pass"]

_NODES, _BLOCK = 64, 4096


def one_pass(margin: torch.Tensor) -> None:
    """Logsigmoid of every margin at 64 strengths, in blocks; float64."""
    strengths = torch.linspace(-5.0, 4.0, _NODES, dtype=torch.float64).exp()
    for part in margin.split(_BLOCK):
        logsigmoid(part.unsqueeze(-1) * strengths)


def _cpu(job: Callable[[], object]) -> tuple[object, float]:
    start = time.process_time()
    result = job()
    return result, time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--respondents", type=int, default=50_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.parquet"
        ml.simulate(
            chosen.comparisons, chosen.respondents, "lognormal", mean=1.0, cv=0.8, seed=1
        ).write(path)
        data, read = _cpu(lambda: ml.load(path, respondent="respondent", outcome="outcome"))
    assert isinstance(data, ml.Comparisons)
    problem = Problem(data)
    passes = [_cpu(lambda: one_pass(problem.margin))[1]]
    joint, table = _cpu(lambda: problem.joint("lognormal"))
    assert hasattr(joint, "start")
    _, mode = _cpu(lambda: find_mode(joint, joint.start()))
    passes.append(_cpu(lambda: one_pass(problem.margin))[1])
    inferred, posterior = _cpu(lambda: infer(joint, draws=500))
    passes.append(_cpu(lambda: one_pass(problem.margin))[1])
    unit = sorted(passes)[1]
    rows = {
        "one pass of logsigmoid (median of 3)": unit,
        "read": read,
        "table": table,
        "mode with Hessian": mode,
        "table + mode with Hessian": table + mode,
        "posterior (4 restarts x 500 draws)": posterior,
        "table + posterior": table + posterior,
    }
    print(f"{chosen.comparisons:,} comparisons, {chosen.respondents:,} respondents, lognormal")
    for name, seconds in rows.items():
        print(f"{name:38s} {seconds:8.2f} CPU s {seconds / unit:8.1f} passes")
    sampled = joint.sampled(inferred.theta.flatten(0, 1))
    for name, values in (("mean", sampled.family.mean), ("cv", sampled.family.cv)):
        low, high = torch.quantile(values, torch.tensor([0.025, 0.975], dtype=torch.float64))
        print(f"{name}: {values.mean():.4f} ({low:.4f} to {high:.4f})")
    print(f"peak memory {peak_memory_mb():,.0f} MB")


if __name__ == "__main__":
    main()
