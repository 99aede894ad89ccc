"""Figures of a policy on held-out comparisons, with intervals; pure functions of arrays.

Intervals come from a bootstrap over clusters (respondents, where they are known): whole
respondents are drawn with replacement, since votes of one respondent are not independent. Every
figure is a function of sums over comparisons, so a replicate is a product of the clusters' sums
with the numbers of times that they were drawn.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit

__all__ = ["Judged", "evaluate_judged", "interval", "resampled", "share_with_interval"]

Array = NDArray[np.float64]
Totals = Mapping[str, Any]
Figures = dict[str, Any]

_AT_ONCE = 4_000_000  # replicates x clusters drawn at a time
_PRIOR_SD = 5.0  # of logistic coefficients: keeps them finite where every vote agrees
_PAV = 200  # replicates of what is not a function of sums


@dataclass(frozen=True, eq=False)
class Judged:
    """Decided comparisons of a policy, as seen from the recorded choice.

    Attributes:
        margin: Margin of the recorded choice, positive where the policy agrees with it.
        log_score: Log probability that the strength model gave to the recorded choice, nats.
        longer: Tokens of the answer that was chosen less those of the other.
        respondent: Code of who judged, or None.
        known: Whether the run knew the respondent.
        groups: Codes and labels by group column.
        weight: Weights.

    Each but `groups` is a `comparison`-vector.
    """

    margin: Array
    log_score: Array
    longer: Array
    respondent: NDArray[np.int64] | None
    known: NDArray[np.bool_]
    groups: Mapping[str, tuple[NDArray[np.int64], tuple[str, ...]]] = field(default_factory=dict)
    weight: Array | None = None

    @property
    def right(self) -> Array:
        """1 where the policy's order is the recorded one, one half where it has none."""
        out: Array = np.where(self.margin == 0, 0.5, (self.margin > 0).astype(np.float64))
        return out

    @property
    def cluster(self) -> NDArray[np.int64]:
        """Whose votes are drawn together: a respondent's, or each by itself."""
        if self.respondent is None:
            return np.arange(len(self.margin))
        return np.unique(self.respondent, return_inverse=True)[1].astype(np.int64)


def evaluate_judged(judged: Judged, *, seed: int = 0, replicates: int = 1000) -> Figures:
    """Accuracy, log score and calibration, each with a 90 % interval.

    Args:
        judged: The comparisons.
        seed: Seed of the bootstrap.
        replicates: Replicates of the bootstrap.

    Returns:
        `accuracy`: `micro`, `macro_respondent`, `macro_group` (by column), `worst_group`,
        `length_controlled` and `groups`; `log_score` and `calibration`. A figure has
        `estimate`, `q05`, `q95`; what the data cannot give is None.

    Example:
        >>> margin = np.array([2.0, 1.5, 0.4, -0.8])
        >>> score = np.log(expit(margin))
        >>> judged = Judged(margin, score, np.zeros(4), None, np.zeros(4, bool))
        >>> evaluate_judged(judged)["accuracy"]["micro"]["estimate"]
        0.75
    """
    weight = np.ones(len(judged.margin)) if judged.weight is None else judged.weight
    columns, figures = _columns(judged, weight)
    found = resampled(columns, judged.cluster, figures, seed=seed, replicates=replicates)
    return {
        "accuracy": _accuracy(judged, found),
        "log_score": {
            "micro": found["log_score"],
            "macro_respondent": found.get("log_score/respondent"),
            "known": _counted(found, "log_score/known", judged.known),
            "new": _counted(found, "log_score/new", ~judged.known),
        },
        "calibration": {
            "slope": found["slope"],
            **_calibration_error(judged, weight, seed),
        },
    }


def interval(estimate: float, draws: Array) -> Figures:
    """A figure with its 90 % interval.

    Example:
        >>> interval(50.0, np.arange(101.0))
        {'estimate': 50.0, 'q05': 5.0, 'q95': 95.0}
    """
    low, high = np.nanquantile(draws, [0.05, 0.95])
    return {"estimate": float(estimate), "q05": float(low), "q95": float(high)}


