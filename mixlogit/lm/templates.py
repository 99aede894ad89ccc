"""Comparisons as whole texts: each answer with its prompt in front, as the tokenizer reads it."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from jinja2 import TemplateError

from mixlogit.data.columns import no_text
from mixlogit.data.messages import Turns, common_turns, is_blank, is_messages, turns
from mixlogit.data.prefix import common_length
from mixlogit.data.problems import Faults
from mixlogit.data.values import is_text, plain, printable, type_kind
from mixlogit.errors import DataError, UsageError
from mixlogit.lm.specials import Specials

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Whole", "common_text", "kinds_of", "whole_texts"]

_ROLES = ("prompt", "chosen", "rejected")
_EMPTY = "Prompts and answers must hold text."
_TURNS = "Give a prompt that ends before the assistant's turn, and answers that start with it."
_WORDS = {"text": "text", "messages": "a list of messages"}


@dataclass(frozen=True)
class Whole:
    """One comparison as the texts that are tokenised.

    Attributes:
        row: Its position in the table.
        prompt: The prompt.
        chosen: The prompt and the chosen answer.
        rejected: The prompt and the rejected answer.
        moved: Whether the chat template writes the prompt's end differently in front of an
            answer, so that the prompt ends earlier than by itself.
        special: A special token of the tokenizer that somebody's words spell out, if any do.
    """

    row: int
    prompt: str
    chosen: str
    rejected: str
    moved: bool = False
    special: str = ""


def whole_texts(
    table: pa.Table, tokenizer: "PreTrainedTokenizerBase", faults: Faults, name: str
) -> tuple[list[Whole], str]:
    """Every row of a table as whole texts; rows that cannot be are noted.

    An end-of-sequence token that is written at the end of a text is left off.

    Args:
        table: Columns chosen and rejected, and prompt unless the answers hold it: text, or
            lists of messages with role and content. All have one type.
        tokenizer: Its chat template writes messages as text.
        faults: Takes the rows that are malformed.
        name: What messages call the table.

    Returns:
        The rows that are well formed, and what the columns are: `text` or `messages`.

    Raises:
        DataError: If columns lack or their types differ.
        UsageError: If there are messages but no chat template.
    """
    kind = _one_kind(table, name)
    if kind == "messages" and tokenizer.chat_template is None:
        raise UsageError(
            f"{name}: prompts and answers are lists of messages, but the tokenizer has no chat "
            "template. Name the tokenizer of a chat model by --tokenizer, or set "
            "tokenizer.chat_template."
        )
    chosen, rejected = table["chosen"].to_pylist(), table["rejected"].to_pylist()
    explicit = "prompt" in table.column_names
    prompts = table["prompt"].to_pylist() if explicit else [None] * table.num_rows
    specials, eos = Specials(tokenizer), str(tokenizer.eos_token)
    wholes = []
    for row, parts in enumerate(zip(prompts, chosen, rejected, strict=True)):
        values = dict(zip(_ROLES, parts, strict=True))
        if not explicit:
            del values["prompt"]
        missing = [role for role, value in values.items() if is_blank(value)]
        if missing:
            word = "missing" if values[missing[0]] is None else "empty"
            faults.note(row, missing[0], f'"{missing[0]}" is {word}', _EMPTY)
        elif kind == "text":
            prompt, *answers = parts
            answers = [_ended(answer, eos).removesuffix(eos) for answer in answers]
            special = specials.first_of(filter(None, (prompt, *answers)))
            wholes.append(replace(_of_texts(row, prompt, *answers), special=special))
        else:
            whole = _of_messages(row, values, tokenizer, faults)
            if whole is not None:
                said = (turn["content"] for value in values.values() for turn in value)
                wholes.append(replace(whole, special=specials.first_of(said)))
    return wholes, kind


def kinds_of(schema: pa.Schema, name: str) -> dict[str, str]:
    """What the prompt and both answers are: `text` or `messages`.

    Args:
        schema: Of a table with the columns chosen, rejected and, perhaps, prompt.
        name: What messages call the table.

    Returns:
        Column to kind, for those of the three that are there. A column of nulls is left out.

    Raises:
        DataError: If a column is neither.

    Example:
        >>> kinds_of(pa.schema({"chosen": pa.string(), "rejected": pa.string()}), "votes")
        {'chosen': 'text', 'rejected': 'text'}
    """
    kinds = {}
    for role in _ROLES:
        if role not in schema.names:
            continue
        found = plain(schema.field(role).type)
        if is_text(found):
            kinds[role] = "text"
        elif is_messages(found):
            kinds[role] = "messages"
        elif not pa.types.is_null(found):
            raise DataError(
                f"{name}: {role} is {type_kind(found)}. Prompts and answers must be text, or "
                "lists of messages with role and content.",
                file=name,
                column=role,
            )
    return kinds


def common_text(first: str, second: str) -> str:
    """The prompt of two whole texts: what they have in common, up to the end of a word.

    Example:
        >>> common_text("Q: why? A: yesterday", "Q: why? A: yes")
        'Q: why? A:'
    """
    common = first[: common_length(first, second)]
    last = re.search(r"\s+\S*\Z", common)
    return common[: last.start()] if last else ""


def _one_kind(table: pa.Table, name: str) -> str:
    for role in ("chosen", "rejected"):
        if role not in table.column_names:
            raise no_text(name, table.column_names, role)
    kinds = kinds_of(table.schema, name)
    if len(set(kinds.values())) > 1:
        shown = ", ".join(f"{role} is {_WORDS[kind]}" for role, kind in kinds.items())
        raise DataError(
            f"{name}: {shown}. All must have one type, so that both answers pass the same "
            "template.",
            file=name,
            column=next(reversed(kinds)),
        )
    return next(iter(kinds.values()), "text")


def _of_texts(row: int, prompt: str | None, chosen: str, rejected: str) -> Whole:
    if prompt is None:
        return Whole(row, common_text(chosen, rejected), chosen, rejected)
    return Whole(row, prompt, prompt + chosen, prompt + rejected)


def _of_messages(
    row: int, values: dict[str, Any], tokenizer: "PreTrainedTokenizerBase", faults: Faults
) -> Whole | None:
    said: dict[str, Turns] = {}
    for role, value in values.items():
        read = turns(value)
        if isinstance(read, str):
            faults.note(row, role, f"{role}: {read}", "A message needs role and content.")
            return None
        said[role] = read
    prompt, chosen, rejected = (said.get(role, []) for role in _ROLES)
    if "prompt" not in values:
        n = common_turns(chosen, rejected)
        prompt, chosen, rejected = chosen[:n], chosen[n:], rejected[n:]
    wrong = _wrong_turns(prompt, chosen, rejected)
    if wrong:
        faults.note(row, *wrong, _TURNS)
        return None
    try:
        return _rendered(row, prompt, chosen, rejected, tokenizer)
    except TemplateError as error:
        reason = f"the chat template refuses the conversation ({printable(str(error))})"
        faults.note(row, "chosen", reason, "Write it as the template asks, or use another.")
        return None


def _wrong_turns(prompt: Turns, chosen: Turns, rejected: Turns) -> tuple[str, str] | None:
    """The column at fault and what is wrong with it, if the answers are no assistant's turns."""
    if not prompt:
        return "chosen", "chosen and rejected have no turn in common"
    if prompt[-1]["role"] == "assistant":
        return "prompt", "the prompt ends with a turn of the assistant"
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        if answer[0]["role"] != "assistant":
            return name, f'{name} starts with a turn of "{printable(answer[0]["role"])}"'
    return None


def _rendered(
    row: int,
    prompt: Turns,
    chosen: Turns,
    rejected: Turns,
    tokenizer: "PreTrainedTokenizerBase",
) -> Whole:
    """The conversation through the chat template, both answers in the same way."""

    def write(turn: Turns, ask: bool = False) -> str:
        text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=ask)
        return str(text)

    eos = str(tokenizer.eos_token)
    start = write(prompt, ask=True)
    one, two = (_ended(write(prompt + answer), eos) for answer in (chosen, rejected))
    common = start[: common_length(start, one, two)]
    return Whole(row, common, one, two, moved=common != start)


def _ended(text: str, eos: str) -> str:
    """Without the white space that some templates write behind the end of the last turn."""
    bare = text.rstrip()
    return bare if bare.endswith(eos) else text
