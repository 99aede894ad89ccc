"""Checked columns, before they become comparisons."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixlogit.data.duplicates import Hashes, mix
from mixlogit.data.names import Texts, join_text_codes
from mixlogit.data.values import Floats, Ints

__all__ = ["Names", "Table", "pair_of"]

Names = tuple[Ints, tuple[str, ...]]


@dataclass(frozen=True)
class Table:
    """Checked columns by role; `texts` by role too, all others as in `Comparisons`."""

    outcome: Floats
    margin: Floats | None = None
    items: tuple[Ints, Ints, tuple[str, ...]] | None = None
    features: Floats | None = None
    respondent: Names | None = None
    groups: dict[str, Names] = field(default_factory=dict)
    weight: Floats | None = None
    texts: dict[str, Texts] = field(default_factory=dict)
    grade: Ints | None = None

    def keep(self, rows: NDArray[np.bool_]) -> "Table":
        """The rows to keep."""

        def some(value: Any) -> Any:
            return None if value is None else value[rows]

        def names(value: Names) -> Names:
            return value[0][rows], value[1]

        return replace(
            self,
            outcome=self.outcome[rows],
            margin=some(self.margin),
            items=self.items and (self.items[0][rows], self.items[1][rows], self.items[2]),
            features=some(self.features),
            respondent=self.respondent and names(self.respondent),
            groups={name: names(group) for name, group in self.groups.items()},
            weight=some(self.weight),
            grade=some(self.grade),
            texts={role: Texts(t.codes[rows], t.values) for role, t in self.texts.items()},
        )


def pair_of(table: Table) -> tuple[Hashes, Ints]:
    """A hash of each judged pair, whichever way round it was shown, and which was preferred.

    Args:
        table: The checked columns.

    Returns:
        `comparison`-vectors: the hash, and the direction: 0 or 1, or 2 for a tie.
    """
    parts: list[Hashes | Ints] = []
    swapped = np.zeros(table.outcome.size, dtype=bool)
    for first, second in _two_sided(table):
        swapped = first > second
        parts += [np.minimum(first, second), np.maximum(first, second)]
    if "prompt" in table.texts:
        parts.append(table.texts["prompt"].codes)
    if table.margin is not None:
        swapped = swapped if parts else table.margin < 0
        parts.append(_bits(np.abs(table.margin)))
    if table.features is not None:
        leading = np.take_along_axis(
            table.features, np.argmax(table.features != 0, axis=1)[:, None], axis=1
        )
        swapped = swapped if parts else leading[:, 0] < 0
        parts += [_bits(column) for column in (table.features * np.sign(leading)).T]
    direction = ((table.outcome == 0) ^ swapped).astype(np.int64)
    direction[table.outcome == 0.5] = 2
    return mix(*parts), direction


def _two_sided(table: Table) -> list[tuple[Ints, Ints]]:
    """What stands on the two sides of a comparison: items, or else texts."""
    if table.items is not None:
        return [(table.items[0], table.items[1])]
    if "chosen" in table.texts and "rejected" in table.texts:
        return [join_text_codes(table.texts["chosen"], table.texts["rejected"])]
    return []


def _bits(values: Floats) -> Hashes:
    """Floats as integers, -0.0 as 0.0."""
    bits: Hashes = (values + 0.0).view(np.uint64)
    return bits