def resampled(
    columns: Mapping[str, Array],
    cluster: NDArray[np.int64],
    figures: Callable[[Totals], Mapping[str, Any]],
    *,
    seed: int,
    replicates: int,
) -> dict[str, Figures]:
    """Functions of sums, with intervals from drawing whole clusters.

    Args:
        columns: What is summed, `comparison`-vectors by name.
        cluster: Cluster of each comparison, from 0.
        figures: From totals by name to figures by name, elementwise over replicates.
        seed: Seed.
        replicates: Number of replicates.

    Returns:
        The figures that are defined on the data.

    Example:
        >>> columns = {"x": np.array([1.0, 2.0, 3.0]), "n": np.ones(3)}
        >>> mean = lambda total: {"mean": total["x"] / total["n"]}
        >>> resampled(columns, np.arange(3), mean, seed=0, replicates=10)["mean"]["estimate"]
        2.0
    """
    n = int(cluster.max()) + 1
    sums = np.stack([np.bincount(cluster, column, n) for column in columns.values()], -1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a group that was not drawn is NaN
        here = figures(dict(zip(columns, sums.sum(0), strict=True)))
        parts = [
            figures(dict(zip(columns, (times @ sums).T, strict=True)))
            for times in _draws(n, replicates, seed)
        ]
    return {
        name: interval(float(value), np.concatenate([part[name] for part in parts]))
        for name, value in here.items()
        if np.isfinite(value)
    }


def share_with_interval(wins: Array, *, seed: int = 0, replicates: int = 1000) -> Figures:
    """The mean of values, one for each cluster, with its interval.

    Example:
        >>> share_with_interval(np.array([1.0, 0.0, 0.5, 1.0]))["estimate"]
        0.625
    """
    columns = {"wins": wins, "n": np.ones(len(wins))}

    def mean(total: Totals) -> dict[str, Any]:
        return {"share": total["wins"] / total["n"]}

    at = np.arange(len(wins))
    return resampled(columns, at, mean, seed=seed, replicates=replicates)["share"]


def _draws(n: int, replicates: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each cluster was drawn, `replicate x cluster`, some replicates at a time."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // n)
    for start in range(0, replicates, at_once):
        size = min(at_once, replicates - start)
        drawn = generator.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _columns(
    judged: Judged, weight: Array
) -> tuple[dict[str, Array], Callable[[Totals], dict[str, Any]]]:
    """What is summed, and the figures as functions of the sums."""
    right, score = judged.right, judged.log_score
    values = {"right": right * weight, "score": score * weight, "weight": weight}
    ratios = {"accuracy": ("right", "weight"), "log_score": ("score", "weight")}

    def add(name: str, of: Mapping[str, str], rows: NDArray[np.bool_]) -> None:
        """The same ratios over some of the comparisons."""
        values[f"weight/{name}"] = weight * rows
        for figure, column in of.items():
            values[f"{column}/{name}"] = values[column] * rows
            ratios[f"{figure}/{name}"] = (f"{column}/{name}", f"weight/{name}")

    if judged.respondent is not None:
        own = np.bincount(judged.cluster, weight)[judged.cluster]  # of each respondent 1 in all
        values |= {"each": weight / own, "right/each": right * weight / own}
        values["score/each"] = score * weight / own
        ratios["accuracy/respondent"] = ("right/each", "each")
        ratios["log_score/respondent"] = ("score/each", "each")
    for column, (codes, labels) in judged.groups.items():
        for code, label in enumerate(labels):
            add(f"{column}={label}", {"accuracy": "right"}, codes == code)
    add("known", {"log_score": "score"}, judged.known)
    add("new", {"log_score": "score"}, ~judged.known)
    add("chosen longer", {"accuracy": "right"}, judged.longer > 0)
    add("chosen shorter", {"accuracy": "right"}, judged.longer < 0)
    steps = [_length_step(judged, weight, values), _slope_step(judged, weight, values)]

    def figures(total: Totals) -> dict[str, Any]:
        out = {name: total[top] / total[bottom] for name, (top, bottom) in ratios.items()}
        halves = [out[f"accuracy/chosen {which}"] for which in ("longer", "shorter")]
        out["length_balanced"] = 0.5 * (halves[0] + halves[1])
        for column, (_, labels) in judged.groups.items():
            each = np.array([out[f"accuracy/{column}={label}"] for label in labels])
            out[f"macro/{column}"] = np.nanmean(each, 0)
        for step in steps:
            out |= step(total)
        return out

    return values, figures


def _logistic(x: Array, y: Array, weight: Array) -> tuple[Array, Array]:
    """Coefficients of a logistic regression, by Newton, and fitted probabilities."""
    theta = np.zeros(x.shape[1])
    for _ in range(50):
        p = expit(x @ theta)
        gradient = x.T @ (weight * (y - p)) - theta / _PRIOR_SD**2
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + np.eye(len(theta)) / _PRIOR_SD**2
        step = np.linalg.solve(curvature, gradient)
        theta = theta + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    return theta, expit(x @ theta)


def _length_step(
    judged: Judged, weight: Array, values: dict[str, Array]
) -> Callable[[Totals], dict[str, Any]]:
    """Length-controlled accuracy: a logistic regression's at equal lengths.

    `P(right) = sigmoid(a + g tanh(d / sd))`, with d how much longer the answer is that the
    policy prefers (the form of Dubois et al. 2024, arXiv 2404.04475): the same as a regression
    of the choice on the policy's order and on the difference in length. A replicate takes one
    Newton step from the estimate, which is as good as refitting to first order.
    """
    right = judged.right
    used = weight * (judged.margin != 0)
    longer = np.sign(judged.margin) * judged.longer
    scale = float(np.sqrt((used * longer**2).sum() / max(used.sum(), 1e-300)))
    x = np.stack([np.ones_like(longer), np.tanh(longer / scale) if scale else 0 * longer], -1)
    (a, g), p = _logistic(x, right, used)
    spread = used * p * (1 - p)
    values |= {f"length/g{k}": used * (right - p) * x[:, k] for k in (0, 1)}
    values |= {f"length/h{j}{k}": spread * x[:, j] * x[:, k] for j, k in ((0, 0), (0, 1), (1, 1))}

    def figures(total: Totals) -> dict[str, Any]:
        g0 = total["length/g0"] - a / _PRIOR_SD**2
        g1 = total["length/g1"] - g / _PRIOR_SD**2
        h00, h11 = (total[f"length/h{k}{k}"] + 1 / _PRIOR_SD**2 for k in (0, 1))
        h01 = total["length/h01"]
        determinant = h00 * h11 - h01**2
        return {
            "length_controlled": expit(a + (h11 * g0 - h01 * g1) / determinant),
            "length_effect": g + (h00 * g1 - h01 * g0) / determinant,
        }

    return figures


def _slope_step(
    judged: Judged, weight: Array, values: dict[str, Array]
) -> Callable[[Totals], dict[str, Any]]:
    """Slope of a logistic regression of what was chosen on the predicted log odds.

    Both orders of a pair say the same, so there is no intercept: it would be 0.
    """
    odds = _log_odds(judged.log_score)
    (slope,), p = _logistic(odds[:, None], np.ones_like(odds), weight)
    values["slope/g"] = weight * (1 - p) * odds
    values["slope/h"] = weight * p * (1 - p) * odds**2

    def figures(total: Totals) -> dict[str, Any]:
        gradient = total["slope/g"] - slope / _PRIOR_SD**2
        return {"slope": slope + gradient / (total["slope/h"] + 1 / _PRIOR_SD**2)}

    return figures


def _log_odds(log_score: Array) -> Array:
    out: Array = log_score - np.log(-np.expm1(np.minimum(log_score, -1e-12)))
    return out


def _calibration_error(judged: Judged, weight: Array, seed: int) -> Figures:
    """Mean distance of confidence from an isotonic fit of being right, with its interval.

    The fit (pool adjacent violators; Dimitriadis, Gneiting and Jordan 2021) chooses its own
    bins. The distance is above 0 by chance too, and more so in a replicate, which has fewer
    different comparisons; so the replicates are moved to have the estimate in their middle.
    """
    p, cluster = np.exp(judged.log_score), judged.cluster
    # rounded: p and 1 - (1 - p) are one confidence, and those that are equal share a bin
    sure, place = np.unique(np.round(np.maximum(p, 1 - p), 12), return_inverse=True)
    right = np.where(p == 0.5, 0.5, (p > 0.5).astype(np.float64))

    def fit(used: Array) -> tuple[float, Any, Array, Array]:
        mass = np.bincount(place, used, len(sure)).astype(np.float64)
        rows = mass > 0
        share = np.bincount(place, used * right, len(sure))[rows] / mass[rows]
        found = isotonic_regression(share, weights=mass[rows])
        error = np.average(np.abs(found.x - sure[rows]), weights=mass[rows])
        return float(error), found, mass[rows], sure[rows]

    estimate, found, mass, at = fit(weight)
    n = int(cluster.max()) + 1
    drawn = [fit(weight * times[cluster])[0] for part in _draws(n, _PAV, seed) for times in part]
    bins = [
        {
            "predicted": float(np.average(at[a:b], weights=mass[a:b])),
            "observed": float(found.x[a]),
            "weight": float(mass[a:b].sum()),
        }
        for a, b in pairwise(found.blocks)
    ]
    centred = np.array(drawn) - np.median(drawn) + estimate
    return {"error": interval(estimate, centred.clip(min=0.0)), "bins": bins}


def _counted(found: Mapping[str, Figures], name: str, rows: NDArray[np.bool_]) -> Figures | None:
    """A figure with its number of comparisons; None without any."""
    n = int(rows.sum())
    return {**found[name], "n": n} if n else None


def _accuracy(judged: Judged, found: Mapping[str, Figures]) -> Figures:
    groups = {
        column: {
            label: counted
            for code, label in enumerate(labels)
            if (counted := _counted(found, f"accuracy/{column}={label}", codes == code))
        }
        for column, (codes, labels) in judged.groups.items()
    }
    each = [
        {"column": column, "label": label, **values}
        for column, labels in groups.items()
        for label, values in labels.items()
    ]
    both = (judged.longer > 0).any() and (judged.longer < 0).any()
    return {
        "micro": found["accuracy"],
        "macro_respondent": found.get("accuracy/respondent"),
        "macro_group": {column: found[f"macro/{column}"] for column in groups} or None,
        "worst_group": min(each, key=lambda one: float(one["estimate"])) if each else None,
        "length_controlled": {
            **found["length_controlled"],
            "length_effect": found["length_effect"],
            "length_balanced": found["length_balanced"] if both else None,
        },
        "groups": groups,
    }
