"""docs/benchmarks.md from the results in benchmarks/results: `python benchmarks/page.py`."""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from agreement import NATS, SHIFT, SPREAD, cost, disagreement, exponent, ratio

__all__ = ["make_page", "write_page"]

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "benchmarks.md"

HEAD = f"""# Benchmarks

`make benchmark` measures and writes this page: `benchmarks/peers.py` and `benchmarks/growth.py`
keep what they found in `benchmarks/results/`, and `benchmarks/page.py` makes the tables. Costs are
CPU seconds of all threads and children, and MB by which the peak of memory rises, both counted
from after imports and reading, each program in a process of its own. Figures are medians of rounds
in which the programs took turns, the least and the most in brackets; what takes longer than half a
minute ran once. Panel strength was measured on a quiet machine, the rest on one that was shared
and busy, which makes CPU seconds up to 1.7 times as many, for all programs alike.

A ratio is how many times a peer's cost is ours, and is given only where the answers agree: mean
and standard deviation of log strength within {SHIFT} standard errors, standard errors within
{SPREAD:.0%}; on the same draws log-likelihoods within {NATS} nats. Every peer is used as its
authors advise, in the way that gives right standard errors; what was chosen stands at the top of
its file in `benchmarks/engines/`. An expert could write by hand, in JAX or in Stan, the integral
that makes the difference here; no peer ships it.
"""
SIZES = {
    "small": "10,000 comparisons, 500 respondents",
    "middle": "100,000 comparisons, 5,000 respondents",
    "large": "1,000,000 comparisons, 50,000 respondents",
}


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _number(value: float) -> str:
    """Three digits at most, none of them invented."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spread(values: tuple[float, float, float], least: bool = True) -> str:
    middle, low, high = map(_number, values)
    return middle if low == high else f"{middle} ({low} to {high})"


def _ratio(own: dict[str, Any], entry: dict[str, Any]) -> str:
    """How many times the cost of ours, or why that is not said."""
    if entry is own:
        return "1"
    if entry["task"] == own["task"] or entry["ours"]:
        why = disagreement(own["runs"][0], entry["runs"][0])
        if why:
            return why
    return f"**{_spread(ratio(own['runs'], entry['runs']))}**"


def _entries(found: list[dict[str, Any]]) -> Iterable[list[str]]:
    """Rows of programs that found mean and spread of log strength."""
    own = found[0]
    for entry in found:
        first = entry["runs"][0]
        if "stopped" in first:
            yield [entry["label"], first["stopped"], "-", "-", "-", "-", "-"]
            continue
        likelihood = first.get("log_likelihood")
        yield [
            entry["label"],
            _spread(cost(entry["runs"])),
            _number(cost(entry["runs"], "memory_mb")[0]),
            f"{first['mu']:.4f}",
            f"{first['log_sd']:.4f} ({first['se']:.4f})",
            first["note"] if likelihood is None else f"{likelihood:,.2f}; {first['note']}",
            _ratio(own, entry),
        ]


STRENGTH_HEAD = [
    *("program", "CPU s", "MB", "mean of log strength", "its sd (error)"),
    *("log-likelihood; how", "times the CPU of ours"),
]


def _strength(results: dict[str, Any], kind: str) -> Iterable[str]:
    for size, words in SIZES.items():
        if f"{kind}-{size}" in results:
            yield f"{words[0].upper()}{words[1:]}:\n"
            yield _table(STRENGTH_HEAD, _entries(results[f"{kind}-{size}"]["found"]))
            if "note" in results[f"{kind}-{size}"]:
                yield results[f"{kind}-{size}"]["note"] + "\n"


def _against_maximum(results: dict[str, Any]) -> str:
    """The posteriors of the large problem beside the peer's maximum."""
    population, everything = results["posterior-large"]["found"][:2]
    peer = results["maximum-large"]["found"][1]
    times = [_spread(ratio(own["runs"], peer["runs"])) for own in (population, everything)]
    return (
        f"The maximum alone takes xlogit **{times[0]}** times what the posterior of the "
        f"population takes here at a million comparisons, and **{times[1]}** times what "
        "everything takes: every respondent's posterior, leave-one-out and all checks.\n"
    )


def _electricity(found: list[dict[str, Any]]) -> Iterable[list[str]]:
    own = found[0]
    for entry in found:
        first = entry["runs"][0]
        if "stopped" in first:
            yield [entry["label"], first["stopped"], "-", "-", "-", "-"]
            continue
        errors = " ".join(f"{value:.4f}" for value in first["standard_errors"][:3]) or "-"
        yield [
            entry["label"],
            _spread(cost(entry["runs"])),
            _number(cost(entry["runs"], "memory_mb")[0]),
            f"{first['log_likelihood']:.4f}",
            errors,
            _ratio(own, entry),
        ]


