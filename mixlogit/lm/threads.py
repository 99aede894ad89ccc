"""How many threads a model is worth."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["worth_threads"]

_SMALL = 10_000_000


@contextmanager
def worth_threads(model: Any) -> Iterator[None]:
    """One torch thread for a small model on the CPU, where barriers cost more than they save.

    Args:
        model: From 10 million weights on the setting is left alone.
    """
    before = torch.get_num_threads()
    if sum(weight.numel() for weight in model.parameters()) < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
