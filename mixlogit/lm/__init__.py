"""Texts to margins: templates, shared-prompt rows, the scorer, the reference cache."""

from mixlogit.lm.encode import EncodingCounts, encode
from mixlogit.lm.encoded import Encoded
from mixlogit.lm.rows import Row, rows_of, unique_rows
from mixlogit.lm.scorer import Scorer, Scores

__all__ = [
    "Encoded",
    "EncodingCounts",
    "Row",
    "Scorer",
    "Scores",
    "encode",
    "rows_of",
    "unique_rows",
]
