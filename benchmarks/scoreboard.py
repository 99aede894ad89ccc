"""The scoreboard: what is promised of this program, measured, with targets and verdicts.

Writes docs/scoreboard.md. `--quick` measures less of everything and takes about five CPU minutes;
a row that was not measured this time keeps its figure and its date.

    python benchmarks/scoreboard.py --quick
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import torch
from calibration import FAMILIES, calibrate
from false_alarms import DESIGNS, false_alarms

from mixlogit.choice import Gamma, LogNormal, Normal, StrengthFamily

__all__ = ["Row", "main"]

ROOT = Path(__file__).resolve().parents[1]
PAGE, RECORD = ROOT / "docs" / "scoreboard.md", ROOT / "benchmarks" / "scoreboard.json"
ACCURACY = {"gamma": 2e-13, "lognormal": 1e-9, "normal": 1e-9}
# what -> selection of tests in which every case must pass, and variables
SUITES: dict[str, tuple[list[str], dict[str, str]]] = {
    "damaged files of runs and checkpoints": (["tests/trust/test_damage.py"], {}),
    "damaged shards of margins and scores of references": (
        ["tests/trust/test_damaged_scores.py"],
        {},
    ),
    "a pickle in every file of a checkpoint": (["tests/trust/test_hostile_checkpoints.py"], {}),
    "signals; two processes on one folder": (["tests/trust/test_signals.py"], {}),
    "locks of processes alive, dead or far": (["tests/run/test_lock.py"], {}),
    "full disk": (["tests/run/test_write.py", "tests/align/test_killed.py", "-k", "full"], {}),
    "malformed rows x formats": (["tests/data/test_malformed.py"], {}),
    "hostile texts in terminal and HTML": (
        [
            "tests/cli/test_terminal.py",
            "tests/analysis/test_report.py",
            "-k",
            "hostile or harmless",
        ],
        {},
    ),
    "hostile configurations": (["tests/run/test_config.py"], {}),
    "calls that are banned": (["tests/test_architecture.py", "-k", "danger"], {}),
    "connections to other machines": (["tests/trust/test_network.py"], {}),
    "agreement with reference posteriors": (["tests/models/test_reference.py"], {}),
}
FUZZ = "tests/data/test_fuzz.py"


@dataclass(frozen=True)
class Row:
    """One line of the scoreboard.

    Attributes:
        what: What was measured.
        n: Of how many.
        figure: What came out, in words.
        target: What it has to be, in words.
        ok: Whether it is.
        command: What measures it again.
        date: When it was measured.
    """

    what: str
    n: int
    figure: str
    target: str
    ok: bool
    command: str
    date: str = ""


def accuracy() -> Iterable[Row]:
    """Log choice probabilities against the table that mpmath made."""
    table = json.loads((ROOT / "tests/reference/choice_prob.json").read_text(encoding="utf-8"))
    for name, target in ACCURACY.items():
        rows = [row[1:] for row in table["rows"] if row[0] == name]
        mean, spread, margin, expected = torch.tensor(rows, dtype=torch.float64).unbind(1)
        found = _family(name, mean, spread).log_choice_prob(margin)
        ordinary = expected.abs() > 1e-300
        error = float(((found - expected) / expected).abs()[ordinary].max())
        what = f"log choice probability, {name}: worst relative error"
        command = "pytest tests/choice/test_choice_prob.py"
        yield Row(what, len(rows), f"{error:.1e}", f"<= {target:.0e}", error <= target, command)


def _family(name: str, mean: torch.Tensor, spread: torch.Tensor) -> StrengthFamily:
    """A family from the spread that the table uses."""
    if name == "gamma":
        return Gamma(mean, spread**-0.5)
    if name == "lognormal":
        return LogNormal(mean, torch.expm1(spread**2).sqrt())
    return Normal(mean, mean * spread)


def coverage(replicates: int) -> Iterable[Row]:
    """Simulation-based calibration of each family: 90 % intervals, and the ranks."""
    allowed = 2.6 * math.sqrt(0.9 * 0.1 / replicates)
    for family in FAMILIES:
        command = f"python benchmarks/calibration.py --replicates {replicates} --family {family}"
        for found in calibrate(family, replicates):
            yield Row(
                f"90 % interval of {found.parameter}, {family}",
                replicates,
                f"covers {found.coverage:.1%}, KS p {found.p_value:.2f}",
                f"90 +- {allowed:.1%}, ranks in the 99 % band",
                abs(found.coverage - 0.9) <= allowed and found.inside,
                command,
            )


def alarms(studies: int) -> Iterable[Row]:
    """How often homogeneous judges are called heterogeneous."""
    total, n = sum(false_alarms(*design, studies) for design in DESIGNS), studies * len(DESIGNS)
    command = f"python benchmarks/false_alarms.py --studies {studies}"
    what = "homogeneous judges called heterogeneous"
    yield Row(what, n, f"{total / n:.1%}", "<= 5%", total <= 0.05 * n, command)


def suite(what: str, selection: list[str], variables: dict[str, str], times: int = 1) -> Row:
    """Cases of tests, all of which must pass.

    Args:
        what: What they test.
        selection: Arguments of pytest.
        variables: Of its environment.
        times: Cases within each test.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = ["-m", "pytest", "-q", "-n", "0", *selection]
        # what it prints is of no use here: the report says what failed
        subprocess.run(
            [sys.executable, *command, f"--junitxml={report}"],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
        )
        found = ElementTree.parse(report).getroot()[0]
    n = int(found.get("tests", 0)) - int(found.get("skipped", 0))
    bad = int(found.get("failures", 0)) + int(found.get("errors", 0))
    said = " ".join([f"{k}={v}" for k, v in variables.items()] + ["pytest", *selection])
    said = said.replace("hostile or harmless", "'hostile or harmless'")
    return Row(what, n * times, f"{(n - bad) * times} as promised", "all", n > bad == 0, said)


