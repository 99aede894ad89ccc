"""Columns of numbers."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixlogit.data.values import (
    Bad,
    Column,
    Floats,
    is_text,
    kind_of,
    listed,
    null_rows,
    others,
    plain,
    type_kind,
)

__all__ = ["numbers"]


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
        return _of_objects(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(plain(column.type))
    if textual and is_text(column.type):
        column = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid:
            return _of_texts(column.to_pylist())
    missing = null_rows(column)
    kind = type_kind(column.type)
    if kind not in ("a number", "missing"):
        bad = listed(missing=missing, **others(kind, len(column), missing))
        return np.zeros(len(column)), bad
    # a copy, as Arrow's memory is read-only and may be the file itself
    values = np.array(column.cast(pa.float64(), safe=False).to_numpy())
    if np.isfinite(values).all():
        return values, []
    nan = np.setdiff1d(np.flatnonzero(np.isnan(values)), missing)
    return values, listed(missing=missing, nan=nan, inf=np.flatnonzero(np.isinf(values)))


def _of_objects(column: list[object]) -> tuple[Floats, list[Bad]]:
    values = np.zeros(len(column))
    found: dict[str, list[int]] = {}
    for i, value in enumerate(column):
        kind = kind_of(value)
        if kind == "a number":
            try:
                values[i] = float(value)  # type: ignore[arg-type]
            except (OverflowError, ValueError):  # hundreds of digits; a signalling decimal NaN
                found.setdefault("huge", []).append(i)
                continue
            kind = "nan" if math.isnan(values[i]) else "inf" if math.isinf(values[i]) else ""
        if kind:
            found.setdefault(kind, []).append(i)
    return values, listed(**{k: np.array(v, dtype=np.int64) for k, v in found.items()})


def _of_texts(texts: list[str | None]) -> tuple[Floats, list[Bad]]:
    """Numbers from text when at least one cell is not a number."""

    def read(text: str | None) -> object:
        if text is None or "_" in text:  # Python reads 1_000 as a number, no CSV means that
            return text
        try:
            return float(text)
        except ValueError:
            return text

    return _of_objects([read(text) for text in texts])
