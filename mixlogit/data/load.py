"""`load`: comparisons from any kind of data."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from mixlogit.data.build import build
from mixlogit.data.columns import ColumnNames, resolve
from mixlogit.data.comparisons import Comparisons
from mixlogit.data.outcomes import OutcomeLabels
from mixlogit.data.problems import BadRows
from mixlogit.data.readers import FORMATS, read_path
from mixlogit.data.source import Part, Source, source_of_table, to_column
from mixlogit.data.values import Column, printable
from mixlogit.data.votes import OUTCOME, WEIGHT, counted
from mixlogit.errors import DataError, UsageError

__all__ = ["load", "open_source"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def load(
    data: Any,
    *,
    labels: OutcomeLabels = None,
    bad_rows: BadRows = "stop",
    split: str = "train",
    source: str | None = None,
    grades: str | Sequence[str] | None = None,
    votes_a: str | None = None,
    votes_b: str | None = None,
    votes_tie: str | None = None,
    **columns: Unpack[ColumnNames],
) -> Comparisons:
    """Comparisons from a file, a folder, the hub, a `Dataset`, a data frame or an Arrow table.

    A column that is not named is found by its role's own name, if there is one: `margin`, or
    else `item_a` with `item_b`; `outcome`, `respondent`, `prompt`, `chosen`, `rejected`.

    Args:
        data: Path of a CSV, JSONL, JSON (each also .gz) or Parquet file or of a folder of them;
            a hub id `owner/name`; a `datasets.Dataset`; a pandas `DataFrame`; a `pyarrow.Table`.
        labels: Other words for outcomes: `"a=1,b=2,tie=equal"` or a dictionary.
        bad_rows: `stop` at the first malformed row, or `drop` such rows and list them.
        split: Which split of a hub data set or a `DatasetDict` to use.
        source: What messages call the data, if not by its path.
        grades: Words for grades, clearly first to clearly second; else grades are numbers.
        votes_a: Column with the number of votes for the first, where rows are counts.
        votes_b: For the second.
        votes_tie: For ties.
        **columns: Column names by role. `margin`: chosen minus rejected, or first minus second
            where there is an outcome. `item_a`, `item_b`: names of the items. `features`:
            differences, first minus second (a list, or joined by commas). `outcome`: `a`
            (first), `b` (second) or `tie`. `respondent`: who judged. `groups`: labels (a list,
            or joined by commas). `weight`: positive. `grade`: how clear the preference is, in
            place of an outcome. `prompt`, `chosen`, `rejected`: texts, checked but not kept.

    Raises:
        DataError: If the data cannot be read or a row is malformed, naming file, row, column.
        UsageError: If the columns named do not fit together.

    Example:
        >>> table = pa.table({"item_a": ["x", "y"], "item_b": ["y", "z"], "winner": ["1", "2"]})
        >>> load(table, outcome="winner", labels="a=1,b=2")
        Comparisons(items, 2 comparisons, 3 items)
    """
    try:
        table = open_source(data, split, source)
        table.check_names()
        votes = {"a": votes_a, "b": votes_b, "tie": votes_tie}
        if any(votes.values()):
            _refuse_votes(columns)
            table = counted(table, votes)
            columns["outcome"], columns["weight"], labels = OUTCOME, WEIGHT, None
        roles = resolve(table, **columns)
        return build(table, roles, labels=labels, bad_rows=bad_rows, grades=grades)
    except (DataError, UsageError) as error:
        error.args = (printable(str(error)),)  # names in the data may hold line breaks
        raise


def _refuse_votes(columns: ColumnNames) -> None:
    for role in ("outcome", "grade", "weight"):
        if columns.get(role):
            raise UsageError(f"Counted votes cannot be joined with --{role}.")


def open_source(data: Any, split: str, name: str | None) -> Source:
    """The data as a source, by what they are."""
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        text = os.fspath(data)
        if not path.exists() and isinstance(data, str) and _is_hub_id(text):
            return _of_dataset(_from_hub(text, split), split, name or text)
        return read_path(path, name or str(text))
    if isinstance(data, pa.Table):
        return source_of_table(data, name or "Table")
    module = type(data).__module__.partition(".")[0]
    if module == "datasets":
        return _of_dataset(data, split, name or "Dataset")
    if module == "pandas" and hasattr(data, "columns"):
        return _of_pandas(data, name or "DataFrame")
    raise UsageError(
        f"Expected a path, a hub id, a Dataset, a DataFrame or a pyarrow Table but got "
        f"{type(data).__name__}."
    )


def _is_hub_id(text: str) -> bool:
    """Whether a path that does not exist can only mean a data set of the hub."""
    named_as_file = any(suffix.lstrip(".") in (*FORMATS, "gz") for suffix in Path(text).suffixes)
    return bool(_HUB_ID.fullmatch(text)) and not named_as_file and not Path(text).parent.exists()


def _from_hub(name: str, split: str) -> Any:
    import datasets

    try:
        return datasets.load_dataset(name, split=split)
    except Exception as error:  # the hub client raises a dozen kinds; each is told in one line
        reason = (str(error).splitlines() or [""])[0]
        raise DataError(
            f"{name}: no such file, and not loaded from the hub "
            f"({type(error).__name__}: {reason}).",
            file=name,
        ) from error


def _of_dataset(data: Any, split: str, name: str) -> Source:
    if isinstance(data, dict):
        if split not in data:
            raise UsageError(f'{name}: no split "{split}". Splits: {", ".join(data)}.')
        data = data[split]
    if not hasattr(data, "select_columns") or not hasattr(data, "num_rows"):
        raise UsageError(f"Expected a Dataset but got {type(data).__name__}. Load it whole.")

    def read(column: str) -> Column:
        return data.select_columns([column]).with_format("arrow")[:].column(0)

    parts = [Part(name, data.num_rows)]
    return Source(name=name, names=list(data.column_names), read=read, parts=parts)


def _of_pandas(data: Any, name: str) -> Source:
    names = [str(column) for column in data.columns]

    def read(column: str) -> Column:
        series = data.iloc[:, names.index(column)]
        if series.dtype == object:
            return to_column([None if value is _missing() else value for value in series])
        # NaN among floats is a value that is wrong, not one that is missing
        array = pa.array(series, from_pandas=series.dtype.kind != "f")
        return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])

    return Source(name=name, names=names, read=read, parts=[Part(name, len(data))])


def _missing() -> object:
    import pandas as pd

    return pd.NA
