"""biogeme: simulated maximum likelihood on modified Latin hypercube draws, in an empty folder.

biogeme writes its files into the working folder, whence the temporary one.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from meter import Job, serve

__all__ = ["electricity", "strength"]

NAMES = ["pf", "cl", "loc", "wk", "tod", "seas"]
STRENGTH_DRAWS, ELECTRICITY_DRAWS = 200, 600


def _estimated(database: Any, formula: Any, draws: int) -> Any:
    """Estimates of a model, none of the reports written."""
    import biogeme.biogeme as bio

    os.chdir(tempfile.mkdtemp())
    options = {"number_of_draws": draws, "seed": 1, "generate_html": False}
    model = bio.BIOGEME(database, formula, generate_yaml=False, **options)
    model.model_name = "benchmark"
    return model.estimate()


def strength(file: Path) -> Job:
    """Lognormal strength of two-option choices: the coefficient of the margin."""
    import numpy as np
    import pandas as pd
    from biogeme.database import Database
    from biogeme.expressions import (
        Beta,
        Draws,
        MonteCarlo,
        PanelLikelihoodTrajectory,
        Variable,
        exp,
        log,
    )
    from biogeme.models import logit

    data = np.load(file)
    columns = {"taken": 2 - data["outcome"], "margin": data["margin"]}
    frame = pd.DataFrame({"respondent": data["respondent"], **columns})

    def job() -> dict[str, Any]:
        database = Database("strength", frame)
        database.panel("respondent")
        mu, sd = Beta("mu", 0.0, None, None, 0), Beta("log_sd", 0.5, None, None, 0)
        utility = {1: exp(mu + sd * Draws("z", "NORMAL_MLHS")) * Variable("margin"), 2: 0}
        choice = logit(utility, None, Variable("taken"))
        formula = log(MonteCarlo(PanelLikelihoodTrajectory(choice)))
        found = _estimated(database, formula, STRENGTH_DRAWS)
        values = found.get_beta_values()
        return {
            "mu": values["mu"],
            "log_sd": abs(values["log_sd"]),
            "se": found.get_parameter_std_err("log_sd"),  # robust, respondents are clusters
            "log_likelihood": float(found.final_log_likelihood),
            "note": f"{STRENGTH_DRAWS} draws",
        }

    return job


def electricity(file: Path) -> Job:
    """Six normal coefficients."""
    import pandas as pd
    from biogeme.database import Database
    from biogeme.expressions import (
        Beta,
        Draws,
        MonteCarlo,
        PanelLikelihoodTrajectory,
        Variable,
        log,
    )
    from biogeme.models import logit

    frame = pd.read_csv(file)
    wide = frame.pivot(index=["id", "chid"], columns="alt", values=NAMES)
    wide.columns = [f"{name}_{alt}" for name, alt in wide.columns]
    taken = frame[frame["choice"] == 1].set_index(["id", "chid"])["alt"]
    rows = wide.join(taken.rename("taken")).reset_index()
    starts = dict(zip(NAMES, (-0.6, -0.1, 1.4, 1.0, -5.5, -5.8), strict=True))

    def job() -> dict[str, Any]:
        database = Database("electricity", rows)
        database.panel("id")
        taste = {
            name: Beta(f"m_{name}", starts[name], None, None, 0)
            + Beta(f"s_{name}", 0.1, None, None, 0) * Draws(f"d_{name}", "NORMAL_MLHS")
            for name in NAMES
        }
        utility = {
            alt: sum(taste[name] * Variable(f"{name}_{alt}") for name in NAMES)
            for alt in range(1, 5)
        }
        choice = logit(utility, None, Variable("taken"))
        formula = log(MonteCarlo(PanelLikelihoodTrajectory(choice)))
        found = _estimated(database, formula, ELECTRICITY_DRAWS)
        values = found.get_beta_values()
        mean, sd = ([values[f"{kind}_{name}"] for name in NAMES] for kind in "ms")
        return {
            "log_likelihood": float(found.final_log_likelihood),
            "estimates": [*mean, *map(abs, sd)],
            "standard_errors": [],
        }

    return job


if __name__ == "__main__":
    serve({"strength": strength, "electricity": electricity}, ("biogeme",))
