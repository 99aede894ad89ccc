"""How far texts, or lists of tokens, are the same from their start on."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

__all__ = ["common_length"]


def common_length(first: Sequence[Any], *others: Sequence[Any]) -> int:
    """Length of the longest common start, found by halving: few comparisons of long slices.

    Example:
        >>> common_length("prompt one", "prompt two"), common_length([5, 6], [5, 6, 7], [5, 6])
        (7, 2)
    """
    shortest = min(map(len, (first, *others)))

    def differs(n: int) -> bool:
        return any(other[: n + 1] != first[: n + 1] for other in others)

    return bisect_left(range(shortest), True, key=differs)
