"""CSV files: every cell is text, so that the name 04 stays 04."""

import csv
import io
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mixlogit.data.source import Part, Source, Unreadable
from mixlogit.data.values import Column
from mixlogit.errors import DataError
from mixlogit.run.words import plural

__all__ = ["cells_reason", "not_utf8", "pointed", "read_csv", "separator", "utf8_error"]

_BOM = b"\xef\xbb\xbf"
_BLOCK = 16 << 20
_COMMA = r"^(\s*[-+]?[0-9]+),([0-9]+(?:[eE][-+]?[0-9]+)?\s*)$"  # a number as 3,5 or -0,1e-3


def read_csv(name: str, data: pa.Buffer) -> Source:
    """A CSV file with a header, UTF-8 (with or without a byte-order mark).

    Cells are separated by commas, or by what `separator` finds. Where that is a semicolon,
    numbers may have a decimal comma, as spreadsheets write them in many countries. A line with
    more or fewer cells than the header is unreadable. Blank lines are no rows.

    Args:
        name: What messages call it.
        data: The bytes.

    Returns:
        The source.

    Raises:
        DataError: If there is no header, or the text is not UTF-8 or not CSV.
    """
    header, mark = _header(name, data)
    unreadable: list[Unreadable] = []
    try:
        table = _parse(data, header, mark, None)
    except pa.ArrowInvalid as first:
        wrong = not_utf8(name, bytes(data))
        if wrong:
            raise wrong from first
        bad: list[pacsv.InvalidRow] = []
        try:
            table = _parse(data, header, mark, bad)
        except pa.ArrowInvalid as error:
            raise _unreadable(name, error) from error
        unreadable = [
            Unreadable(
                name,
                row.number - 1,  # the header is not a row
                cells_reason(row.actual_columns, row.expected_columns),
            )
            for row in bad
        ]
    table = table.slice(1)
    rows = None
    if unreadable:
        every = np.arange(1, table.num_rows + len(unreadable) + 1)
        rows = np.setdiff1d(every, [row.row for row in unreadable])

    def read(column: str) -> Column:
        cells = table.column(header.index(column))
        return pc.replace_substring_regex(cells, _COMMA, r"\1.\2") if mark == ";" else cells

    return Source(
        name=name,
        names=header,
        read=read,
        parts=[Part(name, table.num_rows, rows)],
        textual=True,
        unreadable=unreadable,
    )


def separator(line: str) -> str:
    """What separates the cells of a CSV file: a comma, or else the semicolon or tab of its header.

    Args:
        line: The header.

    Example:
        >>> separator("margin,respondent"), separator("margin;respondent"), separator("margin")
        (',', ';', ',')
    """
    return next((mark for mark in ",;\t" if mark in line), ",")


def pointed(cell: str) -> str:
    """A cell whose number has a decimal comma, with a point; any other cell as it is.

    Example:
        >>> pointed("-3,5"), pointed("1,000,000"), pointed("x,5")
        ('-3.5', '1,000,000', 'x,5')
    """
    return re.sub(_COMMA, r"\1.\2", cell)


def not_utf8(name: str, data: bytes) -> DataError | None:
    """The error for a CSV file that is not UTF-8, with its row; None if it is UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("latin-1")
        row = max(0, sum(1 for line in csv.reader(io.StringIO(before, newline="")) if line) - 1)
        return utf8_error(name, row, data[error.start])
    return None


def utf8_error(name: str, row: int, byte: int) -> DataError:
    """The error for a byte that is not UTF-8, in a row counted from 1; row 0 is the header.

    Example:
        >>> str(utf8_error("votes.csv", 0, 0xE9)).split(". ")[0]
        'votes.csv, the header: byte 0xe9 is not UTF-8'
    """
    where = f"row {row}" if row else "the header"
    return DataError(
        f"{name}, {where}: byte 0x{byte:02x} is not UTF-8. "
        'Save the file as UTF-8, which spreadsheets call "CSV UTF-8".',
        file=name,
        row=row or None,
    )


def cells_reason(n: int, wanted: int) -> str:
    """What is wrong with a line that has not as many cells as the header.

    Example:
        >>> cells_reason(1, 3)
        '1 cell where the header has 3'
    """
    return f"{plural(n, 'cell')} where the header has {wanted}"


def _header(name: str, data: pa.Buffer) -> tuple[list[str], str]:
    """The first row that is not blank, and what separates its cells."""
    start = bytes(data[:_BLOCK]).removeprefix(_BOM).decode("utf-8", errors="replace")
    mark = separator(re.split(r"[\r\n]", start.lstrip("\r\n"), maxsplit=1)[0])
    text = io.StringIO(start, newline="")
    try:
        header = next((row for row in csv.reader(text, delimiter=mark) if row), None)
    except csv.Error as error:
        raise _unreadable(name, error) from error
    if header is None:
        raise DataError(f"{name}: the file is empty.", file=name)
    return header, mark


def _parse(
    data: pa.Buffer, header: list[str], mark: str, bad: list[pacsv.InvalidRow] | None
) -> pa.Table:
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
            delimiter=mark,
            newlines_in_values=True,
            invalid_row_handler=None if bad is None else skip,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def _unreadable(name: str, error: Exception) -> DataError:
    reason = str(error).splitlines()[0]
    return DataError(f"{name}: not a readable CSV file ({reason}).", file=name)
