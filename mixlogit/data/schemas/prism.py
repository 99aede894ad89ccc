"""PRISM: people of 75 countries score the answers of language models (Kirk et al., 2024)."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pyarrow as pa

from mixlogit.data.messages import Turns, is_blank
from mixlogit.data.schemas.base import (
    LeftOut,
    Made,
    Malformed,
    Row,
    Schema,
    assistant,
    by_row,
    comparison,
    comparison_columns,
    user,
)

__all__ = ["PRISM"]

_SAME = (
    *("age", "gender", "education", "employment_status", "marital_status"),
    "english_proficiency",
)
_INNER = {
    "ethnicity": ("ethnicity", "simplified"),
    "religion": ("religion", "simplified"),
    "country": ("location", "reside_country"),
    "region": ("location", "special_region"),
}
_GROUPS = (*_SAME, *_INNER)
_EMPTY = "EMPTY STRING"  # how the data set writes an empty answer


def _comparisons(row: Row, file: str) -> Iterator[Made]:
    """Every pair of answers of a turn, behind the chosen answers of the turns before it."""
    prompt: Turns = []
    about = {"respondent": row["user_id"], "conversation_id": row["conversation_id"]}
    about |= {"conversation_type": row.get("conversation_type")} | _groups(row.get("survey"))
    for turn, (asked, answers) in enumerate(_turns(row["conversation_history"])):
        if is_blank(asked):
            return
        prompt = prompt + user(str(asked))
        about |= {"turn": turn, "choice_set": f"{row['conversation_id']}-{turn}"}
        for first, second in combinations(answers, 2):
            yield _comparison(prompt, first, second, about)
        chosen = [answer for answer in answers if answer.get("if_chosen")]
        if len(chosen) != 1 or is_blank(_text(chosen[0])):
            return
        prompt = prompt + (assistant(_text(chosen[0])) or [])


def _turns(history: Any) -> Iterator[tuple[str | None, list[Row]]]:
    """What was asked and answered in each turn, up to the first one that is missing."""
    by_turn: dict[int, list[Row]] = {}
    for entry in [] if history is None else history:
        by_turn.setdefault(entry.get("turn"), []).append(entry)
    turn = 0
    while turn in by_turn:
        asked = [entry["content"] for entry in by_turn[turn] if entry["role"] == "user"]
        answers = [entry for entry in by_turn[turn] if entry["role"] == "model"]
        yield (
            asked[0] if asked else None,
            sorted(answers, key=lambda entry: entry.get("within_turn_id") or 0),
        )
        turn += 1


def _comparison(prompt: Turns, first: Row, second: Row, about: dict[str, Any]) -> Made:
    scores: Any = first.get("score"), second.get("score")
    if None in scores:
        return LeftOut("an answer has no score")
    if not all(isinstance(score, int | float) and 1 <= score <= 100 for score in scores):
        raise Malformed(f"scores are {scores[0]} and {scores[1]}, not from 1 to 100")
    # equal scores are ties: `if_chosen` then names one of them at random
    won = "tie" if scores[0] == scores[1] else "a" if scores[0] > scores[1] else "b"
    return comparison(
        prompt,
        (assistant(_text(first)), assistant(_text(second))),
        won,
        {"score": scores, "model": (first.get("model_name"), second.get("model_name"))},
        grade=abs(scores[0] - scores[1]) / 99,
        **about,
    )


def _text(answer: Row) -> str | None:
    return None if answer["content"] == _EMPTY else answer["content"]


def _groups(survey: Row | None) -> dict[str, str | None]:
    found = survey or {}
    return {name: found.get(name) for name in _SAME} | {
        name: (found.get(outer) or {}).get(inner) for name, (outer, inner) in _INNER.items()
    }


PRISM = Schema(
    name="prism",
    title="PRISM",
    hub="HannahRoseKirk/prism-alignment",
    needs=("user_id", "conversation_id", "conversation_history"),
    uses=("conversation_type",),
    columns=comparison_columns(
        "messages",
        outcome=pa.string(),
        respondent=pa.string(),
        grade=pa.float64(),
        choice_set=pa.string(),
        conversation_id=pa.string(),
        turn=pa.int64(),
        conversation_type=pa.string(),
        model_chosen=pa.string(),
        model_rejected=pa.string(),
        score_chosen=pa.float64(),
        score_rejected=pa.float64(),
        **dict.fromkeys(_GROUPS, pa.string()),
    ),
    comparisons=by_row(_comparisons),
    config="conversations",
    files=("conversations.*",),
    respondent="user_id",
    beside=("survey", "user_id"),
)
