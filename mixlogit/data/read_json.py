"""JSON and JSON-lines files."""

import io
import json
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from mixlogit.data.source import Part, Source, Unreadable, merged, to_column
from mixlogit.data.values import Column, kind_of
from mixlogit.errors import DataError

__all__ = ["Record", "json_records", "read_json", "read_jsonl"]

_BOM = b"\xef\xbb\xbf"
_BLOCK = 50_000  # records turned into columns at a time
Record = dict[str, object]


def read_jsonl(name: str, data: pa.Buffer) -> Source:
    """A file with one JSON object a line; blank lines are no rows.

    Args:
        name: What messages call it.
        data: The bytes, UTF-8.

    Returns:
        The source; lines that hold no object are unreadable.

    Raises:
        DataError: If every line is blank.
    """
    unreadable: list[Unreadable] = []
    rows: list[int] = []
    blocks: list[dict[str, Column]] = []
    block: list[Record] = []
    sizes: list[int] = []
    for row, record in json_records(io.BytesIO(data)):
        if isinstance(record, str):
            unreadable.append(Unreadable(name, row, record))
            continue
        block.append(record)
        rows.append(row)
        if len(block) == _BLOCK:
            blocks.append(_columns(block))
            sizes.append(len(block))
            block = []
    if block:
        blocks.append(_columns(block))
        sizes.append(len(block))
    if not rows and not unreadable:
        raise DataError(f"{name}: the file is empty.", file=name)
    source = _source(name, blocks, sizes)
    source.unreadable = unreadable
    if unreadable:
        source.parts = [Part(name, len(rows), np.array(rows, dtype=np.int64))]
    return source


def read_json(name: str, data: pa.Buffer) -> Source:
    """A JSON file: a list of records, `{"data": [records]}`, or columns `{"margin": [...]}`.

    A file of one object a line is read as JSON lines, whatever its name.

    Args:
        name: What messages call it.
        data: The bytes, UTF-8.

    Returns:
        The source.

    Raises:
        DataError: If the file is not JSON, or holds something else.
    """
    value = _parse(bytes(data).removeprefix(_BOM))
    if isinstance(value, _Broken):
        first = _parse(bytes(data).removeprefix(_BOM).strip().split(b"\n", 1)[0])
        if isinstance(first, dict):
            return read_jsonl(name, data)
        raise DataError(f"{name}: not valid JSON ({value.reason}).", file=name)
    if isinstance(value, dict) and _holds_records(value.get("data")):
        value = value["data"]
    if isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values()):
        lengths = {key: len(column) for key, column in value.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{key} {n:,}" for key, n in lengths.items())
            raise DataError(f"{name}: columns of different lengths ({shown}).", file=name)
        columns = {key: to_column(column) for key, column in value.items()}
        return _source(name, [columns], [next(iter(lengths.values()))])
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise DataError(
            f"{name}: the file holds {kind_of(value)}. It should hold a list of records.",
            file=name,
        )
    bad = [i for i, record in enumerate(value) if not isinstance(record, dict)]
    good = [record for record in value if isinstance(record, dict)]
    source = _source(name, [_columns(good)] if good else [], [len(good)])
    if bad:
        reasons = [f"not a JSON object but {_shown_kind(value[i])}" for i in bad]
        source.unreadable = [Unreadable(name, i + 1, r) for i, r in zip(bad, reasons, strict=True)]
        source.parts = [Part(name, len(good), np.setdiff1d(np.arange(len(value)), bad) + 1)]
    return source


def _holds_records(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(record, dict) for record in value)


class _Broken:
    """Why bytes are not JSON."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def json_records(lines: Iterable[bytes]) -> Iterator[tuple[int, Record | str]]:
    """Row number and record of each line that is not blank, or what is wrong with it.

    Example:
        >>> list(json_records([b'{"margin": 1}', b"", b"oops"]))[1]
        (2, 'not valid JSON (Expecting value at column 1)')
    """
    row = 0
    for line in lines:
        if row == 0:
            line = line.removeprefix(_BOM)
        if not line.strip():
            continue
        row += 1
        value = _parse(line)
        if isinstance(value, _Broken):
            yield row, f"not valid JSON ({value.reason})"
        elif isinstance(value, dict):
            yield row, value
        else:
            yield row, f"not a JSON object but {_shown_kind(value)}"


def _parse(text: bytes) -> object:
    try:
        return _DECODER.decode(text.decode())
    except UnicodeDecodeError as error:
        return _Broken(f"byte 0x{text[error.start]:02x} is not UTF-8")
    except json.JSONDecodeError as error:
        return _Broken(f"{error.msg} at column {error.colno}")
    except RecursionError:
        return _Broken("brackets are nested too deeply")
    except ValueError as error:  # an integer of thousands of digits, or a key given twice
        return _Broken(str(error).split(";")[0])


def _object(pairs: list[tuple[str, object]]) -> Record:
    record = dict(pairs)
    if len(record) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f'key "{twice}" is given twice')
    return record


def _shown_kind(value: object) -> str:
    return "null" if value is None else kind_of(value)


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _columns(records: list[Record]) -> dict[str, Column]:
    """Records as columns; a key that a record lacks is null there."""
    keys = dict.fromkeys(key for record in records for key in record)
    return {key: to_column([record.get(key) for record in records]) for key in keys}


def _source(name: str, blocks: list[dict[str, Column]], sizes: list[int]) -> Source:
    names = list(dict.fromkeys(key for block in blocks for key in block))

    def read(column: str) -> Column:
        return merged(
            [
                block[column] if column in block else pa.chunked_array([pa.nulls(size)])
                for block, size in zip(blocks, sizes, strict=True)
            ]
        )

    return Source(name=name, names=names, read=read, parts=[Part(name, sum(sizes))])
