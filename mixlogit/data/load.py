"""`load`: comparisons from any kind of data."""

from typing import Any, Unpack

from mixlogit.data.build import build
from mixlogit.data.columns import ColumnNames, resolve
from mixlogit.data.comparisons import Comparisons
from mixlogit.data.opening import open_source
from mixlogit.data.outcomes import OutcomeLabels
from mixlogit.data.problems import BadRows
from mixlogit.data.values import printable
from mixlogit.errors import DataError, UsageError

__all__ = ["load"]


def load(
    data: Any,
    *,
    labels: OutcomeLabels = None,
    bad_rows: BadRows = "stop",
    split: str = "train",
    source: str | None = None,
    **columns: Unpack[ColumnNames],
) -> Comparisons:
    """Comparisons from a file, a folder, the hub, a `Dataset`, a data frame or an Arrow table.

    A column that is not named is found by its role's own name, if there is one: `margin`, or
    else `item_a` with `item_b`; `outcome`, `respondent`, `prompt`, `chosen`, `rejected`.

    Args:
        data: Path of a CSV, JSONL, JSON (each also .gz) or Parquet file or of a folder of them;
            a hub id `owner/name`; a `datasets.Dataset`; a pandas `DataFrame`; a `pyarrow.Table`.
        labels: Other words for outcomes: `"a=1,b=2,tie=equal"` or the same as a dictionary.
        bad_rows: `stop` at the first malformed row, or `drop` such rows and list them.
        split: Which split of a hub data set or a `DatasetDict` to use.
        source: What messages call the data; a path is called by itself.
        **columns: Column names by role. `margin`: chosen minus rejected, or first minus second
            where there is an outcome. `item_a`, `item_b`: names of the items. `features`:
            differences, first minus second (a list, or joined by commas). `outcome`: `a`
            (first), `b` (second) or `tie`. `respondent`: who judged. `groups`: labels (a list,
            or joined by commas). `weight`: positive. `prompt`, `chosen`, `rejected`: texts,
            checked but not kept.

    Returns:
        The comparisons.

    Raises:
        DataError: If the data cannot be read or a row is malformed, naming file, row, column.
        UsageError: If the columns named do not fit together.

    Example:
        >>> import pyarrow as pa
        >>> table = pa.table({"item_a": ["x", "y"], "item_b": ["y", "z"], "winner": ["1", "2"]})
        >>> load(table, outcome="winner", labels="a=1,b=2")
        Comparisons(items, 2 comparisons, 3 items)
    """
    try:
        table = open_source(data, split, source)
        table.check_names()
        roles = resolve(table, **columns)
        return build(table, roles, labels=labels, bad_rows=bad_rows)
    except (DataError, UsageError) as error:
        error.args = (printable(str(error)),)  # names in the data may hold line breaks
        raise
