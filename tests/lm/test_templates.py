"""Whole texts of comparisons: types that must agree, turns that must fit, the messages."""

from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from mixlogit.data.problems import Faults
from mixlogit.errors import DataError, UsageError
from mixlogit.lm.templates import Whole, common_text, whole_texts

CHAT = "{% for turn in messages %}[{{ turn.role }}] {{ turn.content }}</s> {% endfor %}"
STRICT = "{{ raise_exception('roles must\nalternate') }}"
ASK = [{"role": "user", "content": "Why?"}]
YES, NO = ([{"role": "assistant", "content": text}] for text in ("Yes.", "No."))


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerBase:
    words = Tokenizer(models.WordLevel({"</s>": 0}, unk_token="</s>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", chat_template=CHAT)


def found(
    tokenizer: PreTrainedTokenizerBase, *rows: dict[str, Any]
) -> tuple[list[Whole], list[tuple[str, str, str]]]:
    """The whole texts, and column, reason and advice of each row that is malformed."""
    faults = Faults()
    wholes, _ = whole_texts(pa.Table.from_pylist(list(rows)), tokenizer, faults, "votes")
    said = [
        (problem.column, problem.reason(row), problem.advice(row))
        for problem in faults.problems()
        for row in problem.rows.tolist()
    ]
    return wholes, said


def test_both_answers_pass_the_same_template(tokenizer: PreTrainedTokenizerBase) -> None:
    scored = [turn | {"score": 3, "model": "m"} for turn in NO]
    wholes, said = found(tokenizer, {"prompt": ASK, "chosen": YES, "rejected": scored})
    assert said == []
    assert wholes == [
        Whole(
            0,
            "[user] Why?</s> ",
            "[user] Why?</s> [assistant] Yes.</s>",
            "[user] Why?</s> [assistant] No.</s>",
        )
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"prompt": "Why?", "chosen": "Yes.", "rejected": NO},
            "votes: prompt is text, chosen is text, rejected is a list of messages. All must have "
            "one type, so that both answers pass the same template.",
        ),
        (
            {"chosen": YES, "rejected": "No."},
            "votes: chosen is a list of messages, rejected is text. All must have one type, so "
            "that both answers pass the same template.",
        ),
        (
            {"chosen": 1.5, "rejected": "No."},
            "votes: chosen is a number. Prompts and answers must be text, or lists of messages "
            "with role and content.",
        ),
        (
            {"chosen": [{"role": "assistant"}], "rejected": NO},
            "votes: chosen is a list. Prompts and answers must be text, or lists of messages "
            "with role and content.",
        ),
        (
            {"chosen": ["Yes."], "rejected": ["No."]},
            "votes: chosen is a list. Prompts and answers must be text, or lists of messages "
            "with role and content.",
        ),
        (
            {"prompt": "Why?", "chosen": "Yes."},
            'votes: no column "rejected". Comparisons of texts need chosen and rejected, and '
            "prompt unless they hold it. Columns: prompt, chosen.",
        ),
    ],
)
def test_types(tokenizer: PreTrainedTokenizerBase, row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as caught:
        found(tokenizer, row)
    assert str(caught.value) == says


def test_no_template(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = None
    with pytest.raises(UsageError) as caught:
        found(tokenizer, {"prompt": ASK, "chosen": YES, "rejected": NO})
    assert str(caught.value) == (
        "votes: prompts and answers are lists of messages, but the tokenizer has no chat "
        "template. Name the tokenizer of a chat model by --tokenizer, or set "
        "tokenizer.chat_template."
    )


TURNS = "Give a prompt that ends before the assistant's turn, and answers that start with it."


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"prompt": ASK, "chosen": YES, "rejected": None},
            ("rejected", '"rejected" is missing', "Prompts and answers must hold text."),
        ),
        (
            {"prompt": ASK, "chosen": [], "rejected": NO},
            ("chosen", '"chosen" is empty', "Prompts and answers must hold text."),
        ),
        (
            {"prompt": ASK, "chosen": YES, "rejected": [NO[0] | {"content": " \n"}]},
            ("rejected", '"rejected" is empty', "Prompts and answers must hold text."),
        ),
        (
            {"prompt": ASK, "chosen": YES, "rejected": [NO[0], {"role": None, "content": "x"}]},
            ("rejected", "rejected: turn 2 has no role", "A message needs role and content."),
        ),
        (
            {"prompt": ASK + YES, "chosen": YES, "rejected": NO},
            ("prompt", "the prompt ends with a turn of the assistant", TURNS),
        ),
        (
            {"prompt": ASK, "chosen": ASK, "rejected": NO},
            ("chosen", 'chosen starts with a turn of "user"', TURNS),
        ),
        (
            {"chosen": YES, "rejected": NO},
            ("chosen", "chosen and rejected have no turn in common", TURNS),
        ),
        (
            {"chosen": ASK + YES, "rejected": ASK + ASK},
            ("rejected", 'rejected starts with a turn of "user"', TURNS),
        ),
    ],
)
def test_rows(
    tokenizer: PreTrainedTokenizerBase, row: dict[str, Any], says: tuple[str, str, str]
) -> None:
    good = {key: {"prompt": ASK, "chosen": ASK + YES, "rejected": ASK + NO}[key] for key in row}
    if "prompt" in row:
        good |= {"chosen": YES, "rejected": NO}
    wholes, said = found(tokenizer, good, row)
    assert [whole.row for whole in wholes] == [0]
    assert said == [says]


def test_a_template_that_refuses(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = STRICT
    _, said = found(tokenizer, {"prompt": ASK, "chosen": YES, "rejected": NO})
    assert said == [
        (
            "chosen",
            "the chat template refuses the conversation (roles must\\nalternate)",
            "Write it as the template asks, or use another.",
        )
    ]


@pytest.mark.parametrize(
    ("first", "second", "prompt"),
    [
        ("\n\nHuman: a\n\nAssistant: Yes", "\n\nHuman: a\n\nAssistant: Yet", "Assistant:"),
        ("Say hi", "Say hi there", "Say"),
        ("Q:\n\nyes", "Q:\n\nno", "Q:"),
        ("same text", "same text", "same"),
        ("yes", "no", ""),
        ("yes we", "yes  we", "yes"),
    ],
)
def test_common_text(first: str, second: str, prompt: str) -> None:
    for pair in ((first, second), (second, first)):
        found = common_text(*pair)
        assert found.endswith(prompt)
        assert bool(found) == bool(prompt)
        assert all(text.startswith(found) and len(text) > len(found) for text in pair)
