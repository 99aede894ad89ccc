"""Counts of votes that are read in blocks: names, panels, groups, and sizes of margins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from mixlogit.data.processes import Processes
from mixlogit.data.table import Names, Table
from mixlogit.data.values import Ints
from mixlogit.errors import UsageError

__all__ = ["Appearances", "Block", "Scan", "refuse_many_groups"]

_MOST_GROUPS = 1000  # labels of a group column, each with effects of its own


def refuse_many_groups(column: str, n_labels: int, n_comparisons: int) -> None:
    """Refuse a group column with so many labels that it is none, before it fills the memory.

    Args:
        column: The group column.
        n_labels: Its labels.
        n_comparisons: The comparisons that they were found in.

    Raises:
        UsageError: For more than 1,000 labels.
    """
    if n_labels > _MOST_GROUPS:
        raise UsageError(
            f'Group column "{column}" has {n_labels:,} labels in {n_comparisons:,} comparisons; a '
            f"fit takes at most {_MOST_GROUPS:,} groups. Name a column with fewer labels. One "
            "that numbers comparisons is no group, one that numbers people is for --respondent."
        )


@dataclass(frozen=True)
class Block:
    """Checked votes of one file: their columns, and their rows in the file."""

    table: Table
    file: str
    rows: Ints


class Appearances:
    """Names in the order of their first appearance, over blocks and over processes.

    Example:
        >>> seen = Appearances()
        >>> seen.add((np.array([1, 0, 1]), ("x", "y")), "votes", np.array([1, 2, 3])).tolist()
        [0, 1, 0]
        >>> list(seen.code)
        ['y', 'x']
    """

    def __init__(self) -> None:
        self.code: dict[str, int] = {}
        self._files: dict[str, int] = {}
        self._places: tuple[list[int], list[int]] = ([], [])  # file and row of each name

    def __len__(self) -> int:
        """Number of names."""
        return len(self.code)

    def add(self, column: Names, file: str, rows: Ints) -> Ints:
        """Codes of a block's names among all; new names are added."""
        codes, names = column
        first = np.full(len(names), codes.size, dtype=np.int64)
        first[codes[::-1]] = np.arange(codes.size - 1, -1, -1)  # the last write wins
        target = np.full(len(names), -1, dtype=np.int64)
        here = self._files.setdefault(file, len(self._files))
        for at in np.argsort(first, kind="stable")[: int((first < codes.size).sum())].tolist():
            code = target[at] = self.code.setdefault(names[at], len(self.code))
            if code == len(self._places[0]):
                self._places[0].append(here)
                self._places[1].append(int(rows[first[at]]))
        return target[codes]

    def known(self, column: Names) -> Ints:
        """Codes of a block's names, all of which are known."""
        codes, names = column
        return np.array([self.code.get(name, -1) for name in names], dtype=np.int64)[codes]

    def merge(self, group: Processes) -> Ints:
        """Give the names of all processes common codes; the new code of each old one."""
        if group.count == 1:
            return np.arange(len(self))
        told = [list(self.code), list(self._files), *self._places]
        first: dict[str, tuple[str, int]] = {}
        for names, files, at, rows in group.in_turn(told):
            for name, where, row in zip(names, at, rows, strict=True):
                place = files[where], row
                first[name] = min(first.get(name, place), place)
        old = list(self.code)
        self.code = {name: k for k, name in enumerate(sorted(first, key=first.__getitem__))}
        return np.array([self.code[name] for name in old], dtype=np.int64)


