"""Malformed rows: one clear error, or rows dropped and listed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mixlogit.data.comparisons import Dropped
from mixlogit.data.source import Source
from mixlogit.data.values import printable
from mixlogit.errors import DataError, UsageError

__all__ = ["BadRows", "Faults", "Problem", "in_one_line", "nothing_left", "settle", "sift"]

BadRows = Literal["stop", "drop"]


@dataclass(frozen=True)
class Problem:
    """Rows that are malformed in one way.

    Args:
        column: The column at fault.
        rows: Positions in the table, ascending.
        reason: What is wrong at a position, such as `margin is NaN`.
        advice: What to do about it, at a position.
        counted: Whether the message ends with how many rows are like this.
    """

    column: str
    rows: NDArray[np.int64]
    reason: Callable[[int], str]
    advice: Callable[[int], str]
    counted: bool = True


@contextmanager
def in_one_line() -> Iterator[None]:
    """Keep error messages on one line: names in the data may hold line breaks."""
    try:
        yield
    except (DataError, UsageError) as error:
        error.args = (printable(str(error)),)
        raise


class Faults:
    """Malformed rows that were found one by one, made into problems.

    Example:
        >>> faults = Faults()
        >>> faults.note(3, "chosen", '"chosen" is empty', "Answers must hold text.")
        >>> [(found.column, found.rows.tolist()) for found in faults.problems()]
        [('chosen', [3])]
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict[int, str]] = {}

    def note(self, row: int, column: str, reason: str, advice: str) -> None:
        """Add one row: the column at fault, what is wrong, and what to do about it."""
        self._found.setdefault((column, advice), {})[row] = reason

    def problems(self) -> list[Problem]:
        """One problem for each column and advice."""

        def problem(column: str, advice: str, reasons: dict[int, str]) -> Problem:
            return Problem(
                column, np.array(sorted(reasons)), reasons.__getitem__, lambda _: advice
            )

        return [problem(*key, reasons) for key, reasons in self._found.items()]


def settle(
    source: Source, problems: list[Problem], bad_rows: str
) -> tuple[NDArray[np.bool_] | None, tuple[Dropped, ...]]:
    """Stop at the first malformed row, or drop all of them; at least one row must be left.

    Args:
        source: The table, for file names and row numbers.
        problems: What is wrong.
        bad_rows: `stop` or `drop`.

    Returns:
        As `sift`.

    Raises:
        DataError: As `sift`, and if no row is left.
        UsageError: If `bad_rows` is something else.
    """
    keep, dropped = sift(source, problems, bad_rows)
    if keep is not None and not keep.any():
        raise nothing_left(
            source.name, dropped, f"no row is left, all {len(dropped):,} are malformed"
        )
    return keep, dropped


def sift(
    source: Source, problems: list[Problem], bad_rows: str, among: Callable[[], str] = str
) -> tuple[NDArray[np.bool_] | None, tuple[Dropped, ...]]:
    """Stop at the first malformed row, or drop all of them.

    Args:
        source: The table, for file names and row numbers.
        problems: What is wrong.
        bad_rows: `stop` or `drop`.
        among: Which rows the count in a message is about, such as ` of the first 2,000`, if they
            are not all.

    Returns:
        Which rows to keep (None: all), and the rows dropped in the order of the table.

    Raises:
        DataError: With `stop`, at the first malformed row.
        UsageError: If `bad_rows` is something else.
    """
    if bad_rows not in ("stop", "drop"):
        raise UsageError(f'Expected bad_rows "stop" or "drop" but got "{bad_rows}".')
    problems = [problem for problem in problems if problem.rows.size]
    if bad_rows == "stop":
        if source.unreadable:
            raise _unreadable(source, among())
        if problems:
            first = min(problems, key=lambda problem: int(problem.rows[0]))
            raise _malformed(source, first, among())
        return None, ()
    keep, dropped = _drop(source, problems)
    return (None if keep.all() and keep.size else keep), dropped


def nothing_left(source: str, dropped: tuple[Dropped, ...], what: str) -> DataError:
    """The error for data of which nothing is left, with the first row that was dropped."""
    first = dropped[0]
    return DataError(
        f"{source}: {what}. Row {first.row}: {first.reason}.",
        file=first.file,
        row=first.row,
        column=first.column or None,
    )


def _drop(
    source: Source, problems: list[Problem]
) -> tuple[NDArray[np.bool_], tuple[Dropped, ...]]:
    keep = np.ones(source.n_rows, dtype=bool)
    dropped = [Dropped(row.row, "", row.reason, row.file) for row in source.unreadable]
    for problem in problems:
        for index in problem.rows[keep[problem.rows]].tolist():
            file, row = source.locate(index)
            dropped.append(Dropped(row, problem.column, problem.reason(index), file))
        keep[problem.rows] = False
    place = {part.file: i for i, part in enumerate(source.parts)}
    return keep, tuple(sorted(dropped, key=lambda drop: (place[drop.file], drop.row)))


def _malformed(source: Source, problem: Problem, among: str) -> DataError:
    index = int(problem.rows[0])
    file, row = source.locate(index)
    tail = " " + _like_this(problem.rows.size, among) if problem.counted else ""
    return DataError(
        f"{file}, row {row}: {problem.reason(index)}. {problem.advice(index)}{tail}",
        file=file,
        row=row,
        column=problem.column,
    )


def _unreadable(source: Source, among: str) -> DataError:
    first = source.unreadable[0]
    tail = _like_this(len(source.unreadable), among)
    return DataError(
        f"{first.file}, row {first.row}: {first.reason}. {tail}",
        file=first.file,
        row=first.row,
    )


def _like_this(n: int, among: str) -> str:
    rows = "row" if n == 1 and not among else "rows"
    are, them = ("is", "it") if n == 1 else ("are", "them")
    return f"{n:,}{among} {rows} {are} like this; --bad-rows drop skips {them}."
