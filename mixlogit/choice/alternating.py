"""Alternating series, accelerated: the closed form of the gamma and normal families."""

from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

__all__ = ["TERMS", "log_alternating_sum"]

TERMS = 24  # the relative error falls as 5.83 ** -TERMS


@cache
def _weights(terms: int) -> tuple[float, ...]:
    """Signed weights (-1)^n w_n of Algorithm 1, in exact arithmetic, rounded once."""
    chebyshev = [Fraction(1), Fraction(3)]  # T_n(3); the algorithm's d
    while len(chebyshev) <= terms:
        chebyshev.append(6 * chebyshev[-1] - chebyshev[-2])
    d = chebyshev[terms]
    b, c, weights = Fraction(-1), -d, []
    for n in range(terms):
        c = b - c
        weights.append(float(c / d))
        b = b * (n + terms) * (n - terms) / ((Fraction(2 * n + 1, 2)) * (n + 1))
    return tuple(weights)


def log_alternating_sum(log_terms: Tensor) -> Tensor:
    """Log of `sum over n of (-1)^n a_n`, from the logs of its first terms.

    The terms must be moments `a_n = integral of x^n over a positive measure on [0, 1]`; the sum
    is then between half the first term and the first term, and the relative error is
    5.83 to the power of minus the number of terms, whatever the measure.

    Args:
        log_terms: log a_n, a `term x ...` tensor.

    Returns:
        The log of the sum, of shape `...`.

    Source: Cohen, Rodriguez Villegas and Zagier (2000), "Convergence acceleration of alternating
    series", Experimental Mathematics 9, Algorithm 1.

    Example:
        The sum of (-1)^n / (n + 1) is log 2.

        >>> n = torch.arange(24, dtype=torch.float64)
        >>> log_alternating_sum(-torch.log1p(n)).exp().item()
        0.693147180559945...
    """
    weights = log_terms.new_tensor(_weights(log_terms.shape[0]))
    relative = torch.exp(log_terms[1:] - log_terms[:1])
    total = weights[0] + torch.tensordot(weights[1:], relative, dims=1)
    return log_terms[0] + torch.log(total)
