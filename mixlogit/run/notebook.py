"""Results as notebooks show them: one escaped table."""

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_table"]


def html_table(
    title: str,
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    notes: Sequence[object] = (),
) -> str:
    """A title, a table and sentences below it, as HTML; every name in them stays text.

    Args:
        title: Above the table.
        head: Names of the columns.
        rows: Cells, row by row; floats are shown with four figures. Without rows no table.
        notes: Below the table.

    Example:
        >>> html_table("<b>", ["x"], [[0.12345]], ["done"])
        '<div><p><b>&lt;b&gt;</b></p><table><tr><th>x</th></tr><tr><td>0.1235</td></tr></table>\
<p>done</p></div>'
    """
    lines = ["".join(f"<th>{_cell(name)}</th>" for name in head)]
    lines += ["".join(f"<td>{_cell(value)}</td>" for value in row) for row in rows]
    table = "".join(f"<tr>{line}</tr>" for line in lines)
    table = f"<table>{table}</table>" if lines[1:] else ""
    below = "".join(f"<p>{_cell(note)}</p>" for note in notes)
    return f"<div><p><b>{escape(title)}</b></p>{table}{below}</div>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
