"""Rows entered twice, and rows that say the opposite of another one.

Texts say which pair it was, so every repeat of one respondent counts. Items and margins may be
equal because few pairs are judged over and over, which is legitimate: repeats then count only if
there are more of them than the design makes by chance. A row is split into where it was made
(respondent, groups, every column without a role) and what it says (pair and direction). The share
of equal sayings among rows made in *different* places gives the number to expect in the same one.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mixlogit.data.names import dictionary
from mixlogit.data.values import Column, Ints, to_list

__all__ = ["Repeats", "hash_column", "mix", "repeats"]

Hashes = NDArray[np.uint64]
_TIE = 2


@dataclass(frozen=True)
class Repeats:
    """How often rows repeat.

    Args:
        rows: Rows that repeat an earlier row; 0 where chance explains them.
        flips: Pairs judged in the same place both ways; 0 where chance explains them.
        distinct: Whether no pair occurs twice in one place at all.
    """

    rows: int
    flips: int
    distinct: bool = False


def repeats(
    place: Hashes, pair: Hashes, direction: Ints, rare: bool, certain: bool = False
) -> Repeats:
    """Count repeated and contradicting rows beyond chance.

    Args:
        place: `comparison`-vector: hash of respondent and of everything but the pair.
        pair: Hash of the pair, whichever way round it was shown.
        direction: 0 or 1 for which of the two was preferred, 2 for a tie.
        rare: Whether two rows seldom have an equal pair (texts, margins, features), so that
            repeats count even where there is one place only and nothing to compare with.
        certain: Whether every repeat counts.

    Returns:
        The counts.

    Example:
        >>> place, pair = mix(np.array([1, 1, 2])), mix(np.array([5, 5, 7]))
        >>> repeats(place, pair, np.array([0, 1, 0]), rare=True)
        Repeats(rows=0, flips=1, distinct=False)
    """
    inside = _tally(mix(place, pair), direction)
    if inside.cells == pair.size:
        return Repeats(0, 0, distinct=True)
    if certain:
        return Repeats(inside.repeated, inside.flipped)
    across = _tally(pair, direction)
    n = pair.size
    same_place = _pairs(np.unique(place, return_counts=True)[1])
    elsewhere = n * (n - 1) / 2 - same_place
    if elsewhere == 0:
        trusted = rare and across.cells >= n / 2
        return Repeats(inside.repeated, inside.flipped) if trusted else Repeats(0, 0)
    chance = same_place / elsewhere
    more_rows = _beyond(inside.equal, chance * (across.equal - inside.equal))
    more_flips = _beyond(inside.opposite, chance * (across.opposite - inside.opposite))
    return Repeats(inside.repeated * more_rows, inside.flipped * more_flips)


def mix(*columns: Hashes | Ints) -> Hashes:
    """One hash of several columns, by rows (splitmix64: Steele, Lea and Flood, 2014).

    Example:
        >>> one, two = mix(np.array([1, 2, 1]), np.array([3, 3, 3]))[:2]
        >>> bool(one != two)
        True
    """
    total = np.zeros(columns[0].size, dtype=np.uint64)
    for column in columns:
        total ^= column.astype(np.uint64, copy=False)
        total += np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(30)
        total *= np.uint64(0xBF58476D1CE4E5B9)
        total ^= total >> np.uint64(27)
        total *= np.uint64(0x94D049BB133111EB)
        total ^= total >> np.uint64(31)
    return total


def hash_column(column: Column) -> Hashes:
    """Equal values get equal hashes, within this column.

    Example:
        >>> codes = hash_column(pa.chunked_array([["x", "y", "x"]]))
        >>> bool(codes[0] == codes[2]), bool(codes[0] == codes[1])
        (True, False)
    """
    if isinstance(column, list) or pa.types.is_nested(column.type):
        table: dict[str, int] = {}
        return mix(np.array([table.setdefault(repr(v), len(table)) for v in to_list(column)]))
    if pa.types.is_null(column.type):
        return np.zeros(len(column), dtype=np.uint64)
    return mix(dictionary(column)[0])


@dataclass(frozen=True)
class _Tally:
    """Cells of equal keys: how many; rows that repeat; pairs of rows, equal and opposite."""

    cells: int
    repeated: int
    equal: int
    flipped: int
    opposite: int


def _tally(key: Hashes, direction: Ints) -> _Tally:
    """Count rows of equal key, by direction, with one sort: the direction rides in two bits."""
    rows = np.sort((key & ~np.uint64(3)) | direction.astype(np.uint64))
    starts = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    sizes = np.diff(np.append(starts, rows.size))
    cell, way = rows[starts] >> np.uint64(2), rows[starts] & np.uint64(3)
    new = np.concatenate([[True], cell[1:] != cell[:-1]])
    # directions 0 and 1 of one cell are neighbours
    both = np.flatnonzero((way[:-1] == 0) & (way[1:] == 1) & ~new[1:])
    return _Tally(
        cells=int(new.sum()),
        repeated=int((sizes - 1).sum()),
        equal=_pairs(sizes),
        flipped=both.size,
        opposite=int((sizes[both] * sizes[both + 1]).sum()),
    )


def _pairs(sizes: Ints) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _beyond(observed: int, expected: float) -> bool:
    """Whether that many pairs of rows are more than chance makes."""
    from scipy.special import gammainc

    if observed == 0:
        return False
    # P(Poisson(expected) >= observed); the factor allows for designs that are not quite random
    unlikely = expected <= 0 or float(gammainc(observed, expected)) < 1e-3
    return unlikely and observed > 1.5 * expected
