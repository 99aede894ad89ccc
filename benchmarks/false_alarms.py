"""How often are homogeneous judges called heterogeneous?

Every data set has one strength for all (mean 1, margins with standard deviation 2). Fixed and
lognormal strength are fitted and compared, as `mixlogit fit --strength fixed,lognormal` does.

    python benchmarks/false_alarms.py --replicates 40
"""

import argparse
import time
from collections import Counter

import mixlogit as ml

__all__ = ["DESIGNS", "verdicts"]

# respondents, votes of each on average, share of random votes
DESIGNS = ((60, 20, 0.0), (200, 5, 0.0), (20, 100, 0.0), (60, 20, 0.1), (150, 10, 0.1))


def verdicts(
    respondents: int, votes: int, lapse: float, replicates: int, seed: int = 0
) -> Counter[str]:
    """Verdicts over homogeneous data sets of one design.

    Args:
        respondents: Respondents.
        votes: Votes of each, on average.
        lapse: Share of random votes.
        replicates: Data sets.
        seed: Seed of the first.
    """
    found: Counter[str] = Counter()
    for k in range(replicates):
        made = ml.simulate(respondents * votes, respondents, "fixed", lapse=lapse, seed=seed + k)
        compared = ml.compare(ml.fit_grid(made.comparisons(), draws=400))
        found[compared.verdict.heterogeneity] += 1
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = ("homogeneous", "unknown", "strength")
    print(f"{'respondents':>11} {'votes':>5} {'random':>6}", *(f"{kind:>11}" for kind in kinds))
    total: Counter[str] = Counter()
    begin = time.monotonic()
    for respondents, votes, lapse in DESIGNS:
        found = verdicts(respondents, votes, lapse, options.replicates, options.seed)
        total += found
        print(
            f"{respondents:11} {votes:5} {lapse:6.0%}",
            *(f"{found[kind]:11}" for kind in kinds),
            flush=True,
        )
    alarms = (total["strength"] + total["taste"] + total["both"]) / total.total()
    print(
        f"called heterogeneous: {alarms:.1%} of {total.total()}, "
        f"{time.monotonic() - begin:.0f} seconds"
    )


if __name__ == "__main__":
    main()
