"""`texts`: comparisons of texts as a stream of Arrow tables, checked row by row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mixlogit.data.build import read_columns
from mixlogit.data.columns import ColumnNames, Roles, no_text, resolve
from mixlogit.data.comparisons import Dropped
from mixlogit.data.feed import Batches, Feed, as_type
from mixlogit.data.messages import MESSAGES, holds_messages, is_messages
from mixlogit.data.outcomes import OutcomeLabels, outcome_labels
from mixlogit.data.problems import BadRows, in_one_line, sift
from mixlogit.data.rows import Rows
from mixlogit.data.schemas import mapped_feed, schema_named
from mixlogit.data.source import Part, Source, source_of_table
from mixlogit.data.stream import open_feed
from mixlogit.data.values import Column
from mixlogit.errors import UsageError

__all__ = ["TextBatch", "Texts", "texts"]

_BATCH = 1_000


@dataclass(frozen=True)
class TextBatch:
    """Some comparisons of texts, in the order of the data.

    Attributes:
        table: `prompt` (unless the answers hold it), `chosen` and `rejected`, each text or lists
            of messages, and every other column, in the data's order.
        source: Which file and row each row of the table came from, for messages.
        start: The first row of the data that it covers, counted from 0.
        end: The row behind the last one. A new start at `end` continues with the next batch.
        dropped: Malformed rows that were left out.
        left_out: Comparisons that a schema left out since they say nothing: reason to number.
    """

    table: pa.Table
    source: Source
    start: int
    end: int
    dropped: tuple[Dropped, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


class Texts:
    """Comparisons of texts, read batch by batch as often as wanted; made by `texts`.

    Attributes:
        name: What messages call the data.
        roles: Which column is what.
        n_rows: Rows of the data, malformed ones included; None if only reading would tell.
        schema: Names and types of the columns of every batch.
    """

    def __init__(
        self, feed: Feed, roles: Roles, labels: OutcomeLabels, bad_rows: BadRows, batch_rows: int
    ) -> None:
        self.name = feed.name
        self.roles = roles
        self.n_rows = feed.n_rows
        self._feed = feed
        self._words = outcome_labels(labels)
        self._bad_rows = bad_rows
        self._batch_rows = batch_rows
        self._of_messages = self._are_messages()
        text = MESSAGES if self._of_messages else pa.string()
        new = {column: role for role, column in roles.texts.items()}
        self.schema = pa.schema(
            [
                (new[field.name], text) if field.name in new else (field.name, field.type)
                for field in feed.schema
            ]
        )
        twice = [name for name in new.values() if self.schema.names.count(name) > 1]
        if twice:
            raise UsageError(
                f'{self.name}: there is a column "{twice[0]}" besides the one named by '
                f"--{twice[0]}. Rename it."
            )

    def __iter__(self) -> Iterator[TextBatch]:
        return self.batches()

    @cached_property
    def sha256(self) -> str | None:
        """Checksum of the file or files, or of the values; None for an iterable data set."""
        return self._feed.sha256()

    def batches(self, start: int = 0) -> Iterator[TextBatch]:
        """Batches from a row of the data on, counted from 0.

        Args:
            start: The first row, such as the `end` of the last batch that is done with.

        Yields:
            Batches of up to `batch_rows` rows of the data.

        Raises:
            DataError: If a row is malformed and they are not dropped.
        """
        feed = self._feed.batches(start, self._batch_rows)
        with in_one_line():
            for covered, source in feed:
                rows = Rows(source, self.roles)
                said = self._read(rows)
                end = start + covered
                among = partial(_among, feed, end)
                keep, dropped = sift(source, rows.problems, self._bad_rows, among)
                yield self._batch(source, said, keep, (start, end), dropped)
                start = end

    def _are_messages(self) -> bool:
        """Whether prompts and answers are lists of messages, by the first chosen answer."""
        for role in ("chosen", "rejected"):
            if getattr(self.roles, role) is None:
                raise no_text(self.name, self._feed.schema.names, role)
        chosen = str(self.roles.chosen)
        if is_messages(self._feed.schema.field(chosen).type):
            return True
        _, first = next(self._feed.batches(0, 1), (0, None))
        return first is not None and holds_messages(first.read(chosen))

    def _read(self, rows: Rows) -> dict[str, Column]:
        """Prompts and answers, by column; everything with a role is checked on the way."""
        said: dict[str, Column] = {}
        for column in self.roles.texts.values():
            if self._of_messages:
                said[column] = rows.messages(column)
            else:
                rows.plain_texts(column)
                said[column] = rows.source.read(column)
        others = replace(self.roles, prompt=None, chosen=None, rejected=None)
        read_columns(rows, others, self._words)
        return said

    def _batch(
        self,
        source: Source,
        said: dict[str, Column],
        keep: NDArray[np.bool_] | None,
        covered: tuple[int, int],
        dropped: tuple[Dropped, ...],
    ) -> TextBatch:
        columns = []
        for name, kind in zip(self._feed.schema.names, self.schema.types, strict=True):
            column = said[name] if name in said else source.read(name)
            columns.append(as_type(_kept(column, keep), kind))
        table = pa.table(columns, schema=self.schema)
        rows = np.arange(source.n_rows) if keep is None else np.flatnonzero(keep)
        numbers = np.array([source.locate(i)[1] for i in rows.tolist()], dtype=np.int64)
        kept = source_of_table(table, self.name)
        kept.parts = [Part(source.parts[0].file, len(numbers), numbers)]
        return TextBatch(table, kept, *covered, dropped, source.left_out)


def texts(
    data: Any,
    *,
    schema: str | None = None,
    labels: OutcomeLabels = None,
    bad_rows: BadRows = "stop",
    split: str | None = None,
    source: str | None = None,
    batch_rows: int = _BATCH,
    **columns: Unpack[ColumnNames],
) -> Texts:
    """Comparisons of texts as a stream: nothing but the current batch is held in memory.

    A column that is not named is found by its role's own name, as by `load`. Every other column
    (groups, ids, grades) goes along.

    Args:
        data: As `load` takes it, or a `datasets.IterableDataset`. Parquet is read by row groups,
            CSV and JSONL (also .gz) line by line; JSONL is read twice, since only all of it
            tells which columns there are.
        schema: A known data set, one of `schemas()`: its rows are turned into comparisons.
        labels: Other words for outcomes: `"a=1,b=2,tie=equal"` or the same as a dictionary.
        bad_rows: `stop` at the first malformed row, or `drop` such rows and list them.
        split: Which split of a hub data set or a `DatasetDict` to use; `train`, or the schema's
            own, if None.
        source: What messages call the data; a path is called by itself.
        batch_rows: Most rows of the data in a batch.
        **columns: Column names by role, as for `load`. Prompts and answers are text or lists of
            messages with role and content; without a prompt the answers hold it.

    Returns:
        The comparisons, to be iterated over.

    Raises:
        DataError: If the data cannot be read or lack texts.
        UsageError: If the columns named do not fit together.

    Example:
        >>> table = pa.table({"better": ["Yes."], "worse": ["No."], "who": ["w1"]})
        >>> for batch in texts(table, chosen="better", rejected="worse"):
        ...     print(batch.table.column_names, batch.start, batch.end)
        ['chosen', 'rejected', 'who'] 0 1
    """
    if batch_rows < 1:
        raise UsageError(f"Expected batch_rows of 1 or more but got {batch_rows}.")
    with in_one_line():
        if schema is None:
            feed = open_feed(data, split or "train", source)
        else:
            feed = mapped_feed(data, schema_named(schema), split, source)
        roles = resolve(source_of_table(feed.schema.empty_table(), feed.name), **columns)
        return Texts(feed, roles, labels, bad_rows, batch_rows)


def _among(rest: Batches, end: int) -> str:
    """Which rows a message counts: all of them, or those up to the batch that it is about."""
    return "" if next(rest, None) is None else f" of the first {end:,}"


def _kept(column: Column, keep: NDArray[np.bool_] | None) -> Column:
    if keep is None:
        return column
    if isinstance(column, list):
        return [value for value, kept in zip(column, keep, strict=True) if kept]
    return column.filter(pa.array(keep))
