"""Leave-one-out predictive densities of units by Pareto-smoothed importance sampling."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from mixlogit.models.loo import leave_one_out
from mixlogit.models.thin import thinned

__all__ = ["k_limit", "units_left_out"]

_ELEMENTS = 4_000_000  # draws x units smoothed, but at least 200 draws


def units_left_out(
    log_likelihood: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log predictive density of each unit given all others, and how far it can be trusted.

    Args:
        log_likelihood: `chain x draw x unit`, nats; a unit is a respondent or a comparison.

    Returns:
        elpd and Pareto k-hat, both `unit`-vectors (Vehtari, Gelman and Gabry 2017).

    Example:
        >>> x = np.random.default_rng(0).normal(-1.0, 0.1, size=(1, 500, 3))
        >>> elpd, k = units_left_out(x.astype(np.float32))
        >>> bool((np.abs(elpd + 1.0) < 0.1).all()), bool((k < 0.5).all())
        (True, True)
    """
    flat = torch.from_numpy(log_likelihood).flatten(0, 1)
    kept = min(len(flat), max(200, _ELEMENTS // flat.shape[1]))
    elpd, k_hat = leave_one_out(flat[thinned(len(flat), kept)].double())
    return elpd.numpy(), k_hat.clamp_min(-1.0).numpy()  # k is -inf where all weights are alike


def k_limit(draws: int) -> float:
    """Largest Pareto k that so many draws can be trusted with: `min(0.7, 1 - 1 / log10 S)`.

    Source: Vehtari, Simpson, Gelman, Yao and Gabry (2024), section 3.2.

    Example:
        >>> round(k_limit(2000), 2), round(k_limit(200), 2)
        (0.7, 0.57)
    """
    return min(0.7, 1 - 1 / math.log10(draws))
