"""Densities of the mixing distributions at saved draws, by numpy and scipy."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["DENSITIES", "Array", "Density", "band", "smooth", "span"]

Array = NDArray[np.float64]
_LEAST = 1e-4  # smallest cv: a density, however narrow, for draws at cv = 0


class Density(NamedTuple):
    """A continuous family: density and quantiles of its coordinate.

    Attributes:
        log_axis: Whether the coordinate is log strength (else strength).
        at: `(coordinate, mean, cv)` to density.
        quantile: `(share, mean, cv)` to coordinate.
    """

    log_axis: bool
    at: Callable[[Array, Array, Array], Array]
    quantile: Callable[[float, Array, Array], Array]


def _lognormal(mean: Array, cv: Array) -> tuple[Array, Array]:
    variance = np.log1p(np.maximum(cv, _LEAST) ** 2)
    return np.log(mean) - variance / 2, np.sqrt(variance)


def _gamma(mean: Array, cv: Array) -> tuple[Array, Array]:
    cv = np.maximum(cv, _LEAST)
    return cv**-2, np.log(mean) + 2 * np.log(cv)


def _normal(mean: Array, cv: Array) -> tuple[Array, Array]:
    return mean, mean * np.maximum(cv, _LEAST)


def _lognormal_density(u: Array, mean: Array, cv: Array) -> Array:
    location, scale = _lognormal(mean, cv)
    return np.asarray(stats.norm.pdf(u, location, scale))


def _lognormal_quantile(q: float, mean: Array, cv: Array) -> Array:
    location, scale = _lognormal(mean, cv)
    return np.asarray(stats.norm.ppf(q, location, scale))


def _gamma_density(u: Array, mean: Array, cv: Array) -> Array:
    shape, log_scale = _gamma(mean, cv)
    return np.asarray(stats.loggamma.pdf(u, shape, loc=log_scale))


def _gamma_quantile(q: float, mean: Array, cv: Array) -> Array:
    shape, log_scale = _gamma(mean, cv)
    return np.asarray(stats.loggamma.ppf(q, shape, loc=log_scale))


def _normal_density(u: Array, mean: Array, cv: Array) -> Array:
    return np.asarray(stats.norm.pdf(u, *_normal(mean, cv)))


def _normal_quantile(q: float, mean: Array, cv: Array) -> Array:
    return np.asarray(stats.norm.ppf(q, *_normal(mean, cv)))


DENSITIES = {
    "lognormal": Density(True, _lognormal_density, _lognormal_quantile),
    "gamma": Density(True, _gamma_density, _gamma_quantile),
    "normal": Density(False, _normal_density, _normal_quantile),
}


def span(density: Density, mean: Array, cv: Array) -> tuple[float, float]:
    """Coordinates between which the populations lie: 1 % to 99 % of nearly every draw.

    Args:
        density: The family.
        mean: Mean strength, a `draw`-vector.
        cv: Coefficient of variation, a `draw`-vector.

    Example:
        >>> one, half = np.ones(10), np.full(10, 0.5)
        >>> [round(end, 2) for end in span(DENSITIES["normal"], one, half)]
        [-0.16, 2.16]
    """
    low = np.quantile(density.quantile(0.01, mean, cv), 0.1)
    high = np.quantile(density.quantile(0.99, mean, cv), 0.9)
    return float(low), float(high)


def band(density: Density, u: Array, mean: Array, cv: Array, shares: tuple[float, ...]) -> Array:
    """Quantiles over draws of the density at each point.

    Args:
        density: The family.
        u: Coordinates, a vector of points.
        mean: Mean strength, a `draw`-vector.
        cv: Coefficient of variation, a `draw`-vector.
        shares: Which quantiles.

    Returns:
        `share x point`.

    Example:
        >>> one, half = np.ones(10), np.full(10, 0.5)
        >>> band(DENSITIES["normal"], np.ones(1), one, half, (0.05, 0.95)).round(3).tolist()
        [[0.798], [0.798]]
    """
    each = density.at(u, mean[:, None], cv[:, None])
    return np.asarray(np.quantile(each, shares, axis=0))


def smooth(density: Density, u: Array, mean: Array, cv: Array) -> Array:
    """Density of one strength from a population drawn at random, as a smooth curve.

    The plain average over draws has a spike for every draw with a small cv; here every draw
    gives 20 strengths, and a Gaussian kernel of Silverman's width smooths them.

    Args:
        density: The family.
        u: Coordinates, a vector of points.
        mean: Mean strength, a `draw`-vector.
        cv: Coefficient of variation, a `draw`-vector.

    Example:
        >>> one, half = np.ones(10), np.full(10, 0.5)
        >>> smooth(DENSITIES["normal"], np.array([1.0]), one, half).round(1).tolist()
        [0.7]
    """
    shares = (np.arange(20) + 0.5) / 20
    points = np.sort(np.concatenate([density.quantile(q, mean, cv) for q in shares]))
    quarter, three = np.quantile(points, [0.25, 0.75])
    width = max(1.2 * (three - quarter) / 1.34 * len(points) ** -0.2, 1e-6)
    edges = np.concatenate([points, [np.inf]])
    out = np.empty_like(u)
    for i, at in enumerate(u):  # only points within five widths count
        near = edges[
            np.searchsorted(points, at - 5 * width) : np.searchsorted(points, at + 5 * width)
        ]
        out[i] = stats.norm.pdf(near, at, width).sum() / len(points)
    return out
