"""Columns of names (respondents, items, groups, outcomes) and of texts, as integer codes."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixlogit.data.values import (
    Bad,
    Column,
    Ints,
    is_text,
    kind_of,
    listed,
    null_rows,
    others,
    plain,
    type_kind,
)

__all__ = [
    "Coded",
    "Texts",
    "codes",
    "dictionary",
    "join_codes",
    "join_text_codes",
    "texts",
    "written",
]


@dataclass(frozen=True)
class Coded:
    """A column of names: codes into `values`, -1 where there is none; rows that are wrong."""

    codes: Ints
    values: tuple[str, ...]
    bad: tuple[Bad, ...] = ()


@dataclass(frozen=True)
class Texts:
    """A column of texts: codes into an Arrow array of distinct texts, -1 where there is none."""

    codes: Ints
    values: Any
    bad: tuple[Bad, ...] = ()


def codes(column: Column) -> Coded:
    """Integer codes of a column of names: text, numbers, dates or true/false.

    Args:
        column: The raw column.

    Returns:
        The codes, the distinct names and what is wrong. A blank name is `empty`.

    Example:
        >>> found = codes(pa.chunked_array([["w1", None, "w2", "w1", " "]]))
        >>> found.codes.tolist(), found.values, [bad.kind for bad in found.bad]
        ([0, -1, 1, 0, -1], ('w1', 'w2'), ['missing', 'empty'])
    """
    if isinstance(column, list):
        return _of_objects(column, text=False)
    wrong = _wrong_type(column, ("text", "a number", "true/false", "a date"))
    if wrong:
        return Coded(np.full(len(column), -1, dtype=np.int64), (), tuple(wrong))
    at, values = dictionary(column)
    if pa.types.is_integer(values.type):
        values = values.cast(pa.string())
    names = values.to_pylist()
    return _coded(at, names if is_text(values.type) else [_name(value) for value in names])


def texts(column: Column) -> Texts:
    """Integer codes of a column of texts, which are never turned into Python strings.

    Args:
        column: The raw column.

    Returns:
        The codes, the distinct texts and what is wrong. A blank text is `empty`.

    Example:
        >>> found = texts(pa.chunked_array([["Hi.", "", "Hi."]]))
        >>> found.codes.tolist(), [(bad.kind, bad.rows.tolist()) for bad in found.bad]
        ([0, -1, 0], [('empty', [1])])
    """
    if isinstance(column, list):
        coded = _of_objects(column, text=True)
        return Texts(coded.codes, pa.array(coded.values, pa.string()), coded.bad)
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    wrong = _wrong_type(column, ("text",))
    if wrong:
        nothing = np.full(len(column), -1, dtype=np.int64)
        return Texts(nothing, pa.array([], pa.string()), tuple(wrong))
    at, values = dictionary(column)
    blank = pc.or_(pc.utf8_is_space(values), pc.equal(values, "")).fill_null(False)
    target = np.arange(len(values) + 1)
    target[-1] = -1
    target[:-1][np.asarray(pc.is_null(values))] = -1
    target[:-1][np.asarray(blank)] = -2
    new = target[at]
    empty = np.flatnonzero(new == -2)
    missing = np.flatnonzero(new == -1)
    new[empty] = -1
    return Texts(new, values, tuple(listed(missing=missing, empty=empty)))


def join_codes(first: Coded, second: Coded) -> tuple[Ints, Ints, tuple[str, ...]]:
    """The codes of two columns over one common table of names (-1 stays).

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
    target = np.array([*(table[value] for value in second.values), -1], dtype=np.int64)
    return first.codes, target[second.codes], tuple(table)


def join_text_codes(first: Texts, second: Texts) -> tuple[Ints, Ints]:
    """The codes of two columns of texts over one common table.

    Example:
        >>> a, b = texts(pa.chunked_array([["x", "y"]])), texts(pa.chunked_array([["y", "z"]]))
        >>> [part.tolist() for part in join_text_codes(a, b)]
        [[0, 1], [1, 3]]
    """
    known = first.values.cast(second.values.type)
    at = pc.index_in(second.values, value_set=known).cast(pa.int64()).fill_null(-1).to_numpy()
    new = np.where(at < 0, np.arange(at.size) + len(known), at)
    return first.codes, np.append(new, -1)[second.codes]


def dictionary(column: Any) -> tuple[Ints, Any]:
    """Codes (-1 for null) and the Arrow array of distinct values of an Arrow column."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    at = np.empty(len(column), dtype=np.int64)
    start = 0
    for chunk in column.chunks:
        indices = chunk.indices
        if indices.null_count:
            indices = indices.cast(pa.int64()).fill_null(-1)
        at[start : start + len(chunk)] = indices.to_numpy(zero_copy_only=False)
        start += len(chunk)
    empty = pa.array([], column.type.value_type)
    return at, column.chunk(0).dictionary if column.num_chunks else empty


def _of_objects(column: list[object], text: bool) -> Coded:
    wrong = ("a list", "an object", "bytes")
    found: dict[str, list[int]] = {}
    table: dict[str | None, int] = {}
    at = np.empty(len(column), dtype=np.int64)
    for i, value in enumerate(column):
        kind = "missing" if _is_nan(value) else kind_of(value)
        if kind in wrong or (text and kind not in ("text", "missing")):
            found.setdefault(kind, []).append(i)
            value = None
        elif isinstance(value, str) and not _encodable(value):
            found.setdefault("broken text", []).append(i)
            value = None
        at[i] = table.setdefault(_name(value), len(table))
    coded = _coded(at, list(table))
    other = {k: np.array(v, dtype=np.int64) for k, v in found.items()}
    taken = np.concatenate([np.empty(0, dtype=np.int64), *other.values()])
    bad = {b.kind: np.setdiff1d(b.rows, taken) for b in coded.bad} | other
    return Coded(coded.codes, coded.values, tuple(listed(**bad)))


def _is_nan(value: object) -> bool:
    """In a data frame NaN among names or texts means that one is missing."""
    return isinstance(value, float) and math.isnan(value)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def written(value: object) -> str | None:
    """A value of a column of mixed types as text: a name, or JSON; None if it is missing.

    Example:
        >>> written(2.0), written("x"), written([1, None]), written(None)
        ('2', 'x', '[1, null]', None)
    """
    if kind_of(value) in ("a list", "an object"):
        return json.dumps(value, ensure_ascii=False, default=str)
    return _name(value)


def _name(value: object) -> str | None:
    """How a value is written as a name; None if it is missing."""
    if _is_nan(value) or kind_of(value) == "missing":
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):  # a column of whole numbers and gaps, in pandas
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def _coded(at: Ints, names: list[str | None]) -> Coded:
    """Merge equal names; set missing and blank ones aside."""
    table: dict[str, int] = {}
    target = np.full(len(names) + 1, -1, dtype=np.int64)  # the last serves code -1
    for i, name in enumerate(names):
        if name is not None:
            target[i] = table.setdefault(name, len(table)) if name.strip() else -2
    new = target[at]
    missing = empty = np.empty(0, dtype=np.int64)
    if (new < 0).any():
        missing, empty = np.flatnonzero(new == -1), np.flatnonzero(new == -2)
        new[empty] = -1
    return Coded(new, tuple(table), tuple(listed(missing=missing, empty=empty)))


def _wrong_type(column: Any, allowed: tuple[str, ...]) -> list[Bad]:
    """Every row, if the column's type is not allowed."""
    kind = type_kind(plain(column.type))
    if kind in allowed:
        return []
    missing = null_rows(column)
    return listed(missing=missing, **others(kind, len(column), missing))