ELECTRICITY_HEAD = [
    *("program", "CPU s", "MB", "log-likelihood"),
    *("standard errors of pf, cl, loc", "times the CPU of ours"),
]


def _alignment(found: dict[str, Any]) -> Iterable[list[str]]:
    """Steps by variant; ratios are those of single turns, which share the machine's load."""
    peak = found.get("peak", {})
    for name, taken in found["seconds"].items():
        pairs = {
            other: [b / a for a, b in zip(taken, found["seconds"][other], strict=True)]
            for other in ("fixed", "TRL, plain DPO")
        }
        to_fixed = [1 / share for share in pairs["fixed"]]
        yield [
            name,
            _number(1000 * median(taken)),
            _number(peak[name]) if name in peak else "-",
            _spread(_middle(to_fixed)),
            f"**{_spread(_middle(pairs['TRL, plain DPO']))}**",
        ]


def _middle(values: list[float]) -> tuple[float, float, float]:
    return median(values), min(values), max(values)


def _margins(found: list[dict[str, Any]]) -> Iterable[list[str]]:
    for row in found:
        yield [
            str(row["prompt"]),
            row["way"],
            _number(row["per CPU s"]),
            _number(row["extra MiB"]),
            _number(row["speed / TRL"]),
            _number(row["memory / TRL"]),
        ]


def _versions(results: dict[str, Any]) -> str:
    """Packages and their versions, the machine, the dates."""
    packages: dict[str, str] = {}
    for task in results.values():
        if isinstance(task["found"], list):
            for entry in task["found"]:
                for run in entry.get("runs", []):
                    packages |= run.get("versions", {})
    named = ", ".join(f"{name} {packages[name]}" for name in sorted(packages))
    machines = sorted({task["machine"] for task in results.values()})
    dates = sorted({task["date"] for task in results.values()})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{named}. {'; '.join(machines)}. Measured {span}.\n"


def _growth(rows: Iterable[dict[str, Any]]) -> Iterable[list[str]]:
    for row in rows:
        sizes, seconds, memory = row["sizes"], row["seconds"], row["memory_mb"]
        yield [
            row["what"],
            row["over"],
            " ".join(f"{size:,.0f}" for size in sizes),
            " ".join(map(_number, seconds)),
            " ".join(map(_number, memory)),
            f"**{exponent(sizes, seconds):.2f}**",
            f"{round(exponent(sizes, memory), 2) + 0.0:.2f}",
        ]


GROWTH_HEAD = [
    *("what", "over", "sizes", "CPU s", "MB"),
    *("exponent of time", "of memory"),
]
GROWTH = """`benchmarks/growth.py`, with `--full` for the long ones; each size in a process of its
own, everything else as said. The exponent is the slope of log cost over log size, over all sizes
of the row; what a call costs at any size flattens it. From some 50 votes a respondent likelihoods
are narrower than the grid and get one up to four times finer, from some two thousand votes nodes
of their own; votes then cost next to nothing.
"""


def make_page(peers: dict[str, Any], growth: dict[str, Any]) -> str:
    """The page as text.

    Args:
        peers: What `peers.py` kept, by task.
        growth: What `growth.py` kept.
    """
    parts = [HEAD, _versions(peers | ({"growth": growth} if growth else {}))]
    for kind, title in (("maximum", "Panel strength: maximum"), ("posterior", "posterior")):
        tables = list(_strength(peers, kind))
        if tables:
            words = title if kind == "maximum" else "Panel strength: posterior"
            parts += [f"## {words}\n", *tables]
    if {"posterior-large", "maximum-large"} <= peers.keys():
        parts.append(_against_maximum(peers))
    if "electricity" in peers:
        table = _table(ELECTRICITY_HEAD, _electricity(peers["electricity"]["found"]))
        parts += ["## Electricity: six random coefficients\n", table]
    if "alignment" in peers:
        head = ["step", "CPU ms", "extra MiB", "times the CPU of fixed", "TRL's CPU over its own"]
        parts += ["## A training step\n", _table(head, _alignment(peers["alignment"]["found"]))]
    if "margins" in peers:
        head = ["prompt", "way", "comparisons a CPU s", "extra MiB", "speed / TRL", "memory / TRL"]
        parts += ["## Margins\n", _table(head, _margins(peers["margins"]["found"]))]
    if "start-up" in peers:
        rows = [[r["label"], f"{r['seconds']:.2f}"] for r in peers["start-up"]["found"]]
        parts += ["## Start-up\n", _table(["command", "seconds by the clock"], rows)]
    if growth:
        parts += ["## Growth\n", GROWTH, _table(GROWTH_HEAD, _growth(growth["found"].values()))]
    return "\n".join(parts)


def _read(name: str) -> dict[str, Any]:
    file = RESULTS / name
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def write_page() -> None:
    """Write docs/benchmarks.md."""
    page = make_page(_read("peers.json"), _read("growth.json"))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write_page()
