"""How time and memory grow with the data and the model: measured sizes, fitted exponents.

Each size runs in a process of its own and counts CPU seconds and the rise of the peak of memory
from after imports, first calls and simulation. What was found goes to
benchmarks/results/growth.json, and `page.py` makes a table of it.

    python benchmarks/growth.py                  # some minutes
    python benchmarks/growth.py --full           # the largest sizes too: 10,000,000 comparisons
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from alignment_steps import make_objectives, make_optimiser, our_step
from margins import comparisons, pythia_like
from page import write_page
from peers import machine

import mixlogit as ml
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import Grid, likelihood_table
from mixlogit.lm import Scorer
from mixlogit.models.fit import fit
from mixlogit.models.maximum import maximum
from mixlogit.models.problem import Problem

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "engines"))

from meter import measured  # noqa: E402 - the engines' folder, where peers find it without us

__all__ = ["ROWS", "Row"]

RESULTS = HERE / "results" / "growth.json"
SHARD = 1_000_000  # comparisons in a file
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What is done.
        over: What grows, the rest held as said.
        prepare: Makes the work of a size.
        sizes: Sizes by default.
        more: Larger ones.
        small: A size for the first call, which loads what is loaded late.
    """

    what: str
    over: str
    prepare: Callable[[int], Work]
    sizes: tuple[int, ...]
    more: tuple[int, ...]
    small: int


def _votes(comparisons: int, respondents: int, **options: Any) -> Any:
    return ml.simulate(comparisons, respondents, cv=0.8, seed=1, **options).comparisons()


def _maximum(comparisons: int, respondents: int, **options: Any) -> Work:
    data = _votes(comparisons, respondents, **options)
    return lambda: maximum(data, "lognormal")


def _streamed(count: int, respondents: int = 20_000) -> Work:
    """Votes in a folder of Parquet files, never all in memory."""
    folder, rng = tempfile.TemporaryDirectory(), np.random.default_rng(1)
    strength = np.exp(rng.normal(-0.25, 0.8, respondents))
    for part, start in enumerate(range(0, count, SHARD)):
        rows = min(SHARD, count - start)
        who, margin = rng.integers(0, respondents, rows), rng.normal(0.0, 2.0, rows)
        chosen = rng.random(rows) < 1 / (1 + np.exp(-strength[who] * margin))
        columns = {"margin": margin, "outcome": np.where(chosen, "a", "b"), "respondent": who}
        pd.DataFrame(columns).to_parquet(Path(folder.name) / f"{part:04}.parquet")
    return lambda: maximum(ml.streamed(folder.name), "lognormal")


def _posterior(respondents: int) -> Work:
    data = _votes(20 * respondents, respondents)
    return lambda: fit(data, evidence=False)


def _nodes(count: int) -> Work:
    problem = Problem(_votes(200_000, 10_000))
    grid = Grid(-10.0, 15.0 / count, count)

    def work() -> PanelLikelihood:
        table = likelihood_table(
            problem.margin, problem.unit_of_row, grid=grid, n_respondents=10_000
        )
        return PanelLikelihood(table)

    return work


def _groups(count: int) -> Work:
    data = _votes(100_000, 5_000, groups=count)
    return lambda: fit(data, by=["group"], inference="laplace", evidence=False, draws=400)


def _classes(count: int) -> Work:
    data = _votes(20_000, 1_000, features=4, tastes=2, family="fixed")
    options = {"inference": "laplace", "evidence": False, "draws": 400}
    return lambda: fit(data, tastes=count, **options)


def _scored(tokens: int) -> Work:
    scorer, rows = Scorer(pythia_like()), comparisons(4, tokens)
    return lambda: scorer.score(rows)


def _trained(tokens: int) -> Work:
    scorer = Scorer(pythia_like().train())
    objective = make_objectives()["panel, lognormal"]
    step = our_step(scorer, make_optimiser(scorer.model), objective)
    rows = comparisons(4, tokens)
    step(rows[:1], torch.arange(1))  # gradients and the optimiser's state are there
    return lambda: step(rows, torch.arange(4))


ROWS = {
    "comparisons": Row(
        *("maximum, 1,000 respondents", "comparisons", lambda n: _maximum(n, 1_000)),
        *((10_000, 100_000, 1_000_000), (10_000_000,), 2_000),
    ),
    "streamed": Row(
        *("maximum, 20,000 respondents, streamed", "comparisons", _streamed),
        *((100_000, 1_000_000), (10_000_000, 100_000_000), 100_000),
    ),
    "respondents": Row(
        *("maximum, 20 comparisons each", "respondents", lambda n: _maximum(20 * n, n)),
        *((500, 5_000, 50_000), (500_000,), 100),
    ),
    "posterior": Row(
        *("whole posterior, 20 comparisons each", "respondents", _posterior),
        *((500, 5_000), (50_000, 500_000), 100),
    ),
    "nodes": Row(
        *("likelihood table, 200,000 comparisons", "nodes", _nodes),
        *((50, 100, 200, 400), (), 20),
    ),
    "groups": Row(
        *("posterior (Laplace), 100,000 comparisons", "groups", _groups),
        *((2, 8, 32), (128,), 2),
    ),
    "classes": Row(
        *("posterior (Laplace), 20,000 comparisons", "classes of taste", _classes),
        *((2, 3, 4), (6,), 2),
    ),
    "features": Row(
        "maximum, 20,000 comparisons, 1,000 respondents",
        "features",
        lambda n: _maximum(20_000, 1_000, features=n),
        *((2, 8, 32), (), 2),
    ),
    "margins": Row(
        *("margins of 4 comparisons", "tokens of the prompt", _scored),
        *((64, 128, 256, 512), (), 16),
    ),
    "alignment": Row(
        *("training step on 4 comparisons", "tokens of the prompt", _trained),
        *((64, 128, 256, 512), (), 16),
    ),
}


def measure(name: str, size: int) -> dict[str, Any]:
    """One size of a row, in a process of its own, forked after the imports."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_one, (name, size))


def _one(name: str, size: int) -> dict[str, Any]:
    """What `measure` runs."""
    row = ROWS[name]
    row.prepare(row.small)()
    work = row.prepare(size)

    def job() -> dict[str, Any]:
        work()
        return {}

    return measured(job)


def rows(names: list[str], *, full: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measured rows of the table, by name."""
    for name in names:
        row = ROWS[name]
        sizes = row.sizes + (row.more if full else ())
        found = [measure(name, size) for size in sizes]
        print(name, sizes, found, flush=True)
        costs = {key: [one[key] for one in found] for key in ("seconds", "memory_mb")}
        yield name, {"what": row.what, "over": row.over, "sizes": sizes, **costs}


def main() -> None:
    """Measure, keep, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--full", action="store_true", help="the largest sizes too")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    found = results.get("found", {})
    for name, row in rows(chosen.only.split(","), full=chosen.full):
        found[name] = row
        results = {"date": f"{date.today()}", "machine": machine(), "found": found}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_page()


if __name__ == "__main__":
    main()
