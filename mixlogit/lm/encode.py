"""From comparisons with texts to token ids: the prompt once and both answers behind it."""

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from mixlogit.data.comparisons import Dropped, Finding
from mixlogit.data.prefix import common_length
from mixlogit.data.problems import BadRows, Faults, sift
from mixlogit.data.source import Source, source_of_table
from mixlogit.errors import DataWarning, UsageError
from mixlogit.lm.encoded import Encoded, Tokens
from mixlogit.lm.specials import Specials
from mixlogit.lm.templates import Whole, whole_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["EncodingCounts", "Truncation", "encode"]

_NO_PROMPT = "An answer can only be scored behind a prompt."
_LONG_PROMPT = (
    "That leaves no room for an answer in {:,}: raise --max-length, or cut the prompt's "
    "beginning by --truncation keep_end (--truncation-mode of align)."
)
_LONG_ANSWER = (
    "That leaves no room for the prompt in {:,}: raise --max-length, or cut the answers' end by "
    "--truncation keep_start (--truncation-mode of align)."
)
Truncation = Literal["keep_start", "keep_end"]


@dataclass(frozen=True)
class EncodingCounts:
    """What happened to comparisons on their way to token ids; counts of tables can be added.

    Attributes:
        rows: Comparisons read.
        merged: Comparisons whose prompt ends earlier than it would by itself, as a token (or the
            chat template) joins its end with the start of an answer.
        truncated: Comparisons of which tokens were cut off.
        dropped: Comparisons left out, with row, column and reason.
        spelled: Comparisons whose texts spell out special tokens, which are read as text.
        special: The same, where tokenizer or chat template makes special tokens of them.
        first_spelled: The first of `spelled`: file, row and token.
        first_special: The first of `special`.

    Example:
        >>> (EncodingCounts(rows=3, merged=1) + EncodingCounts(rows=2)).rows
        5
    """

    rows: int = 0
    merged: int = 0
    truncated: int = 0
    dropped: tuple[Dropped, ...] = ()
    spelled: int = 0
    special: int = 0
    first_spelled: str = ""
    first_special: str = ""

    def __add__(self, other: "EncodingCounts") -> "EncodingCounts":
        return EncodingCounts(
            self.rows + other.rows,
            self.merged + other.merged,
            self.truncated + other.truncated,
            self.dropped + other.dropped,
            self.spelled + other.spelled,
            self.special + other.special,
            self.first_spelled or other.first_spelled,
            self.first_special or other.first_special,
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What its owner should know, in sentences."""
        said = {
            "merged": "the prompt's last tokens merge with an answer's first ones: the prompt "
            "ends before them",
            "truncated": "tokens were cut off to fit the length allowed",
            "spelled": f"texts spell out special tokens ({self.first_spelled}): they are read "
            "as text",
            "special": f"texts spell out special tokens ({self.first_special}): the model reads "
            "them as such, as if the writer had ended or begun a turn. Look at these rows",
        }
        return tuple(
            Finding(name, n, f"In {n:,} of {self.rows:,} comparisons {said[name]}.")
            for name in said
            if (n := getattr(self, name))
        )


@dataclass(frozen=True)
class _Ids:
    """Token ids of one comparison, and what was done to it."""

    row: int
    prompt: Tokens
    chosen: Tokens
    rejected: Tokens
    merged: bool
    special: str
    read_as_text: bool
    truncated: bool = False


def encode(
    table: pa.Table,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    max_length: int | None = None,
    truncation: Truncation = "keep_start",
    bad_rows: BadRows = "stop",
    source: str | Source = "table",
) -> tuple[Encoded, EncodingCounts]:
    """Token ids of prompts and answers.

    Prompt and answer are tokenised together and split where the prompt's own tokens end. Tokens
    that merge across that place belong to the answers, so that both stand behind the same prompt.
    Each answer ends with one end-of-sequence token. Text starts with the tokenizer's special
    tokens; messages pass its chat template, which writes its own. Those that a text spells out
    stay text, but for an end at its end; in messages they pass for the template's own.

    Args:
        table: Columns `chosen` and `rejected`, and `prompt` unless the answers hold it (it is
            then what they have in common: whole words of texts, turns of conversations). Each
            is text or a list of messages with role and content, all of one type.
        tokenizer: A tokenizer of transformers.
        max_length: Most tokens of a prompt with one answer; None cuts nothing.
        truncation: What is cut of longer ones: `keep_start` the end of answers, `keep_end` the
            beginning of the prompt (behind a beginning-of-sequence token).
        bad_rows: `stop` at the first row that cannot be encoded (a text is empty, a prompt or
            answer leaves the other no room), or `drop` and count such rows.
        source: What messages call the table, or the source that knows its files and rows.

    Returns:
        The token ids, `row` being positions in the table, and the counts.

    Raises:
        DataError: If columns lack or differ in type, or a row cannot be encoded.
        UsageError: If the tokenizer lacks a chat template or an end-of-sequence token.

    Example:
        >>> from tokenizers import Tokenizer, models, pre_tokenizers
        >>> from transformers import PreTrainedTokenizerFast
        >>> words = models.WordLevel({"</s>": 0, "why": 1, "yes": 2, "no": 3}, unk_token="</s>")
        >>> by_words = Tokenizer(words)
        >>> by_words.pre_tokenizer = pre_tokenizers.Whitespace()
        >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=by_words, eos_token="</s>")
        >>> table = pa.table({"prompt": ["why"], "chosen": [" yes yes"], "rejected": [" no"]})
        >>> encode(table, tokenizer)[0]
        Encoded(prompt=[[1]], chosen=[[2, 2, 0]], rejected=[[3, 0]], row=[0])
    """
    _check(tokenizer, max_length, truncation)
    where = source if isinstance(source, Source) else source_of_table(table, source)
    faults = Faults()
    wholes, kind = whole_texts(table, tokenizer, faults, where.name)
    ids = _tokens(wholes, tokenizer, kind, faults)
    if max_length is not None:
        ids = _fitted(ids, max_length, truncation, tokenizer.bos_token_id, faults)
    _, dropped = sift(where, faults.problems(), bad_rows)
    counts = _counts(ids, table.num_rows, dropped, where)
    for finding in counts.findings:
        warnings.warn(f"{where.name}: {finding.message}", DataWarning, stacklevel=2)
    answers = [i.chosen for i in ids], [i.rejected for i in ids]
    return Encoded([i.prompt for i in ids], *answers, [i.row for i in ids]), counts


def _counts(
    ids: list[_Ids], rows: int, dropped: tuple[Dropped, ...], where: Source
) -> EncodingCounts:
    told = [each for each in ids if each.special]
    spelled, special = (
        [i for i in told if i.read_as_text is as_text] for as_text in (True, False)
    )

    def first(found: list[_Ids]) -> str:
        if not found:
            return ""
        file, row = where.locate(found[0].row)
        return f'{file}, row {row}: "{found[0].special}"'

    return EncodingCounts(
        rows,
        sum(i.merged for i in ids),
        sum(i.truncated for i in ids),
        dropped,
        len(spelled),
        len(special),
        first(spelled),
        first(special),
    )


def _check(tokenizer: "PreTrainedTokenizerBase", max_length: int | None, truncation: str) -> None:
    if tokenizer.eos_token_id is None:
        raise UsageError(
            "The tokenizer has no end-of-sequence token, with which every answer ends. "
            "Set tokenizer.eos_token."
        )
    if max_length is not None and max_length < 2:
        raise UsageError(f"Expected a max_length of 2 or more but got {max_length}.")
    if truncation not in ("keep_start", "keep_end"):
        raise UsageError(f'Expected truncation "keep_start" or "keep_end" but got "{truncation}".')


def _start(tokenizer: "PreTrainedTokenizerBase") -> Tokens:
    """The special tokens that the tokenizer puts in front of a text (behind it: ours alone)."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    at = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return list(full[:at])


