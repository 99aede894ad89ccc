"""Do students disagree in strength or in direction? One and two tastes, compared.

    python examples/04_tastes.py --data ../shared/data

Under a minute. 303 students said of each two of six management schools which they prefer
(Dittrich, Hatzinger and Katzenbeisser 1998), ties allowed. Strength alone cannot turn a
preference around; two classes of taste can.
"""

import argparse
from pathlib import Path

import pandas as pd

import mixlogit as ml

MODELS = {
    "one taste, one strength": {"family": "fixed"},
    "one taste, lognormal strength": {"family": "lognormal"},
    "two tastes, one strength": {"family": "fixed", "tastes": 2},
}


def main() -> None:
    """Fit the three models and say which one the votes want."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--draws", type=int, default=400, help="draws of each posterior")
    parser.add_argument("--students", type=int, default=None, help="only the first so many")
    options = parser.parse_args()
    votes = pd.read_csv(options.data / "cems" / "comparisons.csv", dtype=str)
    if options.students is not None:
        votes = votes[votes["student"].isin(votes["student"].unique()[: options.students])]
    data = ml.load(
        votes,
        respondent="student",
        item_a="school1",
        item_b="school2",
        outcome="outcome",
        labels="a=1,b=2,tie=tie",
        bad_rows="drop",  # 91 answers are missing
    )
    print(data)
    shared = {"ties": "davidson", "inference": "laplace", "evidence": False}
    fits = {
        name: ml.fit(data, draws=options.draws, **shared, **model)
        for name, model in MODELS.items()
    }

    compared = ml.compare(fits)
    print(compared.table[["kind", "elpd", "weight"]].round(2).to_string())
    tastes = fits["two tastes, one strength"]
    print(tastes.utilities()["mean"].unstack(level=0).round(2))
    print(tastes.summary()["mean"].round(2).to_string())
    for sentence in compared.verdict.sentences:
        print(sentence)


if __name__ == "__main__":
    main()
