"""Some of many draws."""

import torch
from torch import Tensor

__all__ = ["thinned"]


def thinned(draws: int, most: int) -> Tensor:
    """Positions of no more than `most` draws, evenly spread.

    Example:
        >>> thinned(10, 4).tolist()
        [0, 3, 6, 9]
    """
    return torch.linspace(0, draws - 1, min(draws, most)).round().long()
