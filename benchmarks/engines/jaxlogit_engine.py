"""jaxlogit: simulated maximum likelihood on 200 Halton draws in float64, respondents clustered.

In JAX's own float32 its standard errors are NaN here. The standard deviation comes on a softplus
scale and is taken back by the delta method.
"""

import math
from pathlib import Path
from typing import Any

from meter import Job, serve
from two_options import two_options

__all__ = ["strength"]

DRAWS, BATCH = 200, 20_000


def strength(file: Path) -> Job:
    """Lognormal strength of two-option choices: the coefficient of the margin."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import numpy as np
    from jaxlogit._config_data import ConfigData
    from jaxlogit.mixed_logit import MixedLogit

    rows, panels = two_options(file)
    config = ConfigData(panels=panels, n_draws=DRAWS, batch_size=BATCH)

    def job() -> dict[str, Any]:
        model = MixedLogit()
        model.fit(**rows, config=config)
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
