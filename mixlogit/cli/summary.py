"""What a run prints, as plain text: the same lines go to the terminal and to summary.txt."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from mixlogit.data import ChoiceSets, Comparisons

__all__ = [
    "checks_line",
    "data_line",
    "maximum_table",
    "number",
    "plural",
    "strength_table",
    "table",
]

_WORDS = {
    "cv": "coefficient of variation",
    "log_sd": "sd of log strength",
    "sd": "standard deviation",
    "lapse": "lapse rate",
    "p_negative": "share of negative strength",
    "tie_odds": "odds of a tie (nu)",
    "width_exponent": "exponent of strength in widths",
    "log_width_sd": "sd of log width",
}
_WIDTH = 34


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "group"), plural(3801, "respondent")
        ('1 group', '3,801 respondents')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


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


def number(value: float | None) -> str:
    """A diagnostic as people read it: two figures, large and small ones by exponent.

    Example:
        >>> number(0.312), number(2.04e-7), number(4000), number(None)
        ('0.31', '2e-7', '4,000', 'unknown')
    """
    if value is None or not math.isfinite(value):
        return "unknown"
    if value != 0 and abs(value) < 0.005:
        mantissa, exponent = f"{value:.0e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def checks_line(checks: Iterable[Mapping[str, Any]]) -> str:
    """Every check, as in `checks.json`, with its value, and whether it holds."""
    words = (f"{c['name']} {number(c['value'])} {'ok' if c['ok'] else 'FAILED'}" for c in checks)
    return "   ".join(words)


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


def _decimals(sd: float) -> int:
    """Decimals that show two figures of a standard deviation."""
    if not math.isfinite(sd) or sd <= 0:
        return 3
    return min(6, max(0, 1 - math.floor(math.log10(sd))))


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
        places = _decimals(float(row["sd"]))
        cells = [f"{row[key]:.{places}f}" for key in ("mean", "sd", "q05", "q95")]
        if truth is not None:
            known = truth.get(str(name))
            cells.append("" if known is None else f"{known:.{places}f}")
        rows.append((_words(name), cells))
    return table(title, columns, rows)


def maximum_table(found: "pd.DataFrame") -> str:
    """Estimates at a maximum, with both kinds of standard error.

    Args:
        found: One row a parameter, with columns estimate, se and se_sandwich.
    """
    columns = ["estimate", "se", "sandwich se"]
    rows = []
    for name, row in found.iterrows():
        places = max(4, _decimals(float(row["se"])))
        values = [float(row[key]) for key in ("estimate", "se", "se_sandwich")]
        cells = [f"{value:.{places}f}" if math.isfinite(value) else "" for value in values]
        rows.append((_words(name), cells))
    return table("Maximum of the likelihood", columns, rows)


def _words(name: Any) -> str:
    """A parameter in words; of a group: its label first."""
    if isinstance(name, tuple):
        column, label, parameter = name
        return f"{label} ({column}): {_words(parameter)}"
    return _WORDS.get(str(name), str(name))
