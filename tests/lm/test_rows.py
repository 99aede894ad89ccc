"""Rows and batches: every answer behind its prompt, none beside another."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mixlogit.errors import UsageError
from mixlogit.lm import Encoded, Row, rows_of, unique_rows
from mixlogit.lm.rows import attention, batches, collate, separate

TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=3)
ROWS = st.lists(st.builds(Row, TOKENS, st.lists(TOKENS, min_size=1, max_size=3)), min_size=1)


def context(row: Row, answer: int, token: int) -> list[int]:
    return row.prompt + row.answers[answer][:token]


@given(ROWS)
def test_every_answer_token_is_predicted_from_its_own_context(rows: list[Row]) -> None:
    batch = collate(rows)
    seen = attention(batch["segments"])[:, 0]
    width = batch["input_ids"].shape[1]
    wanted = [
        (row, at, answer, token)
        for at, row in enumerate(rows)
        for answer, tokens in enumerate(row.answers)
        for token in range(len(tokens))
    ]
    assert len(batch["predictors"]) == len(wanted)
    for (row, at, answer, token), where in zip(wanted, batch["predictors"].tolist(), strict=True):
        assert where // width == at
        visible = seen[at, where % width]
        ids, positions = batch["input_ids"][at, visible], batch["position_ids"][at, visible]
        assert ids.tolist() == context(row, answer, token)
        assert positions.tolist() == list(range(len(ids)))
    answers = [answer for row in rows for answer in row.answers]
    assert batch["targets"].tolist() == [token for answer in answers for token in answer]
    assert batch["lengths"].tolist() == [len(answer) for answer in answers]


@given(ROWS, st.integers(1, 30))
def test_batches_hold_every_row_once_within_the_budget(rows: list[Row], tokens: int) -> None:
    found = list(batches(rows, tokens))
    assert sorted(at for batch in found for at in batch) == list(range(len(rows)))
    for batch in found:
        widest = max(rows[at].size for at in batch)
        assert len(batch) == 1 or widest * len(batch) <= tokens
    sizes = [rows[at].size for batch in found for at in batch]
    assert sizes == sorted(sizes, reverse=True)


@given(st.lists(st.tuples(TOKENS, TOKENS, TOKENS), max_size=8))
def test_unique_rows_hold_each_answer_once(comparisons: list[tuple[list[int], ...]]) -> None:
    prompts, chosen, rejected = ([c[side] for c in comparisons] for side in range(3))
    encoded = Encoded(prompts, chosen, rejected, list(range(len(comparisons))))
    rows, index = unique_rows(encoded)
    flat = [(row.prompt, answer) for row in rows for answer in row.answers]
    assert len({str(entry) for entry in flat}) == len(flat)
    assert index.shape == (len(comparisons), 2)
    for at, row in enumerate(rows_of(encoded)):
        assert [flat[i] for i in index[at]] == [(row.prompt, answer) for answer in row.answers]


def test_a_row_holds_few_answers() -> None:
    many = Encoded([[1]] * 5, [[i] for i in range(5)], [[i + 5] for i in range(5)], [0] * 5)
    assert [len(row.answers) for row in unique_rows(many)[0]] == [4, 4, 2]


def test_separate_rows_keep_the_order_of_answers() -> None:
    rows = [Row([1], [[2], [3, 4]]), Row([5], [[6]])]
    assert separate(rows) == [Row([1], [[2]]), Row([1], [[3, 4]]), Row([5], [[6]])]


def test_no_token_sees_padding_and_no_query_is_left_with_nothing() -> None:
    seen = attention(torch.tensor([[0, 1, -1, -1]]))[0, 0].numpy()
    assert np.array_equal(seen, [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 1]])


@pytest.mark.parametrize("row", [Row([], [[1]]), Row([1], [[2], []])])
def test_empty_texts_are_refused(row: Row) -> None:
    with pytest.raises(UsageError) as error:
        collate([row])
    assert str(error.value) == "Expected prompts and answers of at least one token each."
