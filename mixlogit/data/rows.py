"""Rows: raw columns read by role, with a note of every row that is malformed."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pyarrow as pa

from mixlogit.data.grades import levels
from mixlogit.data.messages import Turns, holds_messages, spoken, turns
from mixlogit.data.names import Coded, Texts, codes, join_codes, texts
from mixlogit.data.numbers import numbers
from mixlogit.data.problems import Problem
from mixlogit.data.source import Source
from mixlogit.data.values import Bad, Column, Floats, Ints, printable, to_list

__all__ = ["NO_GROUP", "NeedsColumns", "Rows"]

NO_GROUP = "(none)"
_SHOWN = 6  # values of a column that a message lists

_FINITE = {
    "margin": 'Margins must be finite. Recompute them with "mixlogit margins", or drop the row.',
    "feature": "Features must be finite.",
    "weight": "Weights must be finite and positive.",
    "rank": "Ranks must be finite.",
    "grade": "Grades must be finite.",
}
_NUMBERS = {
    "margin": "Margins must be numbers.",
    "feature": "Features must be numbers.",
    "weight": "Weights must be numbers.",
    "rank": "Ranks must be numbers.",
    "grade": "Grades must be numbers, or name their words by --grades.",
}


class NeedsColumns(Protocol):
    """Roles that know which columns every row must fill."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns, in the order in which messages list them."""


