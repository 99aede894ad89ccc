"""Data as they are shown: in one line, and in notebooks."""

from typing import Any

from mixlogit.run.notebook import html_table
from mixlogit.run.words import plural

__all__ = ["comparisons_line", "data_html"]

_SHOWN = 30  # groups


def data_html(data: Any) -> str:
    """Counts, by group too, as an escaped table.

    Args:
        data: Comparisons or choice sets.

    Example:
        >>> import mixlogit as ml
        >>> data_html(ml.simulate(10, 2, seed=1).comparisons())
        '<div><p><b>Comparisons(margin, 10 comparisons, 2 respondents)</b></p></div>'
    """
    rows = [
        (column, name, count)
        for column, labels in data.groups.items()
        for name, count in zip(labels.labels, labels.counts().tolist(), strict=True)
    ]
    return html_table(repr(data), ["column", "group", "comparisons"], rows[:_SHOWN])


def comparisons_line(data: Any) -> str:
    """Kind and counts of comparisons in one line.

    Args:
        data: The comparisons.

    Example:
        >>> import mixlogit as ml
        >>> comparisons_line(ml.simulate(10, 2, seed=1).comparisons())
        'Comparisons(margin, 10 comparisons, 2 respondents)'
    """
    parts = [data.kind, plural(data.n_comparisons, "comparison")]
    if data.respondent is not None:
        parts.append(plural(data.n_respondents, "respondent"))
    parts += [f"{name}: {plural(len(g), 'group')}" for name, g in data.groups.items()]
    if data.items:
        parts.append(plural(len(data.items), "item"))
    if data.feature_names:
        parts.append(plural(len(data.feature_names), "feature"))
    if data.n_ties:
        parts.append(plural(data.n_ties, "tie"))
    if data.dropped:
        parts.append(f"{len(data.dropped):,} dropped")
    return f"Comparisons({', '.join(parts)})"
