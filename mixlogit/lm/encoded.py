"""`Encoded`: comparisons as token ids, what the scorer reads."""

from dataclasses import dataclass

__all__ = ["Encoded", "Tokens"]

Tokens = list[int]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Token ids of comparisons, the prompt once and both answers behind it.

    Attributes:
        prompt: Tokens of each prompt, a `comparison`-list.
        chosen: Tokens of each chosen answer, with its end-of-sequence token.
        rejected: The same of each rejected answer.
        row: Position of each comparison in the table that it came from.

    Example:
        >>> one = Encoded(prompt=[[5, 6]], chosen=[[7, 2]], rejected=[[8, 9, 2]], row=[0])
        >>> len(one)
        1
    """

    prompt: list[Tokens]
    chosen: list[Tokens]
    rejected: list[Tokens]
    row: list[int]

    def __len__(self) -> int:
        return len(self.row)
