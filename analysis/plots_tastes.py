"""Pictures of latent tastes: what each class prefers, and who belongs to which."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixlogit.analysis.density import Array
from mixlogit.analysis.material import Material, read_material
from mixlogit.analysis.saved import read_run
from mixlogit.analysis.style import (
    BLUE,
    GREY,
    ORANGE,
    heading,
    legend_below,
    new_axes,
    rows_of_names,
)
from mixlogit.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_memberships", "plot_profiles"]

_MOST = 24  # items or features drawn
# Okabe and Ito, and a marker of its own for each class
_STYLES = (
    (BLUE, "o"), (ORANGE, "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"),
    ("black", "P"),
)  # fmt: skip


def plot_profiles(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw each class's utilities of items, or weights of features, with 90 % intervals.

    Args:
        run: As for `plot_strength`; with latent tastes.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run has no latent tastes.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(900, 60, items=4, tastes=2, seed=1).comparisons()
        >>> posterior = ml.fit(data, "fixed", tastes=2, evidence=False, draws=100)
        >>> plot_profiles(posterior).get_xlabel()
        'utility'
    """
    saved = read_run(run)
    posterior = saved.tree["posterior"]
    name = next((n for n in ("utility", "weight") if n in posterior), None)
    if name is None or "class_" not in posterior[name].dims:
        raise UsageError("This run has no latent tastes; fit with --tastes 2.")
    draws, shares = saved.draws(name), saved.draws("share")
    assert draws is not None
    assert shares is not None
    labels = [str(label) for label in posterior[str(posterior[name].dims[-1])].to_numpy()]
    order = _widest(draws)
    ax = new_axes(ax, (5.8, 1.5 + 0.34 * len(order)))
    n = draws.shape[1]
    for c in range(n):
        colour, shape = _STYLES[c]
        y = -np.arange(len(order)) + 0.5 * ((n - 1) / 2 - c) / n
        low, middle, high = np.quantile(draws[:, c, order], [0.05, 0.5, 0.95], axis=0)
        ax.hlines(y, low, high, color=colour, linewidth=1.2)
        share = f"class {c + 1}: {100 * shares[:, c].mean():.0f} %"
        ax.plot(middle, y, shape, color=colour, markersize=5, label=share)
    ax.axvline(0, color=GREY, linewidth=0.8)
    rows_of_names(ax, [labels[k] for k in order])
    ax.set_xlabel(name)
    more = f" ({len(labels) - len(order)} more agree better)" if len(labels) > len(order) else ""
    heading(ax, f"What each class prefers{more}")
    legend_below(ax, 3)
    return ax


def _widest(draws: Array) -> Array:
    """The items or features over which classes differ most, at most so many, best liked first."""
    mean = draws.mean(0)
    chosen = np.argsort(-np.ptp(mean, axis=0), kind="stable")[:_MOST]
    return np.asarray(chosen[np.argsort(-mean[0, chosen], kind="stable")])


def plot_memberships(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw how surely respondents belong to their most probable class.

    Args:
        run: A `Posterior` or the path of a run folder, with latent tastes.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run has no latent tastes.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(900, 60, items=4, tastes=2, seed=1).comparisons()
        >>> posterior = ml.fit(data, "fixed", tastes=2, evidence=False, draws=100)
        >>> plot_memberships(posterior).get_ylabel()
        'respondents'
    """
    table = _memberships(run)
    names = [name for name in table.columns if name.startswith("p[")]
    if not names:
        raise UsageError("This run has no latent tastes; fit with --tastes 2.")
    top, own = table[names].max(axis=1).to_numpy(), table["class_"].to_numpy()
    ax = new_axes(ax, (5.6, 3.4))
    edges = np.linspace(1 / len(names), 1.0, 21)
    parts = [top[own == c + 1] for c in range(len(names))]
    ax.hist(
        parts,
        bins=edges.tolist(),
        stacked=True,
        color=[_STYLES[c][0] for c in range(len(names))],
        edgecolor="white",
        label=[f"class {c + 1}" for c in range(len(names))],
    )
    ax.set_xlabel("probability of the most probable class")
    ax.set_ylabel("respondents")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    heading(ax, f"Who belongs to which class: {len(table):,} respondents")
    legend_below(ax, 3)
    return ax


def _memberships(run: Any) -> pd.DataFrame:
    """The table of memberships; empty without latent tastes."""
    if hasattr(run, "memberships"):
        return pd.DataFrame(run.memberships())
    return run.tastes if isinstance(run, Material) else read_material(run).tastes
