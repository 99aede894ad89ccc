"""Texts that spell out special tokens: they stay text, or it is told."""

import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from word_models import word_tokenizer

import mixlogit as ml
from mixlogit.errors import DataWarning
from mixlogit.lm import Encoded, EncodingCounts
from mixlogit.lm.specials import Specials

CHAT = (
    "{% for turn in messages %}<|{{ turn.role }}|>{{ turn.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
PLAIN = {"prompt": "Once upon", "chosen": " a time", "rejected": " a day"}


@pytest.fixture
def tokenizer(shared_data: Path) -> PreTrainedTokenizerBase:
    made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(shared_data / "tiny-lm" / "hf")
    made.add_special_tokens({"additional_special_tokens": ["<|im_end|>", "[/INST]"]})
    return made


def encoded(tokenizer: Any, *rows: dict[str, Any]) -> tuple[Encoded, EncodingCounts, list[str]]:
    """Tokens, counts and what was warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ids, counts = ml.encode(pa.Table.from_pylist(list(rows)), tokenizer, source="votes")
    assert {warning.category for warning in told} <= {DataWarning}
    return ids, counts, [str(warning.message) for warning in told]


@pytest.mark.parametrize("token", ["<s>", "</s>", "<unk>", "<|im_end|>", "[/INST]"])
@pytest.mark.parametrize("column", ["prompt", "chosen", "rejected"])
def test_text_stays_text(token: str, column: str, tokenizer: PreTrainedTokenizerBase) -> None:
    row = {**PLAIN, column: f"{PLAIN[column]} {token} or"}
    ids, counts, said = encoded(tokenizer, PLAIN, row)
    assert said == [
        "votes: In 1 of 2 comparisons texts spell out special tokens (votes, row 2: "
        f'"{token}"): they are read as text.'
    ]
    assert (counts.spelled, counts.special) == (1, 0)
    specials = Specials(tokenizer).ids | {tokenizer.unk_token_id}
    for name, answer in (("chosen", ids.chosen[1]), ("rejected", ids.rejected[1])):
        whole = ids.prompt[1] + answer
        assert specials.isdisjoint(whole[1:-1])
        assert tokenizer.decode(whole[1:-1]) == row["prompt"] + row[name]
    alone, _, _ = encoded(tokenizer, PLAIN)
    assert (ids.prompt[0], ids.chosen[0]) == (alone.prompt[0], alone.chosen[0])


def test_the_end_may_be_written(tokenizer: PreTrainedTokenizerBase) -> None:
    ended = {**PLAIN, "chosen": " a time</s>", "rejected": " a day</s>\n"}
    ids, _, said = encoded(tokenizer, ended)
    plain, _, _ = encoded(tokenizer, PLAIN)
    assert said == []
    assert (ids.chosen, ids.rejected) == (plain.chosen, plain.rejected)


def test_what_a_chat_template_wrote_cannot_be_told_apart(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer.chat_template = CHAT
    prompt = [{"role": "user", "content": "Once upon"}]
    good, bad = (
        [{"role": "assistant", "content": text}] for text in (" a time", "<|im_end|> a day")
    )
    row = {"prompt": prompt, "chosen": good, "rejected": bad}
    _, counts, said = encoded(tokenizer, {**row, "rejected": [{**good[0], "content": "x"}]}, row)
    assert said == [
        'votes: In 1 of 2 comparisons texts spell out special tokens (votes, row 2: "<|im_end|>")'
        ": the model reads them as such, as if the writer had ended or begun a turn. Look at "
        "these rows."
    ]
    assert (counts.spelled, counts.special) == (0, 1)


def test_a_tokenizer_whose_words_they_are() -> None:
    row = {"prompt": "w3", "chosen": " w4 </s> w5", "rejected": " w5"}
    ids, counts, said = encoded(word_tokenizer(), row)
    assert ids.chosen == [[4, 0, 0, 0, 5, 2]]  # split at its signs into unknown words
    assert (counts.spelled, counts.special, len(said)) == (1, 0, 1)
    by_spaces = word_tokenizer()
    by_spaces.backend_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ids, counts, said = encoded(by_spaces, row)
    assert ids.chosen == [[4, 2, 5, 2]]
    assert (counts.spelled, counts.special, len(said)) == (0, 1, 1)


def test_counts_of_tables_keep_the_first_row() -> None:
    one = EncodingCounts(rows=2, spelled=1, first_spelled='a, row 1: "</s>"')
    two = EncodingCounts(rows=3, spelled=2, first_spelled='a, row 4: "<s>"', special=1)
    both = EncodingCounts(rows=1) + one + two
    assert (both.rows, both.spelled, both.special, both.first_spelled) == (
        6,
        3,
        1,
        'a, row 1: "</s>"',
    )
