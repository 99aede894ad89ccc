"""What long work tells of how far it is."""

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[str, int, int], None]  # stage, done, in all (0: unknown)


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody.

    Example:
        >>> silent("reading", 1, 2)
    """
