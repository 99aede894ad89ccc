"""Comparisons of texts made ready for training: token ids, and who judged how."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import pyarrow as pa
import torch
from torch.utils.data import Dataset

from mixlogit.data import Comparisons, Texts, load, texts
from mixlogit.data.columns import ColumnNames
from mixlogit.data.outcomes import OutcomeLabels
from mixlogit.data.problems import BadRows
from mixlogit.errors import DataWarning, UsageError
from mixlogit.lm import Row, encode, rows_of
from mixlogit.lm.encode import EncodingCounts, Truncation

__all__ = ["PreferenceData"]

_NOT_TEXTS = ("margin", "item_a", "item_b")  # columns that `load` would take for more than texts


@dataclass(frozen=True, eq=False)
class PreferenceData(Dataset[tuple[int, Row]]):
    """Comparisons: items are a position and the tokens there.

    Attributes:
        rows: Prompt, chosen and rejected tokens of each comparison.
        comparisons: Outcome, respondent, groups and weight of each; the margins are not known.
        counts: What happened on the way to token ids.
    """

    rows: list[Row]
    comparisons: Comparisons
    counts: EncodingCounts

    @classmethod
    def read(
        cls,
        data: Any,
        tokenizer: Any,
        *,
        max_length: int | None = None,
        truncation: Truncation = "keep_start",
        schema: str | None = None,
        split: str | None = None,
        labels: OutcomeLabels = None,
        bad_rows: BadRows = "stop",
        **columns: Unpack[ColumnNames],
    ) -> "PreferenceData":
        """Read and encode comparisons of texts.

        Args:
            data: As `mixlogit.data.texts` takes it.
            tokenizer: The policy's tokenizer.
            max_length: Most tokens of a prompt with one answer.
            truncation: What remains of longer ones.
            schema: A known data set, as for `mixlogit.data.texts`.
            split: Split of a hub data set.
            labels: Other words for outcomes.
            bad_rows: `stop` at the first malformed row, or `drop` such rows.
            **columns: Column names by role.

        Raises:
            DataError: If a row is malformed.
            UsageError: If the columns named do not fit together.

        Example:
            >>> from tokenizers import Tokenizer, models, pre_tokenizers
            >>> from transformers import PreTrainedTokenizerFast
            >>> words = models.WordLevel({"</s>": 0, "why": 1, "yes": 2, "no": 3}, "</s>")
            >>> by_words = Tokenizer(words)
            >>> by_words.pre_tokenizer = pre_tokenizers.Whitespace()
            >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=by_words, eos_token="</s>")
            >>> table = pa.table(
            ...     {"prompt": ["why"], "chosen": [" yes"], "rejected": [" no"], "worker": ["w1"]})
            >>> read = PreferenceData.read(table, tokenizer, respondent="worker")
            >>> read.rows, read.comparisons.n_respondents
            ([Row(prompt=[1], answers=[[2, 0], [3, 0]])], 1)
        """
        how: Any = {"schema": schema, "split": split, "labels": labels, "bad_rows": bad_rows}
        stream = texts(data, **how, **columns)
        cut: Any = {"max_length": max_length, "truncation": truncation}
        rows, table, numbers, counts = _encoded(stream, tokenizer, bad_rows=bad_rows, **cut)
        for finding in counts.findings:
            warnings.warn(f"{stream.name}: {finding.message}", DataWarning, stacklevel=2)
        judged = _judged(table, stream, labels)
        known: Any = {"row": numbers, "source_sha256": stream.sha256, "dropped": counts.dropped}
        return cls(rows, replace(judged, **known), counts)

    def __len__(self) -> int:
        """Number of comparisons."""
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[int, Row]:
        """The position, and the tokens there."""
        return index, self.rows[index]

    def take(self, index: Sequence[int]) -> "PreferenceData":
        """Some of the comparisons, in the order given."""
        rows = [self.rows[at] for at in index]
        return replace(self, rows=rows, comparisons=self.comparisons.take(index))

    def split(self, fraction: float, seed: int = 0) -> "tuple[PreferenceData, PreferenceData]":
        """Split at random by prompt: no prompt is in both parts.

        Args:
            fraction: Share of the prompts to hold out, between 0 and 1.
            seed: Seed of the random choice.

        Returns:
            The part to train on and the part held out.

        Raises:
            UsageError: If either part would be empty.
        """
        found: dict[tuple[int, ...], list[int]] = {}
        for at, row in enumerate(self.rows):
            found.setdefault(tuple(row.prompt), []).append(at)
        n_held_out = round(fraction * len(found)) if 0 < fraction < 1 else 0
        if not 0 < n_held_out < len(found):
            raise UsageError(
                f"A test fraction of {fraction} of {len(found):,} prompts leaves one part empty. "
                "Choose one between 0 and 1."
            )
        order = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))
        groups = list(found.values())
        held_out = sorted(at for k in order[:n_held_out].tolist() for at in groups[k])
        kept = sorted(at for k in order[n_held_out:].tolist() for at in groups[k])
        return self.take(kept), self.take(held_out)


def _encoded(
    stream: Texts, tokenizer: Any, *, bad_rows: BadRows, **cut: Any
) -> tuple[list[Row], pa.Table, torch.Tensor | None, EncodingCounts]:
    """Tokens of all comparisons, their table, rows in the file, and what happened on the way."""
    rows: list[Row] = []
    tables: list[pa.Table] = []
    places: list[tuple[str, int]] = []
    counts = EncodingCounts()
    for batch in stream:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # told once, at the end
            encoded, found = encode(
                batch.table, tokenizer, bad_rows=bad_rows, source=batch.source, **cut
            )
        rows += rows_of(encoded)
        counts += found + EncodingCounts(len(batch.dropped), dropped=batch.dropped)
        tables.append(batch.table.take(pa.array(encoded.row, pa.int64())))
        places += [batch.source.locate(row) for row in encoded.row]
    one_file = len({file for file, _ in places}) == 1
    numbers = torch.tensor([row for _, row in places]) if one_file else None
    return rows, pa.concat_tables(tables), numbers, counts


def _judged(table: pa.Table, stream: Texts, labels: OutcomeLabels) -> Comparisons:
    """The comparisons without their texts, read by the roles that the stream found."""
    roles = stream.roles
    named = {roles.outcome, roles.respondent, roles.weight, *roles.groups}
    more = [name for name in table.column_names if name in _NOT_TEXTS and name not in named]
    judged = load(
        table.drop_columns(more),
        labels=labels,
        source=stream.name,
        texts_suffice=True,
        outcome=roles.outcome,
        respondent=roles.respondent,
        groups=roles.groups,
        weight=roles.weight,
    )
    of_judges = replace(roles, prompt=None, chosen=None, rejected=None)
    return replace(judged, columns=of_judges.to_dict())
