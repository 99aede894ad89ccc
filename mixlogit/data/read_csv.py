"""CSV files: every cell is text, so that the name 04 stays 04."""

import csv
import io

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from mixlogit.data.source import Part, Source, Unreadable
from mixlogit.errors import DataError

__all__ = ["not_utf8", "read_csv"]

_BOM = b"\xef\xbb\xbf"
_BLOCK = 16 << 20


def read_csv(name: str, data: pa.Buffer) -> Source:
    """A CSV file with a header, comma-separated, UTF-8 (with or without a byte-order mark).

    A line with more or fewer cells than the header is unreadable. Blank lines are no rows.

    Args:
        name: What messages call it.
        data: The bytes.

    Returns:
        The source.

    Raises:
        DataError: If there is no header, or the text is not UTF-8 or not CSV.
    """
    header = _header(name, data)
    unreadable: list[Unreadable] = []
    try:
        table = _parse(data, header, None)
    except pa.ArrowInvalid as first:
        wrong = not_utf8(name, bytes(data))
        if wrong:
            raise wrong from first
        bad: list[pacsv.InvalidRow] = []
        try:
            table = _parse(data, header, bad)
        except pa.ArrowInvalid as error:
            raise _unreadable(name, error) from error
        unreadable = [
            Unreadable(
                name,
                row.number - 1,  # the header is not a row
                f"{_cells(row.actual_columns)} where the header has {row.expected_columns}",
            )
            for row in bad
        ]
    table = table.slice(1)
    rows = None
    if unreadable:
        every = np.arange(1, table.num_rows + len(unreadable) + 1)
        rows = np.setdiff1d(every, [row.row for row in unreadable])
    return Source(
        name=name,
        names=header,
        read=lambda column: table.column(header.index(column)),
        parts=[Part(name, table.num_rows, rows)],
        textual=True,
        unreadable=unreadable,
    )


def not_utf8(name: str, data: bytes) -> DataError | None:
    """The error for a CSV file that is not UTF-8, with its row; None if it is UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("latin-1")
        row = max(0, sum(1 for line in csv.reader(io.StringIO(before, newline="")) if line) - 1)
        where = f"row {row}" if row else "the header"
        return DataError(
            f"{name}, {where}: byte 0x{data[error.start]:02x} is not UTF-8. "
            "Save the file as UTF-8.",
            file=name,
            row=row or None,
        )
    return None


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"


def _header(name: str, data: pa.Buffer) -> list[str]:
    """The first row that is not blank."""
    start = bytes(data[:_BLOCK]).removeprefix(_BOM)
    text = io.StringIO(start.decode("utf-8", errors="replace"), newline="")
    try:
        header = next((row for row in csv.reader(text) if row), None)
    except csv.Error as error:
        raise _unreadable(name, error) from error
    if header is None:
        raise DataError(f"{name}: the file is empty.", file=name)
    return header


def _parse(data: pa.Buffer, header: list[str], bad: list[pacsv.InvalidRow] | None) -> pa.Table:
    """All cells as text, the header as the first row; bad lines are skipped if wanted."""

    def skip(row: pacsv.InvalidRow) -> str:
        assert bad is not None
        bad.append(row)
        return "skip"

    names = [str(i) for i in range(len(header))]  # header names may repeat
    return pacsv.read_csv(
        pa.BufferReader(data),
        read_options=pacsv.ReadOptions(
            use_threads=bad is None,  # rows are numbered in one thread only
            column_names=names,
            block_size=min(max(data.size + 1, 1024), 2**31 - 1) if bad is not None else _BLOCK,
        ),
        parse_options=pacsv.ParseOptions(
            newlines_in_values=True, invalid_row_handler=None if bad is None else skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def _unreadable(name: str, error: Exception) -> DataError:
    reason = str(error).splitlines()[0]
    return DataError(f"{name}: not a readable CSV file ({reason}).", file=name)
