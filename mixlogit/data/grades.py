"""Grades: how clear a preference is, as levels 1, 2, ... either way and 0 for a tie."""

from collections.abc import Sequence

import numpy as np

from mixlogit.data.values import Floats, Ints
from mixlogit.errors import UsageError

__all__ = ["grade_words", "levels"]


def grade_words(words: str | Sequence[str] | None) -> dict[str, int] | None:
    """The level that each word of the data means.

    Args:
        words: From the clearest preference for the first to the clearest for the second, in a
            list or joined by commas; None for grades that are numbers. The middle one of an odd
            number is the tie.

    Returns:
        Word to level, positive for the first; None without words.

    Raises:
        UsageError: If a word is twice there, or there are fewer than three.

    Example:
        >>> grade_words("A much better,A better,same,B better,B much better")["B better"]
        -1
        >>> grade_words("A>>B,A>B,B>A,B>>A")
        {'A>>B': 2, 'A>B': 1, 'B>A': -1, 'B>>A': -2}
    """
    if words is None:
        return None
    parts = words.split(",") if isinstance(words, str) else list(words)
    parts = [part.strip() for part in parts if part.strip()]
    if len(parts) < 3 or len(set(parts)) < len(parts):
        raise UsageError(
            "Expected three or more different grades, from clearly first to clearly second, "
            f"but got {', '.join(parts) or 'none'}."
        )
    top, odd = len(parts) // 2, len(parts) % 2
    values = [*range(top, 0, -1), *([0] if odd else []), *range(-1, -top - 1, -1)]
    return dict(zip(parts, values, strict=True))


def levels(values: Floats) -> Ints:
    """Levels of grades that are numbers: the rank of their size, with their sign.

    Example:
        >>> levels(np.array([0.0, 3.0, -1.0, 1.0])).tolist()
        [0, 2, -1, 1]
    """
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)  # such rows are malformed
    sizes = np.unique(np.abs(values[values != 0]))
    rank = np.searchsorted(sizes, np.abs(values)) + 1
    return np.where(values == 0, 0, np.sign(values) * rank).astype(np.int64)
