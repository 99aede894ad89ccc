"""How often are homogeneous judges called heterogeneous?

Every data set has one strength for all (mean 1, margins with standard deviation 2), and in some
designs a share of random votes. The verdict is that of the log Bayes factors, many data sets side
by side. `--whole` fits and compares them one by one instead, as `mixlogit fit --strength
fixed,lognormal` does, which takes a hundred times longer.

    python benchmarks/false_alarms.py --studies 40
"""

import argparse

import mixlogit as ml

__all__ = ["DESIGNS", "false_alarms"]

# respondents, votes of each on average, share of random votes
DESIGNS = ((60, 20, 0.0), (200, 5, 0.0), (20, 100, 0.0), (60, 20, 0.1), (150, 10, 0.1))


def false_alarms(
    respondents: int, votes: int, lapse: float, studies: int, *, whole: bool = False
) -> int:
    """How many homogeneous data sets of a design are called heterogeneous.

    Args:
        respondents: Respondents.
        votes: Votes of each, on average.
        lapse: Share of random votes.
        studies: Data sets.
        whole: Fit and compare one by one.
    """
    if not whole:
        found = ml.power(respondents, votes, 0.0, lapse=lapse, studies=studies)
        return round(found.probability * studies)
    alarms = 0
    for seed in range(studies):
        made = ml.simulate(respondents * votes, respondents, "fixed", lapse=lapse, seed=seed)
        compared = ml.compare(ml.fit_grid(made.comparisons(), draws=400))
        alarms += compared.verdict.heterogeneity in ("strength", "taste", "both")
    return alarms


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    print("respondents  votes  random votes  false alarms")
    total = 0
    for respondents, votes, lapse in DESIGNS:
        found = false_alarms(respondents, votes, lapse, options.studies, whole=options.whole)
        total += found
        print(
            f"{respondents:11} {votes:6} {lapse:13.0%} {found:6} of {options.studies}", flush=True
        )
    n = options.studies * len(DESIGNS)
    print(f"called heterogeneous: {total} of {n}, {total / n:.1%}")


if __name__ == "__main__":
    main()
