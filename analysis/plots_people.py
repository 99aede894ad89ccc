"""Pictures of respondents: how individual strengths are shrunk, and who weighs too much."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from mixlogit.analysis.density import Array
from mixlogit.analysis.saved import Saved, read_run
from mixlogit.analysis.style import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    bare,
    heading,
    legend_below,
    new_axes,
    plain,
)
from mixlogit.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_k_hat", "plot_shrinkage", "raw_strengths"]

_STEPS = 40
_MOST = 800  # respondents drawn
_K_LIMIT = 0.7


def raw_strengths(saved: Saved) -> Array:
    """Maximum-likelihood strength of each respondent alone, without the others.

    By bisection of the slope of the log-likelihood, which falls with strength.

    Args:
        saved: A run with a panel and margins.

    Returns:
        A `unit`-vector; infinite for a respondent who always agrees with the margins, minus
        infinite for one who never does.
    """
    data, observed = saved.tree["constant_data"], saved.tree["observed_data"]
    unit, margin = data["unit"].to_numpy(), data["margin"].to_numpy().astype(np.float64)
    outcome = observed["outcome"].to_numpy().astype(np.float64)
    weight = data["weight"].to_numpy() if "weight" in data else np.ones(len(margin))
    size = int(unit.max()) + 1

    def slope(b: Array) -> Array:
        each = weight * margin * (outcome - expit(b[unit] * margin))
        return np.bincount(unit, each, size).astype(np.float64)

    scale = 200.0 / np.sqrt((margin**2).mean())
    low, high = np.full(size, -scale), np.full(size, scale)
    never, always = slope(low) <= 0, slope(high) >= 0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        up = slope(middle) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.where(always, np.inf, np.where(never, -np.inf, (low + high) / 2))


def plot_shrinkage(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw each respondent's posterior mean against their strength estimated alone.

    On the diagonal nothing is borrowed from the population; near the dotted line nearly
    everything is, as for respondents with few votes. Estimates beyond the frame (of a respondent
    who always agrees it is infinite) stand at its edge.

    Args:
        run: A `Posterior` or the path of a run folder, with a panel.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run has no individual strengths.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> plot_shrinkage(ml.fit(data, evidence=False, draws=400)).get_ylabel()
        'posterior mean, with the others'
    """
    saved = read_run(run)
    constant = saved.tree["constant_data"]
    if not len(saved.means) or "margin" not in constant or "unit" not in constant:
        raise UsageError("Shrinkage needs a panel of respondents, and margins or utilities.")
    ax = new_axes(ax, (5.6, 4.6))
    held = np.unique(constant["unit"].to_numpy())  # those whose votes the run keeps
    kept = held[np.linspace(0, len(held) - 1, min(_MOST, len(held))).round().astype(int)]
    raw, after = raw_strengths(saved)[kept], saved.means[kept]
    votes = constant["votes"].to_numpy()[kept]
    low, high = _frame(raw, after)
    room = 0.06 * (high - low)
    for least, most, shape, shade in _thirds(votes):
        chosen = (votes >= least) & (votes <= most)
        x = np.clip(raw[chosen], low - room, high + room)
        of = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        noun = "vote" if most == 1 else "votes"
        ax.scatter(x, after[chosen], s=16, alpha=0.75, marker=shape, facecolor=shade,
                   edgecolor="white", linewidths=0.3, label=f"{of} {noun}")  # fmt: skip
    ax.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle="--",
            label="nothing borrowed")  # fmt: skip
    ax.axhline(float(saved.means.mean()), color="black", linewidth=1, linestyle=":",
               label="mean of all: all borrowed")  # fmt: skip
    _say_beyond(ax, raw, low, high, room)
    ax.set_xlim(low - 2 * room, high + 2 * room)
    around = max(0.15 * float(np.ptp(after)), 0.02 * (high - low))
    ax.set_ylim(float(after.min()) - around, float(after.max()) + around)
    ax.set_xlabel("strength estimated from own votes alone")
    ax.set_ylabel("posterior mean, with the others")
    bare(ax)
    heading(ax, "Individual strengths and their shrinkage")
    legend_below(ax)
    return ax


