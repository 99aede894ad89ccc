"""HelpSteer2 and HelpSteer3: preferences from -3 to 3 (Wang et al., 2024 and 2025)."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from mixlogit.data.schemas.base import (
    Made,
    Row,
    Schema,
    assistant,
    by_row,
    comparison,
    comparison_columns,
    dialogue,
    user,
    whole_number,
)

__all__ = ["HELPSTEER2", "HELPSTEER3"]


def _graded(row: Row, column: str) -> dict[str, Any]:
    """Negative means the first answer, in both sets."""
    size = whole_number(row, column, -3, 3)
    return {"won": "tie" if size == 0 else "a" if size < 0 else "b", "grade": abs(size) / 3}


def _of_two(row: Row, file: str) -> Iterator[Made]:
    answers = row["response_1"], row["response_2"]
    yield comparison(
        row["prompt"], answers, **_graded(row, "preference_strength"), split=row.get("split")
    )


def _of_three(row: Row, file: str) -> Iterator[Made]:
    context = row["context"]
    prompt = user(context) if isinstance(context, str) else dialogue(row, "context")
    answers = assistant(row["response1"]), assistant(row["response2"])
    groups: dict[str, Any] = {name: row.get(name) for name in ("domain", "language")}
    yield comparison(prompt, answers, **_graded(row, "overall_preference"), **groups)


HELPSTEER2 = Schema(
    name="helpsteer2",
    title="HelpSteer2 preference",
    hub="nvidia/HelpSteer2",
    needs=("prompt", "response_1", "response_2", "preference_strength"),
    uses=("split",),
    columns=comparison_columns("text", outcome=pa.string(), grade=pa.float64(), split=pa.string()),
    comparisons=by_row(_of_two),
    data_dirs=("preference",),
    files=("preference/preference.*", "preference.*"),
)

HELPSTEER3 = Schema(
    name="helpsteer3",
    title="HelpSteer3 preference",
    hub="nvidia/HelpSteer3",
    needs=("context", "response1", "response2", "overall_preference"),
    uses=("domain", "language"),
    columns=comparison_columns(
        "messages",
        outcome=pa.string(),
        grade=pa.float64(),
        domain=pa.string(),
        language=pa.string(),
    ),
    comparisons=by_row(_of_three),
    config="preference",
    files=("preference/{split}.*", "{split}.*"),
)
