"""Texts to margins: templates, shared-prompt rows, the scorer, the reference cache."""

from mixlogit.lm.encode import EncodingCounts, encode
from mixlogit.lm.encoded import Encoded

__all__ = ["Encoded", "EncodingCounts", "encode"]
