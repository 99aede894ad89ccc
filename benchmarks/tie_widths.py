"""Does everybody call the same difference a tie? A width for each respondent against one width.

Bradley-Terry utilities, ties after Rao and Kupper, votes split 80/20 at random. Printed are the
parameters with 90 % intervals (normal approximation at the mode), and the gain of own widths in
held-out log-likelihood, ties among the votes, with its standard error by respondent.

    python benchmarks/tie_widths.py [--data ../shared/data] [--sets ukpconvarg1] [--seeds 0,1,2]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from ties import load_set

import mixlogit as ml
from mixlogit.data import Comparisons

__all__ = ["gain_by_respondent", "scores"]


def scores(train: Comparisons, test: Comparisons, family: str, width: str) -> np.ndarray:
    """Log predictive probability of each held-out vote, nats; prints the parameters."""
    begin = time.process_time()
    options = {"ties": "rao-kupper", "width": width, "evidence": False, "draws": 400}
    posterior = ml.fit(train, family, inference="laplace", **options)
    found = posterior.log_scores(test)
    seconds = time.process_time() - begin
    print(f"  {family}, {width} width: {1000 * found.mean():+.1f} milli-nats, {seconds:.0f} CPU s")
    for name, row in posterior.summary().iterrows():
        if not str(name).startswith("utility"):
            print(f"    {name:16} {row['mean']:6.3f}  ({row['q05']:.3f} to {row['q95']:.3f})")
    return found


def gain_by_respondent(gain: np.ndarray, respondent: np.ndarray) -> tuple[float, float]:
    """Mean gain a vote, and its standard error with votes clustered by respondent."""
    totals = np.bincount(respondent, weights=gain - gain.mean())
    return float(gain.mean()), float(np.sqrt((totals**2).sum()) / len(gain))


def main() -> None:
    """Print the figures of each split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", default="ukpconvarg1")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--families", default="fixed,lognormal")
    chosen = parser.parse_args()
    for name in chosen.sets.split(","):
        data = load_set(chosen.data, name)
        share = data.n_ties / len(data)
        print(f"{name}: {len(data):,} votes, {data.n_respondents:,} respondents, {share:.1%} ties")
        for seed in map(int, chosen.seeds.split(",")):
            train, test = data.split(0.2, seed=seed)
            seen = torch.zeros(len(data.items), dtype=torch.bool)
            seen[train.item_a], seen[train.item_b] = True, True
            test = test.take(seen[test.item_a] & seen[test.item_b])
            assert test.respondent is not None
            for family in chosen.families.split(","):
                shared, own = (scores(train, test, family, w) for w in ("shared", "respondent"))
                gain, se = gain_by_respondent(1000 * (own - shared), test.respondent.codes.numpy())
                print(
                    f"seed {seed}, {family}: own widths gain {gain:+.1f} +- {se:.1f}", flush=True
                )


if __name__ == "__main__":
    main()
