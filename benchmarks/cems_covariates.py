"""Which students want which school: effects of their covariates on utilities (cems).

The terms are those of the published final model (Dittrich, Hatzinger and Katzenbeisser 1998,
Applied Statistics 47, 511-525; corrected 2001, 50, 247-249, Table 6), as R's BradleyTerry2 lists
them in its help page on CEMS: products of a school and a property of the student. Its authors
reproduce the published estimates, approximately, by the logistic regression with ties as half
votes, divided by 1.75; the last column is that, so its sign is the published one.

    python benchmarks/cems_covariates.py [--data ../shared/data]
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import mixlogit as ml
from mixlogit.data import Comparisons

__all__ = ["SCHOOLS", "TERMS", "effects", "load_with_covariates"]

SCHOOLS = ["London", "Paris", "Milano", "St.Gallen", "Barcelona"]  # against Stockholm
TERMS = [  # the student's property as 1, and the school that it makes more or less wanted
    ("WOR", "yes", "Paris"),
    ("WOR", "yes", "Milano"),
    ("WOR", "yes", "Barcelona"),
    ("DEG", "yes", "St.Gallen"),
    ("STUD", "commerce", "Paris"),
    ("STUD", "commerce", "St.Gallen"),
    ("ENG", "good", "St.Gallen"),
    ("FRA", "good", "London"),
    ("FRA", "good", "Paris"),
    ("SPA", "good", "Barcelona"),
    ("ITA", "good", "London"),
    ("ITA", "good", "Milano"),
    ("SEX", "male", "Milano"),
]
RESCALED = 1.75  # of BradleyTerry2's help page


def load_with_covariates(folder: Path) -> Comparisons:
    """Schools and their products with the student's properties, as differences of features."""
    rows = pd.read_csv(folder / "comparisons.csv").query("outcome != 'missing'")
    rows = rows.merge(pd.read_csv(folder / "students.csv"), on="student", validate="many_to_one")

    def difference(school: str) -> "pd.Series[float]":
        return (rows["school1"] == school).astype(float) - (rows["school2"] == school)

    columns = {school: difference(school) for school in SCHOOLS}
    for name, value, school in TERMS:
        columns[f"{name} {value} x {school}"] = (rows[name] == value) * difference(school)
    outcome = rows["outcome"].map({"1": "a", "2": "b", "tie": "tie"})
    frame = pd.DataFrame({"respondent": rows["student"], "outcome": outcome, **columns})
    return ml.load(frame, features=list(columns))


def effects(data: Comparisons, ties: str = "davidson", family: str = "fixed") -> pd.DataFrame:
    """Effects on utilities at the maximum: estimate and standard error by student."""
    table = ml.maximum(data, family, ties=ties).table
    rows = [f"weight[{name} {value} x {school}]" for name, value, school in TERMS]
    found = table.loc[rows, ["estimate", "se_sandwich"]]
    return found.set_axis([row[7:-1] for row in rows])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = load_with_covariates(parser.parse_args().data / "cems")
    fixed, varied = effects(data), effects(data, family="lognormal")
    published = effects(data, ties="half")["estimate"] / RESCALED
    signs = np.sign(published)
    print(f"{len(data):,} votes; effects on utility, standard errors by student in brackets")
    print(f"{'':28}  Davidson        and strength    published, about")
    for name in fixed.index:
        pair = "  ".join(
            f"{table.loc[name, 'estimate']:+5.2f} ({table.loc[name, 'se_sandwich']:.2f})   "
            for table in (fixed, varied)
        )
        print(f"{name:28}  {pair}  {published[name]:+5.2f}")
    agree = sum((np.sign(table["estimate"]) == signs).sum() for table in (fixed, varied))
    print(f"signs as published: {agree} of {2 * len(fixed)}")


if __name__ == "__main__":
    main()
