"""The multivariate t distribution: draws and log density of several at once."""

import math

import torch
from torch import Tensor

__all__ = ["DEGREES", "draw_t", "log_t"]

DEGREES = 5.0  # of freedom of every proposal


def draw_t(location: Tensor, root: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draws of multivariate t's with 5 degrees of freedom.

    Args:
        location: Centres, `replicate x parameter`.
        root: Roots of their scales, `replicate x parameter x parameter`.
        count: Draws of each.
        generator: Source of randomness.

    Returns:
        `draw x replicate x parameter`.

    Example:
        >>> centre, root = torch.zeros(1, 2).double(), torch.eye(2).double().unsqueeze(0)
        >>> draw_t(centre, root, 3, torch.Generator().manual_seed(0)).shape
        torch.Size([3, 1, 2])
    """
    shape = (count, *location.shape)
    eps = torch.randn(shape, generator=generator, dtype=torch.float64)
    chi = torch.randn(*shape[:2], int(DEGREES), generator=generator, dtype=torch.float64)
    mixing = (chi.square().sum(-1) / DEGREES).rsqrt()
    return location + mixing.unsqueeze(-1) * torch.einsum("rpq,drq->drp", root, eps)


def log_t(theta: Tensor, location: Tensor, root: Tensor) -> tuple[Tensor, Tensor]:
    """Log densities of multivariate t's with 5 degrees of freedom, and squared distances.

    Args:
        theta: `draw x replicate x parameter`, or `draw x 1 x parameter` for the same everywhere.
        location: Centres, `replicate x parameter`.
        root: Lower triangular roots of their scales, `replicate x parameter x parameter`.

    Returns:
        Log densities and Mahalanobis distances squared, both `draw x replicate`.

    Example:
        >>> centre, root = torch.zeros(1, 1).double(), torch.eye(1).double().unsqueeze(0)
        >>> round(float(log_t(torch.zeros(1, 1, 1).double(), centre, root)[0].exp()), 6)
        0.379607
    """
    size = root.shape[-1]
    steps = (theta - location).permute(1, 2, 0)
    square = torch.linalg.solve_triangular(root, steps, upper=False).square().sum(-2).T
    constant = (
        math.lgamma(0.5 * (DEGREES + size))
        - math.lgamma(0.5 * DEGREES)
        - 0.5 * size * math.log(DEGREES * math.pi)
    )
    log_det = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    log_p = constant - log_det - 0.5 * (DEGREES + size) * torch.log1p(square / DEGREES)
    return log_p, square
