"""What a schema is: where a known data set lies, and how its rows become comparisons."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mixlogit.data.messages import MESSAGES, Turns, is_blank, turns
from mixlogit.data.values import printable

__all__ = [
    "EMPTY",
    "SAME",
    "LeftOut",
    "Made",
    "Malformed",
    "Row",
    "Schema",
    "assistant",
    "by_row",
    "comparison",
    "comparison_columns",
    "dialogue",
    "label",
    "user",
    "whole_number",
]

Row = Mapping[str, Any]
EMPTY = "an answer is empty"
SAME = "both answers are the same"


class Malformed(Exception):
    """A row that is not as the schema says; the text is what is wrong with it."""


@dataclass(frozen=True)
class LeftOut:
    """A comparison that the data set holds but that says nothing.

    Args:
        reason: Why, such as `an answer is empty`.
    """

    reason: str


Made = dict[str, Any] | LeftOut | Malformed
Mapper = Callable[[list[Row], str], Iterator[tuple[int, Made]]]


@dataclass(frozen=True)
class Schema:
    """A known data set.

    Args:
        name: What `--schema` calls it.
        title: What people call it.
        hub: Its hub id; None if it is not on the hub.
        needs: The columns that must be there.
        uses: Other columns that are read if they are there.
        columns: Names and types of the comparisons' columns.
        comparisons: From rows and the name of their file to comparisons, each with the position
            of the row it came from, in ascending order.
        split: The split that is used if none is named.
        config: The configuration of the hub data set.
        data_dirs: Folders of the hub data set, each loaded by itself.
        files: Patterns of the files in a local folder, the first that fits; `{split}` is filled.
        respondent: The raw column of who judged, for reading without the mapping.
        beside: A second table (configuration, or file in the same folder), whose row of the same
            key is put into each row under the table's name; and that key.
        whole: Whether all rows are needed at once.

    Example:
        >>> import mixlogit as ml
        >>> ml.schemas()["ultrafeedback"].hub
        'HuggingFaceH4/ultrafeedback_binarized'
    """

    name: str
    title: str
    hub: str | None
    needs: tuple[str, ...]
    columns: pa.Schema
    comparisons: Mapper
    uses: tuple[str, ...] = ()
    split: str = "train"
    config: str | None = None
    data_dirs: tuple[str, ...] = ()
    files: tuple[str, ...] = ("data/{split}-*", "{split}-*", "{split}.*")
    respondent: str | None = None
    beside: tuple[str, str] | None = None
    whole: bool = False


def by_row(comparisons: Callable[[Row, str], Iterable[Made]]) -> Mapper:
    """A mapping of one row at a time, as a mapping of many; a row that is malformed stays out.

    Example:
        >>> def odd(row, file):
        ...     yield {"chosen": row["n"]} if row["n"] % 2 else LeftOut("even")
        >>> list(by_row(odd)([{"n": 1}, {"n": 2}], "votes.jsonl"))
        [(0, {'chosen': 1}), (1, LeftOut(reason='even'))]
    """

    def of_all(rows: list[Row], file: str) -> Iterator[tuple[int, Made]]:
        for i, row in enumerate(rows):
            try:
                for made in comparisons(row, file):
                    yield i, made
            except Malformed as error:
                yield i, error

    return of_all


def comparison_columns(kind: str, **others: Any) -> pa.Schema:
    """The columns of comparisons: prompt and both answers, then the others.

    Example:
        >>> comparison_columns("text", grade=pa.float64()).names
        ['prompt', 'chosen', 'rejected', 'grade']
    """
    said = MESSAGES if kind == "messages" else pa.string()
    return pa.schema([*((n, said) for n in ("prompt", "chosen", "rejected")), *others.items()])


def comparison(
    prompt: str | Turns,
    answers: tuple[str | Turns | None, str | Turns | None],
    won: str,
    sides: Mapping[str, tuple[Any, Any]] | None = None,
    **others: Any,
) -> dict[str, Any] | LeftOut:
    """One comparison, the preferred answer first.

    Args:
        prompt: The prompt.
        answers: Both answers.
        won: `a`, `b` or `tie`; a tie keeps the order.
        sides: Other values of both answers; each becomes two columns, `_chosen` and `_rejected`.
        **others: Values of the comparison.

    Returns:
        The comparison, or why it is left out.

    Example:
        >>> comparison("Why?", ("No.", "Yes."), "b", {"model": ("m1", "m2")}, respondent="w1")
        {'prompt': 'Why?', 'chosen': 'Yes.', 'rejected': 'No.', 'outcome': 'a', \
'model_chosen': 'm2', 'model_rejected': 'm1', 'respondent': 'w1'}
    """
    if any(is_blank(answer) for answer in answers):
        return LeftOut(EMPTY)
    if answers[0] == answers[1]:
        return LeftOut(SAME)
    best, other = (1, 0) if won == "b" else (0, 1)
    made: dict[str, Any] = {
        "prompt": prompt,
        "chosen": answers[best],
        "rejected": answers[other],
        "outcome": "tie" if won == "tie" else "a",
    }
    for name, both in (sides or {}).items():
        made |= {f"{name}_chosen": both[best], f"{name}_rejected": both[other]}
    return made | others


def label(row: Row, column: str, words: Mapping[str, Any]) -> Any:
    """What a word of the data set means.

    Raises:
        Malformed: If it is none of the words.

    Example:
        >>> label({"winner": "model_b"}, "winner", {"model_a": "a", "model_b": "b"})
        'b'
    """
    value = row.get(column)
    if not isinstance(value, str) or value not in words:
        shown = printable(str(value))
        raise Malformed(f'{column} is "{shown[:40]}", not one of {", ".join(words)}')
    return words[value]


def whole_number(row: Row, column: str, low: int, high: int) -> int:
    """A whole number within bounds.

    Raises:
        Malformed: If it is none.

    Example:
        >>> whole_number({"turn": "2"}, "turn", 1, 9)
        2
    """
    value = row.get(column)
    try:
        number = int(value)  # type: ignore[arg-type]  # what is no number raises here
    except (TypeError, ValueError):
        number = low - 1
    if not low <= number <= high or number != float(value):  # type: ignore[arg-type]
        raise Malformed(
            f'{column} is "{printable(str(value))[:40]}", not a whole number from {low} to {high}'
        )
    return number


def dialogue(row: Row, column: str) -> Turns:
    """A conversation.

    Raises:
        Malformed: If it is none.

    Example:
        >>> dialogue({"context": [{"role": "user", "content": "Hi.", "id": 3}]}, "context")
        [{'role': 'user', 'content': 'Hi.'}]
    """
    found = turns(row.get(column))
    if isinstance(found, str):
        raise Malformed(f"{column}: {found}")
    return found


def user(text: str) -> Turns:
    """One turn of the user."""
    return [{"role": "user", "content": text}]


def assistant(text: str | None) -> Turns | None:
    """One turn of the assistant; None if there is none."""
    return None if text is None else [{"role": "assistant", "content": text}]
