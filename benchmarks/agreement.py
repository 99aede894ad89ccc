"""When two programs found the same, and by how much one is cheaper: pure functions."""

import math
from statistics import median
from typing import Any

import numpy as np

__all__ = ["cost", "disagreement", "exponent", "ratio"]

SHIFT = 0.5  # standard errors by which estimates may differ: draws of simulated likelihoods do
SPREAD = 0.2  # relative difference of standard errors; 100 draws of a posterior give 0.07
NATS = 0.01  # log-likelihoods on the same draws


def disagreement(own: dict[str, Any], other: dict[str, Any]) -> str:
    """Why two results are not the same answer; empty where they are.

    Args:
        own: Mean and sd of log strength (`mu`, `log_sd`) with the standard error `se` of the sd,
            which is the unit of differences; or a `log_likelihood` with `estimates`.
        other: The same of another program.

    Example:
        >>> own = {"mu": -0.25, "log_sd": 0.80, "se": 0.015}
        >>> disagreement(own, {"mu": -0.25, "log_sd": 0.802, "se": 0.0147})
        ''
        >>> disagreement(own, {"mu": -0.25, "log_sd": 0.75, "se": 0.008})
        'sd of log strength off by 3.3 standard errors'
    """
    if "estimates" in own:
        gap = abs(other["log_likelihood"] - own["log_likelihood"])
        return "" if gap <= NATS else f"log-likelihood {gap:.1f} away"
    for name, words in (("log_sd", "sd of log strength"), ("mu", "mean of log strength")):
        gap = abs(other[name] - own[name]) / own["se"]
        if not gap <= SHIFT:
            return f"{words} off by {gap:.1f} standard errors"
    share = other["se"] / own["se"]
    if not abs(math.log(share)) <= math.log1p(SPREAD):
        return f"standard error {share:.2f} times ours"
    return ""


def cost(runs: list[dict[str, Any]], key: str = "seconds") -> tuple[float, float, float]:
    """Median, least and most of what runs cost.

    Example:
        >>> cost([{"seconds": 3.0}, {"seconds": 1.0}, {"seconds": 2.0}])
        (2.0, 1.0, 3.0)
    """
    values = [run[key] for run in runs]
    return median(values), min(values), max(values)


def ratio(
    own: list[dict[str, Any]], other: list[dict[str, Any]], key: str = "seconds"
) -> tuple[float, float, float]:
    """How many times another program's cost is ours: of medians, at least and at most.

    Example:
        >>> ratio([{"seconds": 1.0}, {"seconds": 2.0}], [{"seconds": 30.0}])
        (20.0, 15.0, 30.0)
    """
    mine, its = cost(own, key), cost(other, key)
    return its[0] / mine[0], its[1] / mine[2], its[2] / mine[1]


def exponent(sizes: list[float], costs: list[float]) -> float:
    """Slope of log cost over log size, by least squares: cost grows as size to this power.

    Example:
        >>> round(exponent([10, 100, 1000], [2.0, 20.0, 200.0]), 6)
        1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
