"""Latent tastes against strength, by held-out log-likelihood of all votes, ties among them.

Votes of each respondent are split 80/20 at random; every model has ties after Davidson. Gains
over one taste and one strength for all, in milli-nats a vote, their standard error over votes in
brackets.

    python benchmarks/tastes.py [--data ../shared/data] [--sets cems,mtbench-human] [--seeds 0,1,2]
"""

import argparse
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from real_data import SETS
from ties import load_set

import mixlogit as ml
from mixlogit.data import Comparisons

__all__ = ["MODELS", "gains"]

MODELS: dict[str, dict[str, Any]] = {
    "one taste, lognormal strength": {"family": "lognormal"},
    "2 tastes": {"tastes": 2},
    "2 tastes, lognormal strength": {"tastes": 2, "family": "lognormal"},
    "3 tastes": {"tastes": 3},
    "3 tastes, lognormal strength": {"tastes": 3, "family": "lognormal"},
    "4 tastes": {"tastes": 4},
}


def split_within(data: Comparisons, fraction: float, seed: int) -> tuple[Any, Any]:
    """A share of each respondent's votes held out at random."""
    assert data.respondent is not None
    who = data.respondent.codes
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(who), generator=generator)
    order = shuffled[torch.argsort(who[shuffled], stable=True)]  # by respondent, at random within
    sizes = torch.bincount(who)
    start = (sizes.cumsum(0) - sizes)[who[order]]
    held = torch.arange(len(who)) - start < (fraction * sizes).round()[who[order]]
    return data.take(order[~held].sort().values), data.take(order[held].sort().values)


def gains(data: Comparisons, seed: int, models: list[str]) -> dict[str, float]:
    """Held-out gains of each model over one taste and one strength for all."""
    train, test = split_within(data, 0.2, seed)
    seen = torch.zeros(len(data.items), dtype=torch.bool)
    seen[train.item_a], seen[train.item_b] = True, True
    test = test.take(seen[test.item_a] & seen[test.item_b])
    out: dict[str, float] = {}
    for name in models:
        begin = time.process_time()
        posterior = ml.fit(
            train, ties="davidson", inference="laplace", evidence=False, draws=400, **MODELS[name]
        )
        scores = posterior.held_out(test)
        out[name] = scores["gain_millinats"]
        seconds = time.process_time() - begin
        failed = ", ".join(check.name for check in posterior.checks if not check.ok)
        line = f"{out[name]:+8.1f} ({scores['se']:.1f})  {seconds:4.0f} CPU s  {failed}"
        print(f"    {name:34}{line}", flush=True)
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", default="cems,mtbench-human")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--models", default=";".join(MODELS))
    chosen = parser.parse_args()
    for name in chosen.sets.split(","):
        assert name in SETS
        data = load_set(chosen.data, name)
        share = data.n_ties / len(data)
        print(f"{name}: {len(data):,} votes, {data.n_respondents:,} respondents, {share:.1%} ties")
        rows = [gains(data, int(s), chosen.models.split(";")) for s in chosen.seeds.split(",")]
        print(pd.DataFrame(rows).mean().round(1).to_string(), "\n", flush=True)


if __name__ == "__main__":
    main()
