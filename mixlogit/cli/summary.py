"""What a run prints, as plain text: the same lines go to the terminal and to summary.txt."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixlogit.run.words import decimals, figure, interval_cells, parameter, plural

if TYPE_CHECKING:
    import pandas as pd

    from mixlogit.data import ChoiceSets, Comparisons

__all__ = [
    "checks_line",
    "data_line",
    "maximum_table",
    "model_words",
    "ranked_table",
    "strength_table",
    "table",
    "utilities_table",
]

_WIDTH = 34
_SHOWN = 30  # items or features whose utilities by class are printed
_LINE = 100  # width of the lines of checks


def data_line(data: "Comparisons | ChoiceSets", ties: str = "half") -> str:
    """Counts of comparisons, respondents, groups, ties and dropped rows, in one line.

    Args:
        data: The data.
        ties: What becomes of ties.
    """
    n_ties = getattr(data, "n_ties", 0)
    if hasattr(data, "n_comparisons"):
        parts = [plural(data.n_comparisons, "comparison")]
    else:
        parts = [plural(data.n_sets, "choice set")]
        if data.n_occasions < data.n_sets:
            parts = [plural(data.n_occasions, "ranking"), *parts]
    if data.respondent is not None:
        sizes = data.respondent.counts()
        median, largest = int(sizes.median()), int(sizes.max())
        of = f"(median {median:,}, largest {largest:,})"
        parts.append(f"{plural(data.n_respondents, 'respondent')} {of}")
    if data.items:
        where = plural(data.n_components, "connected component")
        parts.append(f"{plural(len(data.items), 'item')} in {where}")
    if data.feature_names:
        parts.append(plural(len(data.feature_names), "feature"))
    for name, labels in data.groups.items():
        by = f" by {name}" if len(data.groups) > 1 else ""
        parts.append(plural(len(labels), "group") + by)
    line = ", ".join(parts)
    if n_ties:
        modelled = ties != "half" or getattr(data, "grade", None) is not None
        how = "modelled" if modelled else "used as half a vote each way"
        line += f"; {plural(n_ties, 'tie')} {how}"
    if data.dropped:
        line += f"; {plural(len(data.dropped), 'row')} dropped"
    return line


def checks_line(checks: Iterable[Mapping[str, Any]]) -> str:
    """Every check of `checks.json` with its value, and whether it holds; lines as wide as fit."""
    lines: list[str] = []
    for check in checks:
        words = f"{check['name']} {figure(check['value'])} {'ok' if check['ok'] else 'FAILED'}"
        if lines and len(lines[-1]) + len(words) < _LINE:
            lines[-1] += f"   {words}"
        else:
            lines.append(words)
    return "\n         ".join(lines)


def table(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table of fixed width: the title over the names, numbers to the right.

    Example:
        >>> print(table("Strength", ["mean"], [("cv", ["0.35"])]))
        Strength                              mean
          cv                                  0.35
    """
    width = max([_WIDTH, *(len(name) + 3 for name, _ in rows), len(title) + 1])
    cells = [
        max(8, len(title) + 2, *(len(row[index]) + 2 for _, row in rows))
        for index, title in enumerate(columns)
    ]
    lines = [title.ljust(width) + _right(columns, cells)]
    lines += [("  " + name).ljust(width) + _right(row, cells) for name, row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _right(row: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def strength_table(
    summary: "pd.DataFrame",
    title: str = "Preference strength",
    truth: Mapping[str, float] | None = None,
) -> str:
    """The posterior of the parameters: mean, sd and the 90 % interval.

    Args:
        summary: One row a parameter, with columns mean, sd, q05 and q95.
        title: Over the names.
        truth: Known values, to be shown beside the estimates.
    """
    columns = ["mean", "sd", "5%", "95%", *(["truth"] if truth is not None else [])]
    rows = []
    for name, row in summary.iterrows():
        cells = interval_cells(row)
        if truth is not None:
            known = truth.get(str(name))
            cells.append("" if known is None else f"{known:.{decimals(float(row['sd']))}f}")
        rows.append((_words(name), cells))
    return table(title, columns, rows)


def model_words(family: str, tastes: int, *, random: bool = False) -> str:
    """What was fitted, in a few words.

    Args:
        family: Name of the strength family.
        tastes: Latent classes of taste.
        random: Whether tastes are random coefficients.

    Example:
        >>> model_words("lognormal", 1), model_words("fixed", 3)
        ('lognormal', '3 tastes')
        >>> model_words("gamma", 2)
        '2 tastes, gamma strength'
    """
    if tastes == 1 and not random:
        return family
    words = "random tastes" if random else f"{tastes} tastes"
    return words if family == "fixed" else f"{words}, {family} strength"


def utilities_table(classes: Mapping[str, Any]) -> str:
    """Posterior means of the utilities, one column a class; the first thirty where there are more.

    Args:
        classes: The `classes` of a fit's `tastes`.

    Example:
        >>> one = {"share": {"mean": 0.6}, "utility": {"x": {"mean": 1.25}}}
        >>> print(utilities_table({"1": one}))
        Utilities                           class 1
          x                                    1.25
    """
    first = next(iter(classes.values()))
    name = "utility" if "utility" in first else "weight"
    labels = list(first[name])
    rows = [
        (label, [f"{of[name][label]['mean']:.2f}" for of in classes.values()])
        for label in labels[:_SHOWN]
    ]
    title = "Utilities" if name == "utility" else "Weights"
    text = table(title, [f"class {c}" for c in classes], rows)
    more = len(labels) - _SHOWN
    return text if more <= 0 else f"{text}\n  and {more:,} more, in summary.json"


def ranked_table(utilities: "pd.DataFrame") -> str:
    """Utilities of items, or weights of features, the highest first; thirty at most.

    Args:
        utilities: Of `Posterior.utilities`: one row an item or feature.

    Example:
        >>> import pandas as pd
        >>> row = {"mean": 0.5, "sd": 0.1, "q05": 0.3, "q95": 0.7}
        >>> frame = pd.DataFrame([row], index=pd.Index(["Paris"], name="item"))
        >>> print(ranked_table(frame))
        Utilities                             mean      sd      5%     95%
          Paris                               0.50    0.10    0.30    0.70
    """
    title = "Utilities" if utilities.index.name == "item" else "Weights"
    ranked = utilities.sort_values("mean", ascending=False)
    more = len(ranked) - _SHOWN
    text = strength_table(ranked[:_SHOWN], title)
    return text if more <= 0 else f"{text}\n  and {more:,} lower ones, in posterior.nc"


def maximum_table(found: "pd.DataFrame") -> str:
    """Estimates at a maximum, with both kinds of standard error.

    Args:
        found: One row a parameter, with columns estimate, se and se_sandwich.
    """
    columns = ["estimate", "se", "sandwich se"]
    rows = []
    for name, row in found.iterrows():
        places = max(4, decimals(float(row["se"])))
        values = [float(row[key]) for key in ("estimate", "se", "se_sandwich")]
        cells = [f"{value:.{places}f}" if math.isfinite(value) else "" for value in values]
        rows.append((_words(name), cells))
    return table("Maximum of the likelihood", columns, rows)


def _words(name: Any) -> str:
    """A parameter in words; of a group: its label first."""
    if isinstance(name, tuple):
        column, label, kind = name
        return f"{label} ({column}): {_words(kind)}"
    return parameter(str(name))
