"""How many threads a fit is worth."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["few_threads"]

_SMALL = 500_000


@contextmanager
def few_threads(rows: int) -> Iterator[None]:
    """One torch thread for small problems, where barriers cost more than they save.

    Args:
        rows: Number of comparisons; from 500,000 on the setting is left alone.
    """
    before = torch.get_num_threads()
    if rows < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
