"""The picture of a fit: how strength is spread over the population."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixlogit.analysis.density import DENSITIES, Array, Density, band, smooth, span
from mixlogit.analysis.marks import (
    PRIOR,
    STRENGTH,
    draw_classes,
    draw_interval,
    draw_respondents,
    finish,
    shade_reversed,
    text_of_interval,
)
from mixlogit.analysis.population import average_mean
from mixlogit.analysis.saved import Saved, read_run
from mixlogit.errors import UsageError
from mixlogit.run import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["describe_strength", "plot_strength", "save_plot"]

_POINTS, _DRAWS = 300, 2000
_SIZE, _FLAT = (5.6, 4.3), (5.6, 2.4)  # inches: legible at half the width of a page


def plot_strength(run: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the mixing distribution of strength: the posterior, and the prior beside it.

    Positive families stand on a logarithmic axis, signed ones on a linear axis. Continuous
    families show the median density over draws and its 90 % band; classes are stems with 90 %
    intervals; a fixed strength is an interval. Below the line hang the posterior means of the
    respondents: each is pulled towards the population, so they spread less than the strengths.

    Args:
        run: A `Posterior`, an `xarray.DataTree`, or the path of a run folder.
        ax: Where to draw; by default new axes in a figure of their own, `ax.figure`.

    Returns:
        The axes.

    Raises:
        StorageError: If the folder is no run.
        UsageError: If `run` is something else.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> posterior = ml.fit(data, evidence=False, draws=400)
        >>> plot_strength(posterior).get_xlabel()
        'strength (logarithmic axis)'
    """
    saved = _relative(read_run(run))
    if ax is None:
        from matplotlib.figure import Figure

        size = _FLAT if _is_flat(saved) else _SIZE
        ax = Figure(figsize=size, layout="constrained").add_subplot()
    density = DENSITIES.get(saved.family)
    strengths = saved.draws("class_strength")
    if density is not None:
        top = _draw_density(saved, density, ax)
        log_axis = density.log_axis
    elif strengths is not None:
        top = draw_classes(saved, ax)
        log_axis = bool((strengths > 0).all())
    else:
        top = draw_interval(saved, ax)
        log_axis = True
    draw_respondents(saved, ax, top, log_axis=log_axis)
    finish(ax, top, log_axis=log_axis)
    ax.set_title(_title(saved), loc="left", fontsize=12)
    return ax


def save_plot(run: Any, path: str | Path) -> None:
    """Write the picture of `plot_strength` as PNG or SVG, whole or not at all.

    The words of `describe_strength` go with it as the file's description.

    Args:
        run: As for `plot_strength`.
        path: A .png or .svg file.

    Raises:
        UsageError: If the suffix is another one.
        StorageError: If the folder is no run, or the file cannot be written.

    Example:
        >>> save_plot("runs/x", "strength.gif")
        Traceback (most recent call last):
        mixlogit.errors.UsageError: strength.gif: write pictures to .png or .svg.
    """
    path = Path(path)
    if path.suffix not in (".png", ".svg"):
        raise UsageError(f"{path}: write pictures to .png or .svg.")
    from matplotlib import rc_context

    saved = read_run(run)
    figure: Any = plot_strength(run).figure
    words: dict[str, str | None] = {
        "Title": _title(saved).replace("\n", " "),
        "Description": describe_strength(run),
    }
    if path.suffix == ".svg":
        words |= {"Date": None}
    with replacing(path) as temporary, rc_context({"svg.hashsalt": "mixlogit"}):
        figure.savefig(temporary, format=path.suffix[1:], dpi=200, metadata=words)


