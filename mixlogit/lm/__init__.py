"""Texts to margins: templates, shared-prompt rows, the scorer, the reference cache."""

from mixlogit.lm.cache import ScoreCache
from mixlogit.lm.encode import EncodingCounts, encode
from mixlogit.lm.encoded import Encoded
from mixlogit.lm.margins import Margins, margins
from mixlogit.lm.reference import Reference
from mixlogit.lm.rows import Row, rows_of, unique_rows
from mixlogit.lm.scorer import Scorer, Scores

__all__ = [
    "Encoded",
    "EncodingCounts",
    "Margins",
    "Reference",
    "Row",
    "ScoreCache",
    "Scorer",
    "Scores",
    "encode",
    "margins",
    "rows_of",
    "unique_rows",
]
