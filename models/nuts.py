"""NUTS on the same marginal, in coordinates whitened by the Laplace approximation."""

from collections.abc import Callable

import pyro
import torch
from pyro.infer.mcmc import MCMC, NUTS
from torch import Tensor

from mixlogit.models.joint import LogJoint

__all__ = ["nuts_draws"]


def nuts_draws(
    joint: LogJoint,
    location: Tensor,
    root: Tensor,
    *,
    chains: int,
    warmup: int,
    draws: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Draw by Pyro's NUTS from the joint density of one data set.

    Args:
        joint: The target, without replicates.
        location: Centre of the whitening, `1 x parameter`.
        root: Root of the covariance, `1 x parameter x parameter`.
        chains: Number of chains, run one after the other.
        warmup: Warm-up steps of each chain; the step size alone is adapted.
        draws: Draws of each chain.
        seed: Seed of chain 0; chain c takes seed + c.
        progress: Called with steps done and steps in all.

    Returns:
        `chain x draw x parameter`.
    """
    total, done = chains * (warmup + draws), 0

    def potential(values: dict[str, Tensor]) -> Tensor:
        theta = location + (root @ values["z"].unsqueeze(-1)).squeeze(-1)
        return -joint(theta.unsqueeze(0))[0, 0]

    def hook(*_: object) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    out = []
    with pyro.validation_enabled(False):
        for chain in range(chains):
            torch.manual_seed(seed + chain)
            kernel = NUTS(potential_fn=potential, adapt_mass_matrix=False, max_tree_depth=7)
            start = {"z": 0.5 * torch.randn(1, location.shape[-1], dtype=torch.float64)}
            mcmc = MCMC(
                kernel,
                draws,
                warmup,
                initial_params=start,
                num_chains=1,
                disable_progbar=True,
                hook_fn=hook,
            )
            mcmc.run()
            z = mcmc.get_samples()["z"].squeeze(1)
            out.append(location + z @ root[0].mT)
    return torch.stack(out)
