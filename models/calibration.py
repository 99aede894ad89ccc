"""Are predicted probabilities right? Reliability by isotonic regression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import isotonic_regression

from mixlogit.models.thin import thinned

__all__ = ["Reliability", "reliability"]

Array = NDArray[np.float64]
_KNOTS, _SIMULATED, _MOST = 101, 100, 10_000


@dataclass(frozen=True, eq=False)
class Reliability:
    """Observed frequencies at predicted probabilities.

    Attributes:
        predicted: Probabilities, rising: a `knot`-vector.
        observed: Frequencies there, by isotonic regression.
        low: 5 % quantile of these where the probabilities are right.
        high: 95 % quantile.
        miscalibration: Brier score of the probabilities less that of the regression, and less
            the optimism.
        p_value: Of the miscalibration, where the probabilities are right.
    """

    predicted: Array
    observed: Array
    low: Array
    high: Array
    miscalibration: float
    p_value: float


def reliability(
    probability: Array, first: Array, *, seed: int = 0, optimism: float = 0.0
) -> Reliability:
    """Compare probabilities with what happened.

    The pool-adjacent-violators curve with its consistency band, and the miscalibration component
    of the Brier score (Dimitriadis, Gneiting and Jordan 2021, PNAS 118). Which response is first
    says nothing, so every vote enters both ways round. (Turned so that the likelier comes first,
    votes predicted without themselves would look wrong where both are about as likely.)

    Args:
        probability: Of the first response, a vector.
        first: Whether it was preferred, a vector of 0 and 1, or 0.5 for ties.
        seed: Seed of the band.
        optimism: How much of the miscalibration is put down to leaving out: what the
            probabilities lose in Brier score by it. Where a few votes settle a probability (of
            one class on two items, say) these move together when each is left out, and the
            regression wins all of it back.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p = rng.uniform(size=2000)
        >>> y = (rng.uniform(size=2000) < p).astype(float)
        >>> reliability(p, y).p_value > 0.01, reliability(p**3, y).p_value < 1e-6
        (True, True)
    """
    order = np.argsort(probability, kind="stable")
    kept = order[thinned(len(order), _MOST).numpy()]
    p, both = probability[kept], np.concatenate([probability[kept], 1 - probability[kept]])
    rank = np.argsort(both, kind="stable")
    rng = np.random.default_rng(seed)
    made = (rng.random((_SIMULATED, len(p))) < p).astype(np.float64)
    votes = np.concatenate([first[kept][None], made])
    votes = np.concatenate([votes, 1 - votes], -1)[:, rank]
    p = both[rank]
    curves = np.stack([isotonic_regression(one).x for one in votes])
    gain = ((votes - p) ** 2 - (votes - curves) ** 2).mean(-1)
    value, under = max(0.0, float(gain[0]) - optimism), gain[1:]
    shape = under.mean() ** 2 / max(under.var(), 1e-300)  # a gamma has their moments
    p_value = float(stats.gamma.sf(value, shape, scale=under.mean() / shape))
    knots = thinned(len(p), _KNOTS).numpy()
    low, high = np.quantile(curves[1:, knots], [0.05, 0.95], axis=0)
    return Reliability(p[knots], curves[0, knots], low, high, value, p_value)
