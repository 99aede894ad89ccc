"""Pictures of the inference: ELBO, draws in order, and models compared by elpd."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixlogit.analysis.saved import read_run
from mixlogit.analysis.style import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    bare,
    heading,
    new_axes,
    rows_of_names,
)
from mixlogit.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_elbo", "plot_elpd", "plot_trace"]

_MOST = 250  # draws of a chain drawn
_LEVEL = 2.0  # nats: less than this to both sides is noise and is not blown up


def plot_elbo(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the ELBO of the guide over its steps.

    Args:
        run: As for `plot_strength`.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run had no guide.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> plot_elbo(ml.fit(data, evidence=False, draws=400)).get_xlabel()
        'step of the guide'
    """
    elbo = np.asarray(read_run(run).tree["sample_stats"]["elbo"].to_numpy())
    if not len(elbo):
        raise UsageError("This run had no guide, so there is no ELBO to show.")
    ax = new_axes(ax, (5.6, 3.0))
    ax.plot(np.arange(1, len(elbo) + 1), elbo, color=PALE, linewidth=0.8)
    width = max(1, len(elbo) // 20)
    smooth = np.convolve(elbo, np.ones(width) / width, mode="valid")
    ax.plot(np.arange(len(smooth)) + (width + 1) / 2, smooth, color=BLUE, linewidth=2)
    ax.set_xlabel("step of the guide")
    ax.set_ylabel("ELBO, nats")
    middle, half = float(np.mean(ax.get_ylim())), float(np.ptp(ax.get_ylim())) / 2
    ax.set_ylim(middle - max(half, _LEVEL), middle + max(half, _LEVEL))
    ax.ticklabel_format(axis="y", useOffset=False)
    bare(ax)
    heading(ax, "ELBO of the guide" + (f", and its mean over {width} steps" if width > 1 else ""))
    return ax


def plot_trace(run: Any, parameter: str = "cv", ax: "Axes | None" = None) -> "Axes":
    """Draw a parameter's draws by restart, with the mean and the 90 % interval of each.

    Args:
        run: As for `plot_strength`.
        parameter: Name of a parameter with one value a draw.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run has no such parameter.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> plot_trace(ml.fit(data, evidence=False, draws=400)).get_ylabel()
        'cv'
    """
    posterior = read_run(run).tree["posterior"].to_dataset()
    if parameter not in posterior or posterior[parameter].ndim != 2:
        known = ", ".join(str(n) for n in posterior.data_vars if posterior[n].ndim == 2)
        raise UsageError(f'No parameter "{parameter}" with one value a draw. There are: {known}.')
    ax = new_axes(ax, (5.6, 3.0))
    draws = posterior[parameter].to_numpy()
    for k, chain in enumerate(draws):
        kept = chain[np.linspace(0, len(chain) - 1, min(_MOST, len(chain))).round().astype(int)]
        ax.plot(k + np.linspace(0.05, 0.95, len(kept)), kept, ".", markersize=2,
                color=BLUE if k % 2 == 0 else GREY)  # fmt: skip
        ax.hlines(chain.mean(), k + 0.05, k + 0.95, color="black", linewidth=2)
        ax.hlines(np.quantile(chain, [0.05, 0.95]), k + 0.05, k + 0.95, color="black",
                  linewidth=1, linestyle="--")  # fmt: skip
    ax.set_xticks(np.arange(len(draws)) + 0.5, [str(k + 1) for k in range(len(draws))])
    ax.set_xlabel("restart (lines: mean and 90 % interval)")
    ax.set_ylabel(parameter)
    bare(ax)
    heading(ax, "Draws by restart")
    return ax


def plot_elpd(table: pd.DataFrame, ax: "Axes | None" = None) -> "Axes":
    """Draw how much worse each model predicts than the best one.

    Args:
        table: One row a model: `difference` to the best and its error `difference_se`, nats;
            the index is the model's name. `mixlogit.compare` gives it.
        ax: Where to draw.

    Returns:
        The axes.

    Example:
        >>> table = pd.DataFrame(
        ...     {"difference": [0.0, -9.0], "difference_se": [0.0, 3.0]}, ["lognormal", "fixed"])
        >>> plot_elpd(table).get_xlabel()
        'elpd against the best, nats'
    """
    ax = new_axes(ax, (5.6, 1.4 + 0.35 * len(table)))
    for k, (gap, se) in enumerate(zip(table["difference"], table["difference_se"], strict=True)):
        ax.errorbar([gap], [-k], xerr=[1.645 * se], fmt="o", capsize=4, markerfacecolor="white",
                    color=BLUE if gap == 0 else ORANGE)  # fmt: skip
    ax.axvline(0, color=GREY, linewidth=0.8)
    rows_of_names(ax, [str(name) for name in table.index])
    ax.set_xlabel("elpd against the best, nats")
    heading(ax, "Which model predicts better (90 % intervals)")
    return ax
