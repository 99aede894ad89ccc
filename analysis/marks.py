"""Parts of pictures: stems, intervals, the strip of respondents, axes and legend."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mixlogit.analysis.density import Array
from mixlogit.analysis.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PRIOR",
    "STRENGTH",
    "draw_classes",
    "draw_interval",
    "draw_respondents",
    "finish",
    "plain_ticks",
    "shade_reversed",
    "text_of_interval",
]

# Okabe and Ito's blue, and a grey: apart for every kind of colour blindness and on grey paper,
# where line styles tell them apart as well
STRENGTH, PRIOR, PEOPLE = "#0072B2", "#8C8C8C", "#9A9A9A"
_STRIP = 0.22  # height of the strip below the line, as a share of the height above
_FEW = 60  # so many respondents are drawn one by one


def text_of_interval(draws: Array) -> str:
    """Mean of draws with their 90 % interval.

    As many decimals are shown as the standard deviation leaves certain, and one more.

    Example:
        >>> text_of_interval(np.linspace(0.0, 2.0, 101))
        '1.0 (90 %: 0.1 to 1.9)'
    """
    values = [float(draws.mean()), *np.quantile(draws, [0.05, 0.95])]
    sd = float(draws.std())
    places = 3 if sd == 0 else min(6, max(0, -math.floor(math.log10(sd / 2))))
    middle, low, high = (f"{value:.{places}f}" for value in values)
    return f"{middle} (90 %: {low} to {high})"


def shade_reversed(ax: "Axes", low: float, share: Array | None) -> None:
    """Shade strengths below zero, and say what share of the population lies there."""
    ax.axvspan(low, 0.0, color="black", alpha=0.06, linewidth=0)
    words = "reversed"
    if share is not None:
        middle, least, most = 100 * share.mean(), *(100 * np.quantile(share, [0.05, 0.95]))
        words += f": {middle:.0f} %\n(90 %: {least:.0f} to {most:.0f} %)"
    ax.text(0.02, 0.98, words, transform=ax.transAxes, va="top", fontsize=9)


def draw_classes(saved: Saved, ax: "Axes") -> float:
    """Draw each class as a stem with intervals of its strength and share."""
    strengths, shares = saved.draws("class_strength"), saved.draws("class_share")
    assert strengths is not None
    assert shares is not None
    x, y = np.median(strengths, 0), np.median(shares, 0)
    ax.vlines(x, 0, y, color=STRENGTH, linewidth=2)
    ax.errorbar(
        x, y, xerr=_arms(strengths, x), yerr=_arms(shares, y), fmt="o", color=STRENGTH,
        elinewidth=1.4, capsize=4, label="posterior median, 90 % intervals",
    )  # fmt: skip
    before = saved.draws("class_strength", "prior")
    assert before is not None
    low, high = np.quantile(before, [0.05, 0.95], axis=0)
    top = 1.12 * float(np.quantile(shares, 0.95, axis=0).max())
    for c, height in enumerate(y):
        label = "prior of each strength (90 %)" if c == 0 else None
        ax.plot([low[c], high[c]], [height] * 2, color=PRIOR, linestyle="--",
                linewidth=1.2, zorder=1, label=label)  # fmt: skip
    ends = np.concatenate([np.quantile(strengths, [0.02, 0.98], axis=0).ravel(), saved.means])
    _limit(ax, float(ends.min()), float(ends.max()))
    if ends.min() < 0:
        shade_reversed(ax, ax.get_xlim()[0], saved.draws("p_negative"))
    ax.set_ylabel("share of respondents" if saved.panel else "share of comparisons")
    return top


def _arms(draws: Array, middle: Array) -> Array:
    """How far 5 % and 95 % lie from the middle, for error bars."""
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    return np.stack([np.maximum(middle - low, 0.0), np.maximum(high - middle, 0.0)])


def draw_interval(saved: Saved, ax: "Axes") -> float:
    """Draw the mean strength as an interval; 1 where utilities carry the scale."""
    mean, before = saved.draws("mean"), saved.draws("mean", "prior")
    if mean is None or before is None:
        ax.plot(
            [1.0], [0.6], "o", color=STRENGTH, label="1 by convention: utilities carry the scale"
        )
        _limit(ax, 0.5, 2.0)
    else:
        low, high = np.quantile(mean, [0.05, 0.95])
        x = float(np.median(mean))
        ax.errorbar([x], [0.6], xerr=[[x - low], [high - x]], fmt="o", color=STRENGTH,
                    elinewidth=2.5, capsize=5, label=f"mean {text_of_interval(mean)}")  # fmt: skip
        ax.plot(np.quantile(before, [0.05, 0.95]), [0.4, 0.4], color=PRIOR, linestyle="--",
                linewidth=1.2, label="prior (90 %)")  # fmt: skip
        _limit(ax, float(mean.min()) / 1.5, float(mean.max()) * 1.5)
    ax.set_ylim(0.25, 0.75)
    return 1.0


def _limit(ax: "Axes", low: float, high: float) -> None:
    """Room at both ends: a share of the ratio where all is positive, else of the width."""
    if low > 0:
        room = (high / low) ** 0.12 * 1.05
        ax.set_xlim(low / room, high * room)
    else:
        room = 0.12 * (high - low)
        ax.set_xlim(low - room, high + room)


def draw_respondents(saved: Saved, ax: "Axes", top: float, *, log_axis: bool) -> None:
    """Hang the respondents' posterior means below the line: as ticks, or as a histogram."""
    means = saved.means
    if log_axis:
        means = means[means > 0]
    if len(means) == 0 or np.ptp(means) == 0:
        return
    depth = _STRIP * top
    label = f"posterior means of {len(means):,} respondents"
    if len(means) <= _FEW:
        ax.vlines(means, -depth / 2, 0, color=PEOPLE, linewidth=1, label=label)
        return
    low, high = ax.get_xlim()
    edges = np.geomspace(low, high, 61) if log_axis else np.linspace(low, high, 61)
    count, _ = np.histogram(means, edges)
    bars = -depth * count / max(1, count.max())
    ax.stairs(bars, edges, fill=True, color=PEOPLE, label=label)


