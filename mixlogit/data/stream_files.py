"""Files as streams of batches: Parquet by row groups, JSONL and CSV line by line."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mixlogit.data.feed import Batches, Feed, joint_type, numbered
from mixlogit.data.read_csv import cells_reason, pointed, separator, utf8_error
from mixlogit.data.read_json import Record, json_records
from mixlogit.data.readers import coded_parquet, opened, reading_parquet
from mixlogit.data.source import Part, Source, Unreadable, source_of_table, to_column
from mixlogit.errors import DataError

__all__ = ["stream_csv", "stream_jsonl", "stream_parquet"]

Records = Iterator[tuple[int, Record | str]]

_AT_ONCE = 1 << 20  # rows of numbers read at once
_BLOCK = 10_000  # records looked at together to learn the types of a JSONL file
_LONGEST = 2**31 - 1  # characters of a CSV cell; the default is 128 kB, and some texts are longer


def stream_parquet(path: Path, name: str) -> Feed:
    """A Parquet file, by row groups.

    Args:
        path: The file.
        name: What messages call it.

    Returns:
        The stream.

    Raises:
        DataError: If it cannot be read.
    """
    with reading_parquet(name), pq.ParquetFile(path) as file:
        schema, n = file.schema_arrow, file.metadata.num_rows
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    source_of_table(schema.empty_table(), name).check_names()
    ends = np.cumsum(sizes, dtype=np.int64)

    def batches(start: int, size: int) -> Batches:
        group = int(np.searchsorted(ends, start, side="right"))
        skip = start - int(ends[group - 1] if group else 0)
        first = start
        with reading_parquet(name), pq.ParquetFile(path, memory_map=True) as file:
            groups = list(range(group, len(sizes)))
            parts = file.iter_batches(size, row_groups=groups, use_threads=False)
            for table in _regrouped(parts, schema, skip, size):
                yield table.num_rows, numbered(table, name, first)
                first += table.num_rows

    def own(names: Sequence[str], size: int, rank: int, count: int) -> Batches:
        with reading_parquet(name), coded_parquet(path, memory_map=False) as file:
            for group in range(rank, len(sizes), count):
                first = int(ends[group]) - sizes[group]
                options = {"row_groups": [group], "columns": list(names), "use_threads": False}
                for part in file.iter_batches(size, **options):
                    table = pa.Table.from_batches([part])
                    yield table.num_rows, numbered(table, name, first)
                    first += table.num_rows

    return Feed(name, pa.schema(list(schema)), n, batches, (path,), own, _AT_ONCE)


def _regrouped(parts: Any, schema: pa.Schema, skip: int, size: int) -> Iterator[pa.Table]:
    """The same rows, without the first `skip`, in tables of `size` rows."""
    held = schema.empty_table()
    for part in parts:
        table = pa.Table.from_batches([part])
        held = pa.concat_tables([held, table.slice(skip)])
        skip = max(0, skip - table.num_rows)
        while held.num_rows >= size:
            yield held.slice(0, size)
            held = held.slice(size)
    if held.num_rows:
        yield held


def stream_csv(path: Path, name: str) -> Feed:
    """A CSV file, line by line; every value is text and its length is not known beforehand.

    Args:
        path: The file.
        name: What messages call it.

    Returns:
        The stream.

    Raises:
        DataError: If it cannot be read.
    """
    with opened(path, name) as file:
        header = next(_cells(file, name), None)
    if header is None:
        raise DataError(f"{name}: the file is empty.", file=name)
    source_of_table(pa.table([[]] * len(header), names=header), name).check_names()

    def records() -> Records:
        with opened(path, name) as file:
            for row, cells in enumerate(islice(_cells(file, name), 1, None), 1):
                if len(cells) == len(header):
                    yield row, dict(zip(header, cells, strict=True))
                else:
                    yield row, cells_reason(len(cells), len(header))

    schema = pa.schema([(column, pa.string()) for column in header])
    return Feed(name, schema, None, _record_batches(records, name, header, True), (path,))


def _cells(file: Any, name: str) -> Iterator[list[str]]:
    """The rows of a CSV file that are not blank."""
    row = 0
    with io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as lines:
        try:
            first = next((line for line in lines if line.strip("\r\n")), "")
            mark = separator(first)
            for cells in filter(
                None, _long_rows(csv.reader(chain([first], lines), delimiter=mark))
            ):
                if not "".join(cells).isascii():
                    _check_utf8(cells, name, row)
                yield [pointed(cell) for cell in cells] if mark == ";" else cells
                row += 1
        except csv.Error as error:
            raise DataError(f"{name}: not a readable CSV file ({error}).", file=name) from error


def _long_rows(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows whose cells may be long. The limit is the whole process's: each row puts it back."""
    while True:
        before = csv.field_size_limit(_LONGEST)
        try:
            cells = next(rows, None)
        finally:
            csv.field_size_limit(before)
        if cells is None:
            return
        yield cells


def _check_utf8(cells: list[str], name: str, row: int) -> None:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError as error:
        raise utf8_error(name, row, ord(error.object[error.start]) - 0xDC00) from error


def stream_jsonl(path: Path, name: str) -> Feed:
    """A file with one JSON object a line; it is read once beforehand, to learn its columns.

    Args:
        path: The file.
        name: What messages call it.

    Returns:
        The stream.

    Raises:
        DataError: If it cannot be read.
    """

    def records() -> Records:
        with opened(path, name) as file:
            yield from json_records(file)

    kinds: dict[str, list[Any]] = {}
    n = 0
    rows = records()
    while block := list(islice(rows, _BLOCK)):
        n += len(block)
        good = [record for _, record in block if isinstance(record, dict)]
        for key in dict.fromkeys(key for record in good for key in record):
            column = to_column([record.get(key) for record in good])
            kind = pa.string() if isinstance(column, list) else column.type
            kinds[key] = [joint_type([*kinds.get(key, []), kind])]
    if n == 0:
        raise DataError(f"{name}: the file is empty.", file=name)
    schema = pa.schema([(key, kind) for key, (kind,) in kinds.items()])
    return Feed(name, schema, n, _record_batches(records, name, schema.names, False), (path,))


def _record_batches(
    records: Callable[[], Records], name: str, names: list[str], textual: bool
) -> Callable[[int, int], Batches]:
    def batches(start: int, size: int) -> Batches:
        rows = records()
        for _ in islice(rows, start):
            pass
        while block := list(islice(rows, size)):
            good = [(row, record) for row, record in block if isinstance(record, dict)]
            columns = {key: to_column([record.get(key) for _, record in good]) for key in names}
            numbers = np.array([row for row, _ in good], dtype=np.int64)
            yield (
                len(block),
                Source(
                    name=name,
                    names=names,
                    read=columns.__getitem__,
                    parts=[Part(name, len(good), numbers)],
                    textual=textual,
                    unreadable=[Unreadable(name, n, r) for n, r in block if isinstance(r, str)],
                ),
            )

    return batches
