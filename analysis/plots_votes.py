"""Pictures of votes against predictions: choice curve and calibration."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from mixlogit.analysis.density import Array
from mixlogit.analysis.population import Population
from mixlogit.analysis.saved import Saved, read_run
from mixlogit.analysis.style import BLUE, GREY, ORANGE, bare, heading, legend_below, new_axes
from mixlogit.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_calibration", "plot_choice_curve"]

_POINTS, _DRAWS = 120, 200


def plot_choice_curve(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the probability of agreeing with a margin against its size, with binned votes.

    The curve is a new respondent's, `E_F[sigmoid(b m)]`, lapse rate included. Points are the
    observed shares by `|margin|`, bars where the fit expects just those shares, 90 %. A family
    of one's own has points and bars only, and so have fits in which tastes differ, whose margins
    are those of the mean taste.

    Args:
        run: As for `plot_strength`.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run keeps no votes by margin.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> plot_choice_curve(ml.fit(data, evidence=False, draws=400)).get_xlabel()
        'size of the margin'
    """
    saved = read_run(run)
    people = None if saved.tastes else Population.of(saved)
    if "bin_margin" not in saved.tree["constant_data"]:
        raise UsageError("A choice curve needs votes with margins other than 0.")
    at = saved.tree["constant_data"]["bin_margin"].to_numpy()
    observed = saved.tree["observed_data"]["agreeing"].to_numpy()
    made = saved.draws("agreeing", "posterior_predictive")
    assert made is not None
    ax = new_axes(ax)
    size = np.linspace(0.0, 1.06 * float(at.max()), _POINTS)
    ax.axhline(0.5, color=GREY, linewidth=0.8)
    if people is not None:
        _draw_curve(ax, size, _agreement(saved, people, size), panel=saved.panel)
    least, most = np.quantile(made, [0.05, 0.95], axis=0)
    ax.vlines(at, least, most, color=ORANGE, linewidth=5, alpha=0.5,
              label="expected of these votes, 90 %")  # fmt: skip
    ax.plot(at, observed, "o", color="black", markersize=4, label="observed")
    ax.set_xlim(0, size[-1])
    ax.set_ylim(min(0.48, float(observed.min()) - 0.02, float(least.min()) - 0.02), 1.0)
    ax.set_xlabel(f"size of the margin{' of the mean taste' if saved.tastes else ''}")
    ax.set_ylabel("share that agree with its sign")
    bare(ax)
    heading(ax, "Agreement with the mean taste" if saved.tastes else "Choice curve")
    legend_below(ax)
    return ax


def _draw_curve(ax: "Axes", size: Array, p: Array, *, panel: bool) -> None:
    """The median of `draw x size` probabilities with its band."""
    low, middle, high = np.quantile(p, [0.05, 0.5, 0.95], axis=0)
    ax.fill_between(size, low, high, color=BLUE, alpha=0.25, linewidth=0)
    label = f"a new {'respondent' if panel else 'vote'}, 90 % band"
    ax.plot(size, middle, color=BLUE, linewidth=2, label=label)


def _agreement(saved: Saved, people: Population, size: Array) -> Array:
    """Probability of agreement at each size of margin, `draw x size`."""
    kept = people.thinned(_DRAWS)
    strengths, weights = kept.nodes()
    p = (weights[:, :, None] * expit(strengths[:, :, None] * size)).sum(1)
    lapse = saved.draws("lapse")
    if lapse is None:
        return np.asarray(p)
    every = np.linspace(0, len(lapse) - 1, len(p)).round().astype(int)
    rate = lapse[every][:, None]
    return np.asarray(rate / 2 + (1 - rate) * p)


def plot_calibration(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw observed frequencies against predicted probabilities, by isotonic regression.

    Every vote is predicted without itself and enters both ways round; the upper half is shown,
    that of the likelier answers. Where the probabilities are right the line stays in the band
    nine times out of ten (Dimitriadis, Gneiting and Jordan, PNAS 118, 2021).

    Args:
        run: As for `plot_strength`.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run keeps no predictions.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> plot_calibration(ml.fit(data, evidence=False, draws=400)).get_ylabel()
        'observed frequency'
    """
    predictive = read_run(run).tree.get("posterior_predictive")
    if predictive is None or "calibration_observed" not in predictive:
        raise UsageError("This run keeps no predictions of its votes.")
    x, y, low, high = (
        predictive[f"calibration_{name}"].to_numpy()
        for name in ("predicted", "observed", "low", "high")
    )
    ax = new_axes(ax, (5.6, 4.6))
    ax.fill_between(x, low, high, color=GREY, alpha=0.3, linewidth=0, label="90 % band if right")
    ax.plot([0.5, 1], [0.5, 1], color=GREY, linewidth=1, linestyle="--")
    ax.plot(x, y, color=BLUE, linewidth=2, drawstyle="steps-mid", label="observed")
    if "probability_without" in predictive:
        p = predictive["probability_without"].to_numpy()
        strip = ax.inset_axes((0, 0, 1, 0.12), sharex=ax)
        strip.hist(np.maximum(p, 1 - p), bins=40, range=(0.5, 1.0), color=GREY, alpha=0.8)
        strip.axis("off")
    ax.set_xlim(0.5, 1.0)
    ax.set_ylim(min(0.38, float(y[x >= 0.5].min(initial=0.5)) - 0.02), 1.01)
    ax.set_xlabel("predicted probability of the likelier answer")
    ax.set_ylabel("observed frequency")
    bare(ax)
    heading(ax, "Calibration (below: how often each probability)")
    legend_below(ax)
    return ax