def finish(ax: "Axes", top: float, *, log_axis: bool) -> None:
    """Axes, ticks and legend."""
    if log_axis:
        ax.set_xscale("log")
        plain_ticks(ax)
    labels = [str(label) for label in ax.get_legend_handles_labels()[1]]
    hidden = ["top", "right"]
    if ax.get_ylabel():
        hanging = any(label.startswith("posterior means") for label in labels)
        ax.set_ylim(-1.15 * _STRIP * top if hanging else 0.0, top)
        ax.axhline(0.0, color="black", linewidth=0.8)
        ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
        hidden.append("bottom")
    else:
        ax.set_yticks([])
        hidden.append("left")
    for side in hidden:
        ax.spines[side].set_visible(False)
    ax.set_xlabel("strength (logarithmic axis)" if log_axis else "strength")
    handles, labels = _in_order(*ax.get_legend_handles_labels())
    below = -0.8 / ax.get_window_extent().height * ax.figure.dpi * 0.72
    ax.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, below), ncols=2,
              frameon=False, fontsize=9)  # fmt: skip


def plain_ticks(ax: "Axes") -> None:
    """Ticks at round numbers, written in full: about five, whatever the range."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    low, high = ax.get_xlim()
    if high / low < 4:
        ticks = [
            float(tick) for tick in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
        ]
    else:
        steps = [1.0] if high / low > 300 else [1.0, 2.0, 5.0]
        powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        ticks = [step * float(power) for power in powers for step in steps]
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def _in_order(handles: list[Any], labels: list[str]) -> tuple[list[Any], list[str]]:
    """The posterior first, its line on its band as one entry, and the prior after it."""
    found = dict(zip(labels, handles, strict=True))
    if "90 % band" in found:
        pair = (found.pop("90 % band"), found.pop("posterior median"))
        found = {"posterior median, 90 % band": pair, **found}
    prior = [label for label in found if label.startswith("prior")]
    people = [label for label in found if label.startswith("posterior means")]
    first = [label for label in found if label not in prior + people]
    order = first[:1] + prior + first[1:] + people
    return [found[label] for label in order], order
