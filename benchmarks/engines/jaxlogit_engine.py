"""jaxlogit: simulated maximum likelihood on 200 Halton draws in float64, respondents clustered.

In JAX's own float32 its standard errors are NaN here. The standard deviation comes on a softplus
scale and is taken back by the delta method.
"""

import math
from pathlib import Path
from typing import Any

from meter import Job, serve

__all__ = ["strength"]

DRAWS, BATCH = 200, 20_000


def strength(file: Path) -> Job:
    """Lognormal strength of two-option choices: the coefficient of the margin."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import numpy as np
    from jaxlogit._config_data import ConfigData
    from jaxlogit.mixed_logit import MixedLogit

    data = np.load(file)
    margin, outcome, respondent = data["margin"], data["outcome"], data["respondent"]
    n = len(margin)
    x = np.zeros((2 * n, 1))
    x[::2, 0] = margin
    y = np.empty(2 * n)
    y[::2], y[1::2] = outcome, 1 - outcome

    def job() -> dict[str, Any]:
        model = MixedLogit()
        model.fit(
            X=x,
            y=y,
            varnames=["margin"],
            ids=np.repeat(np.arange(n), 2),
            alts=np.tile([0, 1], n),
            randvars={"margin": "ln"},
            config=ConfigData(panels=np.repeat(respondent, 2), n_draws=DRAWS, batch_size=BATCH),
            verbose=0,
        )
        (mu, raw), (_, se) = np.asarray(model.coeff_).tolist(), np.asarray(model.stderr).tolist()
        return {
            "mu": mu,
            "log_sd": math.log1p(math.exp(raw)),
            "se": se / (1 + math.exp(-raw)),
            "log_likelihood": float(model.loglikelihood),
            "note": f"{DRAWS} draws",
        }

    return job


if __name__ == "__main__":
    serve({"strength": strength}, ("jaxlogit", "jax"))
