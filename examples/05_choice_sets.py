"""Random tastes of electricity contracts, at the maximum, beside the published values.

    python examples/05_choice_sets.py --data ../shared/data

Under a minute. 361 households chose one of four contracts, twelve times each (Huber and Train
2001). Each household has six coefficients of its own, normal and independent. The same 600 Halton
draws as in the published fit give its figures back; draws around each household's own mode are
fewer and nearer to the integral (docs/choice-sets.md says how much nearer).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

import mixlogit as ml

FEATURES = ["pf", "cl", "loc", "wk", "tod", "seas"]
WAYS = {"Halton": {"draws": 600, "sampling": "halton"}, "adaptive": {"draws": 256}}


def published(folder: Path) -> pd.Series:
    """Means, then standard deviations."""
    known = json.loads((folder / "references.json").read_text(encoding="utf-8"))
    found = known["electricity-panel"]["published_6_normals"]["xlogit notebook, 600 Halton"]
    means = {f"mean[{name}]": found[name] for name in FEATURES}
    sds = {f"sd[{name}]": sd for name, sd in zip(FEATURES, found["sd"], strict=True)}
    return pd.Series({"log-likelihood": found["ll"]} | means | sds)


def main() -> None:
    """Fit twice and print all three columns."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--households", type=int, default=None, help="only the first so many")
    options = parser.parse_args()
    rows = pd.read_csv(options.data / "electricity-panel" / "electricity_long.csv.gz")
    if options.households is not None:
        rows = rows[rows["id"].isin(np.unique(rows["id"])[: options.households])]
    columns = {"choice_id": "chid", "alternative": "alt", "chosen": "choice", "respondent": "id"}
    data = ml.ChoiceSets.from_pandas(rows, features=FEATURES, **columns)
    print(data)

    table = {"published": published(options.data)}
    for name, way in WAYS.items():
        random = ml.RandomTastes(dict.fromkeys(FEATURES, "normal"), **way)
        found = ml.maximum(data, random=random)
        table[name] = found.table["estimate"]
        table[name].loc["log-likelihood"] = found.log_likelihood
        table[f"{name}, se"] = found.table["se"]
    print(pd.DataFrame(table).reindex(table["published"].index).round(3).to_string())


if __name__ == "__main__":
    main()
