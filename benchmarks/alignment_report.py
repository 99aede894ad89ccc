"""Table and picture of `benchmarks/alignment.py`.

    python benchmarks/alignment_report.py --runs alignment.jsonl --plot docs/alignment.png

Beta is chosen for each arm and world by the mean validation score over seeds, the epoch within
each run. Differences are paired by seed; intervals are 95 % of Student's t. The share of the gap
closed is pooled: the sum of gains over the sum of the oracle's, with a 90 % bootstrap over seeds.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

__all__ = ["Study"]

Cell = tuple[float, str, int, float]  # log_sd, world, votes, contrarians
EASY = ("easy", 20, 0.0)
GAIN = {0.0: -0.005, 1.0: 0.008, 1.5: 0.015, 2.0: 0.025}
CLOSED = {1.0: 0.4, 1.5: 0.6, 2.0: 0.6}
ARMS = {  # arm -> name, colour (Okabe and Ito), marker
    "oracle": ("knows every strength", "#8C8C8C", "D"),
    "panel": ("panel", "#0072B2", "o"),
    "lognormal": ("per comparison, lognormal", "#E69F00", "s"),
    "gamma": ("per comparison, gamma", "#CC79A7", "^"),
    "mixdpo": ("recipe mixdpo", "#009E73", "v"),
}


class Study:
    """What was run, by arm and cell.

    Args:
        path: The file of runs.
        last: Take every run's last epoch, not the best by validation score.
    """

    def __init__(self, path: Path, *, last: bool = False) -> None:
        self.last = last
        self.runs: dict[tuple[str, Cell], dict[float, dict[int, dict[str, Any]]]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            run = json.loads(line)
            cell = (run["log_sd"], run["world"], run["votes"], run["contrarians"])
            betas = self.runs.setdefault((run["arm"], cell), {})
            betas.setdefault(run["beta"], {})[run["seed"]] = run

    def best(self, arm: str, cell: Cell) -> dict[int, dict[str, Any]]:
        """Seed -> the chosen epoch of the chosen beta, with the run; empty if not run."""
        if arm == "oracle" and cell[0] == 0:
            arm = "dpo"  # it knows nothing more
        betas = self.runs.get((arm, cell), {})
        whole = max((len(seeds) for seeds in betas.values()), default=0)
        chosen: dict[int, dict[str, Any]] = {}
        top = -math.inf
        for beta, seeds in betas.items():
            if len(seeds) < whole:
                continue  # not finished
            epochs = {
                seed: self._epoch(run["epochs_measured"]) | {"run": run}
                for seed, run in seeds.items()
            }
            score = float(np.mean([epoch["score"] for epoch in epochs.values()]))
            if score > top:
                top, chosen = score, {s: e | {"beta": beta} for s, e in epochs.items()}
        return chosen

    def _epoch(self, epochs: list[dict[str, float]]) -> dict[str, Any]:
        return epochs[-1] if self.last else max(epochs, key=lambda epoch: epoch["score"])

    def gains(self, arm: str, cell: Cell, base: str = "dpo") -> np.ndarray:
        """Accuracy of an arm minus that of another, by seed."""
        ours, theirs = self.best(arm, cell), self.best(base, cell)
        seeds = sorted(ours.keys() & theirs.keys())
        return np.array([ours[s]["accuracy"] - theirs[s]["accuracy"] for s in seeds])

    def accuracy(self, arm: str, cell: Cell) -> float:
        """Mean accuracy of an arm."""
        return float(np.mean([epoch["accuracy"] for epoch in self.best(arm, cell).values()]))

    def closed(self, arm: str, cell: Cell) -> tuple[float, float, float]:
        """Share of the gap to the oracle closed, and its 90 % bootstrap interval."""
        gain, gap = self.gains(arm, cell), self.gains("oracle", cell)
        if len(gain) != len(gap):
            return math.nan, math.nan, math.nan
        generator = np.random.default_rng(0)
        pick = generator.integers(len(gain), size=(4000, len(gain)))
        low, high = np.quantile(gain[pick].sum(1) / gap[pick].sum(1), [0.05, 0.95])
        return float(gain.sum() / gap.sum()), float(low), float(high)

    def learned(self, name: str, arm: str, cell: Cell) -> np.ndarray:
        """A figure of the chosen epochs, or of their runs (the refits)."""
        best = self.best(arm, cell)
        return np.array([e.get(name, e["run"].get(name)) for e in best.values()], dtype=float)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval."""
    n = len(values)
    half = student.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    return float(values.mean()), float(half)


