"""Token ids against plain tokenisation, one row at a time; properties; counts and messages."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerBase

import mixlogit as ml
from mixlogit.data.source import Part, source_of_table
from mixlogit.errors import DataError, DataWarning, UsageError
from mixlogit.lm import Encoded, EncodingCounts

Tokens = list[int]
MARK = "\n\nAssistant:"
EOS = 2
CHAT = (
    "{% for turn in messages %}<{{ turn.role }}>{{ turn.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
QUICK = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def tokenizer(shared_data: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(shared_data / "tiny-lm" / "hf")


@pytest.fixture
def dialogues(shared_data: Path) -> list[dict[str, str]]:
    """200 rows of Anthropic's harmless test set, with their prompts; row 87 has no answer."""
    with gzip.open(shared_data / "hh-harmless-test" / "harmless-base-test.jsonl.gz") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(201), strict=False)]
    for row in rows:
        row["prompt"] = row["chosen"].rpartition(MARK)[0] + MARK
        row |= {k: row[k].rpartition(MARK)[2] for k in ("chosen", "rejected")}
    assert [i for i, row in enumerate(rows, 1) if not row["chosen"].strip()] == [87]
    return rows


def one(tokenizer: PreTrainedTokenizerBase, **row: Any) -> tuple[Encoded, EncodingCounts]:
    return ml.encode(pa.Table.from_pylist([row]), tokenizer)


def plainly(
    tokenizer: PreTrainedTokenizerBase, row: dict[str, str]
) -> tuple[Tokens, Tokens, Tokens]:
    """Prompt and answers of one row, token by token."""
    prompt, chosen, rejected = (
        tokenizer(text)["input_ids"]
        for text in (row["prompt"], row["prompt"] + row["chosen"], row["prompt"] + row["rejected"])
    )
    n = 0
    for a, b, c in zip(prompt, chosen, rejected, strict=False):
        if not a == b == c:
            break
        n += 1
    return prompt[:n], [*chosen[n:], EOS], [*rejected[n:], EOS]


@pytest.mark.filterwarnings("ignore::mixlogit.errors.DataWarning")
def test_equals_plain_tokenisation_of_200_real_rows(
    tokenizer: PreTrainedTokenizerBase, dialogues: list[dict[str, str]]
) -> None:
    ids, counts = ml.encode(pa.Table.from_pylist(dialogues), tokenizer, bad_rows="drop")
    assert [(drop.row, drop.reason) for drop in counts.dropped] == [(87, '"chosen" is empty')]
    assert ids.row == [i for i in range(201) if i != 86]
    del dialogues[86]
    for row, *found in zip(dialogues, ids.prompt, ids.chosen, ids.rejected, strict=True):
        assert tuple(found) == plainly(tokenizer, row)
    whole = [len(tokenizer(row["prompt"])["input_ids"]) for row in dialogues]
    merged = sum(len(p) < n for p, n in zip(ids.prompt, whole, strict=True))
    assert counts.merged == merged


text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\u2581<"), min_size=1
).filter(str.strip)


@QUICK
@given(prompt=text, chosen=text, rejected=text)
@pytest.mark.filterwarnings("ignore::mixlogit.errors.DataWarning")
def test_what_goes_in_comes_out(
    tokenizer: PreTrainedTokenizerBase, prompt: str, chosen: str, rejected: str
) -> None:
    ids, counts = one(tokenizer, prompt=prompt, chosen=chosen, rejected=rejected)
    assert ids.prompt[0][0] == tokenizer.bos_token_id
    for answer, written in ((ids.chosen[0], chosen), (ids.rejected[0], rejected)):
        assert tokenizer.decode(ids.prompt[0] + answer, skip_special_tokens=True) == (
            prompt + written
        )
        assert answer.count(EOS) == 1
        assert answer[-1] == EOS
        assert len(answer) > 1
    assert counts.merged == (ids.prompt[0] != tokenizer(prompt)["input_ids"])


