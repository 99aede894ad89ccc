"""A judge that the command line can name."""

__all__ = ["longer"]


def longer(prompt: str, first: str, second: str) -> float:
    """Prefers the longer answer."""
    return 0.5 if len(first) == len(second) else float(len(first) > len(second))
