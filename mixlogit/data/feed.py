"""`Feed`: rows in batches, from any row on."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mixlogit.data.names import written
from mixlogit.data.readers import checksum
from mixlogit.data.source import Part, Source, source_of_table
from mixlogit.data.values import Column, is_text, to_list

__all__ = ["Batches", "Feed", "as_type", "chained", "gathered", "joint_type", "numbered"]

Batches = Iterator[tuple[int, Source]]
_BLOCK = 10_000


@dataclass(frozen=True)
class Feed:
    """Rows in batches.

    Args:
        name: What messages call the data.
        schema: Names and types of the columns.
        n_rows: Number of rows, malformed ones included; None if only reading would tell.
        batches: From a row (counted from 0) on, in batches of a number of rows: how many rows a
            batch covers, and those of them that could be read.
        files: The files whose checksum identifies the data.
        own: As `share`, where the rows can be read by several processes.
        block: Rows to read at once where only numbers are wanted of them.
    """

    name: str
    schema: pa.Schema
    n_rows: int | None
    batches: Callable[[int, int], Batches]
    files: tuple[Path, ...] = ()
    own: Callable[[Sequence[str], int, int, int], Batches] | None = None
    block: int = 1 << 16

    def share(self, names: Sequence[str], size: int, rank: int, count: int) -> Batches:
        """One of several shares of the rows; every row is in exactly one of them.

        Args:
            names: The columns wanted, in the schema; there may be more.
            size: Rows of a batch.
            rank: Which share.
            count: Number of shares.
        """
        if self.own is not None:
            return self.own(names, size, rank, count)
        return self.batches(0, size) if rank == 0 else iter(())

    def sha256(self) -> str | None:
        """Checksum of the files, or of the values of data that are no files.

        None for an iterable data set, which may be endless.
        """
        if self.files:
            return checksum(list(self.files))
        if self.n_rows is None:
            return None
        digest = hashlib.sha256(json.dumps(self.schema.names).encode())
        for _, source in self.batches(0, _BLOCK):
            for name in self.schema.names:
                digest.update(json.dumps(to_list(source.read(name)), default=str).encode())
        return digest.hexdigest()


def chained(name: str, feeds: list[Feed]) -> Feed:
    """Several streams one after the other; a column that a part lacks is null there.

    Args:
        name: What messages call the whole.
        feeds: At least one stream.

    Returns:
        The stream. Its batches end where a part ends.
    """
    if len(feeds) == 1:
        return replace(feeds[0], name=name)
    names = list(dict.fromkeys(column for feed in feeds for column in feed.schema.names))
    kinds = [
        joint_type([f.schema.field(column).type for f in feeds if column in f.schema.names])
        for column in names
    ]

    def batches(start: int, size: int) -> Batches:
        for feed in feeds:
            if feed.n_rows is None or start < feed.n_rows:
                for covered, source in feed.batches(start, size):
                    yield covered, _with_columns(source, names)
            if start:
                n = _count(feed) if feed.n_rows is None else feed.n_rows
                start = max(0, start - n)

    def own(wanted: Sequence[str], size: int, rank: int, count: int) -> Batches:
        for k, feed in enumerate(feeds):  # the first share of each goes to another process
            there = [column for column in wanted if column in feed.schema.names]
            for covered, source in feed.share(there, size, (rank - k) % count, count):
                yield covered, _with_columns(source, list(wanted))

    sizes = [feed.n_rows for feed in feeds]
    block = min(feed.block for feed in feeds)
    files = tuple(file for feed in feeds for file in feed.files)
    total = None if None in sizes else sum(n for n in sizes if n is not None)
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    return Feed(name, schema, total, batches, files, own, block)


def _with_columns(source: Source, names: list[str]) -> Source:
    def read(column: str) -> Column:
        if column in source.names:
            return source.read(column)
        return pa.chunked_array([pa.nulls(source.n_rows)])

    return replace(source, names=names, read=read)


def gathered(feed: Feed) -> Source:
    """All of a stream, in memory.

    Args:
        feed: The stream.

    Returns:
        The source, with the checksum of its files.
    """
    batches = [source for _, source in feed.batches(0, _BLOCK)]
    left_out: Counter[str] = Counter()
    for source in batches:
        left_out.update(source.left_out)

    def read(column: str) -> Any:
        kind = feed.schema.field(column).type
        parts = [as_type(source.read(column), kind) for source in batches]
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], type=kind)

    return Source(
        name=feed.name,
        names=list(feed.schema.names),
        read=read,
        parts=[part for source in batches for part in source.parts],
        textual=all(source.textual for source in batches),
        unreadable=[lost for source in batches for lost in source.unreadable],
        sha256=checksum(list(feed.files)) if feed.files else None,
        left_out=left_out,
    )


def _count(feed: Feed) -> int:
    return sum(covered for covered, _ in feed.batches(0, _BLOCK))


def as_type(column: Column, kind: Any) -> Any:
    """A raw column in the type that its whole data set has.

    Numbers, lists and objects among texts are written as text.

    Example:
        >>> as_type([1, "x", None, [2]], pa.string()).to_pylist()
        ['1', 'x', None, '[2]']
    """
    if not isinstance(column, list):
        if column.type.equals(kind):
            return column
        if not is_text(kind) or is_text(column.type) or pa.types.is_null(column.type):
            try:
                return column.cast(kind)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
                pass  # structs whose fields differ: by way of Python
    values = to_list(column)
    if is_text(kind):
        values = [written(value) for value in values]
    return pa.chunked_array([pa.array(values, type=kind)])


def numbered(table: pa.Table, name: str, first: int) -> Source:
    """A table whose first row is row `first` (from 0) of the data.

    Example:
        >>> numbered(pa.table({"margin": [0.5, 1.0]}), "votes", 40).locate(1)
        ('votes', 42)
    """
    source = source_of_table(table, name)
    rows = np.arange(first + 1, first + 1 + table.num_rows)
    source.parts = [Part(name, table.num_rows, rows)]
    return source


def joint_type(kinds: list[Any]) -> Any:
    """One type for all; text where there is none.

    Example:
        >>> joint_type([pa.null(), pa.int64(), pa.float64()]), joint_type([pa.int64(), pa.bool_()])
        (DataType(double), DataType(string))
    """
    schemas = [pa.schema([("column", kind)]) for kind in kinds]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()
