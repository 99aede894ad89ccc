"""`join_texts`: votes on items, and the items' texts, become comparisons of texts."""

from typing import Any

import numpy as np
import pyarrow as pa

from mixlogit.data.columns import Roles, require, resolve
from mixlogit.data.feed import as_type
from mixlogit.data.opening import open_source
from mixlogit.data.outcomes import VALUE, OutcomeLabels, outcome_labels
from mixlogit.data.problems import BadRows, Problem, settle
from mixlogit.data.rows import Rows
from mixlogit.data.source import Source
from mixlogit.data.values import Column, Ints
from mixlogit.errors import DataError

__all__ = ["join_texts"]


def join_texts(
    votes: Any,
    texts: Any,
    *,
    item_a: str = "item_a",
    item_b: str = "item_b",
    outcome: str = "outcome",
    labels: OutcomeLabels = None,
    key: str = "id",
    text: str = "text",
    prompt: str = "prompt",
    bad_rows: BadRows = "stop",
) -> pa.Table:
    """Comparisons of texts from votes that name items, and the texts of the items.

    Args:
        votes: One row a vote: any kind of data that `load` takes.
        texts: One row an item.
        item_a: The votes' column of first items.
        item_b: The votes' column of second items.
        outcome: The votes' column that says which was preferred; `labels` are its words.
        labels: Such as `"a=1,b=2,tie=equal"`.
        key: The texts' column of items.
        text: The texts' column of texts.
        prompt: The column of prompts, of the votes or of the texts.
        bad_rows: `stop` at the first malformed vote, or `drop` such votes.

    Returns:
        `prompt`, `chosen`, `rejected`, `outcome` (`a`, or `tie`) and the votes' other columns,
        the item columns turned with the texts.

    Raises:
        DataError: If a vote is malformed, or an item has no text or several.

    Example:
        >>> items = pa.table({"id": ["x", "y"], "text": ["Yes.", "No."], "prompt": ["Why?"] * 2})
        >>> votes = pa.table({"item_a": ["x"], "item_b": ["y"], "outcome": ["b"], "who": ["w1"]})
        >>> join_texts(votes, items).to_pylist()[0]["chosen"]
        'No.'
    """
    source = open_source(votes, "train", None if isinstance(votes, str) else "votes")
    items = open_source(texts, "train", None if isinstance(texts, str) else "texts")
    rows = Rows(source, resolve(source, item_a=item_a, item_b=item_b, outcome=outcome))
    a, b, names = rows.items(item_a, item_b)
    won = rows.outcomes(outcome, outcome_labels(labels), VALUE)
    at = _places(items, key, text, names)
    rows.problems += [_unknown(c, at[n], names, n, items) for c, n in ((item_a, a), (item_b, b))]
    first, second = np.where(won == 0, b, a), np.where(won == 0, a, b)
    asked = _prompts(rows, items, prompt, at[first], at[second])
    keep, _ = settle(source, rows.problems, bad_rows)
    said = as_type(items.read(text), pa.string())
    made = {"prompt": asked, "chosen": _take(said, at[first]), "rejected": _take(said, at[second])}
    made["outcome"] = pa.array(np.where(won == 0.5, "tie", "a"))
    turned = {item_a: _take(pa.array(names), first), item_b: _take(pa.array(names), second)}
    for column in source.names:
        if column not in (*made, prompt, outcome):
            made[column] = turned[column] if column in turned else _typed(source.read(column))
    table = pa.table(made)
    return table if keep is None else table.filter(pa.array(keep))


def _take(column: Any, at: Ints) -> Any:
    """The values at positions; the first one where there is none (such rows are dropped)."""
    return column.take(np.maximum(at, 0))


def _typed(raw: Column) -> Any:
    return as_type(raw, pa.string() if isinstance(raw, list) else raw.type)


def _places(items: Source, key: str, text: str, names: tuple[str, ...]) -> Ints:
    """The texts' row of each item, -1 where there is none; the last entry serves code -1."""
    for role, column in (("key", key), ("text", text)):
        require(items, role, column)
    rows = Rows(items, Roles(respondent=key, chosen=text))
    codes, known = rows.names(key)
    rows.plain_texts(text)
    settle(items, rows.problems, "stop")
    place = dict(zip([known[code] for code in codes], range(codes.size), strict=True))
    if len(place) < codes.size:
        name = known[int(np.argmax(np.bincount(codes) > 1))]
        raise DataError(
            f'{items.name}: {key} "{name}" has several texts. Each item needs exactly one.',
            file=items.name,
            column=key,
        )
    return np.array([*(place.get(name, -1) for name in names), -1], dtype=np.int64)


def _unknown(column: str, at: Ints, names: tuple[str, ...], codes: Ints, items: Source) -> Problem:
    return Problem(
        column,
        np.flatnonzero((at < 0) & (codes >= 0)),
        lambda i: f'{column} is "{names[codes[i]]}", which has no text',
        lambda _: f"Every item must be in {items.name}.",
    )


def _prompts(rows: Rows, items: Source, prompt: str, first: Ints, second: Ints) -> Any:
    """The prompt of each vote; one that comes with the items must be the same for both."""
    if prompt in rows.source.names:
        rows.plain_texts(prompt)
        return as_type(rows.source.read(prompt), pa.string())
    require(items, "prompt", prompt)
    own = Rows(items, Roles(prompt=prompt)).plain_texts(prompt)
    asked = as_type(items.read(prompt), pa.string())
    wrong = (own.codes[first] != own.codes[second]) | (own.codes[first] < 0)
    rows.problems.append(
        Problem(
            prompt,
            np.flatnonzero(wrong & (first >= 0) & (second >= 0)),
            lambda _: f"the items have no {prompt} in common",
            lambda _: "Both answers of a comparison stand behind one prompt.",
        )
    )
    return _take(asked, first)
