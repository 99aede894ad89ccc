"""From known data sets to token ids: what is streamed can be encoded."""

from pathlib import Path

import pytest
from known_sets import ROWS, write_set
from transformers import AutoTokenizer, PreTrainedTokenizerBase

import mixlogit as ml
from mixlogit.lm import EncodingCounts

CHAT = (
    "{% for turn in messages %}<{{ turn.role }}>{{ turn.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture
def tokenizer(shared_data: Path) -> PreTrainedTokenizerBase:
    made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(shared_data / "tiny-lm" / "hf")
    made.chat_template = CHAT
    return made


@pytest.mark.filterwarnings("ignore::mixlogit.errors.DataWarning")
@pytest.mark.parametrize("name", ROWS)
def test_every_known_set(name: str, tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    write_set(name, tmp_path)
    counts = EncodingCounts()
    for batch in ml.texts(tmp_path, schema=name, bad_rows="drop", batch_rows=2):
        ids, found = ml.encode(batch.table, tokenizer, source=batch.source)
        assert ids.row == list(range(batch.table.num_rows))
        counts += found
    assert counts.rows > 0
    assert counts.dropped == ()


@pytest.mark.filterwarnings("ignore::mixlogit.errors.DataWarning")
def test_rows_left_out_are_named_by_their_file(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    path = write_set("hh", tmp_path)
    (batch,) = ml.texts(path, schema="hh", bad_rows="drop")
    _, counts = ml.encode(
        batch.table, tokenizer, max_length=20, bad_rows="drop", source=batch.source
    )
    assert [(drop.file, drop.row) for drop in counts.dropped] == [(str(path), 1), (str(path), 2)]
