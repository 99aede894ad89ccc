"""Views of a family's batch: against nodes, or picked by index."""

import torch
from torch import Tensor

from mixlogit.choice.family import StrengthFamily

__all__ = ["at_nodes", "select"]


def at_nodes(family: StrengthFamily) -> StrengthFamily:
    """The same family with a last axis of size 1, to broadcast its parameters against nodes.

    Example:
        >>> import torch
        >>> from mixlogit.choice import strength
        >>> at_nodes(strength("gamma", mean=torch.ones(3), cv=torch.ones(3))).batch_shape
        torch.Size([3, 1])
    """
    wider = {name: value.unsqueeze(-1) for name, value in family.parameters.items()}
    return type(family)(**wider, validate_args=False)


def select(
    family: StrengthFamily, index: Tensor, draws: slice | Tensor = slice(None)
) -> StrengthFamily:
    """Members of a `draw x block` family: some draws, and the blocks at `index`.

    A family with one block stands for all of them.

    Example:
        >>> from mixlogit.choice import strength
        >>> family = strength("gamma", mean=torch.ones(3, 2), cv=torch.ones(3, 2))
        >>> select(family, torch.tensor([0, 1, 1]), slice(2)).batch_shape
        torch.Size([2, 3])
    """
    parts = {
        name: value[draws][:, index if value.shape[1] > 1 else torch.zeros_like(index)]
        for name, value in family.parameters.items()
    }
    return type(family)(**parts, validate_args=False)
