"""Community Alignment: the best of four answers, in five languages (Zhang et al., 2025)."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from mixlogit.data.messages import Turns, is_blank
from mixlogit.data.schemas.base import (
    SAME,
    LeftOut,
    Made,
    Row,
    Schema,
    assistant,
    by_row,
    comparison,
    comparison_columns,
    label,
    user,
)

__all__ = ["COMMUNITY_ALIGNMENT"]

_TURNS = ("first", "second", "third", "fourth")
_ANSWERS = tuple(f"response_{letter}" for letter in "abcd")
_PREFIX = "annotator_"
_GROUPS = ("country", "age", "gender", "education_level", "political", "ethnicity")
_KEPT = ("wave", "in_balanced_subset")


def _comparisons(row: Row, file: str) -> Iterator[Made]:
    """In each turn the preferred answer against the others, a to d, up to an incomplete turn."""
    prompt: Turns = []
    about: dict[str, Any] = {
        "respondent": row["annotator_id"],
        "conversation_id": row["conversation_id"],
        "language": row.get("assigned_lang"),
        **{name: row.get(_PREFIX + name) for name in _GROUPS},
        **{name: _written(row.get(name)) for name in _KEPT},
    }
    for turn, name in enumerate(_TURNS):
        asked, preferred = row.get(f"{name}_turn_prompt"), f"{name}_turn_preferred_response"
        if is_blank(asked) or is_blank(row.get(preferred)):
            return
        best = label(row, preferred, {answer: answer for answer in _ANSWERS})
        answers = {answer: row.get(f"{name}_turn_{answer}") for answer in _ANSWERS}
        if is_blank(answers[best]):
            return
        prompt = prompt + user(str(asked))
        about |= {"turn": turn, "choice_set": f"{row['conversation_id']}-{turn}"}
        yield from _against(prompt, answers, best, about)
        prompt = prompt + (assistant(answers[best]) or [])


def _against(
    prompt: Turns, answers: dict[str, str | None], best: str, about: dict[str, Any]
) -> Iterator[Made]:
    seen: set[str | None] = set()
    for name, answer in answers.items():
        if name == best:
            continue
        if answer in seen and not is_blank(answer):
            yield LeftOut(SAME)
            continue
        seen.add(answer)
        made = comparison(
            prompt, (assistant(answers[best]), assistant(answer)), "a", None, **about
        )
        if isinstance(made, dict):
            del made["outcome"]  # the set has no ties
        yield made


def _written(value: object) -> str | None:
    return None if value is None else str(value).lower()


COMMUNITY_ALIGNMENT = Schema(
    name="community-alignment",
    title="Community Alignment",
    hub="facebook/community-alignment-dataset",
    needs=(
        *("conversation_id", "annotator_id", "first_turn_prompt", "first_turn_preferred_response"),
        *(f"first_turn_{answer}" for answer in _ANSWERS),
    ),
    uses=(
        *("assigned_lang", *_KEPT, *(_PREFIX + name for name in _GROUPS)),
        *(
            f"{turn}_turn_{part}"
            for turn in _TURNS[1:]
            for part in ("prompt", "preferred_response", *_ANSWERS)
        ),
    ),
    columns=comparison_columns(
        "messages",
        respondent=pa.string(),
        choice_set=pa.string(),
        conversation_id=pa.string(),
        turn=pa.int64(),
        language=pa.string(),
        **dict.fromkeys((*_GROUPS, *_KEPT), pa.string()),
    ),
    comparisons=by_row(_comparisons),
    respondent="annotator_id",
)
