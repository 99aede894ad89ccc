"""Counted votes: k of n for the first as weighted rows, one for each outcome that has votes."""

from typing import Any

import numpy as np
import pyarrow as pa

from mixlogit.data.columns import require
from mixlogit.data.numbers import numbers
from mixlogit.data.source import Part, Source
from mixlogit.data.values import Floats, Ints
from mixlogit.errors import DataError, UsageError

__all__ = ["OUTCOME", "WEIGHT", "counted"]

OUTCOME, WEIGHT = "outcome of the votes", "number of votes"


def counted(source: Source, votes: dict[str, str | None]) -> Source:
    """The table with a row for each outcome that has votes, and two columns more.

    Args:
        source: The table.
        votes: Column with the number of votes for `a`, `b` and, if any, `tie`.

    Returns:
        The table with the columns `OUTCOME` and `WEIGHT`; row numbers are those of the file.

    Raises:
        DataError: If a count is not a whole number from 0 on, or all of a row are 0.
        UsageError: If a or b has no column.

    Example:
        >>> from mixlogit.data.source import source_of_table
        >>> table = pa.table({"yes": [3, 1], "no": [1, 0]})
        >>> votes = counted(source_of_table(table, "Table"), {"a": "yes", "b": "no", "tie": None})
        >>> votes.read(OUTCOME).to_pylist(), votes.read(WEIGHT).to_pylist()
        (['a', 'a', 'b'], [3.0, 1.0, 1.0])
    """
    columns = {outcome: name for outcome, name in votes.items() if name is not None}
    lacking = [f"--votes-{outcome}" for outcome in ("a", "b") if outcome not in columns]
    if lacking:
        raise UsageError(f"Counted votes need two columns: {lacking[0]} is missing.")
    for outcome, name in columns.items():
        require(source, f"votes-{outcome}", name)
    counts = {outcome: _counts(source, name) for outcome, name in columns.items()}
    none = np.flatnonzero(sum(counts.values()) == 0)
    if none.size:
        raise _error(source, int(none[0]), next(iter(columns.values())), "there are no votes")
    row = np.concatenate([np.flatnonzero(count) for count in counts.values()])
    weight = np.concatenate([count[count > 0] for count in counts.values()])
    word = np.repeat(list(counts), [int((count > 0).sum()) for count in counts.values()])
    by_file = np.argsort(np.searchsorted(_starts(source), row, side="right"), kind="stable")
    row, weight, word = row[by_file], weight[by_file], word[by_file]

    def read(column: str) -> Any:
        if column in (OUTCOME, WEIGHT):
            return pa.chunked_array([pa.array(word if column == OUTCOME else weight)])
        raw = source.read(column)
        return [raw[i] for i in row] if isinstance(raw, list) else raw.take(pa.array(row))

    return Source(
        name=source.name,
        names=[*source.names, OUTCOME, WEIGHT],
        read=read,
        parts=_repeated(source, row),
        textual=source.textual,
        unreadable=source.unreadable,
        sha256=source.sha256,
        shared=source.shared,
    )


def _starts(source: Source) -> Ints:
    """First row of each file."""
    return np.cumsum([0, *(part.n for part in source.parts[:-1])])


def _repeated(source: Source, row: Ints) -> list[Part]:
    """The files with the rows that are taken from each, by their numbers."""
    parts = []
    for part, start in zip(source.parts, _starts(source).tolist(), strict=True):
        own = row[(row >= start) & (row < start + part.n)] - start
        rows = own + 1 if part.rows is None else part.rows[own]
        parts.append(Part(part.file, own.size, rows))
    return parts


def _counts(source: Source, column: str) -> Floats:
    values, bad = numbers(source.read(column), source.textual)
    wrong = (values < 0) | (values != np.round(values))
    for found in bad:
        wrong[found.rows] = True
    rows = np.flatnonzero(wrong)
    if rows.size:
        missing = any(int(rows[0]) in found.rows for found in bad)
        value = "not a number" if missing else f"{values[rows[0]]:g}"
        raise _error(source, int(rows[0]), column, f"{column} is {value}")
    return values


def _error(source: Source, index: int, column: str, reason: str) -> DataError:
    file, row = source.locate(index)
    return DataError(
        f"{file}, row {row}: {reason}. Counts of votes must be 0, 1, 2, ..., one of them above 0.",
        file=file,
        row=row,
        column=column,
    )