def _tokens(
    wholes: list[Whole], tokenizer: "PreTrainedTokenizerBase", kind: str, faults: Faults
) -> list[_Ids]:
    """Every distinct text tokenised once, in one call, and split into prompt and answers."""
    texts = list(dict.fromkeys(t for w in wholes for t in (w.prompt, w.chosen, w.rejected)))
    if not texts:
        return []
    spelled = kind == "text" and any(whole.special for whole in wholes)
    made = tokenizer(
        texts,
        add_special_tokens=False,
        **({"split_special_tokens": True} if spelled else {}),  # not every tokenizer takes it
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # it would warn of texts that are longer than the model takes
    )
    start, specials = _start(tokenizer) if kind == "text" else [], Specials(tokenizer).ids
    ids = {text: start + tokens for text, tokens in zip(texts, made["input_ids"], strict=True)}
    eos = tokenizer.eos_token_id
    found = []
    for whole in wholes:
        prompt, both = ids[whole.prompt], (ids[whole.chosen], ids[whole.rejected])
        n = _shared(prompt, *both)
        chosen, rejected = (
            tokens[n:] if tokens[-1:] == [eos] else [*tokens[n:], eos] for tokens in both
        )
        empty = [
            name for name, got in (("chosen", chosen), ("rejected", rejected)) if got == [eos]
        ]
        if n == 0:
            faults.note(whole.row, "prompt", "the prompt has no tokens of its own", _NO_PROMPT)
        elif empty:
            faults.note(whole.row, empty[0], f"{empty[0]} has no tokens", "Answers need some.")
        else:
            merged = whole.moved or n < len(prompt)
            said = [*both[0][len(start) :], *both[1][len(start) :]]
            as_text = spelled and specials.isdisjoint(said)
            each = _Ids(whole.row, prompt[:n], chosen, rejected, merged, whole.special, as_text)
            found.append(each)
    return found


def _shared(prompt: Tokens, chosen: Tokens, rejected: Tokens) -> int:
    """How many tokens of the prompt both whole texts start with."""
    n = len(prompt)
    if chosen[:n] == prompt == rejected[:n]:
        return n
    return common_length(prompt, chosen, rejected)


def _fitted(
    ids: list[_Ids], max_length: int, truncation: str, bos: int | None, faults: Faults
) -> list[_Ids]:
    """Cut what is longer than allowed; rows in which nothing of one part would be left go."""
    fitted = []
    for each in ids:
        longest = max(len(each.chosen), len(each.rejected))
        n = len(each.prompt)
        if n + longest <= max_length:
            fitted.append(each)
        elif truncation == "keep_start":
            room = max_length - n
            if room > 0:
                one, two = each.chosen[:room], each.rejected[:room]
                fitted.append(replace(each, chosen=one, rejected=two, truncated=True))
            else:
                reason = f"the prompt has {n:,} tokens"
                faults.note(each.row, "prompt", reason, _LONG_PROMPT.format(max_length))
        else:
            lead = each.prompt[:1] if each.prompt[0] == bos else []
            room = max_length - longest - len(lead)
            if room > 0:
                fitted.append(replace(each, prompt=lead + each.prompt[-room:], truncated=True))
            else:
                longer = "chosen" if len(each.chosen) == longest else "rejected"
                reason = f"{longer} has {longest:,} tokens"
                faults.note(each.row, longer, reason, _LONG_ANSWER.format(max_length))
    return fitted
