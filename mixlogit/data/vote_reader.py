"""Votes read and checked block by block, as often as wanted, by one process or several."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mixlogit.data.build import read_columns
from mixlogit.data.columns import Roles
from mixlogit.data.comparisons import Dropped
from mixlogit.data.feed import Feed
from mixlogit.data.findings import zero_margins
from mixlogit.data.load import LoadColumns, with_counts
from mixlogit.data.problems import BadRows, in_one_line, nothing_left, sift
from mixlogit.data.processes import Processes
from mixlogit.data.rows import Rows
from mixlogit.data.scan import Block, Scan
from mixlogit.errors import DataError
from mixlogit.run import Progress

__all__ = ["VoteReader"]


@dataclass(frozen=True)
class VoteReader:
    """Reads and checks votes.

    Attributes:
        feed: Their rows.
        roles: Which column is what.
        words: Word to outcome.
        counted: The columns of counted votes, by role, if there are any.
        bad_rows: `stop` or `drop`.
        processes: The processes that share the reading.
    """

    feed: Feed
    roles: Roles
    words: dict[str, str]
    counted: LoadColumns
    bad_rows: BadRows
    processes: Processes

    def blocks(self, progress: Progress | None, stage: str) -> Iterator[Block]:
        """The blocks of this process, without what was dropped."""
        for block, _ in self._read(progress, stage):
            yield block

    def _read(
        self, progress: Progress | None, stage: str
    ) -> Iterator[tuple[Block, tuple[Dropped, ...]]]:
        group, done = self.processes, 0
        names = [name for name in self.feed.schema.names if name in self._wanted()]
        with in_one_line():
            for covered, raw in self.feed.share(names, self.feed.block, group.rank, group.count):
                source, _, _ = with_counts(raw, self.counted, None)
                rows = Rows(source, self.roles)
                table = read_columns(rows, self.roles, self.words)
                among = partial(_among, covered, self.feed.n_rows)
                keep, dropped = sift(source, rows.problems, self.bad_rows, among)
                (part,) = source.parts
                number = np.arange(1, part.n + 1) if part.rows is None else part.rows
                if keep is not None:
                    table, number = table.keep(keep), number[keep]
                done += covered
                if progress is not None:
                    total = (self.feed.n_rows or 0) // group.count
                    progress(stage, min(done, total) if total else done, total)
                yield Block(table, part.file, number), dropped

    def _wanted(self) -> set[str]:
        """The columns to read."""
        roles = self.roles
        votes = [str(name) for role, name in self.counted.items() if role.startswith("votes_")]
        single = [roles.margin, roles.outcome, roles.respondent, roles.weight]
        return {name for name in (*single, *roles.groups, *votes) if name}

    def scan(self, progress: Progress | None) -> tuple[Scan, tuple[Dropped, ...]]:
        """Count everything, in all processes."""
        scan, dropped = Scan.of(self.roles.groups), list[Dropped]()
        with self.processes.together():
            for block, bad in self._read(progress, "counting"):
                scan.add(block)
                dropped += bad
        told = self.processes.gather([vars(one) for one in dropped])
        every = [Dropped(**one) for part in told for one in part]
        every.sort(key=lambda one: (one.file, one.row))
        scan.merge(self.processes)
        self._refuse_nothing(scan, tuple(every))
        return scan, tuple(every)

    def _refuse_nothing(self, scan: Scan, dropped: tuple[Dropped, ...]) -> None:
        """Refuse data of which nothing is left, and data that say nothing."""
        name = self.feed.name
        if not scan.votes and dropped:
            what = f"no row is left, all {len(dropped):,} are malformed"
            raise nothing_left(name, dropped, what)
        if not scan.votes:
            raise DataError(f"{name}: no rows, only column names.", file=name)
        if not scan.sizes[1]:
            raise zero_margins(name, scan.votes, str(self.roles.margin))


def _among(covered: int, n_rows: int | None) -> str:
    """Which rows a message counts: all of them, or those read together."""
    return "" if covered == n_rows else f" of the {covered:,} nearest"