@QUICK
@given(st.lists(st.tuples(text, text, text), min_size=1, max_size=4), st.integers(2, 40))
@pytest.mark.filterwarnings("ignore::mixlogit.errors.DataWarning")
def test_cutting(
    tokenizer: PreTrainedTokenizerBase, rows: list[tuple[str, str, str]], most: int
) -> None:
    table = pa.Table.from_pylist(
        [dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in rows]
    )
    whole, _ = ml.encode(table, tokenizer)
    for way in ("keep_start", "keep_end"):
        ids, counts = ml.encode(table, tokenizer, max_length=most, truncation=way, bad_rows="drop")
        assert [drop.row - 1 for drop in counts.dropped] == sorted({*whole.row} - {*ids.row})
        cut = 0
        for at, *parts in zip(ids.row, ids.prompt, ids.chosen, ids.rejected, strict=True):
            before = [whole.prompt[at], whole.chosen[at], whole.rejected[at]]
            cut += parts != before
            prompt, *answers = parts
            assert all(len(prompt) + len(answer) <= most for answer in answers)
            if way == "keep_start":
                assert prompt == before[0]
                assert all(
                    a == b[: len(a)] and a for a, b in zip(answers, before[1:], strict=True)
                )
            else:
                assert answers == before[1:]
                assert prompt[0] == tokenizer.bos_token_id
                assert len(prompt) > 1
                assert prompt[1:] == before[0][1 - len(prompt) :]
        assert counts.truncated == cut


def test_merging_tokens_belong_to_the_answers(tokenizer: PreTrainedTokenizerBase) -> None:
    table = pa.table({"prompt": ["Once upon a ti"], "chosen": ["me."], "rejected": ["red."]})
    with pytest.warns(DataWarning) as caught:
        ids, counts = ml.encode(table, tokenizer, source="votes.csv")
    assert [str(warning.message) for warning in caught] == [
        "votes.csv: In 1 of 1 comparisons the prompt's last tokens merge with an answer's first "
        "ones: the prompt ends before them."
    ]
    assert counts == EncodingCounts(rows=1, merged=1)
    assert tokenizer.decode(ids.chosen[0]) == "time.</s>"
    assert tokenizer.decode(ids.prompt[0] + ids.rejected[0]) == "<s> Once upon a tired.</s>"


def test_end_of_sequence_once(tokenizer: PreTrainedTokenizerBase) -> None:
    plain, _ = one(tokenizer, prompt="Hi", chosen=" you.", rejected=" there.</s>")
    assert plain.chosen[0].count(EOS) == plain.rejected[0].count(EOS) == 1
    backend: Any = tokenizer.backend_tokenizer
    backend.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", EOS)]
    )
    assert tokenizer("Hi")["input_ids"][-1] == EOS
    own, _ = one(tokenizer, prompt="Hi", chosen=" you.", rejected=" there.</s>")
    assert (own.prompt, own.chosen, own.rejected) == (plain.prompt, plain.chosen, plain.rejected)
    backend.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    bare, _ = one(tokenizer, prompt="Hi", chosen=" you.", rejected=" there.")
    assert bare.prompt[0] == plain.prompt[0][1:]


