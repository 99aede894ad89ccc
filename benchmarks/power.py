"""Power curves: how probably does a study find that strength differs?

python benchmarks/power.py --studies 100
"""

import argparse

import mixlogit as ml

__all__ = ["main"]

RESPONDENTS, VOTES, CVS = (30, 60, 120, 240), (5, 20), (0.3, 0.6, 1.0)


def main() -> None:
    """Print the tables: probabilities by size, and sizes by probability."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100)
    studies = parser.parse_args().studies
    print("| votes of each | cv |", " | ".join(f"{n} respondents" for n in RESPONDENTS), "|")
    for votes in VOTES:
        for cv in CVS:
            found = [ml.power(n, votes, cv, studies=studies) for n in RESPONDENTS]
            print(
                f"| {votes} | {cv} |",
                " | ".join(f"{one.probability:.2f}" for one in found),
                "|",
                flush=True,
            )


if __name__ == "__main__":
    main()
