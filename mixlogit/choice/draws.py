"""Monte Carlo draws of strength: plain, antithetic, Sobol."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.quasirandom import SobolEngine

from mixlogit.choice.special import log1mexp
from mixlogit.errors import UsageError

__all__ = ["Sampling", "log_mean_choice_prob", "uniforms"]

Sampling = Literal["plain", "antithetic", "sobol"]


def uniforms(
    draws: int,
    shape: torch.Size,
    sampling: Sampling = "plain",
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Uniform numbers strictly between 0 and 1, a `draw x shape` tensor of float64.

    "antithetic" adds 1 - q for every q; "sobol" is the one-dimensional Sobol sequence with a
    random shift (modulo 1) of its own for each entry of `shape`.

    Raises:
        UsageError: For fewer than one draw, an odd number of antithetic draws, or an unknown
            `sampling`.

    Example:
        >>> q = uniforms(4, torch.Size([2]), "antithetic", torch.Generator().manual_seed(0))
        >>> q[:2] + q[2:]
        tensor([[1., 1.],
                [1., 1.]], dtype=torch.float64)
    """
    if draws < 1:
        raise UsageError(f"Expected draws of at least 1 but got {draws}.")
    if sampling not in get_args(Sampling):
        raise UsageError(
            f"Expected sampling of 'plain', 'antithetic' or 'sobol' but got {sampling!r}."
        )

    def rand(*size: int) -> Tensor:
        return torch.rand(size, generator=generator, dtype=torch.float64, device=device)

    if sampling == "antithetic":
        if draws % 2:
            raise UsageError(f"Expected an even number of antithetic draws but got {draws}.")
        half = rand(draws // 2, *shape)
        q = torch.cat([half, 1 - half])
    elif sampling == "sobol":
        engine = SobolEngine(1)
        points = engine.draw(draws, dtype=torch.float64).to(device)
        q = (points.reshape(-1, *[1] * len(shape)) + rand(1, *shape)) % 1
    else:
        q = rand(draws, *shape)
    return q.clamp(min=2.0**-54, max=1 - 2.0**-53)


def log_mean_choice_prob(strength: Tensor, margin: Tensor) -> Tensor:
    """Log of the mean over draws of sigmoid(strength x margin).

    Args:
        strength: Draws of strength, a `draw x ...` tensor.
        margin: Margins of shape `...`.

    Returns:
        A tensor of shape `...`; accurate to rounding also where the probability is nearly 1.

    Example:
        >>> log_mean_choice_prob(torch.tensor([1.0, 3.0]).double(), torch.zeros(()).double())
        tensor(-0.6931, dtype=torch.float64)
    """
    limit = torch.finfo(margin.dtype).max
    reward = (strength * margin).clamp(min=-limit, max=limit)
    count = math.log(strength.shape[0])
    high = torch.logsumexp(logsigmoid(reward), 0) - count
    low = torch.logsumexp(logsigmoid(-reward), 0) - count
    return torch.where(low < high, log1mexp(low.clamp(max=-0.5)), high)