def signed(values: np.ndarray) -> str:
    """Mean with its interval, as +0.016 ± 0.012."""
    mean, half = interval(values)
    return f"{mean:+.3f} ± {half:.3f}"


def lines(study: Study) -> Iterator[str]:
    """The report."""
    yield "Easy world, 200 respondents x 20 votes; accuracy, gain over DPO, gap closed"
    for log_sd in GAIN:
        cell = (log_sd, *EASY)
        dpo = study.best("dpo", cell)
        if not dpo:
            continue
        yield f"\nsd of log strength {log_sd:g} ({len(dpo)} seeds)"
        yield f"  dpo        {study.accuracy('dpo', cell):.3f}  {_beta(study, 'dpo', cell)}"
        for arm in ARMS:
            if not study.best(arm, cell) or (arm == "oracle" and log_sd == 0):
                continue
            share = (
                ""
                if log_sd == 0
                else "  {:.0%} ({:.0%} to {:.0%})".format(*study.closed(arm, cell))
            )
            gain = signed(study.gains(arm, cell))
            yield f"  {arm:10} {study.accuracy(arm, cell):.3f}  {gain}{share}  " + _beta(
                study, arm, cell
            )
        yield from _spread(study, cell)
    yield "\nElsewhere"
    yield from _elsewhere(study)
    yield "\nRequired"
    yield from _required(study)


def _beta(study: Study, arm: str, cell: Cell) -> str:
    return f"beta {next(iter(study.best(arm, cell).values()))['beta']:g}"


def _spread(study: Study, cell: Cell) -> Iterator[str]:
    for name, words in (
        ("refit", "refitted freely"),
        ("refit_default_prior", "refitted with the prior HalfNormal(1)"),
    ):
        if study.best("panel", cell):
            values = study.learned(name, "panel", cell)
            yield "  spread {}: {:.2f} ± {:.2f}".format(words, *interval(values))
    for arm in ("panel", "lognormal", "mixdpo"):
        if study.best(arm, cell):
            value = np.sqrt(np.log1p(study.learned("cv", arm, cell) ** 2))
            yield "  spread learned in training, {}: {:.2f} ± {:.2f}".format(arm, *interval(value))


def _elsewhere(study: Study) -> Iterator[str]:
    cells = sorted({cell for _, cell in study.runs if cell[1:] != EASY})
    for cell in cells:
        log_sd, world, votes, contrarians = cell
        if not study.best("dpo", cell):
            continue
        yield f"  {world}, sd {log_sd:g}, {votes} votes, {contrarians:.0%} contrarians"
        yield f"    dpo     {study.accuracy('dpo', cell):.3f}"
        for arm in ("panel", "signed", "oracle"):
            if study.best(arm, cell):
                share = "{:.0%} ({:.0%} to {:.0%})".format(*study.closed(arm, cell))
                gain = signed(study.gains(arm, cell))
                yield f"    {arm:7} {study.accuracy(arm, cell):.3f}  {gain}  {share}"
    for contrarians in (0.0, 0.1):
        cell = (1.0, "easy", 20, contrarians)
        if study.best("signed", cell):
            share = study.learned("contrarians", "signed", cell)
            yield "  contrarians {:.0%}: share learned {:.3f} ± {:.3f}".format(
                contrarians, *interval(share)
            )
            against = signed(study.gains("signed", cell, "panel"))
            yield f"  contrarians {contrarians:.0%}: signed against positive grid {against}"


