"""Modes and Hessians, of all replicates at once."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Mode", "find_mode", "gradient_and_hessian", "lbfgs"]

from dataclasses import dataclass
from functools import partial

_MANY = 40  # more parameters than this: L-BFGS first, one Hessian at its end
_STEPS = (1.0, 0.5, 0.2, 0.05, 0.01)

Objective = Callable[[Tensor], Tensor]
Derivatives = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Mode:
    """A maximum.

    Attributes:
        theta: `replicate x parameter`.
        value: Objective there, `replicate`, nats.
        hessian: Of the objective, `replicate x parameter x parameter`; negative definite where
            the maximum is regular.
        gradient: `replicate x parameter`.
        evaluations: Number of gradient evaluations.
    """

    theta: Tensor
    value: Tensor
    hessian: Tensor
    gradient: Tensor
    evaluations: int


def gradient_and_hessian(objective: Objective, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, gradient and Hessian of a `draw x replicate` objective at one draw.

    Args:
        objective: Takes `1 x replicate x parameter`, gives `1 x replicate`.
        theta: `replicate x parameter`.

    Returns:
        `replicate`, `replicate x parameter`, `replicate x parameter x parameter`.
    """
    theta = theta.detach().requires_grad_()
    value = objective(theta.unsqueeze(0))[0]
    (gradient,) = torch.autograd.grad(value.sum(), theta, create_graph=True)
    n = theta.shape[-1]
    rows = [
        torch.autograd.grad(gradient[:, p].sum(), theta, retain_graph=p + 1 < n)[0]
        for p in range(n)
    ]
    hessian = torch.stack(rows, -2)
    return value.detach(), gradient.detach(), 0.5 * (hessian + hessian.mT)


def find_mode(
    objective: Objective,
    start: Tensor,
    *,
    steps: int = 60,
    enough: float = 1e-9,
    derivatives: Derivatives | None = None,
) -> Mode:
    """Maximise an objective in every replicate.

    Newton's method, with the curvature made negative where it is not and a line search over
    five step lengths in one call; with many parameters L-BFGS goes first.

    Args:
        objective: Takes `draw x replicate x parameter`, gives `draw x replicate`.
        start: `replicate x parameter`.
        steps: Most Newton steps.
        enough: Expected gain of a step at which it is done, nats.
        derivatives: Value, gradient and Hessian at `replicate x parameter`, where there is a
            better way than autograd.
    """
    theta, evaluations = start.detach().clone(), 0
    differentiate = derivatives or partial(gradient_and_hessian, objective)
    if theta.shape[-1] > _MANY and derivatives is None:
        theta, evaluations = lbfgs(objective, theta)
        steps = 3
    value, gradient, hessian = differentiate(theta)
    evaluations += 1
    for _ in range(steps):
        direction = _ascent(gradient, hessian)
        gain = (gradient * direction).sum(-1)
        if bool((gain < enough).all()):
            break
        lengths = torch.tensor(_STEPS, dtype=theta.dtype).view(-1, 1, 1)
        with torch.no_grad():
            found = objective(theta + lengths * direction)
        best, which = torch.where(torch.isfinite(found), found, -torch.inf).max(0)
        length = torch.where(best > value, lengths.view(-1)[which], 0.0)
        if bool((length == 0).all()):
            break
        theta = theta + length.unsqueeze(-1) * direction
        value, gradient, hessian = differentiate(theta)
        evaluations += 1
    return Mode(theta, value, hessian, gradient, evaluations)


def _ascent(gradient: Tensor, hessian: Tensor) -> Tensor:
    """Newton direction of the Hessian with its eigenvalues made negative; at most 3 long."""
    values, vectors = torch.linalg.eigh(-hessian)
    floor = 1e-6 * values.abs().amax(-1, keepdim=True).clamp_min(1.0)
    values = torch.maximum(values.abs(), floor)
    scaled = (vectors.mT @ gradient.unsqueeze(-1)) / values.unsqueeze(-1)
    direction: Tensor = (vectors @ scaled).squeeze(-1)
    length = direction.abs().amax(-1, keepdim=True)
    return direction * (3.0 / length.clamp_min(3.0))


def lbfgs(objective: Objective, start: Tensor, *, tolerance: float = 1e-5) -> tuple[Tensor, int]:
    """Maximise by L-BFGS with a strong Wolfe line search.

    Args:
        objective: Takes `1 x replicate x parameter`, gives `1 x replicate`.
        start: `replicate x parameter`.
        tolerance: Largest entry of the gradient at which it is done.

    Returns:
        Where it ended, and the number of evaluations.

    Example:
        >>> start = torch.zeros(1, 2, dtype=torch.float64)
        >>> lbfgs(lambda theta: -(theta - 1.0).square().sum(-1), start)[0].round(decimals=3)
        tensor([[1., 1.]], dtype=torch.float64)
    """
    theta, count = start.clone().requires_grad_(), 0
    optimiser = torch.optim.LBFGS(
        [theta],
        max_iter=400,
        tolerance_grad=tolerance,
        tolerance_change=1e-10,
        history_size=30,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        nonlocal count
        count += 1
        optimiser.zero_grad()
        loss = -objective(theta.unsqueeze(0)).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return theta.detach(), count
