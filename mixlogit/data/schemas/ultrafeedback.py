"""UltraFeedback, binarized: the best of four answers, scored by GPT-4, against another one."""

from collections.abc import Iterator

import pyarrow as pa

from mixlogit.data.messages import common_turns
from mixlogit.data.schemas.base import (
    Made,
    Malformed,
    Row,
    Schema,
    by_row,
    comparison,
    comparison_columns,
    dialogue,
)

__all__ = ["ULTRAFEEDBACK"]


def _comparisons(row: Row, file: str) -> Iterator[Made]:
    chosen, rejected = dialogue(row, "chosen"), dialogue(row, "rejected")
    n = common_turns(chosen, rejected)
    if n != len(chosen) - 1 or n != len(rejected) - 1 or n == 0:
        raise Malformed("chosen and rejected differ before their last turn")
    scores = row["score_chosen"], row["score_rejected"]
    if not all(isinstance(score, int | float) and 1 <= score <= 10 for score in scores):
        raise Malformed(f"scores are {scores[0]} and {scores[1]}, not from 1 to 10")
    if scores[0] < scores[1]:
        raise Malformed(f"chosen has score {scores[0]:g}, less than rejected with {scores[1]:g}")
    yield comparison(
        chosen[:n],
        (chosen[n:], rejected[n:]),
        "tie" if scores[0] == scores[1] else "a",
        {"score": scores},
        grade=(scores[0] - scores[1]) / 9,
        prompt_id=row.get("prompt_id"),
    )


ULTRAFEEDBACK = Schema(
    name="ultrafeedback",
    title="UltraFeedback binarized",
    hub="HuggingFaceH4/ultrafeedback_binarized",
    needs=("chosen", "rejected", "score_chosen", "score_rejected"),
    uses=("prompt_id",),
    columns=comparison_columns(
        "messages",
        outcome=pa.string(),
        grade=pa.float64(),
        prompt_id=pa.string(),
        score_chosen=pa.float64(),
        score_rejected=pa.float64(),
    ),
    comparisons=by_row(_comparisons),
    split="train_prefs",
)
