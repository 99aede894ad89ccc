"""`streamed`: votes with given margins that are read in blocks, as often as needed, never held."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from mixlogit.data.columns import Roles, resolve
from mixlogit.data.comparisons import Comparisons, Finding, Labels
from mixlogit.data.findings import streamed_findings
from mixlogit.data.load import LoadColumns, with_counts
from mixlogit.data.outcomes import OutcomeLabels, outcome_labels
from mixlogit.data.problems import BadRows, in_one_line
from mixlogit.data.processes import Processes
from mixlogit.data.scan import Block
from mixlogit.data.source import source_of_table
from mixlogit.data.stream import open_feed
from mixlogit.data.vote_reader import VoteReader
from mixlogit.errors import UsageError
from mixlogit.run import Progress

__all__ = ["Streamed", "Tally", "drawn_respondents", "streamed"]

PART = 60_000  # votes that are kept, of random respondents


@dataclass(frozen=True, eq=False)
class Tally:
    """Names with the number of comparisons of each.

    Example:
        >>> who = Tally(("w1", "w2"), torch.tensor([3, 1]))
        >>> len(who), who.counts().tolist()
        (2, [3, 1])
    """

    labels: tuple[str, ...]
    sizes: Tensor

    def __len__(self) -> int:
        """Number of names."""
        return len(self.labels)

    def counts(self) -> Tensor:
        """Comparisons of each name: an integer vector over the names."""
        return self.sizes


def drawn_respondents(sizes: Tensor, rows: int, seed: int) -> Tensor:
    """As many random respondents as have so many comparisons in all, but at least one.

    Args:
        sizes: Comparisons of each respondent.
        rows: Most comparisons.
        seed: Seed of the choice.

    Returns:
        A boolean vector over respondents.

    Example:
        >>> int(drawn_respondents(torch.full((10,), 5), 20, seed=0).sum())
        4
    """
    order = torch.randperm(len(sizes), generator=torch.Generator().manual_seed(seed))
    chosen = torch.zeros(len(sizes), dtype=torch.bool)
    chosen[order[: max(1, int((sizes[order].cumsum(0) <= rows).sum()))]] = True
    return chosen


class Streamed:
    """Votes with given margins and respondents, of which only counts and a part are held.

    Made by `streamed`. It answers to the names of `Comparisons` where these are counts.

    Attributes:
        source: What messages call the data.
        source_sha256: Checksum of the files.
        columns: Role to column name(s).
        words: Word to outcome.
        n_comparisons: Number of votes.
        n_ties: Ties among them.
        respondent: Respondents, in the order of their first appearance, and votes of each.
        groups: The same for the labels of each group column.
        counts: Votes of each respondent in each cell: `respondent x cell`.
        level: Labels of each cell: `cell x group column`.
        rms: Root mean square of the margins, in which those of ties count twice.
        largest: Largest absolute margin.
        part: The votes of some random respondents, up to 60,000, in the order of the data.
        part_cell: Cell of each of them.
        dropped: Malformed rows that were left out.
        warnings: What was found in the data as a whole.
        processes: The processes that share the reading.
    """

    kind, items, feature_names = "margin", (), ()
    n_components, length, grade = 0, None, None

    def __init__(self, reader: VoteReader, progress: Progress | None = None) -> None:
        self._reader, self.processes = reader, reader.processes
        self.source, self.columns = reader.feed.name, reader.roles.to_dict()
        self.words = reader.words
        self._scan, self.dropped = reader.scan(progress)
        scan = self._scan
        self.n_comparisons, self.n_ties = scan.votes, scan.ties
        self.counts = torch.from_numpy(scan.counts)
        self.level = torch.tensor(list(scan.cells), dtype=torch.long).view(len(scan.cells), -1)
        self.respondent = Tally(tuple(scan.respondents.code), self.counts.sum(1))
        self.groups = {
            name: Tally(tuple(seen.code), self._sizes(k, len(seen)))
            for k, (name, seen) in enumerate(scan.groups.items())
        }
        self.rms = (scan.squares / (scan.votes + scan.ties)) ** 0.5
        self.largest = scan.sizes[1]
        told = reader.feed.sha256() if self.processes.first and reader.feed.files else None
        self.source_sha256: str | None = self.processes.gather(told)[0]
        self.part, self.part_cell = self._keep_part(progress)
        self.warnings: tuple[Finding, ...] = streamed_findings(self, scan)

    def _sizes(self, column: int, n_labels: int) -> Tensor:
        """Votes of each label of a group column."""
        cells = self.counts.sum(0)
        return torch.zeros(n_labels, dtype=torch.long).index_add(0, self.level[:, column], cells)

    @property
    def n_respondents(self) -> int:
        """Number of respondents."""
        return len(self.respondent)

    def __len__(self) -> int:
        """Number of votes."""
        return self.n_comparisons

    def __repr__(self) -> str:
        """One line: counts."""
        n, people = self.n_comparisons, self.n_respondents
        return f"Streamed({n:,} comparisons, {people:,} respondents)"

    def blocks(
        self, progress: Progress | None = None, stage: str = "reading"
    ) -> Iterator[tuple[Block, Tensor, Tensor]]:
        """This process's share of the votes, block by block.

        Args:
            progress: Called with a stage, rows done and rows in all.
            stage: The stage's name.

        Yields:
            The block, and of each vote its respondent and its cell.

        Raises:
            DataError: If the data changed meanwhile and cannot be read any more.
        """
        for block in self._reader.blocks(progress, stage):
            who, cell = self._scan.place(block)
            yield block, torch.from_numpy(who), torch.from_numpy(cell)

    def _keep_part(self, progress: Progress | None) -> tuple[Comparisons, Tensor]:
        """The votes that are kept, and their cells."""
        kept = drawn_respondents(self.respondent.sizes, PART, 0)
        found: list[list[Any]] = []
        with self.processes.together():
            for block, who, cell in self.blocks(progress, "keeping a part"):
                found += _rows(block, who, cell, kept[who])
        every = sorted(
            (row for rows in self.processes.gather(found) for row in rows), key=lambda r: r[:2]
        )
        columns: list[tuple[Any, ...]] = list(zip(*every, strict=True))
        margin, outcome, weight, respondent, place = columns[2:]
        at = torch.tensor(place)
        groups = {
            name: Labels(self.level[at, k], group.labels)
            for k, (name, group) in enumerate(self.groups.items())
        }
        weighted = bool(self._reader.roles.weight)
        part = Comparisons(
            outcome=torch.tensor(outcome, dtype=torch.float64),
            margin=torch.tensor(margin, dtype=torch.float64),
            respondent=Labels(torch.tensor(respondent), self.respondent.labels),
            groups=groups,
            weight=torch.tensor(weight, dtype=torch.float64) if weighted else None,
            source=self.source,
            columns=self.columns,
        )
        return part, at


def _rows(block: Block, who: Tensor, cell: Tensor, kept: Tensor) -> list[list[Any]]:
    """File, row, margin, outcome, weight, respondent and cell of the votes to keep."""
    table, rows = block.table.keep(kept.numpy()), block.rows[kept.numpy()]
    assert table.margin is not None
    weight = np.ones(len(rows)) if table.weight is None else table.weight
    columns = rows, table.margin, table.outcome, weight, who[kept], cell[kept]
    found = zip(*(column.tolist() for column in columns), strict=True)
    return [[block.file, *row] for row in found]


def streamed(
    data: Any,
    *,
    labels: OutcomeLabels = None,
    bad_rows: BadRows = "stop",
    split: str | None = None,
    source: str | None = None,
    processes: Processes | None = None,
    progress: Progress | None = None,
    **columns: Unpack[LoadColumns],
) -> Streamed:
    """Votes with given margins by known respondents, which are counted but not held in memory.

    `fit` and `maximum` take them as they take `Comparisons`. They are read here twice, to count
    them and to keep a part, and once more for each likelihood table. Columns are found as by
    `load`; texts are not read.

    Args:
        data: As `load` takes it, or a `datasets.IterableDataset`. Parquet is read by row groups,
            CSV and JSONL (also .gz) line by line, which is slower.
        labels: Other words for outcomes, as for `load`.
        bad_rows: `stop` at the first malformed row, or `drop` such rows and list them.
        split: Which split of a hub data set or a `DatasetDict` to use; `train` if None.
        source: What messages call the data; a path is called by itself.
        processes: The processes that share the reading; this one alone if None. All of them
            must make the call.
        progress: Called with a stage, rows done and rows in all.
        **columns: Column names by role, as for `load`.

    Returns:
        The votes.

    Raises:
        DataError: If the data cannot be read or a row is malformed, naming file, row, column.
        UsageError: If they have no margins or no respondents, or the columns do not fit.

    Example:
        >>> import mixlogit as ml
        >>> streamed(ml.simulate(600, 60, seed=1).table)
        Streamed(600 comparisons, 60 respondents)
    """
    alone = processes or Processes()
    with in_one_line(), alone.together():
        feed = open_feed(data, split or "train", source)
        empty = source_of_table(feed.schema.empty_table(), feed.name)
        empty.check_names()
        table, named, words = with_counts(empty, columns, labels)
        roles = replace(resolve(table, **named), prompt=None, chosen=None, rejected=None)
        _refuse_roles(roles)
        votes: Any = {k: name for k, name in columns.items() if k.startswith("votes_")}
        reader = VoteReader(feed, roles, outcome_labels(words), votes, bad_rows, alone)
        return Streamed(reader, progress)


def _refuse_roles(roles: Roles) -> None:
    """Refuse what a table of strengths cannot hold."""
    if roles.kind != "margin":
        raise UsageError(
            f"Streamed votes need given margins, but these have {roles.kind or 'none'}: name "
            "--margin, or load them whole (--no-stream)."
        )
    if roles.respondent is None:
        raise UsageError(
            "Streamed votes need respondents: name their column by --respondent, or load the "
            "votes whole (--no-stream)."
        )
    if roles.grade is not None:
        raise UsageError("Streamed votes have no grades: load them whole (--no-stream).")
