"""Ties modelled against ties as half votes, by held-out log-likelihood of all votes.

Bradley-Terry utilities, lognormal strength of respondents, votes split 80/20 at random. The half
vote treatment gives no probability of a tie: beside it stands a constant one, the share of ties
among the votes of the fit. Scores are means over all held-out votes, ties among them, in nats;
"decided" are those of the direction of decided votes given that they are decided.

    python benchmarks/ties.py [--data ../shared/data] [--sets cems,mtbench-human] [--seeds 0,1,2]
"""

import argparse
import math
import time
from pathlib import Path

import pandas as pd
import torch
from real_data import MANY_ITEMS, SETS

import mixlogit as ml
from mixlogit.data import Comparisons

__all__ = ["MODELS", "compare"]

LABELS = {"cems": "a=1,b=2,tie=tie"}
MODELS = {
    "davidson": {"ties": "davidson"},
    "rao-kupper": {"ties": "rao-kupper"},
    "rao-kupper, width by strength": {"ties": "rao-kupper", "width": "strength"},
    "rao-kupper, own width": {"ties": "rao-kupper", "width": "respondent"},
    "rao-kupper, own width, strength fixed": {
        "ties": "rao-kupper",
        "width": "respondent",
        "family": "fixed",
    },
}


def load_set(folder: Path, name: str) -> Comparisons:
    """Read one of the sets, with its ties."""
    file, columns = SETS[name]
    return ml.load(folder / file, **{**columns, "labels": LABELS.get(name, columns["labels"])})


def half_votes(train: Comparisons, test: Comparisons, inference: str) -> float:
    """Mean log score of all votes with ties as half votes and a constant share of ties."""
    share = train.n_ties / len(train)
    posterior = ml.fit(train, evidence=False, inference=inference, draws=400)
    decided = posterior.held_out(test)
    n, ties = decided["n"], test.n_ties
    score = n * (math.log(1 - share) + decided["log_score"]) + ties * math.log(share)
    return score / (n + ties)


def compare(data: Comparisons, seed: int, models: list[str]) -> dict[str, float]:
    """Held-out score of half votes, and gains of each model over it in milli-nats a vote."""
    train, test = data.split(0.2, seed=seed)
    if data.items:  # an item without votes in the fit cannot be scored
        seen = torch.zeros(len(data.items), dtype=torch.bool)
        seen[train.item_a], seen[train.item_b] = True, True
        test = test.take(seen[test.item_a] & seen[test.item_b])
    inference = "laplace" if len(data.items) > MANY_ITEMS else "auto"
    base = half_votes(train, test, inference)
    out = {"half votes (nats)": base}
    for name in models:
        begin = time.process_time()
        options = {"inference": inference, "evidence": False, "draws": 400, **MODELS[name]}
        posterior = ml.fit(train, **options)
        out[name] = 1000 * (posterior.held_out(test)["log_score"] - base)
        seconds = time.process_time() - begin
        print(f"    {name:40} {out[name]:+8.1f}  ({seconds:.0f} CPU s)", flush=True)
        chosen = [
            f"{key} {value:.2f}"
            for key, value in posterior.summary()["mean"].items()
            if not key.startswith(("cv", "mean"))
        ]
        print(f"        {', '.join(chosen)}", flush=True)
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
        data = load_set(chosen.data, name)
        share = data.n_ties / len(data)
        print(f"{name}: {len(data):,} votes, {data.n_respondents:,} respondents, {share:.1%} ties")
        rows = [
            compare(data, int(seed), chosen.models.split(";")) for seed in chosen.seeds.split(",")
        ]
        print(pd.DataFrame(rows).mean().round(3).to_string(), "\n", flush=True)


if __name__ == "__main__":
    main()
