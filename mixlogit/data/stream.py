"""Any kind of data as a stream of batches, from any row on, without holding it in memory."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mixlogit.data.feed import Batches, Feed, chained, numbered
from mixlogit.data.opening import from_disk, from_hub, is_hub_id, one_split, open_source
from mixlogit.data.readers import files_in, format_of
from mixlogit.data.source import Part, Source
from mixlogit.data.stream_files import stream_csv, stream_jsonl, stream_parquet
from mixlogit.errors import DataError

__all__ = ["feed_of_dataset", "feed_of_file", "feed_of_source", "open_feed"]


def open_feed(data: Any, split: str, name: str | None) -> Feed:
    """The data as a stream, by what they are.

    Args:
        data: As `mixlogit.load` takes it, or a `datasets.IterableDataset`.
        split: Which split of a hub data set or a `DatasetDict` to use.
        name: What messages call the data; a path or hub id is called by itself if None.

    Returns:
        The stream.

    Raises:
        DataError: If the data cannot be read.
    """
    if isinstance(data, str | os.PathLike):
        path, text = Path(data), os.fspath(data)
        if not path.exists() and isinstance(data, str) and is_hub_id(text):
            return feed_of_dataset(from_hub(text, split=split), name or text)
        saved = from_disk(path, name or text)
        if saved is not None:
            return feed_of_dataset(one_split(saved, split, name or text), name or text)
        if path.is_dir():
            files = files_in(path, name or str(text))
            parts = [feed_of_file(f, str(Path(name or text) / f.name)) for f in files]
            return chained(name or str(text), parts)
        return feed_of_file(path, name or str(text))
    if type(data).__module__.partition(".")[0] == "datasets":
        return feed_of_dataset(one_split(data, split, name or "Dataset"), name or "Dataset")
    return feed_of_source(open_source(data, split, name))


def feed_of_file(path: Path, name: str) -> Feed:
    """One file as a stream.

    Args:
        path: The file.
        name: What messages call it.

    Returns:
        The stream.

    Raises:
        DataError: If it cannot be read.
    """
    kind = format_of(path, name)
    if kind == "parquet":
        return stream_parquet(path, name)
    if kind == "json":  # one value: it cannot be read in parts
        source = open_source(path, "", name)
        return feed_of_source(source, (path,))
    return stream_jsonl(path, name) if kind == "jsonl" else stream_csv(path, name)


def feed_of_source(source: Source, files: tuple[Path, ...] = ()) -> Feed:
    """A stream over data that are in memory anyway.

    Args:
        source: The data: one part, with row numbers that ascend.
        files: The files they come from.

    Returns:
        The stream; rows that could not be read stand where they stood.
    """
    source.check_names()
    (part,) = source.parts
    columns = {name: source.read(name) for name in source.names}
    kinds = {n: pa.string() if isinstance(c, list) else c.type for n, c in columns.items()}
    own = np.arange(1, part.n + 1) if part.rows is None else part.rows
    numbers = np.concatenate([own, [lost.row for lost in source.unreadable]]).astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    numbers, readable = numbers[order], (np.arange(len(numbers)) < part.n)[order]
    before = np.concatenate([[0], np.cumsum(readable)])

    def batches(start: int, size: int) -> Batches:
        for first in range(start, len(numbers), size):
            rows, good = numbers[first : first + size], readable[first : first + size]
            begin, end = int(before[first]), int(before[first + len(rows)])
            some = {name: column[begin:end] for name, column in columns.items()}
            batch = replace(
                source,
                read=some.__getitem__,
                parts=[Part(part.file, end - begin, rows[good])],
                unreadable=[lost for lost in source.unreadable if lost.row in rows[~good]],
                left_out={} if first else source.left_out,
            )
            yield len(rows), batch

    return Feed(source.name, pa.schema(list(kinds.items())), len(numbers), batches, files)


def feed_of_dataset(data: Any, name: str) -> Feed:
    """A `datasets.Dataset` or `IterableDataset` as a stream.

    Args:
        data: The data set.
        name: What messages call it.

    Returns:
        The stream.

    Raises:
        DataError: If it has no rows.
    """
    if not hasattr(data, "num_rows"):
        return _of_iterable(data, name)

    def batches(start: int, size: int) -> Batches:
        rows = data.with_format("arrow")
        for first in range(start, data.num_rows, size):
            table = rows[first : first + size]
            yield table.num_rows, numbered(table, name, first)

    return Feed(name, data.features.arrow_schema, data.num_rows, batches)


def _of_iterable(data: Any, name: str) -> Feed:
    rows = data.with_format("arrow")
    head = next(iter(rows.iter(1)), None)
    if head is None:
        raise DataError(f"{name}: no rows.", file=name)

    def batches(start: int, size: int) -> Batches:
        for table in (rows.skip(start) if start else rows).iter(size):
            yield table.num_rows, numbered(table, name, start)
            start += table.num_rows

    schema = head.schema if data.features is None else data.features.arrow_schema
    return Feed(name, schema, None, batches)
