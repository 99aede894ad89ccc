"""Raw columns: what their values are, and which rows are wrong.

A raw column is an Arrow chunked array, or a list of Python objects where the values have no
common type. The Arrow paths never touch a row in Python; the list paths may, as they are only
taken for data that hold a mistake or an unusual type.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = [
    "Bad",
    "Column",
    "Floats",
    "Ints",
    "is_text",
    "kind_of",
    "listed",
    "null_rows",
    "others",
    "plain",
    "printable",
    "to_list",
    "type_kind",
]

Column = Any  # pa.ChunkedArray | list[object]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Bad:
    """Rows of one column that are wrong in the same way.

    Args:
        kind: `missing`, `empty`, `nan`, `inf`, `huge`, or what the value is instead: `text`,
            `broken text`, `a number`, `true/false`, `a list`, `an object`, `bytes`, `a date`.
        rows: Positions of the rows, ascending.
    """

    kind: str
    rows: Ints


def listed(**kinds: Ints) -> list[Bad]:
    """The kinds that occur."""
    return [Bad(kind, rows) for kind, rows in kinds.items() if rows.size]


def kind_of(value: object) -> str:
    """What a Python value is, in the words of the messages.

    Example:
        >>> kind_of(True), kind_of(2), kind_of("x"), kind_of([1]), kind_of(None)
        ('true/false', 'a number', 'text', 'a list', 'missing')
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return "missing"
    if isinstance(value, bool | np.bool_):
        return "true/false"
    if isinstance(value, Real | Decimal):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bytes | bytearray):
        return "bytes"
    if isinstance(value, Sequence | np.ndarray):
        return "a list"
    return "a date" if hasattr(value, "isoformat") else "an object"


def type_kind(kind: Any) -> str:
    """What the values of an Arrow type are, in the words of the messages."""
    types = pa.types
    if types.is_null(kind):
        return "missing"
    if types.is_boolean(kind):
        return "true/false"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "a number"
    if is_text(kind):
        return "text"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "a list"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "bytes"
    return "a date" if types.is_temporal(kind) else "an object"


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is a string."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def plain(kind: Any) -> Any:
    """The type of the values, also of a dictionary-encoded column."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def printable(text: str) -> str:
    """Text for one line of a message: what cannot be printed is escaped.

    Example:
        >>> printable("one" + chr(27) + "two") == "one" + chr(92) + "x1btwo"
        True
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )


def to_list(column: Column) -> list[Any]:
    """The values of a raw column as Python objects.

    Example:
        >>> to_list(pa.chunked_array([[1, None]])), to_list([1, "x"])
        ([1, None], [1, 'x'])
    """
    return column if isinstance(column, list) else list(column.to_pylist())


def null_rows(column: Any) -> Ints:
    """Positions of the nulls of an Arrow column."""
    if not column.null_count:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.asarray(pc.is_null(column).to_numpy()))


def others(kind: str, n: int, missing: Ints) -> dict[str, Ints]:
    """The rows that are not missing, under what they are."""
    return {} if kind == "missing" else {kind: np.setdiff1d(np.arange(n), missing)}
