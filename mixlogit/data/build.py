"""From raw columns and their roles to `Comparisons`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor

from mixlogit.data.columns import Roles, no_margin
from mixlogit.data.comparisons import Comparisons, Labels
from mixlogit.data.findings import findings, refuse_zero_margins
from mixlogit.data.grades import grade_words
from mixlogit.data.names import Texts
from mixlogit.data.outcomes import VALUE, OutcomeLabels, outcome_labels
from mixlogit.data.problems import settle
from mixlogit.data.rows import Rows
from mixlogit.data.source import Source
from mixlogit.data.table import Names, Table
from mixlogit.data.values import Ints
from mixlogit.errors import DataError

__all__ = ["build", "labelled", "read_columns"]


def build(
    source: Source,
    roles: Roles,
    *,
    labels: OutcomeLabels,
    bad_rows: str,
    texts_suffice: bool = False,
    grades: str | Sequence[str] | None = None,
) -> Comparisons:
    """Read the columns, settle malformed rows, and make the comparisons.

    Args:
        source: The table.
        roles: Which column is what.
        labels: Words for the outcomes.
        bad_rows: `stop` or `drop`.
        texts_suffice: Whether texts without margins will do.
        grades: Words for the grades.

    Returns:
        The comparisons, with what was found in them.

    Raises:
        DataError: If there are no rows, a row is malformed, or all margins are 0.
    """
    words = outcome_labels(labels)
    if source.n_rows == 0 and not source.unreadable:
        raise DataError(f"{source.name}: no rows, only column names.", file=source.name)
    rows = Rows(source, roles)
    table = read_columns(rows, roles, words, grade_words(grades))
    keep, dropped = settle(source, rows.problems, bad_rows)
    if roles.kind is None and not (texts_suffice and {"chosen", "rejected"} <= {*table.texts}):
        raise no_margin(source)
    if keep is not None:
        table = table.keep(keep)
    respondent = _labels(table.respondent)
    item_a, item_b, items = _items(table)
    data = Comparisons(
        outcome=torch.from_numpy(table.outcome),
        margin=None if table.margin is None else torch.from_numpy(table.margin),
        item_a=item_a,
        item_b=item_b,
        items=items,
        features=None if table.features is None else torch.from_numpy(table.features),
        feature_names=roles.features,
        respondent=respondent,
        groups={name: labelled(*table.groups[name]) for name in roles.groups},
        weight=None if table.weight is None else torch.from_numpy(table.weight),
        length=_length(table.texts),
        grade=None if table.grade is None else torch.from_numpy(table.grade),
        row=_row_numbers(source, keep),
        source=source.name,
        source_sha256=source.sha256,
        dropped=dropped,
        columns=roles.to_dict(),
    )
    refuse_zero_margins(data)
    # the object is still ours: `replace` would check and link everything once more
    object.__setattr__(data, "warnings", findings(data, table, source, keep))
    return data


def read_columns(
    rows: Rows, roles: Roles, words: dict[str, str], grades: dict[str, int] | None = None
) -> Table:
    """Every column that plays a role.

    Args:
        rows: The table; what is wrong with its rows is noted there.
        roles: Which column is what.
        words: Word to outcome.
        grades: Word to grade; None: grades are numbers.

    Returns:
        The columns, with anything where a row is malformed.
    """
    texts = {role: rows.texts(name) for role, name in roles.texts.items()}
    margin = rows.numbers(roles.margin, "margin") if roles.margin else None
    items = rows.items(roles.item_a, roles.item_b) if roles.item_a and roles.item_b else None
    features = [rows.numbers(name, "feature") for name in roles.features]
    n = rows.source.n_rows
    outcome = rows.outcomes(roles.outcome, words, VALUE) if roles.outcome else np.ones(n)
    grade = rows.grades(roles.grade, grades) if roles.grade else None
    if grade is not None:
        outcome = 0.5 * (1.0 + np.sign(grade))
    return Table(
        outcome=outcome,
        margin=margin,
        items=items,
        features=np.stack(features, axis=1) if features else None,
        respondent=rows.names(roles.respondent) if roles.respondent else None,
        groups={name: rows.groups(name) for name in roles.groups},
        weight=rows.numbers(roles.weight, "weight") if roles.weight else None,
        texts=texts,
        grade=grade,
    )


def _row_numbers(source: Source, keep: Any) -> Tensor | None:
    numbers = source.row_numbers()
    if numbers is None:
        return None
    return torch.from_numpy(numbers if keep is None else numbers[keep])


def _length(texts: dict[str, Texts]) -> Tensor | None:
    """Characters of the first text less those of the second one."""
    if not {"chosen", "rejected"} <= {*texts}:
        return None
    first, second = (
        pc.utf8_length(texts[role].values).to_numpy()[texts[role].codes].astype(np.int64)
        for role in ("chosen", "rejected")
    )
    return torch.from_numpy(first - second)


def _labels(column: Names | None) -> Labels | None:
    return None if column is None else labelled(*column)


def labelled(codes: Ints, names: tuple[str, ...]) -> Labels:
    """Labels in the order of first appearance; names that no kept row uses are left out.

    Example:
        >>> labelled(np.array([2, 0]), ("a", "b", "c")).labels
        ('c', 'a')
    """
    n, size = codes.size, len(names)
    first = np.full(size, n, dtype=np.int64)
    first[codes[::-1]] = np.arange(n - 1, -1, -1)  # the last write wins: the first appearance
    order = np.argsort(first, kind="stable")[: int((first < n).sum())]
    if np.array_equal(order, np.arange(size)):
        return Labels(torch.from_numpy(codes), names)
    rank = np.empty(size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return Labels(torch.from_numpy(rank[codes]), tuple(names[i] for i in order.tolist()))


def _items(table: Table) -> tuple[Tensor | None, Tensor | None, tuple[str, ...]]:
    if table.items is None:
        return None, None, ()
    first, second, names = table.items
    both: Any = np.stack([first, second], axis=1).ravel()
    found = labelled(both, names)
    pairs = found.codes.reshape(-1, 2)
    return pairs[:, 0].contiguous(), pairs[:, 1].contiguous(), found.labels
