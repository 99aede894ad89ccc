"""How much respondents differ: every measure with its posterior, as a tidy table."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from mixlogit.analysis.density import Array
from mixlogit.analysis.limits import RELIABLE
from mixlogit.analysis.population import Population
from mixlogit.analysis.saved import Saved, read_run

__all__ = ["MEASURES", "OF_TASTES", "heterogeneity"]

# name -> words, in the order of the table
MEASURES = {
    "cv": "coefficient of variation of strength",
    "log_sd": "sd of log strength",
    "ratio_90_10": "90th to 10th percentile of strength",
    "gini": "Gini coefficient of strength",
    "disagreement": "relative disagreement over the comparisons",
    "taste_share": "share of disagreement that is taste",
    "minority": "share that prefers what most do not",
    "disagreement_median": "relative disagreement at the median margin",
    "disagreement_90": "relative disagreement at the 90th percentile of margins",
    "near_indifferent": "share within 0.05 of indifference at the median margin",
    "reversed": "share of negative strength",
    "cost_new": "cost of one strength for a new respondent, bits a vote",
    "cost_known": "cost of one strength for a known respondent, bits a vote",
    "between_groups": "share of the variance of log strength between groups",
    "shrinkage": "weight of the own votes in individual strengths",
    "reliability": "reliability of individual strengths",
}
_TASTE = ("disagreement", "taste_share", "minority")  # of taste alone
_OTHERS = ("between_groups", "shrinkage", "reliability")  # not of one population
# the same, and what is meant, where tastes differ
OF_TASTES = {
    "disagreement": MEASURES["disagreement"],
    "taste_share": MEASURES["taste_share"],
    "minority": MEASURES["minority"],
    "cost_known": "cost of one taste for a known respondent, bits a vote",
    "shrinkage": "weight of the own votes in individual tastes",
    "reliability": "reliability of individual tastes",
}
_OF_STRENGTH = ("cv", "log_sd", "ratio_90_10", "gini", "reversed")
_DRAWS, _MARGINS = 400, 100
_NEAR = float(special.logit(0.55))
_QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def heterogeneity(run: Any) -> pd.DataFrame:
    """Every measure of heterogeneity, with its posterior.

    For `b ~ F` and a margin `m`, with `p(m) = sigmoid(b m)` and `pbar = E_F[p]`: cv; sd of log
    strength; 90th over 10th percentile; Gini; relative disagreement
    `Var_F[p] / (pbar (1 - pbar))`, the correlation of two answers of one respondent, at the
    median and the 90th percentile of `|margin|`, so free of the margins' scale;
    `P(|p - 1/2| < 0.05)`; `P(b < 0)`; the mean Kullback-Leibler divergence from the best single
    strength, bits a vote, of `pbar` (a new respondent) and of each `p` (a known one); the share
    of `Var(log b)` that lies between groups; and how far individual strengths rest on the
    respondents' own votes: `1 - E[v_a] / Var(log b)` and `Var(m_a) / (Var(m_a) + E[v_a])`, `m_a`
    and `v_a` the posterior mean and variance of `log b_a` (`b_a` where it can be negative).

    Where tastes differ p varies with taste too: relative disagreement is taken over the
    comparisons of the data, with the share of `Var[p]` that is due to taste, the share of
    respondents who prefer what most do not, and the divergence of each p from `pbar`; the last two
    measures are those of memberships, or of coefficients. What needs a single margin is NaN.

    Args:
        run: A `Posterior`, an `xarray.DataTree` or the path of a run folder; or several of them,
            by name.

    Returns:
        Columns `measure`, `column`, `label`, `mean`, `sd`, `q05`, `q25`, `q50`, `q75`, `q95`,
        `note`; with several runs `run` first. `column` is empty and `label` "all" for the whole
        population (the average group, where groups were fitted); for a group column the labels,
        then "macro" (mean of the groups) and "micro" (weighted by comparisons). A measure that
        the run cannot give is NaN and its note says why.

    Raises:
        StorageError: If a folder is no run, or a file of it is damaged.
        UsageError: If it is something else.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> table = heterogeneity(ml.fit(data, evidence=False, draws=400))
        >>> table.set_index("measure").loc["reversed", "note"]
        'zero by construction: this family has no negative strengths'
    """
    if isinstance(run, Mapping) and not isinstance(run, xr.DataTree):
        parts = {name: heterogeneity(one) for name, one in run.items()}
        table: pd.DataFrame = pd.concat(parts, names=["run"]).reset_index("run")
        return table.set_axis(range(len(table)))
    saved = read_run(run)
    rows = list(_where_tastes_differ(saved) if saved.tastes else _whole(saved))
    for column in saved.columns:
        rows += _by_group(saved, column)
    return pd.DataFrame(rows)


def _row(
    measure: str, draws: Array | None, note: str = "", column: str = "", label: str = "all"
) -> dict[str, Any]:
    """One row of the table; NaN without draws."""
    values = np.full(2, np.nan) if draws is None else draws
    out = {"measure": measure, "column": column, "label": label}
    ends = np.quantile(values, list(_QUANTILES.values()))
    figures = {"mean": values.mean(), "sd": values.std(ddof=1)}
    return {**out, **figures, **dict(zip(_QUANTILES, ends, strict=True)), "note": note}


def _whole(saved: Saved) -> Iterator[dict[str, Any]]:
    """Rows of the whole population."""
    people = Population.of(saved)
    scope = "" if saved.panel else "a tail shape of the link, not a measure of people"
    found: dict[str, tuple[Array | None, str]] = {}
    if people is None:
        found |= {name: (None, _OWN) for name in MEASURES if name not in (*_OTHERS, *_TASTE)}
        found |= {name: (saved.draws(name), "") for name in ("cv", "log_sd")}
    else:
        found = _measures(people, _sizes(saved))
    for measure, (draws, note) in found.items():
        yield _row(measure, draws, note or scope)
    stats = saved.tree["sample_stats"].to_dataset() if "sample_stats" in saved.tree else {}
    for measure in _OTHERS[1:]:
        if measure in stats:
            draws = np.asarray(stats[measure].to_numpy())
            yield _row(measure, draws, _own_note(measure, draws))
        else:
            yield _row(measure, None, "needs respondents that share a spread of strength")
    for measure in _TASTE:
        yield _row(measure, None, "one taste for all")


def _where_tastes_differ(saved: Saved) -> Iterator[dict[str, Any]]:
    """Rows of the whole population of a fit that lets tastes differ."""
    stats = saved.tree["sample_stats"].to_dataset() if "sample_stats" in saved.tree else {}
    strength = _strength_beside_taste(saved)
    for measure in MEASURES:
        if measure == "between_groups":
            continue
        if measure in strength:
            yield _row(measure, *strength[measure])
        elif measure not in OF_TASTES:
            yield _row(measure, None, "tastes differ: a comparison has no one margin")
        elif measure not in stats:
            yield _row(measure, None, "the run keeps none; fit it again")
        else:
            draws = np.asarray(stats[measure].to_numpy())
            yield _row(measure, draws, _taste_note(saved, measure, draws))


def _own_note(measure: str, draws: Array) -> str:
    low = measure == "reliability" and draws.mean() < RELIABLE
    return f"below {RELIABLE}: name no respondent" if low else ""


def _taste_note(saved: Saved, measure: str, draws: Array) -> str:
    if saved.panel:
        return _own_note(measure, draws)
    return "without respondents a shape of the choice probabilities, not a measure of people"


def _strength_beside_taste(saved: Saved) -> dict[str, tuple[Array | None, str]]:
    """Measures of strength alone: of the family within classes, or beside random tastes."""
    out: dict[str, tuple[Array | None, str]] = {}
    if saved.draws("cv") is None:
        return out | dict.fromkeys(_OF_STRENGTH, (None, "one strength for all"))
    if saved.family != "tastes":
        people = Population.of(saved)
        assert people is not None
        found = _measures(people, None)
        return {name: found[name] for name in _OF_STRENGTH}
    out = {name: (saved.draws(name), "") for name in ("cv", "log_sd")}
    return out | dict.fromkeys(_OF_STRENGTH[2:], (None, "beside random tastes see cv"))


def _by_group(saved: Saved, column: str) -> list[dict[str, Any]]:
    """Rows of one group column: labels, averages, and the share between them."""
    labels, sizes = saved.labels(column), _sizes(saved)
    people = [Population.of(saved, column, k) for k in range(len(labels))]
    found = [_measures(each, sizes) for each in people if each is not None]
    if len(found) < len(labels):
        return []
    respondents, comparisons = saved.counts(column)
    rows = []
    for measure in found[0]:
        each = [part[measure] for part in found]
        rows += [
            _row(measure, draws, note, column, label)
            for (draws, note), label in zip(each, labels, strict=True)
        ]
        known = [draws for draws, _ in each if draws is not None]
        whole = np.stack(known) if len(known) == len(each) else None
        note = next((note for _, note in each if note), "")
        macro = None if whole is None else whole.mean(0)
        micro = None if whole is None else np.average(whole, 0, comparisons)
        rows.append(_row(measure, macro, note, column, "macro"))
        rows.append(_row(measure, micro, note, column, "micro"))
    share, note = _between([each for each in people if each is not None], respondents)
    return [*rows, _row("between_groups", share, note, column)]


def _between(people: list[Population], weight: Array) -> tuple[Array, str]:
    """Share of the variance of log strength (of strength, if signed) that lies between groups."""
    signed = any(each.signed for each in people)
    if signed:
        moments = [(each.mean, each.mean * each.cv) for each in people]
    else:
        moments = [each.log_moments() for each in people]
    location = np.stack([mean for mean, _ in moments])
    within = np.average(np.stack([sd for _, sd in moments]) ** 2, 0, weight)
    between = np.average((location - np.average(location, 0, weight)) ** 2, 0, weight)
    note = "of the variance of strength, which can be negative" if signed else ""
    return np.asarray(between / np.maximum(between + within, 1e-300)), note


def _measures(people: Population, sizes: Array | None) -> dict[str, tuple[Array | None, str]]:
    """Draws of each measure of a population, and what to know about it."""
    signed = "strength can be negative" if people.signed else ""
    low, high = people.quantile(0.1), people.quantile(0.9)
    crosses = bool((low <= 0).any())
    ratio = None if crosses else high / low
    clear = np.quantile(people.mean, 0.05) > 0
    out: dict[str, tuple[Array | None, str]] = {
        "cv": (people.cv, ""),
        "log_sd": (None if signed else people.log_moments()[1], signed),
        "ratio_90_10": (ratio, "a tenth or more is not above 0" if crosses else ""),
        "gini": (people.gini() if clear else None, "" if clear else "the mean is not clear of 0"),
    }
    few = people.thinned(_DRAWS)
    by_margin: dict[str, Callable[[Array], Array]] = {
        "disagreement_median": lambda m: _disagreement(few, float(np.median(m))),
        "disagreement_90": lambda m: _disagreement(few, float(np.quantile(m, 0.9))),
        "near_indifferent": lambda m: _near(people, float(np.median(m))),
        "cost_new": lambda m: _cost(few, m)[0],
        "cost_known": lambda m: _cost(few, m)[1],
    }
    for name, of in by_margin.items():
        usable = sizes is not None and len(sizes) > 0
        out[name] = (of(sizes), "") if usable and sizes is not None else (None, _NO_MARGINS)
    none = "" if people.signed else "zero by construction: this family has no negative strengths"
    out["reversed"] = (people.below(0.0) if people.signed else np.zeros_like(people.mean), none)
    return {name: out[name] for name in MEASURES if name in out}


_NO_MARGINS = "the run keeps no margins of pairs"
_OWN = "not known of a family of one's own"


def _disagreement(people: Population, margin: float) -> Array:
    """Relative disagreement at a margin: a `draw`-vector."""
    strengths, weight = people.nodes()
    p = special.expit(strengths * margin)
    mean = (weight * p).sum(-1)
    variance = (weight * (p - mean[:, None]) ** 2).sum(-1)
    return np.asarray(variance / np.maximum(mean * (1 - mean), 1e-300))


def _near(people: Population, margin: float) -> Array:
    """Share of the population with `|p(m) - 1/2| < 0.05`."""
    if margin <= 0:
        return np.ones_like(people.mean)
    return people.below(_NEAR / margin) - people.below(-_NEAR / margin)


def _cost(people: Population, sizes: Array) -> tuple[Array, Array]:
    """Mean divergence from the best single strength, for a new and a known respondent: bits."""
    parts = np.array_split(np.sort(sizes), min(_MARGINS, len(sizes)))
    m = np.array([part.mean() for part in parts])  # of as many votes each
    strengths, weight = people.nodes()
    mixed, own = np.empty((len(strengths), len(m))), np.empty((len(strengths), len(m)))
    for k, size in enumerate(m):
        x = strengths * size
        p = special.expit(x)
        mixed[:, k] = (weight * p).sum(-1)
        own[:, k] = (weight * (p * x - np.logaddexp(0.0, x))).sum(-1)  # sum p log p of a known one
    single = _best_single(mixed, m)
    x = single[:, None] * m
    cross = mixed * x - np.logaddexp(0.0, x)  # sum p log q
    entropy = -special.entr(mixed) - special.entr(1 - mixed)
    new, known = (entropy - cross).mean(-1), (own - cross).mean(-1)
    return np.maximum(new, 0) / np.log(2), np.maximum(known, 0) / np.log(2)


def _best_single(mixed: Array, m: Array) -> Array:
    """The strength whose choice probabilities are closest to the mixed ones, by bisection."""
    low = np.full(len(mixed), -100.0 / max(m.max(), 1e-300))
    high = -low
    for _ in range(60):
        middle = (low + high) / 2
        slope = ((mixed - special.expit(middle[:, None] * m)) * m).sum(-1)
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return np.asarray((low + high) / 2)


def _sizes(saved: Saved) -> Array | None:
    """Sizes of the margins, a `comparison`-vector."""
    if "constant_data" not in saved.tree or "margin" not in saved.tree["constant_data"]:
        return None
    return np.abs(np.asarray(saved.tree["constant_data"]["margin"].to_numpy(), dtype=np.float64))
