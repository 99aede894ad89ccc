"""An orthonormal basis of utilities that sum to zero."""

import torch
from torch import Tensor

__all__ = ["sum_to_zero_basis"]


def sum_to_zero_basis(component: Tensor) -> Tensor:
    """Basis of item utilities that sum to zero within each connected component.

    Differences of utilities are identified within a component only, and only differences.
    Independent Normal(0, s) coordinates give exchangeable utilities (a Helmert basis).

    Args:
        component: Component of each item, an `item`-vector.

    Returns:
        `free x item` with orthonormal rows; free = items minus components.

    Example:
        >>> sum_to_zero_basis(torch.tensor([0, 0, 1, 1])).round(decimals=3).tolist()
        [[0.707, -0.707, 0.0, 0.0], [0.0, 0.0, 0.707, -0.707]]
    """
    n = len(component)
    rows = []
    for label in component.unique().tolist():
        members = torch.nonzero(component == label).squeeze(-1)
        size = len(members)
        if size == 1:
            continue
        k = torch.arange(1, size, dtype=torch.float64)
        block = torch.tril(torch.ones(size - 1, size, dtype=torch.float64))
        block[torch.arange(size - 1), torch.arange(1, size)] = -k
        block = block / torch.sqrt(k * (k + 1)).unsqueeze(-1)
        whole = torch.zeros(size - 1, n, dtype=torch.float64)
        whole[:, members] = block
        rows.append(whole)
    return torch.cat(rows) if rows else torch.zeros(0, n, dtype=torch.float64)