class Rows:
    """Reads columns of a source and collects its malformed rows in `problems`."""

    def __init__(self, source: Source, roles: NeedsColumns) -> None:
        self.source = source
        self.roles = roles
        self.problems: list[Problem] = []

    def numbers(self, column: str, role: str) -> Floats:
        """A column of margins, features or weights."""
        raw = self.source.read(column)
        values, bad = numbers(raw, self.source.textual)
        for found in bad:
            self._number_problem(column, raw, found, role)
        if role == "weight":
            wrong = np.ones(values.size, dtype=bool)
            for found in bad:
                wrong[found.rows] = False
            rows = np.flatnonzero(wrong & (values <= 0))
            self._note(column, rows, lambda i: f"{column} is {values[i]:g}", _FINITE[role])
        return values

    def texts(self, column: str) -> Texts:
        """A column of texts; of messages what is said in them."""
        if holds_messages(self.source.read(column)):
            said = pa.array([spoken(value) for value in self.messages(column)], pa.string())
            return texts(pa.chunked_array([said]))
        return self.plain_texts(column)

    def plain_texts(self, column: str) -> Texts:
        """A column of texts, and of nothing else."""
        raw = self.source.read(column)
        found = texts(raw)
        self._name_problems(column, raw, found.bad, "Texts must be text.")
        return found

    def messages(self, column: str) -> list[Turns | None]:
        """A column of lists of messages; None where a row is malformed."""
        values = to_list(self.source.read(column))
        found = [None if value is None else turns(value) for value in values]
        wrong = {i: value for i, value in enumerate(found) if isinstance(value, str)}
        blank = [isinstance(value, list) and not (spoken(value) or "").strip() for value in found]
        self._missing(column, np.flatnonzero([value is None for value in values]), "missing")
        self._missing(column, np.flatnonzero(blank), "empty")
        self._note(
            column,
            np.array(list(wrong), dtype=np.int64),
            lambda i: f"{column}: {wrong[i]}",
            "A list of messages has role and content in each.",
        )
        return [
            None if isinstance(value, str) or empty else value
            for value, empty in zip(found, blank, strict=True)
        ]

    def names(self, column: str) -> tuple[Ints, tuple[str, ...]]:
        """A column of respondents."""
        found = self._coded(column)
        return found.codes, found.values

    def items(self, first: str, second: str) -> tuple[Ints, Ints, tuple[str, ...]]:
        """Two columns of items over one table of names."""
        a, b, values = join_codes(self._coded(first), self._coded(second))
        same = np.flatnonzero((a == b) & (a >= 0))
        self._note(
            second,
            same,
            lambda i: f'{first} and {second} are both "{_short(values[a[i]])}"',
            "An item cannot be compared with itself.",
        )
        return a, b, values

    def groups(self, column: str) -> tuple[Ints, tuple[str, ...]]:
        """A column of groups; a row without one is in the group `(none)`."""
        raw = self.source.read(column)
        found = codes(raw)
        wrong = tuple(bad for bad in found.bad if bad.kind not in ("missing", "empty"))
        self._name_problems(column, raw, wrong, "Names must be text or numbers.")
        if not (found.codes < 0).any():
            return found.codes, found.values
        values = found.values if NO_GROUP in found.values else (*found.values, NO_GROUP)
        return np.where(found.codes < 0, values.index(NO_GROUP), found.codes), values

    def outcomes(self, column: str, words: dict[str, str], value: dict[str, float]) -> Floats:
        """A column of outcomes as 1, 0 and 0.5."""
        found = self._coded(column)
        known = [value[words[word]] if word in words else np.nan for word in found.values]
        outcome = np.array([*known, 0.0])[found.codes]  # the last serves code -1
        self._note(
            column,
            np.flatnonzero(np.isnan(outcome)),
            lambda i: f'{column} is "{_short(found.values[found.codes[i]])}"',
            f"Outcomes must be one of {', '.join(words)}; name others by --labels. "
            f"The column holds {_some(found.values)}.",
        )
        return outcome

    def grades(self, column: str, words: dict[str, int] | None) -> Ints:
        """A column of grades as levels, positive for the first."""
        if words is None:
            return levels(self.numbers(column, "grade"))
        found = self._coded(column)
        strange = np.array([word not in words for word in found.values] + [False])
        self._note(
            column,
            np.flatnonzero(strange[found.codes]),
            lambda i: f'{column} is "{_short(found.values[found.codes[i]])}"',
            f"Grades must be one of {', '.join(words)}.",
        )
        return np.array([*(words.get(word, 0) for word in found.values), 0])[found.codes]

    def _coded(self, column: str) -> Coded:
        raw = self.source.read(column)
        found = codes(raw)
        self._name_problems(column, raw, found.bad, "Names must be text or numbers.")
        return found

    def _note(self, column: str, rows: Ints, reason: Callable[[int], str], advice: str) -> None:
        self.problems.append(Problem(column, rows, reason, lambda _: advice))

    def _number_problem(self, column: str, raw: Column, bad: Bad, role: str) -> None:
        if bad.kind == "missing":
            self._missing(column, bad.rows, "missing")
        elif bad.kind in ("nan", "inf"):
            reason = f"{column} is {'NaN' if bad.kind == 'nan' else 'infinite'}"
            counted = role != "margin"
            self.problems.append(
                Problem(column, bad.rows, lambda _: reason, lambda _: _FINITE[role], counted)
            )
        elif bad.kind == "huge":
            self._note(
                column,
                bad.rows,
                lambda i: f"{column} is an integer of {len(str(_at(raw, i)))} digits",
                _FINITE[role],
            )
        else:
            self._note(column, bad.rows, _is_kind(column, raw, bad.kind), _NUMBERS[role])

    def _name_problems(
        self, column: str, raw: Column, found: tuple[Bad, ...], advice: str
    ) -> None:
        for bad in found:
            if bad.kind in ("missing", "empty"):
                self._missing(column, bad.rows, bad.kind)
            else:
                self._note(column, bad.rows, _is_kind(column, raw, bad.kind), advice)

    def _missing(self, column: str, rows: Ints, word: str) -> None:
        """A value that is not there: the message says which ones are."""
        self.problems.append(Problem(column, rows, lambda _: f'"{column}" is {word}', self._needs))

    def _needs(self, index: int) -> str:
        needed = self.roles.needed
        has = [name for name in needed if self._present(name, index)]
        shown = f"this one has {', '.join(has)}" if has else "this one has none of them"
        return f"A row needs {', '.join(needed)}; {shown}."

    def _present(self, column: str, index: int) -> bool:
        value = _at(self.source.read(column), index)
        return value is not None and value == value and str(value).strip() != ""


def _at(raw: Column, index: int) -> object:
    value = raw[index]
    return value if isinstance(raw, list) else value.as_py()


def _is_kind(column: str, raw: Column, kind: str) -> Callable[[int], str]:
    def reason(index: int) -> str:
        if kind == "broken text":
            return f"{column} is text with broken Unicode"
        return f"{column} is {kind} ({_short(repr(_at(raw, index)))})"

    return reason


def _some(values: tuple[str, ...]) -> str:
    """The distinct values of a column, the first six where there are more."""
    shown = ", ".join(f'"{_short(value)}"' for value in values[:_SHOWN])
    more = len(values) - _SHOWN
    return shown if more <= 0 else f"{shown} and {more:,} more"


def _short(text: str) -> str:
    """A value in a message: printable, on one line, at most 40 characters."""
    text = printable(text)
    return text if len(text) <= 40 else text[:37] + "..."
