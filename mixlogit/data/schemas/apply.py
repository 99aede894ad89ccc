"""A known data set as a stream of comparisons: found, read and mapped."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mixlogit.data.feed import Batches, Feed, chained
from mixlogit.data.opening import from_hub, is_hub_id
from mixlogit.data.readers import FORMATS, files_in
from mixlogit.data.schemas.base import LeftOut, Malformed, Row, Schema
from mixlogit.data.source import Part, Source, Unreadable, source_of_table
from mixlogit.data.stream import feed_of_dataset, feed_of_file, feed_of_source, open_feed
from mixlogit.data.values import to_list
from mixlogit.errors import DataError

__all__ = ["mapped_feed", "raw_feed"]

_ALL = 1 << 40  # rows in one batch


def raw_feed(data: Any, schema: Schema, split: str | None, name: str | None) -> Feed:
    """The rows of a known data set as it writes them.

    Args:
        data: Its hub id (or that of a copy), a local file or folder, or a table in memory.
        schema: Which data set it is.
        split: The split; None for the schema's own.
        name: What messages call it.

    Returns:
        The stream.

    Raises:
        DataError: If it cannot be read.
    """
    split = split or schema.split
    if not isinstance(data, str | os.PathLike):
        return open_feed(data, split, name)
    path, text = Path(data), name or os.fspath(data)
    if not path.exists() and isinstance(data, str) and is_hub_id(data):
        parts = [
            feed_of_dataset(_load(data, schema.config, split, part), f"{text}/{part}".rstrip("/"))
            for part in schema.data_dirs or ("",)
        ]
        return chained(text, parts)
    if path.is_dir():
        files = _files(path, schema, split) or files_in(path, text)
        parts = [feed_of_file(file, str(Path(text) / file.relative_to(path))) for file in files]
        return chained(text, parts)
    return feed_of_file(path, text)


def mapped_feed(data: Any, schema: Schema, split: str | None, name: str | None) -> Feed:
    """The comparisons of a known data set.

    Args:
        data: As for `raw_feed`.
        schema: Which data set it is.
        split: The split; None for the schema's own.
        name: What messages call it.

    Returns:
        The stream. Rows that are not as the schema says count as unreadable, comparisons that
        say nothing as left out.

    Raises:
        DataError: If the data cannot be read, or lack a column.
    """
    raw = raw_feed(data, schema, split, name)
    for column in schema.needs:
        if column not in raw.schema.names:
            raise DataError(
                f'{raw.name}: no column "{column}", which --schema {schema.name} needs. '
                f"Columns: {', '.join(raw.schema.names)}.",
                file=raw.name,
                column=column,
            )
    beside = _beside(data, schema, split)
    if schema.whole:
        feeds = [
            feed_of_source(_mapped(source, schema, beside)) for _, source in raw.batches(0, _ALL)
        ]
        return replace(chained(raw.name, feeds), files=raw.files)

    def batches(start: int, size: int) -> Batches:
        for covered, source in raw.batches(start, size):
            yield covered, _mapped(source, schema, beside)

    return replace(raw, schema=schema.columns, batches=batches)


def _load(name: str, config: str | None, split: str, part: str = "") -> Any:
    options = {"name": config, "data_dir": part, "split": split}
    return from_hub(name, **{key: value for key, value in options.items() if value})


def _files(folder: Path, schema: Schema, split: str) -> list[Path]:
    """The files that the first fitting pattern finds."""
    for pattern in schema.files:
        found = _found(folder, pattern.format(split=split))
        if found:
            return found
    return []


def _found(folder: Path, pattern: str) -> list[Path]:
    """The files of a format that can be read."""
    return sorted(
        file
        for file in folder.glob(pattern)
        if {suffix.lower().lstrip(".") for suffix in file.suffixes} & set(FORMATS)
    )


def _beside(data: Any, schema: Schema, split: str | None) -> dict[Any, Row]:
    """The rows of the second table by their key; none for a table in memory."""
    if schema.beside is None or not isinstance(data, str | os.PathLike):
        return {}
    table, key = schema.beside
    path = Path(data)
    if not path.exists():
        feed = feed_of_dataset(_load(str(data), table, split or schema.split), f"{data}/{table}")
    else:
        folder = path if path.is_dir() else path.parent
        found = _found(folder, f"{table}.*")
        if not found:
            raise DataError(
                f"{data}: no {table} file beside it, from which its groups come. Put "
                f"{table}.jsonl of {schema.title} into the same folder.",
                file=str(data),
            )
        feed = feed_of_file(found[0], str(found[0]))
    return {
        row[key]: row
        for _, source in feed.batches(0, _ALL)
        for row in _rows(source, tuple(feed.schema.names))
    }


def _mapped(source: Source, schema: Schema, beside: dict[Any, Row]) -> Source:
    """The comparisons that rows hold."""
    file = source.parts[0].file
    rows = _rows(source, (*schema.needs, *schema.uses))
    if schema.beside is not None:
        table, key = schema.beside
        rows = [{**row, table: beside.get(row[key])} for row in rows]
    made: list[dict[str, Any]] = []
    at: list[int] = []
    lost = list(source.unreadable)
    left_out: Counter[str] = Counter()
    for i, each in schema.comparisons(rows, file):
        if isinstance(each, LeftOut):
            left_out[each.reason] += 1
        elif isinstance(each, Malformed):
            lost.append(Unreadable(file, source.locate(i)[1], str(each)))
        else:
            made.append(each)
            at.append(source.locate(i)[1])
    found = source_of_table(pa.Table.from_pylist(made, schema=schema.columns), source.name)
    found.parts = [Part(file, len(made), np.array(at, dtype=np.int64))]
    found.unreadable = sorted(lost, key=lambda row: row.row)
    found.left_out = left_out
    return found


def _rows(source: Source, names: tuple[str, ...]) -> list[Row]:
    """The rows as dictionaries; a column that is not there is None."""
    columns = [to_list(source.read(n)) for n in names if n in source.names]
    there = [name for name in names if name in source.names]
    nothing = dict.fromkeys(names)
    return [
        {**nothing, **dict(zip(there, row, strict=True))} for row in zip(*columns, strict=True)
    ]
