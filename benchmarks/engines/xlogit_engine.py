"""xlogit: simulated maximum likelihood on Halton draws, standard errors from the Hessian.

L-BFGS-B is the optimiser that gives right standard errors: the default's ignore that one person
made many choices. Memory at a million comparisons forces fewer draws, in batches.
"""

from pathlib import Path
from typing import Any

from meter import Job, serve
from two_options import two_options

__all__ = ["electricity", "strength"]

DRAWS = {20_000: (500, None), 200_000: (200, None), 2_000_000: (100, 25)}  # by most comparisons


def strength(file: Path) -> Job:
    """Lognormal strength of two-option choices: the coefficient of the margin."""
    from xlogit import MixedLogit

    rows, panels = two_options(file)
    n = len(panels) // 2
    draws, batch = next(value for most, value in DRAWS.items() if n <= most)

    def job() -> dict[str, Any]:
        model = MixedLogit()
        model.fit(**rows, panels=panels, n_draws=draws, batch_size=batch, optim_method="L-BFGS-B")
        if not model.convergence:
            raise RuntimeError("xlogit did not converge.")
        (mu, log_sd), (_, se) = model.coeff_.tolist(), model.stderr.tolist()
        return {
            "mu": mu,
            "log_sd": abs(log_sd),
            "se": se,
            "log_likelihood": float(model.loglikelihood),
            "note": f"{draws} draws",
        }

    return job


def electricity(file: Path) -> Job:
    """Six normal coefficients, 600 draws."""
    import pandas as pd
    from xlogit import MixedLogit

    names = ["pf", "cl", "loc", "wk", "tod", "seas"]
    frame = pd.read_csv(file)

    def job() -> dict[str, Any]:
        model = MixedLogit()
        model.fit(
            X=frame[names],
            y=frame["choice"],
            varnames=names,
            ids=frame["chid"],
            panels=frame["id"],
            alts=frame["alt"],
            n_draws=600,
            randvars=dict.fromkeys(names, "n"),
            optim_method="L-BFGS-B",
            verbose=0,
        )
        return {
            "log_likelihood": float(model.loglikelihood),
            "estimates": [*model.coeff_[:6].tolist(), *abs(model.coeff_[6:]).tolist()],
            "standard_errors": model.stderr.tolist(),
        }

    return job


if __name__ == "__main__":
    serve({"strength": strength, "electricity": electricity}, ("xlogit",))
