"""Shared-prompt rows: a prompt once, its answers behind it, and batches of such rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mixlogit.errors import UsageError
from mixlogit.lm.encoded import Encoded, Tokens

__all__ = ["Batch", "Row", "attention", "batches", "collate", "rows_of", "separate", "unique_rows"]

Batch = dict[str, Tensor]

_PADDING = -1  # segment of padding; 0 is the prompt, 1, 2, ... its answers
_ANSWERS = 4  # answers behind one prompt: attention is computed between them too, and masked


@dataclass(frozen=True)
class Row:
    """A prompt and the answers that stand behind it, each as if it were the only one.

    Example:
        >>> Row([5, 6], [[7, 2], [8, 9, 2]]).size
        5
    """

    prompt: Tokens
    answers: list[Tokens]

    @property
    def size(self) -> int:
        """Tokens that the model reads: the last one of an answer predicts nothing."""
        return len(self.prompt) + sum(len(answer) - 1 for answer in self.answers)


def rows_of(encoded: Encoded) -> list[Row]:
    """One row for each comparison: its prompt, chosen and rejected.

    Example:
        >>> rows_of(Encoded(prompt=[[5]], chosen=[[7, 2]], rejected=[[2]], row=[0]))
        [Row(prompt=[5], answers=[[7, 2], [2]])]
    """
    columns = zip(encoded.prompt, encoded.chosen, encoded.rejected, strict=True)
    return [Row(prompt, [chosen, rejected]) for prompt, chosen, rejected in columns]


def unique_rows(encoded: Encoded) -> tuple[list[Row], NDArray[np.int64]]:
    """Rows in which every answer to a prompt occurs once, however many compared it.

    Returns:
        The rows, and for each comparison the positions of its chosen and rejected among all
        answers of all rows (`comparison` x 2).

    Example:
        >>> twice = Encoded([[5], [5]], chosen=[[7], [8]], rejected=[[8], [7]], row=[0, 1])
        >>> unique_rows(twice)
        ([Row(prompt=[5], answers=[[7], [8]])], array([[0, 1],
               [1, 0]]))
    """
    found: dict[tuple[int, ...], dict[tuple[int, ...], None]] = {}
    keys = []
    for row in rows_of(encoded):
        prompt, *sides = (tuple(tokens) for tokens in (row.prompt, *row.answers))
        found.setdefault(prompt, {}).update(dict.fromkeys(sides))
        keys.append([(prompt, side) for side in sides])
    flat = [(prompt, answer) for prompt, answers in found.items() for answer in answers]
    position = {key: at for at, key in enumerate(flat)}
    index = np.array([[position[key] for key in sides] for sides in keys], dtype=np.int64)
    rows = [
        Row(list(prompt), [list(answer) for answer in list(answers)[start : start + _ANSWERS]])
        for prompt, answers in found.items()
        for start in range(0, len(answers), _ANSWERS)
    ]
    return rows, index.reshape(-1, 2)


def separate(rows: Iterable[Row]) -> list[Row]:
    """The same answers in the same order, each behind a copy of its prompt."""
    return [Row(row.prompt, [answer]) for row in rows for answer in row.answers]


def batches(rows: Sequence[Row], tokens: int) -> Iterator[list[int]]:
    """Positions of rows that go through the model together, the longest rows first.

    Args:
        rows: The rows.
        tokens: Most tokens in a batch, padding included; a longer row has one of its own.

    Example:
        >>> list(batches([Row([5], [[7]]), Row([5, 6], [[7]]), Row([5], [[8]])], tokens=2))
        [[1], [0, 2]]
    """
    order = sorted(range(len(rows)), key=lambda at: -rows[at].size)
    while order:
        fits = max(1, tokens // rows[order[0]].size)
        yield order[:fits]
        order = order[fits:]


def collate(rows: Sequence[Row]) -> Batch:
    """Rows as tensors, padded on the right.

    Returns:
        `input_ids`, `position_ids` and `segments`, each `row` x `token`: positions start again
        behind the prompt, segments say which answer a token belongs to. `predictors` (position
        in the flattened `row` x `token` of the token that predicts it) and `targets` for each
        answer token of all rows in order; `lengths`, the tokens of each answer.

    Raises:
        UsageError: A prompt or an answer has no token.

    Example:
        >>> batch = collate([Row([5, 6], [[7, 2], [8, 9, 2]])])
        >>> for name in ("input_ids", "position_ids", "segments"):
        ...     print(name, batch[name].tolist()[0])
        input_ids [5, 6, 7, 8, 9]
        position_ids [0, 1, 2, 2, 3]
        segments [0, 0, 1, 2, 2]
        >>> batch["predictors"].tolist(), batch["targets"].tolist()
        ([1, 2, 1, 3, 4], [7, 2, 8, 9, 2])
    """
    if not all(row.prompt and all(row.answers) for row in rows):
        raise UsageError("Expected prompts and answers of at least one token each.")
    layouts = [_layout(row) for row in rows]
    width = max(len(layout.ids) for layout in layouts)
    starts = range(0, width * len(rows), width)
    predictors = [at + p for at, row in zip(starts, layouts, strict=True) for p in row.predictors]
    answers = [answer for row in rows for answer in row.answers]
    return {
        "input_ids": _padded([layout.ids for layout in layouts], 0),
        "position_ids": _padded([layout.positions for layout in layouts], 0),
        "segments": _padded([layout.segments for layout in layouts], _PADDING),
        "predictors": torch.tensor(predictors),
        "targets": torch.tensor([token for answer in answers for token in answer]),
        "lengths": torch.tensor([len(answer) for answer in answers]),
    }


class _Layout(NamedTuple):
    ids: Tokens
    positions: list[int]
    segments: list[int]
    predictors: list[int]


def _layout(row: Row) -> _Layout:
    """The tokens of one row that the model reads, and which of them predict."""
    n = len(row.prompt)
    layout = _Layout([*row.prompt], [*range(n)], [0] * n, [])
    for segment, answer in enumerate(row.answers, start=1):
        start, inner = len(layout.ids), answer[:-1]
        layout.ids.extend(inner)
        layout.positions.extend(range(n, n + len(inner)))
        layout.segments.extend([segment] * len(inner))
        layout.predictors.extend([n - 1, *range(start, start + len(inner))])
    return layout


def _padded(values: Sequence[Sequence[int]], padding: int) -> Tensor:
    rows = [torch.tensor(row) for row in values]
    return pad_sequence(rows, batch_first=True, padding_value=padding)


def attention(segments: Tensor) -> Tensor:
    """Who may see whom: each token what stands before it in the prompt and in its own answer.

    Args:
        segments: Segments of the tokens (`row` x `token`).

    Returns:
        True where the query may see the key (`row` x 1 x `query` x `key`). Padding sees
        itself, so that no query is left with nothing.

    Example:
        >>> attention(torch.tensor([[0, 1, 2]]))[0, 0].int().tolist()
        [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    n = segments.shape[1]
    query, key = segments[:, :, None], segments[:, None, :]
    causal = torch.ones(n, n, dtype=torch.bool, device=segments.device).tril()
    return (causal & ((key == 0) | (key == query)))[:, None]
