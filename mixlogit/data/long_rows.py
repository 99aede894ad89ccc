"""Rows of data in long format: raw columns read by role, checked set by set."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixlogit.data.names import codes
from mixlogit.data.numbers import numbers
from mixlogit.data.rows import Rows
from mixlogit.data.table import Names
from mixlogit.data.values import Floats, Ints

__all__ = ["LongRows", "LongTable"]

_FLAGS = {"1": 1, "0": 0, "true": 1, "false": 0, "yes": 1, "no": 0}
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LongTable:
    """Checked columns, one row an alternative.

    Attributes:
        choice: Choice set of each row; -1 where it is not known.
        best: Rank of each row, 1 the best, 0 where not ranked; of a choice: 1 and 0.
        available: Whether the alternative could be chosen.
        alternative: Codes and names.
        features: `row x feature`.
        respondent: Codes and names.
        groups: Codes and names by column.
        weight: Of the choice set, in each of its rows.
    """

    choice: Ints
    best: Ints
    available: Mask
    alternative: Names
    features: Floats | None
    respondent: Names | None
    groups: dict[str, Names]
    weight: Floats | None

    def whole(self, keep: Mask) -> "LongTable":
        """The choice sets in which every row is to be kept."""
        broken = np.zeros(int(self.choice.max(initial=-1)) + 2, dtype=bool)
        broken[-1] = True  # of code -1
        broken[self.choice[~keep]] = True
        return self._rows(np.flatnonzero(~broken[self.choice]))

    def arranged(self) -> "LongTable":
        """The available rows, set by set, in the order in which the sets first appear."""
        first = np.full(int(self.choice.max(initial=-1)) + 1, self.choice.size)
        np.minimum.at(first, self.choice, np.arange(self.choice.size))
        rows = np.lexsort((np.arange(self.choice.size), first[self.choice]))
        rows = rows[self.available[rows]]
        table = self._rows(rows)
        new = np.diff(table.choice, prepend=-1) != 0
        return replace(table, choice=np.cumsum(new) - 1)

    def _rows(self, rows: Ints) -> "LongTable":
        def names(value: Names) -> Names:
            return value[0][rows], value[1]

        return replace(
            self,
            choice=self.choice[rows],
            best=self.best[rows],
            available=self.available[rows],
            alternative=names(self.alternative),
            features=None if self.features is None else self.features[rows],
            respondent=self.respondent and names(self.respondent),
            groups={name: names(group) for name, group in self.groups.items()},
            weight=None if self.weight is None else self.weight[rows],
        )


class LongRows(Rows):
    """Reads columns in long format and collects malformed rows in `problems`."""

    def read(self, roles: Any) -> LongTable:
        """Every column that plays a role, checked row by row and set by set.

        Args:
            roles: Column names, a `LongRoles`.
        """
        alternative = self.names(roles.alternative)
        respondent = self.names(roles.respondent) if roles.respondent else None
        self._strange = np.zeros(0, dtype=np.int64)  # rows whose rank is none
        self._ids = self.names(roles.choice_id)
        choice = _sets(self._ids[0], respondent)
        features = [self.numbers(name, "feature") for name in roles.features]
        available = np.ones(choice.size, dtype=bool)
        if roles.available:
            available = self._flags(roles.available, codes(self.source.read(roles.available)))
        if roles.ranking:
            best = self._ranks(roles.ranking, choice)
        else:
            best = self._chosen(roles.chosen, choice, alternative)
        table = LongTable(
            choice=choice,
            best=best,
            available=available,
            alternative=alternative,
            features=np.stack(features, axis=1) if features else None,
            respondent=respondent,
            groups={name: self.groups(name) for name in roles.groups},
            weight=self.numbers(roles.weight, "weight") if roles.weight else None,
        )
        self._check_sets(table, roles)
        return table

    def _flags(self, column: str, found: Any) -> Mask:
        """A column of 1 and 0, true and false, yes and no; rows that are none are noted."""
        self._name_problems(column, self.source.read(column), found.bad, "Write 1 or 0.")
        known = [_FLAGS.get(_plain(word), -1) for word in found.values]
        flags = np.array([*known, 0])[found.codes]
        self._note(
            column,
            np.flatnonzero(flags < 0),
            lambda i: f'{column} is "{found.values[found.codes[i]]}"',
            "Write 1 or 0, true or false, yes or no.",
        )
        on: Mask = flags == 1
        return on

    def _chosen(self, column: str, choice: Ints, alternative: Names) -> Ints:
        """1 in the row of the chosen alternative: by flags, or by its name in every row.

        It is names where the column has one value throughout each choice set; flags cannot
        have, as a set has one chosen row and others.
        """
        found = codes(self.source.read(column))
        order = np.argsort(choice, kind="stable")
        same = (np.diff(choice[order]) != 0) | (np.diff(found.codes[order]) == 0)
        if not (same.all() and np.bincount(choice[choice >= 0]).max(initial=0) > 1):
            return self._flags(column, found).astype(np.int64)
        self._name_problems(column, self.source.read(column), found.bad, "Names must be text.")
        place = {name: k for k, name in enumerate(alternative[1])}
        wanted = np.array([*(place.get(name, -2) for name in found.values), -2])[found.codes]
        chosen: Ints = (wanted == alternative[0]).astype(np.int64)
        return chosen

    def _ranks(self, column: str, choice: Ints) -> Ints:
        """Ranks 1, 2, ...; 0 where the cell is empty."""
        raw = self.source.read(column)
        values, bad = numbers(raw, self.source.textual)
        empty = np.zeros(values.size, dtype=bool)
        for found in bad:
            if found.kind in ("missing", "nan"):
                empty[found.rows] = True
            else:
                self._number_problem(column, raw, found, "rank")
        rank = np.where(empty, 0, values)
        self._strange = np.flatnonzero(
            (rank != np.round(rank)) | (rank < 0) | (~empty & (rank == 0))
        )
        self._note(
            column,
            self._strange,
            lambda i: f"{column} is {values[i]:g}",
            "Ranks are 1, 2, 3, ..., 1 the best, or empty.",
        )
        return rank.astype(np.int64)

    def _check_sets(self, table: LongTable, roles: Any) -> None:
        """What must hold within a choice set; noted at the first row at fault."""
        known = np.flatnonzero((table.choice >= 0) & (table.alternative[0] >= 0))
        key = table.choice[known] * len(table.alternative[1]) + table.alternative[0][known]
        twice = np.ones(known.size, dtype=bool)
        twice[np.unique(key, return_index=True)[1]] = False
        names = table.alternative[1]
        self._note(
            roles.alternative,
            known[twice],
            lambda i: (
                f'"{names[table.alternative[0][i]]}" is twice in {roles.choice_id} '
                f'"{self._ids[1][self._ids[0][i]]}"'
            ),
            "Alternatives of a choice set must differ.",
        )
        column = roles.ranking or roles.chosen
        taken = table.best > 0
        self._note(
            column,
            np.flatnonzero(taken & ~table.available),
            lambda i: f'"{names[table.alternative[0][i]]}" was chosen but is not available',
            f"Correct {column} or {roles.available}.",
        )
        advice = f"Each {roles.choice_id} needs one chosen alternative."
        if roles.ranking:
            advice = f"Each {roles.choice_id} needs ranks 1, 2, 3, ... without ties or gaps."
        wrong = _wrong_sets(table)
        wrong = wrong[~np.isin(table.choice[wrong], table.choice[self._strange])]
        self._note(column, wrong, self._choice_reason(table, roles), advice)
        values: dict[str, Any] = {name: codes for name, (codes, _) in table.groups.items()}
        if roles.weight:
            values[roles.weight] = table.weight
        for name, value in values.items():
            self._check_same(name, _varying(table.choice, value), roles.choice_id)

    def _check_same(self, column: str, rows: Ints, choice_id: str) -> None:
        reason = f"{column} differs within a choice set"
        self._note(column, rows, lambda _: reason, f"Rows of one {choice_id} need one {column}.")

    def _choice_reason(self, table: LongTable, roles: Any) -> Callable[[int], str]:
        def reason(index: int) -> str:
            codes, names = self._ids
            which = f'{roles.choice_id} "{names[codes[index]]}"'
            rows = table.choice == table.choice[index]
            taken = np.sort(table.best[rows & (table.best > 0)])
            if roles.ranking:
                return f"the ranks of {which} are {', '.join(map(str, taken)) or 'all empty'}"
            n = taken.size or "no"
            return f"{which} has {n} chosen alternative{'s' if taken.size > 1 else ''}"

        return reason


def _plain(word: str) -> str:
    """A flag in lower case; 1.0 is 1."""
    return word.strip().lower().removesuffix(".0")


def _sets(ids: Ints, respondent: Names | None) -> Ints:
    """Codes of choice sets: an id within a respondent; -1 where either is missing."""
    who = np.zeros_like(ids) if respondent is None else respondent[0]
    key = who * (ids.max(initial=0) + 1) + ids
    out = np.unique(key, return_inverse=True)[1].reshape(-1)
    bad = (ids < 0) | (who < 0)
    return np.where(bad, -1, out) if bad.any() else out


def _wrong_sets(table: LongTable) -> Ints:
    """First row of each choice set whose ranks are not 1, 2, ..., or not one is chosen."""
    rows = np.flatnonzero(table.choice >= 0)
    choice, best = table.choice[rows], table.best[rows]
    n = int(choice.max(initial=-1)) + 1
    count = np.bincount(choice, weights=best > 0, minlength=n)
    highest = np.zeros(n, dtype=np.int64)
    np.maximum.at(highest, choice, best)
    key = choice * (best.max(initial=0) + 1) + best
    distinct = np.bincount(choice[np.unique(key, return_index=True)[1]], minlength=n)
    has_zero = np.bincount(choice, weights=best == 0, minlength=n) > 0
    wrong = (count == 0) | (highest != count) | (distinct - has_zero != count)
    seen, at = np.unique(choice, return_index=True)
    return np.sort(rows[at[wrong[seen]]])


def _varying(choice: Ints, value: Any) -> Ints:
    """First row of each choice set in which a value changes."""
    order = np.argsort(choice, kind="stable")
    same_set = np.diff(choice[order]) == 0
    changed = same_set & (np.diff(value[order]) != 0) & (choice[order][1:] >= 0)
    return np.unique(order[1:][changed])
