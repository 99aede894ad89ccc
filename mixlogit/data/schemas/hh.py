"""Anthropic HH-RLHF: helpful and harmless dialogues (Bai et al., 2022)."""

from collections.abc import Iterator
from pathlib import PurePath

import pyarrow as pa

from mixlogit.data.prefix import common_length
from mixlogit.data.schemas.base import (
    Made,
    Malformed,
    Row,
    Schema,
    by_row,
    comparison,
    comparison_columns,
)

__all__ = ["HH"]

_MARK = "\n\nAssistant:"


def _comparisons(row: Row, file: str) -> Iterator[Made]:
    """The prompt is what both dialogues have in common, up to their last turn in it."""
    chosen, rejected = row["chosen"], row["rejected"]
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        raise Malformed("a dialogue is missing")
    common = chosen[: common_length(chosen, rejected)]
    end = common.rfind(_MARK) + len(_MARK)
    if end < len(_MARK):
        raise Malformed('chosen and rejected have no "\\n\\nAssistant:" in common')
    made = comparison(common[:end], (chosen[end:], rejected[end:]), "a", subset=_subset(file))
    if isinstance(made, dict):
        del made["outcome"]  # the set has no ties
    yield made


def _subset(file: str) -> str:
    """The folder that holds the file, or the part of the hub data set."""
    path = PurePath(file)
    return path.parent.name if path.suffix else path.name


HH = Schema(
    name="hh",
    title="Anthropic HH-RLHF",
    hub="Anthropic/hh-rlhf",
    needs=("chosen", "rejected"),
    columns=comparison_columns("text", subset=pa.string()),
    comparisons=by_row(_comparisons),
    data_dirs=("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled"),
    files=("{split}.*", "*/{split}.*"),
)