def tested(examples: int, killed: str, part: str) -> Iterable[Row]:
    """What tests count: the rows with a part in their name."""
    times = 20 if killed == "twenty" else 2
    name = f"test_killed_at_{'twenty_' if killed == 'twenty' else ''}random_moments"
    soak = ["tests/align/test_killed.py", "-k", name]
    soak += ["-m", "slow"] if killed == "twenty" else []
    rows = [(what, *selected, 1) for what, selected in SUITES.items()]
    fuzz = "hypothesis cases on loaders"
    rows.append((fuzz, [FUZZ], {"MIXLOGIT_FUZZ": str(examples)}, examples))
    rows.append(("kill -9 at random moments, ends bit for bit alike", soak, {}, times))
    for what, selection, variables, cases in rows:
        if part in what:
            yield suite(what, selection, variables, cases)


def page(rows: Iterable[Row]) -> str:
    """The page."""
    lines = [
        "# Scoreboard",
        "",
        "What is promised, measured. Made by `make scoreboard`; do not edit.",
        "",
        "| what | n | figure | target | verdict | measured | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        verdict = "holds" if row.ok else "**missed**"
        cells = (row.what, f"{row.n:,}", row.figure, row.target, verdict, row.date)
        lines.append(f"| {' | '.join(cells)} | `{row.command}` |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page after every part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer replicates and cases")
    parser.add_argument("--only", choices=["accuracy", "coverage", "alarms", "tests"])
    parser.add_argument("--part", default="", help="of tests: only rows with this in their name")
    options = parser.parse_args()
    quick = options.quick
    parts: dict[str, Callable[[], Iterable[Row]]] = {
        "accuracy": accuracy,
        "alarms": lambda: alarms(40 if quick else 200),
        "tests": lambda: tested(100 if quick else 500, "two" if quick else "twenty", options.part),
        "coverage": lambda: coverage(50 if quick else 200),
    }
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else []
    known = {row["what"]: Row(**row) for row in record}
    for name, part in parts.items():
        for row in part() if options.only in (None, name) else ():
            known[row.what] = Row(**{**asdict(row), "date": f"{datetime.now(UTC):%Y-%m-%d}"})
            print(f"{row.what}: {row.figure} of {row.n:,} ({row.target})", flush=True)
            rows = [known[what] for what in known]
            RECORD.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
            PAGE.write_text(page(rows), encoding="utf-8")
    sys.exit(0 if all(row.ok for row in known.values()) else 1)


if __name__ == "__main__":
    main()
