"""Values of a likelihood table between its nodes."""

import torch
from torch import Tensor

from mixlogit.choice.rules import ORDER, lagrange_weights
from mixlogit.choice.table import Grid

__all__ = ["interpolate_rows", "interpolation_matrix"]


def interpolation_matrix(grid: Grid, strength: Tensor) -> Tensor:
    """Matrix that takes table values to values at given strengths.

    Args:
        grid: The table's grid.
        strength: Strengths, a `point`-vector.

    Returns:
        `node x point` matrix, differentiable in `strength`.
    """
    first, weight = lagrange_weights(grid.locate_strength(strength), grid.size)
    index = first.unsqueeze(-1) + torch.arange(ORDER)
    matrix = torch.zeros(len(strength), grid.size, dtype=torch.float64)
    return matrix.scatter(1, index, weight).T


def interpolate_rows(values: Tensor, position: Tensor) -> Tensor:
    """Interpolate each row at its own positions.

    Args:
        values: `respondent x node` table, or `draw x respondent x node`.
        position: `draw x respondent x point`, in steps of the grid.

    Returns:
        Values of the shape of `position`.
    """
    size = values.shape[-1]
    first, weight = lagrange_weights(position, size)
    row = torch.arange(values.shape[:-1].numel()).view(*values.shape[:-1], 1, 1) * size
    return (weight * values.reshape(-1)[first.unsqueeze(-1) + row + torch.arange(ORDER)]).sum(-1)
