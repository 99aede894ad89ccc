"""Size of reports and the CPU seconds of writing them, for four kinds of run.

Items judged by workers (ukpconvarg1), two latent tastes with ties (cems), an aligned tiny policy,
and comparisons without respondents; the fits take minutes, the reports seconds.

    OMP_NUM_THREADS=1 python benchmarks/report.py [--data ../shared/data] [--keep FOLDER]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from ties import load_set

import mixlogit as ml
from mixlogit import analysis
from mixlogit.run import silent

__all__ = ["RUNS", "report_cost"]

_ROWS = 2_000  # of ukpconvarg1


def workers(shared: Path, folder: Path) -> Path:
    """Votes of workers on arguments, ties as half votes."""
    data = load_set(shared, "ukpconvarg1").take(torch.arange(_ROWS))
    ml.fit(data, evidence=False, inference="laplace", draws=400).save(folder / "workers")
    return folder / "workers"


def students(shared: Path, folder: Path) -> Path:
    """Students on six schools: two tastes, ties after Davidson."""
    data = load_set(shared, "cems")
    ml.fit(data, tastes=2, ties="davidson", inference="laplace", draws=400).save(
        folder / "students"
    )
    return folder / "students"


def policy(shared: Path, folder: Path) -> Path:
    """The quickstart's policy, trained with a panel."""
    del shared
    from mixlogit.align.tiny import align_tiny_policy

    align_tiny_policy(folder / "policies", 0, silent)
    return folder / "policies" / "panel"


def nobody(shared: Path, folder: Path) -> Path:
    """Comparisons without respondents."""
    del shared
    data = ml.simulate(3000, cv=0.8, seed=1).comparisons()
    ml.fit(data).save(folder / "nobody")
    return folder / "nobody"


RUNS: dict[str, Callable[[Path, Path], Path]] = {
    "2,000 votes of workers on items (UKPConvArg1)": workers,
    "students, two tastes, modelled ties (CEMS)": students,
    "an aligned tiny policy": policy,
    "3,000 comparisons without respondents": nobody,
}


def report_cost(run: Path) -> tuple[float, float]:
    """Size in kB and CPU seconds of the report of a run."""
    start = time.process_time()
    page = analysis.report(run)
    return page.stat().st_size / 1000, time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", type=Path, help="where the runs and their reports stay")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if chosen.keep is None else chosen.keep
        print(f"{'run':50s} {'kB':>6s} {'CPU s':>6s}")
        for name, make in RUNS.items():
            size, seconds = report_cost(make(chosen.data, folder))
            print(f"{name:50s} {size:6.0f} {seconds:6.1f}", flush=True)


if __name__ == "__main__":
    main()
