"""Leave-one-out predictive densities of units by Pareto-smoothed importance sampling."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mixlogit.models.loo import leave_one_out

__all__ = ["LeftOut", "k_limit", "units_left_out"]


class LeftOut(NamedTuple):
    """Leaving out one unit: a respondent, or a comparison where there is no panel.

    Attributes:
        elpd: Log predictive density given all others, a `unit`-vector, nats.
        k_hat: Pareto k of it, a `unit`-vector.
        limit: Largest k to trust.
    """

    elpd: NDArray[np.float64]
    k_hat: NDArray[np.float64]
    limit: float


def units_left_out(log_likelihood: NDArray[np.float32]) -> LeftOut:
    """Log predictive density of each unit given all others, and how far it can be trusted.

    Args:
        log_likelihood: `chain x draw x unit`, nats; a unit is a respondent or a comparison.

    Returns:
        Densities and Pareto k-hat (Vehtari, Gelman and Gabry 2017).

    Example:
        >>> x = np.random.default_rng(0).normal(-1.0, 0.1, size=(1, 500, 3))
        >>> elpd, k, _ = units_left_out(x.astype(np.float32))
        >>> bool((np.abs(elpd + 1.0) < 0.1).all()), bool((k < 0.5).all())
        (True, True)
    """
    flat = torch.from_numpy(log_likelihood).flatten(0, 1)
    elpd, k_hat = leave_one_out(flat)
    k_hat = k_hat.clamp_min(-1.0)  # k is -inf where all weights are alike
    return LeftOut(elpd.numpy(), k_hat.numpy(), k_limit(len(flat)))


def k_limit(draws: int) -> float:
    """Largest Pareto k that so many draws can be trusted with: `min(0.7, 1 - 1 / log10 S)`.

    Source: Vehtari, Simpson, Gelman, Yao and Gabry (2024), section 3.2.

    Example:
        >>> round(k_limit(2000), 2), round(k_limit(200), 2)
        (0.7, 0.57)
    """
    return min(0.7, 1 - 1 / math.log10(draws))
