"""Pictures of groups and of several runs: forests and ridges."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixlogit.analysis.density import DENSITIES, band, span
from mixlogit.analysis.marks import plain_ticks
from mixlogit.analysis.measures import MEASURES, heterogeneity
from mixlogit.analysis.population import Population
from mixlogit.analysis.saved import Saved, read_run
from mixlogit.analysis.style import (
    BLUE,
    GREY,
    ORANGE,
    bare,
    heading,
    new_axes,
    plain,
    rows_of_names,
)
from mixlogit.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_forest", "plot_groups", "plot_measure", "plot_ridge"]

_MOST = 24  # groups drawn
_AVERAGES = ("macro", "micro")


def plot_groups(
    run: Any, column: str | None = None, measure: str = "mean", ax: "Axes | None" = None
) -> "Axes":
    """Draw the groups of a column under each other, with macro and micro averages.

    Args:
        run: As for `plot_strength`.
        column: Group column; by default the first.
        measure: "mean" (mean strength) or a measure of `heterogeneity`.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run has no such group column or measure.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, groups=2, seed=1).comparisons()
        >>> posterior = ml.fit(data, by=["group"], evidence=False, draws=400, inference="laplace")
        >>> ax = plot_groups(posterior, measure="cv")
        >>> sorted(label.get_text() for label in ax.get_yticklabels())
        ['g1', 'g2', 'macro', 'micro']
    """
    saved = read_run(run)
    column = _column(saved, column)
    if measure == "mean":
        rows, words = _mean_rows(saved, column), "mean strength"
    else:
        table = heterogeneity(saved)
        rows = table[(table["column"] == column) & (table["measure"] == measure)].dropna()
        words = MEASURES.get(measure, measure)
    if rows.empty:
        raise UsageError(f'This run has no measure "{measure}" by {column}.')
    return plot_forest(rows, words, f"By {plain(column)}", ax)


def plot_measure(
    runs: Mapping[str, Any], measure: str = "disagreement_median", ax: "Axes | None" = None
) -> "Axes":
    """Draw one measure of heterogeneity of several runs or data sets under each other.

    Args:
        runs: Name to run.
        measure: A measure of `heterogeneity`; the default does not depend on the scale of the
            margins.
        ax: Where to draw.

    Returns:
        The axes.

    Raises:
        StorageError: If a folder is no run.
        UsageError: If no run has the measure.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> ax = plot_measure({"votes": ml.fit(data, evidence=False, draws=400)})
        >>> ax.get_xlabel()
        'relative disagreement at the median margin'
    """
    table = heterogeneity(dict(runs))
    rows = table[(table["label"] == "all") & (table["measure"] == measure)].dropna()
    if rows.empty:
        raise UsageError(f'No run has the measure "{measure}".')
    return plot_forest(rows.assign(label=rows["run"]), MEASURES[measure], "", ax)


def plot_forest(rows: pd.DataFrame, words: str, title: str, ax: "Axes | None" = None) -> "Axes":
    """Draw rows as points with 50 % (thick) and 90 % intervals.

    Args:
        rows: Columns `label`, `mean`, `q05`, `q25`, `q75`, `q95`; drawn from the largest mean
            down, macro and micro averages last.
        words: The x axis.
        title: The heading.
        ax: Where to draw.

    Example:
        >>> row = {"label": "a", "mean": 1.0, "q05": 0.5, "q25": 0.8, "q75": 1.2, "q95": 1.5}
        >>> plot_forest(pd.DataFrame([row]), "strength", "By a").get_xlabel()
        'strength'
    """
    average = rows["label"].isin(_AVERAGES)
    left_out = max(0, int((~average).sum()) - _MOST)
    single = rows[~average].sort_values("mean", ascending=False)
    rows = pd.concat([single.iloc[:_MOST], rows[average]])
    ax = new_axes(ax, (5.6, 1.3 + 0.3 * len(rows)))
    y = -np.arange(len(rows), dtype=np.float64)
    hollow = rows["label"].isin(_AVERAGES).to_numpy()
    colours = np.where(hollow, ORANGE, BLUE)
    ax.hlines(y, rows["q05"], rows["q95"], color=colours, linewidth=1.2)
    ax.hlines(y, rows["q25"], rows["q75"], color=colours, linewidth=4)
    for chosen, shape, colour in ((~hollow, "o", BLUE), (hollow, "D", ORANGE)):
        ax.plot(rows["mean"].to_numpy()[chosen], y[chosen], shape, color=colour,
                markerfacecolor="white", markersize=6)  # fmt: skip
    rows_of_names(ax, list(rows["label"]))
    if 0 <= float(rows["q05"].min()) < 0.4 * float(rows["q95"].max()):
        ax.set_xlim(left=0)
    ax.grid(axis="x", color=GREY, alpha=0.3, linewidth=0.6)
    ax.set_xlabel(words)
    heading(ax, title + (f" ({left_out} groups more)" if left_out else ""))
    return ax


def plot_ridge(run: Any, column: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw the mixing distribution of each group, the median density over draws.

    Args:
        run: As for `plot_strength`.
        column: Group column; by default the first.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run has no such column, or no continuous family.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, groups=2, seed=1).comparisons()
        >>> posterior = ml.fit(data, by=["group"], evidence=False, draws=400, inference="laplace")
        >>> plot_ridge(posterior).get_xlabel()
        'strength (logarithmic axis)'
    """
    saved = read_run(run)
    column = _column(saved, column)
    density = DENSITIES.get(saved.family)
    if density is None:
        raise UsageError(f"A ridge needs a continuous family, not {saved.family}.")
    labels = saved.labels(column)[:_MOST]
    found = [Population.of(saved, column, k) for k in range(len(labels))]
    people = [each.thinned(400) for each in found if each is not None]
    ends = np.array([span(density, each.mean, each.cv) for each in people])
    u = np.linspace(ends[:, 0].min(), ends[:, 1].max(), 200)
    curves = [band(density, u, each.mean, each.cv, (0.5,))[0] for each in people]
    tall = 1.4 / max(float(curve.max()) for curve in curves)
    x = np.exp(u) if density.log_axis else u
    ax = new_axes(ax, (5.6, 1.3 + 0.45 * len(labels)))
    for k, curve in enumerate(curves):
        ax.fill_between(x, -k, -k + tall * curve, color=BLUE, alpha=0.35, linewidth=0, zorder=k)
        ax.plot(x, -k + tall * curve, color=BLUE, linewidth=1.2, zorder=k)
    rows_of_names(ax, labels)
    ax.set_ylim(0.8 - len(labels), 1.6)
    if density.log_axis:
        ax.set_xscale("log")
        ax.set_xlim(x[0], x[-1])
        plain_ticks(ax)
    ax.set_xlabel("strength (logarithmic axis)" if density.log_axis else "strength")
    bare(ax)
    heading(ax, f"Mixing distributions by {plain(column)}")
    return ax


def _column(saved: Saved, asked: str | None) -> str:
    known = saved.columns
    if not known:
        raise UsageError("This run has no groups; fit with --by COLUMN.")
    if asked is not None and asked not in known:
        raise UsageError(f'No group column "{asked}". Group columns: {", ".join(known)}.')
    return known[0] if asked is None else asked


def _mean_rows(saved: Saved, column: str) -> pd.DataFrame:
    """Mean strength of each label, and its macro and micro averages."""
    draws = saved.draws(f"mean:{column}")
    assert draws is not None
    rows = dict(zip(saved.labels(column), draws.T, strict=True))
    rows["macro"] = draws.mean(-1)
    _, size = saved.counts(column)
    rows["micro"] = draws @ (size / size.sum())
    q = {"q05": 0.05, "q25": 0.25, "q75": 0.75, "q95": 0.95}
    return pd.DataFrame(
        {
            "label": list(rows),
            "mean": [each.mean() for each in rows.values()],
            **{name: [np.quantile(each, at) for each in rows.values()] for name, at in q.items()},
        }
    )
