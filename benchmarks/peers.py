"""Ours beside its peers: cost of the same answer, in CPU seconds and memory.

Every program runs in a process of its own on the same data: the panel strength of three sizes,
random coefficients on the electricity panel, a training step and margins beside TRL. CPU seconds
(all threads, children too) and the rise of the peak of memory count from after imports and
reading. Programs take turns, round by round; one that takes longer than a minute runs once. What
they found goes to benchmarks/results/peers.json, and `page.py` makes docs/benchmarks.md of it.

    make benchmark                                   # or: python benchmarks/peers.py
    python benchmarks/peers.py --only electricity,alignment --rounds 1
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from page import write_page
from peers_env import interpreter

__all__ = ["TASKS", "Program", "simulated"]

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "peers.json"
LIMIT, LONG = 900, 60.0  # CPU seconds: of a process, and from which on it runs once
SIZES = {"small": (10_000, 500), "middle": (100_000, 5_000), "large": (1_000_000, 50_000)}
ELECTRICITY = "electricity-panel/electricity_long.csv.gz"


@dataclass(frozen=True)
class Program:
    """A program of an engine.

    Attributes:
        label: Its row in the table.
        engine: Script in engines/, without ending.
        name: Of the program there.
        task: What it is measured at.
    """

    label: str
    engine: str
    name: str
    task: str

    @property
    def ours(self) -> bool:
        """Whether it is not a peer's."""
        return self.engine == "mixlogit_engine"


def _strength() -> Iterator[Program]:
    for size in SIZES:
        maximum, posterior = f"maximum-{size}", f"posterior-{size}"
        yield Program("mixlogit, maximum", "mixlogit_engine", "maximum", maximum)
        yield Program("xlogit, L-BFGS-B", "xlogit_engine", "strength", maximum)
        if size != "large":
            yield Program("jaxlogit", "jaxlogit_engine", "strength", maximum)
        if size == "small":
            yield Program("biogeme", "biogeme_engine", "strength", maximum)
        yield Program("mixlogit, whole posterior", "mixlogit_engine", "posterior", posterior)
        if size == "middle":
            yield Program("mixlogit, by NUTS", "mixlogit_engine", "nuts", posterior)
            yield Program("NumPyro, NUTS", "numpyro_engine", "nuts", posterior)
        yield Program("NumPyro, mean-field SVI", "numpyro_engine", "svi", posterior)


PROGRAMS = (
    *_strength(),
    Program("mixlogit, 600 Halton draws", "mixlogit_engine", "halton", "electricity"),
    Program("mixlogit, 256 adaptive draws", "mixlogit_engine", "adaptive", "electricity"),
    Program("xlogit, 600 Halton draws", "xlogit_engine", "electricity", "electricity"),
    Program("biogeme, 600 MLHS draws", "biogeme_engine", "electricity", "electricity"),
)
SCRIPTS = {"alignment": "alignment_steps.py", "margins": "margins.py"}
TASKS = (*dict.fromkeys(program.task for program in PROGRAMS), *SCRIPTS, "start-up")


def simulated(comparisons: int, respondents: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Votes of respondents whose log strength is Normal(-0.25, 0.8), by respondent.

    Returns:
        Margins (normal, sd 2), outcomes (1 where the margin's side was chosen) and respondents.

    Example:
        >>> votes = simulated(100, 5)
        >>> votes["margin"].shape, bool((np.diff(votes["respondent"]) >= 0).all())
        ((100,), True)
    """
    rng = np.random.default_rng(seed)
    respondent = np.sort(rng.integers(0, respondents, comparisons))
    strength = np.exp(rng.normal(-0.25, 0.8, respondents))
    margin = rng.normal(0.0, 2.0, comparisons)
    chance = 1 / (1 + np.exp(-strength[respondent] * margin))
    outcome = (rng.random(comparisons) < chance).astype(float)
    return {"margin": margin, "outcome": outcome, "respondent": respondent}


def run(program: Program, file: Path) -> dict[str, Any]:
    """One measurement in a new process; says so where it was stopped."""
    python = sys.executable if program.ours else str(interpreter())
    script = HERE / "engines" / f"{program.engine}.py"
    command = [python, str(script), program.name, str(file), str(LIMIT)]
    with tempfile.TemporaryDirectory() as folder:  # biogeme leaves files where it works
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=_quiet())
    if done.returncode < 0:
        return {"stopped": f"stopped at {LIMIT} CPU s"}
    if done.returncode:
        raise RuntimeError(f"{program.label} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _quiet() -> dict[str, str]:
    """One thread of BLAS and torch; JAX keeps its own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def measure(programs: list[Program], file: Path, rounds: int) -> list[dict[str, Any]]:
    """Runs of programs in turn, one entry each."""
    out = [{"label": p.label, "ours": p.ours, "task": p.task, "runs": []} for p in programs]
    for _ in range(rounds):
        for program, entry in zip(programs, out, strict=True):
            runs: list[dict[str, Any]] = entry["runs"]
            if runs and runs[0].get("seconds", LIMIT) > LONG:
                continue
            runs.append(run(program, file))
            print(f"{program.task:20} {program.label:30} {runs[-1]}", flush=True)
    return out


def scripts_json(script: str) -> Any:
    """What another benchmark prints with --json."""
    command = [sys.executable, str(HERE / script), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_quiet())
    return json.loads(done.stdout.splitlines()[-1])


def start_up(rounds: int = 7) -> list[dict[str, Any]]:
    """Seconds by the clock of `mixlogit --help` and `import mixlogit`, Python's own among them."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import mixlogit": [sys.executable, "-c", "import mixlogit"],
        "mixlogit --help": [str(Path(sys.executable).parent / "mixlogit"), "--help"],
    }
    out = []
    for name, command in commands.items():
        seconds = []
        for _ in range(rounds):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - begin)
        out.append({"label": name, "seconds": median(seconds), "range": _range(seconds)})
    return out


def _range(values: list[float]) -> list[float]:
    return [min(values), max(values)]


def machine() -> str:
    """The processor, cores and memory, in words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = next(names, platform.machine())
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def measure_task(task: str, data: Path, rounds: int) -> Any:
    """Everything measured at one task."""
    if task in SCRIPTS:
        return scripts_json(SCRIPTS[task])
    if task == "start-up":
        return start_up()
    programs = [program for program in PROGRAMS if program.task == task]
    if task == "electricity":
        return measure(programs, (data / ELECTRICITY).resolve(), rounds)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "votes.npz"
        np.savez(file, **simulated(*SIZES[task.partition("-")[2]]))
        return measure(programs, file, rounds)


def main() -> None:
    """Measure, keep, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only", default=",".join(TASKS), help="tasks, or the first words of them"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    chosen = parser.parse_args()
    wanted = tuple(chosen.only.split(","))
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for task in TASKS:
        if task.startswith(wanted):
            found = measure_task(task, chosen.data, chosen.rounds)
            results[task] = {"date": f"{date.today()}", "machine": machine(), "found": found}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_page()


if __name__ == "__main__":
    main()
