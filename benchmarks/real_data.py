"""Held-out votes on real data: panel and per-comparison strength against one strength for all.

Bradley-Terry utilities, votes split 80/20 at random, three seeds; gains in milli-nats a decided
vote. On ukpconvarg1 also the rank correlation of workers' fitted log strength with the MACE
competence that was published with the data.

    python benchmarks/real_data.py [--data ../shared/data] [--sets cems,...] [--seeds 0,1,2]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

import mixlogit as ml
from mixlogit.data import Comparisons

__all__ = ["SETS", "gains", "load_set", "worker_correlations"]

MANY_ITEMS = 100  # with more the normal approximation at the mode is used

# name -> (file, columns, targets in milli-nats)
SETS = {
    "sound-quality": (
        "sound-quality/comparisons.csv.gz",
        {
            "respondent": "listener",
            "item_a": "item1",
            "item_b": "item2",
            "outcome": "winner",
            "labels": "a=1,b=2",
        },
    ),
    "cems": (
        "cems/comparisons.csv",
        {
            "respondent": "student",
            "item_a": "school1",
            "item_b": "school2",
            "outcome": "outcome",
            "labels": "a=1,b=2",
            "bad_rows": "drop",
        },
    ),
    "mtbench-human": (
        "mtbench-human/human.csv.gz",
        {
            "respondent": "judge",
            "item_a": "model_a",
            "item_b": "model_b",
            "outcome": "winner",
            "labels": "a=model_a,b=model_b,tie=tie",
        },
    ),
    "ukpconvarg1": (
        "ukpconvarg1/votes.csv.gz",
        {
            "respondent": "worker",
            "item_a": "arg1",
            "item_b": "arg2",
            "outcome": "value",
            "labels": "a=a1,b=a2,tie=equal",
        },
    ),
}


def load_set(folder: Path, name: str) -> Comparisons:
    """Read one of the sets; ties are left out, as they are from the scores."""
    file, columns = SETS[name]
    data = ml.load(folder / file, **columns)
    return data.take(torch.nonzero(data.outcome != 0.5).squeeze(-1))


def gains(data: Comparisons, seed: int) -> dict[str, float]:
    """Held-out gains over fixed strength, milli-nats a decided vote, and the panel's log_sd."""
    train, test = data.split(0.2, seed=seed)
    out: dict[str, float] = {}
    inference = "laplace" if len(data.items) > MANY_ITEMS else "auto"
    for name, panel in (("panel", True), ("per comparison", False)):
        posterior = ml.fit(
            train, "lognormal", panel=panel, evidence=False, seed=seed, inference=inference
        )
        scores = posterior.held_out(test)
        out[name] = scores["gain_millinats"]
        out[f"{name} se"] = scores["se"]
        out[f"{name} log_sd"] = float(posterior.summary().loc["log_sd", "mean"])
    return out


def worker_correlations(folder: Path) -> dict[int, float]:
    """Spearman of log strength with MACE competence, for workers with at least n votes."""
    data = load_set(folder, "ukpconvarg1")
    strengths = (
        ml.fit(data, "lognormal", evidence=False, inference="laplace")
        .strengths()
        .set_index("respondent")
    )
    votes = pd.read_csv(folder / "ukpconvarg1/votes.csv.gz")
    mace = votes.groupby("worker")["mace_competence"].first()
    out = {}
    for least in (20, 50, 100):
        chosen = strengths[strengths["n"] >= least]
        rank = spearmanr(np.log(chosen["mean"]), mace.reindex(chosen.index))
        out[least] = float(rank.statistic)
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="0,1,2")
    chosen = parser.parse_args()
    seeds = [int(seed) for seed in chosen.seeds.split(",")]
    for name in chosen.sets.split(","):
        data = load_set(chosen.data, name)
        rows = []
        for seed in seeds:
            start = time.monotonic()
            rows.append({"seed": seed, **gains(data, seed), "seconds": time.monotonic() - start})
        frame = pd.DataFrame(rows).set_index("seed")
        frame.loc["mean"] = frame.mean()
        print(f"{name}: {data.n_comparisons:,} votes, {data.n_respondents:,} respondents")
        print(frame.round(2).to_string(), "\n")
        if name == "ukpconvarg1":
            for least, rank in worker_correlations(chosen.data).items():
                print(f"workers with >= {least} votes: Spearman with MACE {rank:.3f}")


if __name__ == "__main__":
    main()
