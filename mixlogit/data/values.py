"""From raw columns to numbers and codes, with what is wrong in each row.

A raw column is an Arrow chunked array, or a list of Python objects where the values have no
common type. The Arrow paths never touch a row in Python; the list paths may, as they are only
taken for data that hold a mistake or an unusual type.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Bad", "Coded", "Column", "codes", "join_codes", "kind_of", "numbers"]

Column = Any  # pa.ChunkedArray | list[object]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Bad:
    """Rows of one column that are wrong in the same way.

    Args:
        kind: `missing`, `empty`, `nan`, `inf`, `huge`, or what the value is instead: `text`,
            `a number`, `true/false`, `a list`, `an object`, `bytes`, `a date`.
        rows: Positions of the rows, ascending.
    """

    kind: str
    rows: Ints


@dataclass(frozen=True)
class Coded:
    """A column of names: codes into `values`, -1 where there is none; rows that are wrong."""

    codes: Ints
    values: tuple[str, ...]
    bad: tuple[Bad, ...]


def numbers(column: Column, textual: bool) -> tuple[Floats, list[Bad]]:
    """A float64 vector, and the rows that hold no finite number.

    Args:
        column: The raw column.
        textual: Whether the source has only text (CSV), so that numbers are read from text.

    Returns:
        The values (anything where a row is bad) and what is wrong.

    Example:
        >>> values, bad = numbers(pa.chunked_array([[1.0, float("nan"), None]]), textual=False)
        >>> [(b.kind, b.rows.tolist()) for b in bad]
        [('missing', [2]), ('nan', [1])]
    """
    if isinstance(column, list):
        return _numbers_of_objects(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if textual and _is_text(column.type):
        column = _trimmed(column)
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid:
            return _numbers_of_text(column.to_pylist())
    missing = _null_rows(column)
    kind = _type_kind(column.type)
    if kind not in ("a number", "missing"):
        present = np.setdiff1d(np.arange(len(column)), missing)
        return np.zeros(len(column)), _listed(missing=missing, **{kind: present})
    values = _to_numpy(column.cast(pa.float64(), safe=False)).astype(np.float64, copy=False)
    finite = np.isfinite(values)
    if finite.all():
        return values, []
    found = np.zeros(values.size, dtype=bool)
    found[missing] = True
    return values, _listed(
        missing=missing,
        nan=np.flatnonzero(np.isnan(values) & ~found),
        inf=np.flatnonzero(np.isinf(values)),
    )


def codes(column: Column, text: bool = False) -> Coded:
    """Integer codes of a column of names or texts.

    Args:
        column: The raw column.
        text: Texts must be text; names may also be numbers, dates or true/false.

    Returns:
        The codes, the distinct values and what is wrong. An empty or blank value is `empty`.

    Example:
        >>> found = codes(pa.chunked_array([["w1", None, "w2", "w1", " "]]))
        >>> found.codes.tolist(), found.values, [bad.kind for bad in found.bad]
        ([0, -1, 1, 0, -1], ('w1', 'w2'), ['missing', 'empty'])
    """
    if isinstance(column, list):
        return _codes_of_objects(column, text)
    kind = _type_kind(
        column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    )
    allowed = ("text", "missing") if text else ("text", "a number", "true/false", "a date")
    if kind not in allowed and kind != "missing":
        missing = _null_rows(column)
        present = np.setdiff1d(np.arange(len(column)), missing)
        nothing = np.full(len(column), -1, dtype=np.int64)
        return Coded(nothing, (), tuple(_listed(missing=missing, **{kind: present})))
    at, raw = _dictionary(column)
    return _coded(at, [_name(value) for value in raw])


def join_codes(first: Coded, second: Coded) -> tuple[Ints, Ints, tuple[str, ...]]:
    """The codes of two columns over one common table of values (-1 stays).

    Example:
        >>> a, b = codes(pa.chunked_array([["x", "y"]])), codes(pa.chunked_array([["y", "z"]]))
        >>> one, two, values = join_codes(a, b)
        >>> one.tolist(), two.tolist(), values
        ([0, 1], [1, 2], ('x', 'y', 'z'))
    """
    table = {value: i for i, value in enumerate(first.values)}
    for value in second.values:
        table.setdefault(value, len(table))
    # the last entry serves code -1
    map_ = np.array([*(table[value] for value in second.values), -1], dtype=np.int64)
    return first.codes, map_[second.codes], tuple(table)


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
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, bytes | bytearray):
        return "a list"
    if isinstance(value, bytes | bytearray):
        return "bytes"
    return "a date" if hasattr(value, "isoformat") else "an object"


def _numbers_of_objects(column: list[object]) -> tuple[Floats, list[Bad]]:
    values = np.zeros(len(column))
    found: dict[str, list[int]] = {}
    for i, value in enumerate(column):
        kind = kind_of(value)
        if kind == "a number":
            try:
                values[i] = float(value)  # type: ignore[arg-type]
            except OverflowError:  # an integer of hundreds of digits
                found.setdefault("huge", []).append(i)
                continue
            kind = "nan" if math.isnan(values[i]) else "inf" if math.isinf(values[i]) else ""
        if kind:
            found.setdefault(kind, []).append(i)
    return values, _listed(**{k: np.array(v, dtype=np.int64) for k, v in found.items()})


def _numbers_of_text(texts: list[str | None]) -> tuple[Floats, list[Bad]]:
    """Numbers from text when at least one cell is not a number."""

    def read(text: str | None) -> object:
        if text is None or "_" in text:  # Python reads 1_000 as a number, no CSV means that
            return text
        try:
            return float(text)
        except ValueError:
            return text

    return _numbers_of_objects([read(text) for text in texts])


def _codes_of_objects(column: list[object], text: bool) -> Coded:
    wrong = ("a list", "an object", "bytes")
    found: dict[str, list[int]] = {}
    table: dict[str | None, int] = {}
    at = np.empty(len(column), dtype=np.int64)
    for i, value in enumerate(column):
        kind = kind_of(value)
        if kind in wrong or (text and kind not in ("text", "missing", *_nan(value))):
            found.setdefault(kind, []).append(i)
            value = None
        elif kind == "text" and not _encodable(str(value)):
            found.setdefault("broken text", []).append(i)
            value = None
        at[i] = table.setdefault(_name(value), len(table))
    coded = _coded(at, list(table))
    other = {k: np.array(v, dtype=np.int64) for k, v in found.items()}
    taken = np.concatenate([np.empty(0, dtype=np.int64), *other.values()])
    bad = {b.kind: np.setdiff1d(b.rows, taken) for b in coded.bad} | other
    return Coded(coded.codes, coded.values, tuple(_listed(**bad)))


def _nan(value: object) -> tuple[str, ...]:
    """In a data frame NaN among texts means that the text is missing."""
    return ("a number",) if isinstance(value, float) and math.isnan(value) else ()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(value: object) -> str | None:
    """How a value is written as a name; None if it is missing."""
    if value is None or kind_of(value) == "missing":
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)


def _coded(at: Ints, names: list[str | None]) -> Coded:
    """Renumber codes by first appearance; merge equal names; set aside missing and blank."""
    table: dict[str, int] = {}
    target = np.empty(len(names) + 1, dtype=np.int64)
    target[-1] = -1
    for i, name in enumerate(names):
        if name is None:
            target[i] = -1
        elif not name.strip():
            target[i] = -2
        else:
            target[i] = table.setdefault(name, len(table))
    new = target[at]
    bad = (new < 0).any()
    missing, empty = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if bad:
        missing, empty = np.flatnonzero(new == -1), np.flatnonzero(new == -2)
        new[empty] = -1
    return Coded(new, tuple(table), tuple(_listed(missing=missing, empty=empty)))


def _dictionary(column: Any) -> tuple[Ints, list[object]]:
    """Codes (-1 for null) and distinct Python values of an Arrow column."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    values = column.chunk(0).dictionary.to_pylist()
    at = np.empty(len(column), dtype=np.int64)
    start = 0
    for chunk in column.chunks:
        indices = chunk.indices
        if indices.null_count:
            indices = indices.fill_null(-1) if _signed(indices) else _signed_null(indices)
        at[start : start + len(chunk)] = indices.to_numpy(zero_copy_only=False)
        start += len(chunk)
    return at, values


def _signed(indices: Any) -> bool:
    return bool(pa.types.is_signed_integer(indices.type))


def _signed_null(indices: Any) -> Any:
    return indices.cast(pa.int64()).fill_null(-1)


def _trimmed(column: Any) -> Any:
    """Text without surrounding blanks; what is left empty is null."""
    column = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)


def _null_rows(column: Any) -> Ints:
    if not column.null_count:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(_to_numpy(pc.is_null(column)))


def _to_numpy(column: Any) -> NDArray[Any]:
    return np.asarray(column.to_numpy())


def _is_text(kind: Any) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _type_kind(kind: Any) -> str:
    """What the values of an Arrow type are, in the words of the messages."""
    types = pa.types
    if types.is_null(kind):
        return "missing"
    if types.is_boolean(kind):
        return "true/false"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "a number"
    if _is_text(kind):
        return "text"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "a list"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "bytes"
    return "a date" if types.is_temporal(kind) else "an object"


def _listed(**kinds: Ints) -> list[Bad]:
    return [Bad(kind, rows) for kind, rows in kinds.items() if rows.size]