def _frame(raw: Array, after: Array) -> tuple[float, float]:
    """Ends of the axis: all posterior means, and most of the raw estimates."""
    inside = raw[np.isfinite(raw)]
    low, high = np.quantile(inside, [0.03, 0.97]) if len(inside) else (0.0, 1.0)
    spread = max(float(after.max() - after.min()), 1e-12)
    low = max(float(low), float(after.min()) - 2 * spread)
    high = min(float(high), float(after.max()) + 2 * spread)
    return min(low, float(after.min())), max(high, float(after.max()))


def _thirds(votes: Array) -> list[tuple[int, int, str, str]]:
    """Up to three ranges of vote counts, each with a marker and a colour."""
    ends = np.unique(np.quantile(votes, [1 / 3, 2 / 3, 1.0]).round().astype(int))
    starts = [int(votes.min()), *(int(end) + 1 for end in ends[:-1])]
    styles = (("o", PALE), ("s", "#E69F00"), ("^", BLUE))[-len(ends) :]
    return [(a, int(b), *style) for a, b, style in zip(starts, ends, styles, strict=True)]


def _say_beyond(ax: "Axes", raw: Array, low: float, high: float, room: float) -> None:
    """Lines at the frame's edges, and how many estimates stand there."""
    for count, at, where in (
        (int((raw > high + room).sum()), high + room / 2, "right"),
        (int((raw < low - room).sum()), low - room / 2, "left"),
    ):
        if count:
            ax.axvline(at, color=GREY, linewidth=0.6)
            ax.text(0.985 if where == "right" else 0.015, 0.02, f"{count:,} beyond", ha=where,
                    fontsize=8, transform=ax.transAxes,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip


def plot_k_hat(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the Pareto k of leaving out each respondent (or comparison) against its votes.

    Args:
        run: As for `plot_shrinkage`; a panel or not.
        ax: As for `plot_strength`, which says what is returned and raised besides.

    Raises:
        UsageError: If the run keeps no leave-one-out densities.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> plot_k_hat(ml.fit(data, evidence=False, draws=400)).get_ylabel()
        'Pareto k'
    """
    from matplotlib.ticker import MaxNLocator

    saved = read_run(run)
    stats = saved.tree["sample_stats"]
    if "loo_k_hat" not in stats:
        raise UsageError("This run keeps no leave-one-out densities.")
    k = np.nan_to_num(stats["loo_k_hat"].to_numpy(), neginf=-0.5, posinf=2.0)
    ax = new_axes(ax, (5.6, 3.4))
    x = saved.tree["constant_data"]["votes"].to_numpy() if saved.panel else np.arange(len(k))
    high = k > _K_LIMIT
    kept = np.flatnonzero(~high)
    kept = kept[:: max(1, len(kept) // _MOST)]
    ax.scatter(x[kept], k[kept], s=12, color=BLUE, alpha=0.6, linewidths=0, label="reliable")
    ax.axhline(_K_LIMIT, color="black", linewidth=1, linestyle="--", label=f"limit {_K_LIMIT}")
    if high.any():
        ax.scatter(x[high], k[high], s=28, color=ORANGE, marker="^", label="not reliable")
    if saved.panel and high.any():
        names = saved.tree["log_likelihood"]["unit"].to_numpy()
        for unit in np.flatnonzero(high)[np.argsort(-k[high])][:3]:
            ax.annotate(plain(names[unit]), (x[unit], k[unit]), xytext=(4, 4),
                        textcoords="offset points", fontsize=8)  # fmt: skip
    if saved.panel and x.max() > 10 * x.min():
        ax.set_xscale("log")
    else:
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.set_xlabel("votes of the respondent" if saved.panel else "comparison")
    ax.set_ylabel("Pareto k")
    bare(ax)
    heading(ax, f"Leaving out one {'respondent' if saved.panel else 'comparison'}")
    legend_below(ax)
    return ax