def describe_strength(run: Any) -> str:
    """The picture in words, for readers who cannot see it.

    Args:
        run: As for `plot_strength`.

    Raises:
        StorageError: If the folder is no run.
        UsageError: If `run` is something else.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, "fixed", seed=1).comparisons()
        >>> describe_strength(ml.fit(data, "fixed", draws=400)).partition(":")[0]
        'One strength for all'
    """
    saved = _relative(read_run(run))
    mean = _mean_words(saved)
    density, strengths = DENSITIES.get(saved.family), saved.draws("class_strength")
    if density is not None:
        low, high = _middle(saved, density)
        of = "respondents" if saved.panel else "comparisons"
        words = f"{_title(saved)}: {mean}; the middle 90 % of {of} from {low:.2g} to {high:.2g}."
    elif strengths is not None:
        shares = saved.draws("class_share")
        assert shares is not None
        parts = [
            f"{100 * np.median(share):.0f} % at strength {text_of_interval(strength)}"
            for share, strength in zip(shares.T, strengths.T, strict=True)
        ]
        words = f"{_title(saved)}: {', '.join(parts)}."
    else:
        words = f"{_title(saved)}: {mean}."
    words = words.replace("\n", " ")
    if len(saved.means) and not _is_flat(saved):
        low, high = np.quantile(saved.means, [0.05, 0.95])
        n = f"{len(saved.means):,} posterior means of respondents"
        words += f" The middle 90 % of the {n} from {low:.2g} to {high:.2g}."
    return words


def _relative(saved: Saved) -> Saved:
    """Respondents beside a population of mean 1, where utilities carry the scale."""
    if saved.draws("mean") is not None or not saved.grouped:
        return saved
    return replace(saved, means=saved.means / average_mean(saved).mean())


def _is_flat(saved: Saved) -> bool:
    """Whether there is only an interval to draw."""
    return saved.draws("class_strength") is None and saved.family not in DENSITIES


def _title(saved: Saved) -> str:
    if saved.family == "fixed":
        return "One strength for all"
    if not saved.panel:
        return f"Tail shape of the link, not a measure of people\n({saved.family}, per comparison)"
    where = ", average group" if saved.grouped else ""
    return f"Mixing distribution of strength ({saved.family}{where})"


def _population(saved: Saved, group: str) -> tuple[Array, Array]:
    """Mean and cv at some draws; the mean is 1 where utilities carry the scale."""
    cv = saved.draws("cv", group)
    assert cv is not None
    mean = saved.draws("mean", group)
    mean = np.ones_like(cv) if mean is None else mean
    kept = np.linspace(0, len(cv) - 1, min(_DRAWS, len(cv))).round().astype(int)
    return mean[kept], cv[kept]


def _middle(saved: Saved, density: Density) -> tuple[float, float]:
    """Strengths between which the middle 90 % of the population lie, medians over draws."""
    mean, cv = _population(saved, "posterior")
    ends = [float(np.median(density.quantile(q, mean, cv))) for q in (0.05, 0.95)]
    low, high = np.exp(ends) if density.log_axis else ends
    return float(low), float(high)


def _mean_words(saved: Saved) -> str:
    mean = saved.draws("mean")
    if mean is None:
        return "mean 1 (by convention)"
    return f"mean {text_of_interval(mean)}"


def _draw_density(saved: Saved, density: Density, ax: "Axes") -> float:
    """Draw band, median, prior and mean; how high the axes must reach."""
    mean, cv = _population(saved, "posterior")
    low, high = span(density, mean, cv)
    if len(saved.means):
        seen = np.quantile(saved.means, [0.005, 0.995])
        seen = np.log(np.maximum(seen, 1e-300)) if density.log_axis else seen
        low, high = min(low, float(seen[0])), max(high, float(seen[1]))
    u = np.linspace(low, high, _POINTS)
    x = np.exp(u) if density.log_axis else u
    lower, middle, upper = band(density, u, mean, cv, (0.05, 0.5, 0.95))
    ax.fill_between(x, lower, upper, color=STRENGTH, alpha=0.25, linewidth=0, label="90 % band")
    ax.plot(x, middle, color=STRENGTH, linewidth=2, label="posterior median")
    before = smooth(density, u, *_population(saved, "prior"))
    ax.plot(x, before, color=PRIOR, linewidth=1.2, linestyle="--", label="prior")
    centre = float(mean.mean())
    ax.axvline(centre, color="black", linewidth=1.2, linestyle=":", label=_mean_words(saved))
    ax.set_ylabel(f"density (per unit of {'log ' * density.log_axis}strength)")
    if low < 0 and not density.log_axis:
        shade_reversed(ax, low, saved.draws("p_negative"))
    ax.set_xlim(float(x[0]), float(x[-1]))
    top = min(1.08 * upper.max(), 2.2 * middle.max())
    return float(max(top, min(1.05 * before.max(), 1.4 * top)))
