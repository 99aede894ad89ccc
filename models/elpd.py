"""Leave-one-out expected log predictive density, from log-likelihoods at posterior draws."""

from typing import Any

import numpy as np
import torch

__all__ = ["unit_elpd"]


def unit_elpd(log_likelihood: np.ndarray | None, *, panel: bool) -> dict[str, Any] | None:
    """Leave-one-unit-out elpd by importance weights 1/p, truncated at sqrt(draws) x mean.

    Source: Ionides, Journal of Computational and Graphical Statistics 17 (2008).

    Args:
        log_likelihood: `chain x draw x unit`, nats; None where it was not kept.
        panel: Whether a unit is a respondent, and not a comparison.

    Example:
        >>> unit_elpd(np.zeros((1, 10, 5), dtype=np.float32), panel=True)
        {'estimate': 0.0, 'se': 0.0, 'per': 'respondent'}
    """
    if log_likelihood is None:
        return None
    flat = torch.from_numpy(log_likelihood).flatten(0, 1)
    log_weight = -flat
    ceiling = torch.logsumexp(log_weight, 0) - 0.5 * np.log(len(flat))
    log_weight = torch.minimum(log_weight, ceiling)
    each = torch.logsumexp(log_weight + flat, 0) - torch.logsumexp(log_weight, 0)
    each = each.to(torch.float64)
    se = float(each.std(correction=0)) * len(each) ** 0.5
    return {
        "estimate": float(each.sum()),
        "se": se,
        "per": "respondent" if panel else "comparison",
    }