def test_conversations_pass_the_chat_template(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = CHAT
    prompt = [{"role": "user", "content": "Hi."}]
    answers = [[{"role": "assistant", "content": text}] for text in (" You?", " Go!")]
    ids, counts = one(tokenizer, prompt=prompt, chosen=answers[0], rejected=answers[1])
    written = "<user>Hi.</s>\n<assistant> You?</s>"
    expected = tokenizer(written, add_special_tokens=False)["input_ids"]
    assert ids.prompt[0] + ids.chosen[0] == expected
    assert tokenizer.decode(ids.rejected[0]) == "Go!</s>"
    assert counts == EncodingCounts(rows=1)
    whole, _ = one(tokenizer, chosen=prompt + answers[0], rejected=prompt + answers[1])
    assert (whole.prompt, whole.chosen, whole.rejected) == (ids.prompt, ids.chosen, ids.rejected)


def test_a_template_without_end(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = CHAT.replace("</s>", "")
    prompt = [{"role": "user", "content": "Hi."}]
    answers = [[{"role": "assistant", "content": text}] for text in (" You?", " Go!")]
    ids, _ = one(tokenizer, prompt=prompt, chosen=answers[0], rejected=answers[1])
    assert tokenizer.decode(ids.chosen[0]) == "You?\n</s>"


def test_a_template_that_writes_the_prompt_differently(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer.chat_template = CHAT.replace("%}<assistant>", "%}<assistant><think>")
    prompt = [{"role": "user", "content": "Hi."}]
    answers = [[{"role": "assistant", "content": text}] for text in (" You?", " Go!")]
    with pytest.warns(DataWarning, match="In 1 of 1 comparisons the prompt's last tokens merge"):
        ids, counts = one(tokenizer, prompt=prompt, chosen=answers[0], rejected=answers[1])
    assert counts.merged == 1
    assert tokenizer.decode(ids.prompt[0]).endswith("<assistant>")


def test_prompts_in_common(tokenizer: PreTrainedTokenizerBase) -> None:
    ids, _ = one(tokenizer, chosen="Q: why? A: yesterday", rejected="Q: why? A: yes")
    same, _ = one(tokenizer, prompt="Q: why? A:", chosen=" yesterday", rejected=" yes")
    assert (ids.prompt, ids.chosen, ids.rejected) == (same.prompt, same.chosen, same.rejected)


ROWS = {
    "prompt": ["A cat", "A cat " * 9, "", "A", None],
    "chosen": [" sat.", " sat.", " sat.", " " + "sat " * 30, " sat."],
    "rejected": [" ran.", " ran.", " ran.", " ran.", ""],
}
GONE = [
    (2, "prompt", "the prompt has 38 tokens"),
    (3, "prompt", '"prompt" is empty'),
    (5, "prompt", '"prompt" is missing'),
]


def test_rows_left_out_are_counted(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.warns(DataWarning, match=r"table: In 1 of 5 comparisons tokens were cut off"):
        ids, counts = ml.encode(pa.table(ROWS), tokenizer, max_length=20, bad_rows="drop")
    assert ids.row == [0, 3]
    assert [(drop.row, drop.column, drop.reason) for drop in counts.dropped] == GONE
    assert {drop.file for drop in counts.dropped} == {"table"}
    total = counts + EncodingCounts(rows=5, merged=2)
    assert (total.rows, total.merged, total.truncated, len(total.dropped)) == (10, 2, 1, 3)
    with pytest.warns(DataWarning):
        ids, counts = ml.encode(
            pa.table(ROWS), tokenizer, max_length=20, truncation="keep_end", bad_rows="drop"
        )
    assert ids.row == [0, 1]
    assert counts.dropped[1].reason == "chosen has 62 tokens"


@pytest.mark.parametrize(
    ("row", "options", "says"),
    [
        (
            4,
            {},
            '"prompt" is missing. Prompts and answers must hold text. 1 row is like this; '
            "--bad-rows drop skips it.",
        ),
        (
            1,
            {"max_length": 20},
            "the prompt has 38 tokens. That leaves no room for an answer in 20: raise "
            "--max-length, or cut the prompt's beginning by --truncation keep_end "
            "(--truncation-mode of align). 1 row is like this; --bad-rows drop skips it.",
        ),
        (
            3,
            {"max_length": 20, "truncation": "keep_end"},
            "chosen has 62 tokens. That leaves no room for the prompt in 20: raise --max-length, "
            "or cut the answers' end by --truncation keep_start (--truncation-mode of align). "
            "1 row is like this; --bad-rows drop skips it.",
        ),
    ],
)
def test_rows_that_cannot_be_encoded(
    tokenizer: PreTrainedTokenizerBase, row: int, options: dict[str, Any], says: str
) -> None:
    table = pa.table(ROWS).slice(row, 1)
    source = source_of_table(table, "votes")
    source.parts = [Part("votes/b.jsonl", 1, pa.array([17]).to_numpy())]
    with pytest.raises(DataError) as caught:
        ml.encode(table, tokenizer, source=source, **options)
    assert str(caught.value) == f"votes/b.jsonl, row 17: {says}"
    assert (caught.value.file, caught.value.row) == ("votes/b.jsonl", 17)


def test_an_answer_that_the_tokenizer_does_not_see(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(DataError, match=r"table, row 1: chosen has no tokens\. Answers need"):
        one(tokenizer, prompt="Hi", chosen="</s>", rejected=" you")
    backend: Any = tokenizer.backend_tokenizer
    backend.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    with pytest.raises(DataError, match=r"row 1: the prompt has no tokens of its own\. An"):
        one(tokenizer, chosen="yes", rejected="no")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_length": 1}, "Expected a max_length of 2 or more but got 1."),
        (
            {"truncation": "start"},
            'Expected truncation "keep_start" or "keep_end" but got "start".',
        ),
        ({"bad_rows": "skip"}, 'Expected bad_rows "stop" or "drop" but got "skip".'),
    ],
)
def test_arguments(tokenizer: PreTrainedTokenizerBase, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        ml.encode(pa.table(ROWS).slice(0, 1), tokenizer, **options)
    assert str(caught.value) == says


def test_a_tokenizer_without_an_end(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.eos_token = None
    with pytest.raises(UsageError) as caught:
        ml.encode(pa.table(ROWS), tokenizer)
    assert str(caught.value) == (
        "The tokenizer has no end-of-sequence token, with which every answer ends. "
        "Set tokenizer.eos_token."
    )


def test_no_rows(tokenizer: PreTrainedTokenizerBase) -> None:
    ids, counts = ml.encode(pa.table(ROWS).slice(0, 0), tokenizer)
    assert len(ids) == counts.rows == 0
