"""Two-option choices as xlogit and jaxlogit take them: a row an option, the first one first."""

from pathlib import Path
from typing import Any

__all__ = ["two_options"]


def two_options(file: Path) -> tuple[dict[str, Any], Any]:
    """Arguments of `MixedLogit.fit` for a lognormal coefficient of the margin, and the panels.

    Args:
        file: The arrays of `peers.py`: margin, outcome and respondent of each comparison.
    """
    import numpy as np

    data = np.load(file)
    n = len(data["margin"])
    x = np.zeros((2 * n, 1))
    x[::2, 0] = data["margin"]
    y = np.empty(2 * n)
    y[::2], y[1::2] = data["outcome"], 1 - data["outcome"]
    rows = {
        "X": x,
        "y": y,
        "varnames": ["margin"],
        "ids": np.repeat(np.arange(n), 2),
        "alts": np.tile([0, 1], n),
        "randvars": {"margin": "ln"},
        "verbose": 0,
    }
    return rows, np.repeat(data["respondent"], 2)
