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


def posterior(file: Path) -> Job:
    """The whole posterior: population, every respondent, leave-one-out, checks."""
    from mixlogit.models.fit import fit

    data = _comparisons(file)

    def job() -> dict[str, Any]:
        found = fit(data, "lognormal", evidence=False)
        group = found.to_datatree()["posterior"]
        mean, log_sd = group["mean"].values, group["log_sd"].values
        return _summary(mean, log_sd, "every respondent and all checks too")

    return job


def population(file: Path, sampler: str) -> Job:
    """The posterior of mean and spread alone, by importance resampling or one chain of NUTS."""
    from mixlogit.models.infer import infer, root_of_covariance
    from mixlogit.models.mode import find_mode
    from mixlogit.models.nuts import nuts_draws
    from mixlogit.models.problem import Problem
    from mixlogit.models.rough import rough_mode

    data = _comparisons(file)

    def job() -> dict[str, Any]:
        joint = Problem(data).joint("lognormal")
        if sampler == "importance":
            found = infer(joint, draws=500)
            theta, note = found.theta, f"{float(found.effective.sum()):,.0f} effective draws"
        else:
            mode = find_mode(joint, rough_mode(joint, joint.start()))
            root = root_of_covariance(mode.hessian)
            theta = nuts_draws(joint, mode.theta, root, chains=1, warmup=300, draws=300, seed=0)
            theta, note = theta.unsqueeze(-2), "300 + 300"
        family = joint.sampled(theta.flatten(0, 1)).family
        return _summary(family.mean.numpy(), family.log_sd.numpy(), note)

    return job


def _summary(mean: Any, log_sd: Any, note: str) -> dict[str, Any]:
    import numpy as np

    mu = np.log(mean) - log_sd**2 / 2
    found = {"mu": float(mu.mean()), "log_sd": float(log_sd.mean()), "se": float(log_sd.std())}
    return found | {"note": note}


def electricity(file: Path, draws: int, sampling: str, seed: int = 0) -> Job:
    """Six normal coefficients."""
    import mixlogit as ml
    from mixlogit.models.maximum import maximum as maximise

    columns = {"choice_id": "chid", "alternative": "alt", "chosen": "choice", "respondent": "id"}
    data = ml.load_choice_sets(file, **columns, features=NAMES)
    random = ml.RandomTastes(dict.fromkeys(NAMES, "normal"), draws=draws, sampling=sampling)

    def job() -> dict[str, Any]:
        found = maximise(data, random=random, seed=seed)
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
    "population": lambda file: population(file, "importance"),
    "nuts": lambda file: population(file, "nuts"),
    "halton": lambda file: electricity(file, 600, "halton"),
    "adaptive": lambda file: electricity(file, 256, "adaptive"),
}

if __name__ == "__main__":
    serve(PROGRAMS, ("mixlogit", "torch", "pyro-ppl"))
