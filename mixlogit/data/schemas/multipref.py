"""MultiPref: four judges a comparison, two of them experts (Miranda et al., 2024)."""

from collections.abc import Iterator

import pyarrow as pa

from mixlogit.data.schemas.base import (
    Made,
    Malformed,
    Row,
    Schema,
    by_row,
    comparison,
    comparison_columns,
    label,
)

__all__ = ["MULTIPREF"]

_WORDS = {
    "A-is-clearly-better": ("a", 1.0),
    "A-is-slightly-better": ("a", 0.5),
    "Tie": ("tie", 0.0),
    "B-is-slightly-better": ("b", 0.5),
    "B-is-clearly-better": ("b", 1.0),
}
_JUDGES = ("normal", "expert")
_KEPT = ("comparison_id", "prompt_id", "source", "category")


def _comparisons(row: Row, file: str) -> Iterator[Made]:
    """One comparison a judge: the normal ones first, then the experts, each as listed."""
    for judges in _JUDGES:
        votes = row[f"{judges}_worker_annotations"]
        for vote in [] if votes is None else votes:
            try:
                won, grade = label(vote, "overall_pref", _WORDS)
            except Malformed as error:  # the other votes of the row are sound
                yield error
                continue
            yield comparison(
                row["text"],
                (row["completion_a"], row["completion_b"]),
                won,
                {"model": (row.get("model_a"), row.get("model_b"))},
                respondent=vote.get("evaluator"),
                judges=judges,
                grade=grade,
                **{name: row.get(name) for name in _KEPT},
            )


MULTIPREF = Schema(
    name="multipref",
    title="MultiPref",
    hub="allenai/multipref",
    needs=("text", "completion_a", "completion_b", *(f"{j}_worker_annotations" for j in _JUDGES)),
    uses=("model_a", "model_b", *_KEPT),
    columns=comparison_columns(
        "text",
        outcome=pa.string(),
        respondent=pa.string(),
        grade=pa.float64(),
        judges=pa.string(),
        **dict.fromkeys(_KEPT, pa.string()),
        model_chosen=pa.string(),
        model_rejected=pa.string(),
    ),
    comparisons=by_row(_comparisons),
)
