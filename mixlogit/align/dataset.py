"""Comparisons of texts made ready for training: token ids, and who judged how."""

import warnings
from dataclasses import dataclass
from typing import Any, Unpack

import pyarrow as pa
from torch.utils.data import Dataset

from mixlogit.data import Comparisons, Texts, load, texts
from mixlogit.data.columns import ColumnNames
from mixlogit.data.outcomes import OutcomeLabels
from mixlogit.data.problems import BadRows
from mixlogit.errors import DataWarning
from mixlogit.lm import Row, encode, rows_of
from mixlogit.lm.encode import EncodingCounts, Truncation

__all__ = ["PreferenceData"]

_PLACEHOLDER = "margin of training"  # a column that `load` needs and nobody reads


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
        stream = texts(data, labels=labels, bad_rows=bad_rows, **columns)
        rows: list[Row] = []
        tables: list[pa.Table] = []
        counts = EncodingCounts()
        for batch in stream:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)  # told once, at the end
                encoded, found = encode(
                    batch.table,
                    tokenizer,
                    max_length=max_length,
                    truncation=truncation,
                    bad_rows=bad_rows,
                    source=batch.source,
                )
            rows += rows_of(encoded)
            counts += found + EncodingCounts(len(batch.dropped), dropped=batch.dropped)
            tables.append(batch.table.take(pa.array(encoded.row, pa.int64())))
        for finding in counts.findings:
            warnings.warn(f"{stream.name}: {finding.message}", DataWarning, stacklevel=2)
        return cls(rows, _judged(pa.concat_tables(tables), stream, labels), counts)

    def __len__(self) -> int:
        """Number of comparisons."""
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[int, Row]:
        """The position, and the tokens there."""
        return index, self.rows[index]


def _judged(table: pa.Table, stream: Texts, labels: OutcomeLabels) -> Comparisons:
    """Everything but the texts, read by the roles that the stream found."""
    roles = stream.roles
    kept = [name for name in table.column_names if name not in ("prompt", "chosen", "rejected")]
    table = table.select(kept).append_column(_PLACEHOLDER, pa.array([1.0] * table.num_rows))
    return load(
        table,
        labels=labels,
        source=stream.name,
        margin=_PLACEHOLDER,
        outcome=roles.outcome,
        respondent=roles.respondent,
        groups=roles.groups,
        weight=roles.weight,
    )
