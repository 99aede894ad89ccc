"""Conversations: lists of messages, each with role and content."""

from typing import Any

import numpy as np
import pyarrow as pa

from mixlogit.data.values import Column, is_text, plain

__all__ = ["MESSAGES", "Turns", "common_turns", "holds_messages", "is_blank", "is_messages"]
__all__ += ["spoken", "turns"]

Turns = list[dict[str, str]]
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def is_messages(kind: Any) -> bool:
    """Whether an Arrow type is lists of messages.

    Example:
        >>> is_messages(MESSAGES), is_messages(pa.list_(pa.string()))
        (True, False)
    """
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    turn = kind.value_type
    return bool(pa.types.is_struct(turn)) and all(
        turn.get_field_index(key) >= 0 and is_text(plain(turn.field(key).type))
        for key in ("role", "content")
    )


def holds_messages(column: Column) -> bool:
    """Whether a raw column holds messages: by its type, or by its first value if it has none."""
    if not isinstance(column, list):
        return is_messages(column.type)
    first = next((value for value in column if value is not None), None)
    return isinstance(first, list) and all(isinstance(turn, dict) for turn in first)


def turns(value: object) -> Turns | str:
    """Messages without what else they hold (scores, model names), or what is wrong with them.

    Example:
        >>> turns([{"role": "user", "content": "Hi.", "score": 3}])
        [{'role': 'user', 'content': 'Hi.'}]
        >>> turns([{"role": "user", "content": None}])
        'turn 1 has no content'
    """
    if not isinstance(value, list | np.ndarray):
        return "not a list of messages"
    found: Turns = []
    for i, turn in enumerate(value, 1):
        if not isinstance(turn, dict):
            return f"turn {i} is no message"
        lacks = [key for key in ("role", "content") if not isinstance(turn.get(key), str)]
        if lacks:
            return f"turn {i} has no {lacks[0]}"
        found.append({"role": turn["role"], "content": turn["content"]})
    return found


def spoken(value: Turns | None) -> str | None:
    r"""What is said in a conversation, as one text.

    Example:
        >>> spoken([{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}])
        'Hi.\n\nYes?'
    """
    return None if value is None else "\n\n".join(turn["content"] for turn in value)


def is_blank(value: str | Turns | None) -> bool:
    """Whether nothing is said, in a text or a conversation.

    Example:
        >>> is_blank(" "), is_blank(None), is_blank([{"role": "assistant", "content": "Yes."}])
        (True, True, False)
    """
    if value is None or isinstance(value, str):
        return not (value or "").strip()
    return not any(turn and (turn["content"] or "").strip() for turn in value)


def common_turns(first: Turns, second: Turns) -> int:
    """How many turns two conversations have in common, at least one less than either has.

    Example:
        >>> hi = {"role": "user", "content": "Hi."}
        >>> common_turns([hi, {"role": "assistant", "content": "Yes?"}], [hi, hi])
        1
    """
    shorter = min(len(first), len(second)) - 1
    same = (i for i in range(shorter) if first[i] != second[i])
    return next(same, max(shorter, 0))
