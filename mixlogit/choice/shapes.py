"""Broadcasting, with types."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

__all__ = ["broadcast_shapes", "broadcast_tensors", "fill"]


def broadcast_shapes(*shapes: tuple[int, ...]) -> torch.Size:
    """The shape that all of `shapes` broadcast to.

    Example:
        >>> broadcast_shapes((3, 1), (4,))
        torch.Size([3, 4])
    """
    # torch's own takes 0.2 ms, and half a second to load at its first call
    return torch.Size(np.broadcast_shapes(*shapes))


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, expanded to their common shape.

    Example:
        >>> [x.shape for x in broadcast_tensors(torch.ones(3, 1), torch.ones(4))]
        [torch.Size([3, 4]), torch.Size([3, 4])]
    """
    return tuple(torch.broadcast_tensors(*tensors))


def fill(out: Tensor, mask: Tensor, function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    """A copy of `out` with `function(*arguments)` where `mask` holds, computed only there.

    Args:
        out: Values elsewhere.
        mask: A bool tensor of the shape of `out`.
        function: An elementwise function of one-dimensional tensors.
        *arguments: Its arguments, tensors of the shape of `out`.

    Example:
        >>> x = torch.tensor([4.0, -1.0])
        >>> fill(torch.zeros(2), x > 0, torch.sqrt, x)
        tensor([2., 0.])
    """
    if not bool(mask.any()):
        return out
    return out.masked_scatter(mask, function(*(x[mask] for x in arguments)))
