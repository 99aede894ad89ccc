"""Chatbot Arena and MT-Bench: two models answer, a judge names the winner (Zheng et al., 2023)."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from mixlogit.data.messages import common_turns
from mixlogit.data.schemas.base import (
    SAME,
    LeftOut,
    Made,
    Malformed,
    Row,
    Schema,
    by_row,
    comparison,
    comparison_columns,
    dialogue,
    label,
    whole_number,
)

__all__ = ["ARENA", "MTBENCH"]

_WINNERS = {
    "model_a": "a",
    "model_b": "b",
    "tie": "tie",
    "tie (bothbad)": "tie",
    "tie (inconsistent)": "tie",
}
_NEEDS = (
    *("question_id", "model_a", "model_b", "winner", "judge", "turn"),
    *("conversation_a", "conversation_b"),
)


def _comparisons(row: Row, file: str) -> Iterator[Made]:
    """The conversations up to the turn that was judged; `winner` says which kind of tie it was."""
    won = label(row, "winner", _WINNERS)
    turn = whole_number(row, "turn", 1, 1_000)
    first, second = (dialogue(row, f"conversation_{side}")[: 2 * turn] for side in "ab")
    if first == second:
        yield LeftOut(SAME)
        return
    n = common_turns(first, second)
    if n == 0:
        raise Malformed("the conversations have no turn in common")
    yield comparison(
        first[:n],
        (first[n:], second[n:]),
        won,
        {"model": (row["model_a"], row["model_b"])},
        respondent=row["judge"],
        winner=row["winner"],
        question_id=str(row["question_id"]),
        turn=turn,
        language=row.get("language"),
    )


def _schema(name: str, title: str, hub: str, **others: Any) -> Schema:
    return Schema(
        name=name,
        title=title,
        hub=hub,
        needs=_NEEDS,
        uses=("language",),
        columns=comparison_columns(
            "messages",
            outcome=pa.string(),
            respondent=pa.string(),
            winner=pa.string(),
            question_id=pa.string(),
            turn=pa.int64(),
            language=pa.string(),
            model_chosen=pa.string(),
            model_rejected=pa.string(),
        ),
        comparisons=by_row(_comparisons),
        respondent="judge",
        **others,
    )


ARENA = _schema("arena", "Chatbot Arena conversations", "lmsys/chatbot_arena_conversations")
MTBENCH = _schema(
    "mtbench", "MT-Bench human judgments", "lmsys/mt_bench_human_judgments", split="human"
)
