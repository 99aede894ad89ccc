"""One view of every kind of table: names, raw columns, and where each row came from."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mixlogit.data.values import Column, to_list
from mixlogit.errors import DataError

__all__ = ["Part", "Source", "Unreadable", "merged", "source_of_table", "to_column"]


@dataclass(frozen=True)
class Unreadable:
    """A row that is no row at all: a broken JSON line, a CSV line with a cell too many."""

    file: str
    row: int
    reason: str


@dataclass(frozen=True)
class Part:
    """Rows of one file: `n` of them; `rows` are their numbers in the file, 1..n if None."""

    file: str
    n: int
    rows: NDArray[np.int64] | None = None


@dataclass
class Source:
    """A table that is read column by column.

    Args:
        name: What messages call it.
        names: Column names, in order.
        read: Gives one raw column by its name.
        parts: The files it is made of.
        textual: Whether every value is text (CSV).
        unreadable: Rows that could not be read.
        sha256: Checksum of the file or files.
        shared: The columns that every file of a folder has; None means all.
        left_out: What a schema left out on purpose: reason to number of comparisons.
    """

    name: str
    names: list[str]
    read: Callable[[str], Column]
    parts: list[Part]
    textual: bool = False
    unreadable: list[Unreadable] = field(default_factory=list)
    sha256: str | None = None
    shared: list[str] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Rows that could be read."""
        return sum(part.n for part in self.parts)

    def locate(self, index: int) -> tuple[str, int]:
        """File and row number (from 1) of a position in the table."""
        starts = list(accumulate((part.n for part in self.parts), initial=0))
        at = bisect_right(starts, index) - 1
        part, index = self.parts[at], index - starts[at]
        return part.file, index + 1 if part.rows is None else int(part.rows[index])

    def row_numbers(self) -> NDArray[np.int64] | None:
        """Number of each row, through all files where these have no gaps; None with gaps."""
        if len(self.parts) == 1 and self.parts[0].rows is not None:
            return self.parts[0].rows
        if any(part.rows is not None for part in self.parts):
            return None
        return np.arange(1, self.n_rows + 1)

    def check_names(self) -> None:
        """Refuse two columns of one name, since it is unclear which one is meant.

        Columns without a name, as spreadsheets leave them, cannot be meant.
        """
        twice = [n for i, n in enumerate(self.names) if n.strip() and n in self.names[:i]]
        if twice:
            raise DataError(
                f'{self.name}: two columns are called "{twice[0]}". Rename one of them.',
                file=self.name,
                column=twice[0],
            )


def to_column(values: Sequence[object]) -> Column:
    """Python values as an Arrow column; as a plain list if they have no common type.

    Example:
        >>> to_column([1, None]).type, to_column([1, "x"])
        (DataType(int64), [1, 'x'])
    """
    types = set(map(type, values)) - {type(None)}
    if len(types) > 1 and not types <= {int, float}:
        return list(values)  # Arrow would read True among numbers as 1
    try:
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return list(values)


def source_of_table(table: pa.Table, name: str) -> Source:
    """A source over an Arrow table held in memory."""
    by_name = {column: i for i, column in enumerate(table.column_names)}
    return Source(
        name=name,
        names=list(table.column_names),
        read=lambda column: table.column(by_name[column]),
        parts=[Part(name, table.num_rows)],
    )


def merged(columns: list[Column]) -> Column:
    """Several raw columns one after the other, in one type where there is one.

    Example:
        >>> merged([to_column([1]), to_column([2.5])]).to_pylist()
        [1.0, 2.5]
    """
    if len(columns) == 1:
        return columns[0]
    if any(isinstance(column, list) for column in columns):
        return [value for column in columns for value in to_list(column)]
    kinds: dict[Any, None] = {column.type: None for column in columns}
    kinds = {kind: None for kind in kinds if not pa.types.is_null(kind)} or kinds
    target = next(iter(kinds))
    if len(kinds) > 1:
        if not all(pa.types.is_integer(k) or pa.types.is_floating(k) for k in kinds):
            return to_column([value for column in columns for value in column.to_pylist()])
        target = pa.float64()
    chunks = [chunk for column in columns for chunk in column.cast(target).chunks]
    return pa.chunked_array(chunks, type=target)