@dataclass
class Scan:
    """What one pass over votes finds.

    Attributes:
        groups: Names of each group column.
        respondents: Names of the respondents.
        counts: Votes of each respondent in each cell: `respondent x cell`.
        cells: Combinations of group codes, each with its place in `counts`.
        votes: Number of votes.
        ties: Ties among them.
        against: Votes against the sign of their margin.
        squares: Sum of squared margins, those of ties twice, as they enter twice.
        sizes: Smallest and largest absolute margin.
    """

    groups: dict[str, Appearances]
    respondents: Appearances = field(default_factory=Appearances)
    counts: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    cells: dict[tuple[int, ...], int] = field(default_factory=dict)
    votes: int = 0
    ties: int = 0
    against: int = 0
    squares: float = 0.0
    sizes: tuple[float, float] = (np.inf, 0.0)

    @classmethod
    def of(cls, columns: Sequence[str]) -> "Scan":
        """Nothing yet, for these group columns."""
        return cls({column: Appearances() for column in columns})

    def add(self, block: Block) -> None:
        """Add a block."""
        margin, outcome = block.table.margin, block.table.outcome
        assert margin is not None
        assert block.table.respondent is not None
        if not margin.size:
            return
        who = self.respondents.add(block.table.respondent, block.file, block.rows)
        levels = {
            name: seen.add(block.table.groups[name], block.file, block.rows)
            for name, seen in self.groups.items()
        }
        for name, seen in self.groups.items():
            refuse_many_groups(name, len(seen), self.votes + margin.size)
        self._count(who, self._cells(levels, who.size))
        tie = outcome == 0.5
        size = np.abs(margin)
        self.votes += margin.size
        self.ties += int(tie.sum())
        self.against += int((np.sign(margin) * (2 * outcome - 1) < 0).sum())
        self.squares += float(size @ size + size[tie] @ size[tie])
        self.sizes = min(self.sizes[0], float(size.min())), max(self.sizes[1], float(size.max()))

    def place(self, block: Block) -> tuple[Ints, Ints]:
        """Respondent and cell of each vote of a block, all of whose names are known."""
        assert block.table.respondent is not None
        who = self.respondents.known(block.table.respondent)
        levels = {n: seen.known(block.table.groups[n]) for n, seen in self.groups.items()}
        return who, self._cells(levels, who.size)

    def _cells(self, levels: Mapping[str, Ints], n: int) -> Ints:
        """The cell of each vote; new combinations of codes are added."""
        if not levels:
            self.cells.setdefault((), 0)
            return np.zeros(n, dtype=np.int64)
        key = np.zeros(n, dtype=np.int64)
        sizes = [len(self.groups[name]) for name in levels]
        for codes, size in zip(levels.values(), sizes, strict=True):
            key = key * size + codes
        keys, inverse = np.unique(key, return_inverse=True)
        rows = zip(*(part.tolist() for part in np.unravel_index(keys, sizes)), strict=True)
        found = [self.cells.setdefault(row, len(self.cells)) for row in rows]
        return np.array(found, dtype=np.int64)[inverse]

    def _count(self, who: Ints, cell: Ints) -> None:
        shape = len(self.respondents), len(self.cells)
        new = np.bincount(who * shape[1] + cell, minlength=shape[0] * shape[1]).reshape(shape)
        new[: self.counts.shape[0], : self.counts.shape[1]] += self.counts
        self.counts = new

    def merge(self, group: Processes) -> None:
        """Join what all processes found: afterwards all know the same."""
        names = self.respondents.merge(group)
        levels = [seen.merge(group) for seen in self.groups.values()]
        old = [
            tuple(int(new[code]) for new, code in zip(levels, cell, strict=True))
            for cell in self.cells
        ]
        every = sorted({tuple(cell) for cells in group.gather(old) for cell in cells})
        self.cells = {cell: k for k, cell in enumerate(every)}
        counts = np.zeros((len(self.respondents), len(every)), dtype=np.int64)
        if len(names):
            places = np.array([self.cells[cell] for cell in old])
            counts[np.ix_(names, places)] = self.counts
        group.add(torch.from_numpy(counts))
        self.counts = counts
        told = group.gather([self.votes, self.ties, self.against, self.squares, *self.sizes])
        votes, ties, against, squares, small, large = zip(*told, strict=True)
        self.votes, self.ties, self.against = sum(votes), sum(ties), sum(against)
        self.squares, self.sizes = sum(squares), (min(small), max(large))
