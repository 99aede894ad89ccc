"""Broadcasting, with types."""

from typing import cast

import torch
from torch import Tensor

__all__ = ["broadcast_shapes", "broadcast_tensors"]


def broadcast_shapes(*shapes: tuple[int, ...]) -> torch.Size:
    """The shape that all of `shapes` broadcast to.

    Example:
        >>> broadcast_shapes((3, 1), (4,))
        torch.Size([3, 4])
    """
    return cast(torch.Size, torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, expanded to their common shape.

    Example:
        >>> [x.shape for x in broadcast_tensors(torch.ones(3, 1), torch.ones(4))]
        [torch.Size([3, 4]), torch.Size([3, 4])]
    """
    return tuple(torch.broadcast_tensors(*tensors))  # type: ignore[no-untyped-call]
