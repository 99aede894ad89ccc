"""`load`: comparisons from any kind of data."""

from collections.abc import Sequence
from typing import Any, Unpack

from mixlogit.data.build import build
from mixlogit.data.columns import ColumnNames, resolve
from mixlogit.data.comparisons import Comparisons
from mixlogit.data.feed import gathered
from mixlogit.data.opening import open_source
from mixlogit.data.outcomes import OutcomeLabels
from mixlogit.data.problems import BadRows, in_one_line
from mixlogit.data.schemas import mapped_feed, raw_feed, schema_named
from mixlogit.data.source import Source
from mixlogit.data.votes import OUTCOME, WEIGHT, counted
from mixlogit.errors import UsageError

__all__ = ["LoadColumns", "load", "with_counts"]


class LoadColumns(ColumnNames, total=False):
    """Columns of `load`: those by role, and the numbers of votes where rows are counts.

    Attributes:
        votes_a: Column with the number of votes for the first.
        votes_b: For the second.
        votes_tie: For ties.
    """

    votes_a: str | None
    votes_b: str | None
    votes_tie: str | None


def load(
    data: Any,
    *,
    schema: str | None = None,
    labels: OutcomeLabels = None,
    bad_rows: BadRows = "stop",
    split: str | None = None,
    source: str | None = None,
    texts_suffice: bool = False,
    grades: str | Sequence[str] | None = None,
    **columns: Unpack[LoadColumns],
) -> Comparisons:
    """Comparisons from a file, a folder, the hub, a `Dataset`, a data frame or an Arrow table.

    A column that is not named is found by its role's own name, if there is one: `margin`, or
    else `item_a` with `item_b`; `outcome`, `respondent`, `prompt`, `chosen`, `rejected`.

    Args:
        data: Path of a CSV, JSONL, JSON (each also .gz) or Parquet file or of a folder of them;
            a hub id `owner/name`; a `datasets.Dataset`; a pandas `DataFrame`; a `pyarrow.Table`.
        schema: A known data set, one of `schemas()`: its rows are turned into comparisons of
            texts, or kept as they are where `item_a` names one of its own columns.
        labels: Other words for outcomes: `"a=1,b=2,tie=equal"` or the same as a dictionary.
        bad_rows: `stop` at the first malformed row, or `drop` such rows and list them.
        split: Which split of a hub data set or a `DatasetDict` to use; `train`, or the schema's
            own, if None.
        source: What messages call the data; a path is called by itself.
        texts_suffice: Whether texts without margins will do. They can be checked, not fitted.
        grades: Words for grades, clearly first to clearly second; else grades are numbers.
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
        >>> import pyarrow as pa
        >>> table = pa.table({"item_a": ["x", "y"], "item_b": ["y", "z"], "winner": ["1", "2"]})
        >>> load(table, outcome="winner", labels="a=1,b=2")
        Comparisons(items, 2 comparisons, 3 items)
    """
    with in_one_line():
        if schema is None:
            table = open_source(data, split or "train", source)
        else:
            table, respondent = _known(data, schema, split, source, columns.get("item_a"))
            columns = {**respondent, **columns}
        table.check_names()
        table, named, labels = with_counts(table, columns, labels)
        roles = resolve(table, **named)
        words: Any = {"labels": labels, "grades": grades}
        return build(table, roles, bad_rows=bad_rows, texts_suffice=texts_suffice, **words)


def _known(
    data: Any, name: str, split: str | None, source: str | None, item: str | None
) -> tuple[Source, ColumnNames]:
    """A known data set, and its column of respondents where its rows are kept as they are."""
    schema = schema_named(name)
    if item is None or item in schema.columns.names:
        return gathered(mapped_feed(data, schema, split, source)), {}
    table = gathered(raw_feed(data, schema, split, source))
    known = schema.respondent in table.names
    return table, {"respondent": schema.respondent} if known else {}


def with_counts(
    table: Source, columns: LoadColumns, labels: OutcomeLabels
) -> tuple[Source, ColumnNames, OutcomeLabels]:
    """Rows of counted votes as one weighted row an outcome; other tables as they are.

    Args:
        table: The table.
        columns: As for `load`.
        labels: Words of outcomes.

    Returns:
        The table, its columns by role, and the words of its outcomes.

    Raises:
        DataError: If a count is malformed.
        UsageError: If counts are joined with outcomes, grades or weights.
    """
    named: Any = dict(columns)
    votes = {outcome: named.pop(f"votes_{outcome}", None) for outcome in ("a", "b", "tie")}
    if not any(votes.values()):
        return table, named, labels
    for role in ("outcome", "grade", "weight"):
        if named.get(role):
            raise UsageError(f"Counted votes cannot be joined with --{role}.")
    named |= {"outcome": OUTCOME, "weight": WEIGHT}
    return counted(table, votes), named, None
