"""Conversations: what is one, what two have in common, what is said in one."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixlogit.data.messages import (
    MESSAGES,
    common_turns,
    holds_messages,
    is_messages,
    spoken,
    turns,
)

ASK = [{"role": "user", "content": "Why?"}]
YES, NO = ([{"role": "assistant", "content": text}] for text in ("Yes.", "No."))


def test_common_turns() -> None:
    assert common_turns(ASK + YES, ASK + YES) == 1
    assert common_turns(ASK + YES + ASK + NO, ASK + YES + ASK + YES) == 3
    assert common_turns(ASK + YES, ASK + YES + ASK) == 1
    assert common_turns(YES, NO) == 0


def test_types() -> None:
    keys = [("role", pa.string()), ("content", pa.large_string()), ("score", pa.int64())]
    assert is_messages(pa.large_list(pa.struct(keys)))
    assert not is_messages(pa.list_(pa.struct(keys[:1])))
    assert not is_messages(pa.string())
    assert holds_messages(pa.chunked_array([pa.array([ASK], MESSAGES)]))
    assert holds_messages([None, ASK, "text"])
    assert not holds_messages(["text", ASK])
    assert not holds_messages([])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.array(ASK, dtype=object), ASK),
        ([ASK[0] | {"score": 3}], ASK),
        ([], []),
        ("Why?", "not a list of messages"),
        (["Why?"], "turn 1 is no message"),
        ([*ASK, {"role": "user"}], "turn 2 has no content"),
        ([{"content": "x", "role": 3}], "turn 1 has no role"),
    ],
)
def test_turns(value: Any, found: Any) -> None:
    assert turns(value) == found


def test_spoken() -> None:
    assert spoken(None) is None
    assert spoken(ASK + YES) == "Why?\n\nYes."
