"""Mixlogit: maximum, posterior and NUTS of panel strength; random coefficients of electricity."""

import math
from pathlib import Path
from typing import Any

from meter import Job, serve

__all__ = ["PROGRAMS"]

NAMES = ["pf", "cl", "loc", "wk", "tod", "seas"]


def _comparisons(file: Path) -> Any:
    import numpy as np
    import pandas as pd

    import mixlogit as ml

    data = np.load(file)
    outcome = np.where(data["outcome"] == 1, "a", "b")
    columns = {"margin": data["margin"], "outcome": outcome, "respondent": data["respondent"]}
    return ml.Comparisons.from_pandas(pd.DataFrame(columns))


def maximum(file: Path) -> Job:
    """Maximum likelihood with both kinds of standard error."""
    from mixlogit.models.maximum import maximum as maximise

    data = _comparisons(file)

    def job() -> dict[str, Any]:
        found = maximise(data, "lognormal")
        mean, log_sd = found.table.loc[["mean", "log_sd"], "estimate"]
        return {
            "mu": math.log(mean) - log_sd**2 / 2,
            "log_sd": log_sd,
            "se": found.table.loc["log_sd", "se"],
            "log_likelihood": found.log_likelihood,
            "note": "exact integral",
        }

    return job


def posterior(file: Path, inference: str = "auto", draws: int = 2000) -> Job:
    """The whole posterior: population, every respondent, leave-one-out, checks."""
    import numpy as np

    from mixlogit.models.fit import fit

    data = _comparisons(file)

    def job() -> dict[str, Any]:
        found = fit(data, "lognormal", inference=inference, evidence=False, draws=draws)
        group = found.to_datatree()["posterior"]
        mean, log_sd = group["mean"].values, group["log_sd"].values
        row = found.summary().loc["log_sd"]
        return {
            "mu": float(np.mean(np.log(mean) - log_sd**2 / 2)),
            "log_sd": float(row["mean"]),
            "se": float(row["sd"]),
            "note": "every respondent too",
        }

    return job


def electricity(file: Path, draws: int, sampling: str) -> Job:
    """Six normal coefficients."""
    import mixlogit as ml
    from mixlogit.models.maximum import maximum as maximise

    columns = {"choice_id": "chid", "alternative": "alt", "chosen": "choice", "respondent": "id"}
    data = ml.load_choice_sets(file, **columns, features=NAMES)
    random = ml.RandomTastes(dict.fromkeys(NAMES, "normal"), draws=draws, sampling=sampling)

    def job() -> dict[str, Any]:
        found = maximise(data, random=random, seed=0)
        rows = [f"{kind}[{name}]" for kind in ("mean", "sd") for name in NAMES]
        return {
            "log_likelihood": found.log_likelihood,
            "estimates": found.table.loc[rows, "estimate"].tolist(),
            "standard_errors": found.table.loc[rows, "se"].tolist(),
        }

    return job


PROGRAMS = {
    "maximum": maximum,
    "posterior": posterior,
    "nuts": lambda file: posterior(file, "nuts", 800),
    "halton": lambda file: electricity(file, 600, "halton"),
    "adaptive": lambda file: electricity(file, 256, "adaptive"),
}

if __name__ == "__main__":
    serve(PROGRAMS, ("mixlogit", "torch", "pyro-ppl"))