def _required(study: Study) -> Iterator[str]:
    for log_sd, bar in GAIN.items():
        cell = (log_sd, *EASY)
        if not len(study.gains("panel", cell)):
            continue
        gain = float(study.gains("panel", cell).mean())
        yield _verdict(f"sd {log_sd:g}: panel - DPO {gain:+.4f} >= {bar:+.3f}", gain >= bar)
        if log_sd in CLOSED and study.best("oracle", cell):
            share = study.closed("panel", cell)[0]
            good = share >= CLOSED[log_sd]
            yield _verdict(f"sd {log_sd:g}: gap closed {share:.0%} >= {CLOSED[log_sd]:.0%}", good)
        spread = float(study.learned("refit", "panel", cell).mean())
        good = spread < 0.3 if log_sd == 0 else abs(spread - log_sd) <= 0.25 * log_sd
        yield _verdict(f"sd {log_sd:g}: refitted spread {spread:.2f}", good)
    cell = (1.0, "easy", 20, 0.1)
    if study.best("signed", cell):
        share = float(study.learned("contrarians", "signed", cell).mean())
        yield _verdict(f"10 % contrarians: share {share:.3f} in .05 to .15", 0.05 <= share <= 0.15)


def _verdict(words: str, good: bool) -> str:
    return f"  {'yes' if good else 'NO '}  {words}"


def draw(study: Study, path: Path) -> None:
    """Gain over DPO against the spread of strength, and the spread refitted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    gain, spread = figure.subplots(1, 2, width_ratios=(1.35, 1))
    log_sds = [sd for sd in GAIN if study.best("panel", (sd, *EASY))]
    for k, (arm, (name, colour, marker)) in enumerate(ARMS.items()):
        at = [sd for sd in log_sds if len(study.gains(arm, (sd, *EASY)))]
        at = [sd for sd in at if not (arm == "oracle" and sd == 0)]
        found = [interval(study.gains(arm, (sd, *EASY))) for sd in at]
        gain.errorbar(
            [sd + 0.03 * (k - 2) for sd in at],
            [mean for mean, _ in found],
            [half for _, half in found],
            color=colour,
            marker=marker,
            capsize=2,
            linewidth=1.3,
            label=name,
        )
    gain.axhline(0, color="black", linewidth=0.8)
    gain.set(xlabel="true sd of log strength", ylabel="accuracy minus that of DPO", xticks=log_sds)
    gain.set_title("Learning the true order", loc="left", fontsize=12)
    gain.legend(frameon=False, fontsize=9)
    found = [interval(study.learned("refit", "panel", (sd, *EASY))) for sd in log_sds]
    spread.plot([0, 2.2], [0, 2.2], color="#8C8C8C", linewidth=1, linestyle="--")
    spread.errorbar(
        log_sds,
        [mean for mean, _ in found],
        [half for _, half in found],
        color="#0072B2",
        marker="o",
        capsize=2,
        linestyle="none",
    )
    spread.set(xlabel="true sd of log strength", ylabel="fitted after training", xticks=log_sds)
    spread.set_title("Measuring the judges", loc="left", fontsize=12)
    for ax in (gain, spread):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print the report; draw the picture if asked."""
    parser = argparse.ArgumentParser(description="Table and picture of benchmarks/alignment.py.")
    parser.add_argument("--runs", type=Path, default=Path("alignment.jsonl"))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--last-epoch", action="store_true", help="no choice of epoch")
    chosen = parser.parse_args()
    study = Study(chosen.runs, last=chosen.last_epoch)
    for line in lines(study):
        print(line)
    if chosen.plot:
        draw(study, chosen.plot)


if __name__ == "__main__":
    main()
