"""The full-rank guide over the population parameters, and its ELBO."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor, nn

from mixlogit.models.joint import LogJoint
from mixlogit.models.sites import replicates

__all__ = ["FullRankGuide", "fit_guide"]

_PARTICLES, _RATE = 8, 0.04


class FullRankGuide(nn.Module):
    """Multivariate normal over all sites, in coordinates whitened by the Laplace approximation.

    `theta = mode + root (shift + tril eps)`: at the start (shift 0, tril 1) it is the Laplace
    approximation itself, and one learning rate suits every problem.

    Args:
        joint: The program's flat view.
        mode: `replicate x parameter`.
        root: Root of the covariance, `replicate x parameter x parameter`.
    """

    def __init__(self, joint: LogJoint, mode: Tensor, root: Tensor) -> None:
        super().__init__()
        self.joint, self.mode, self.root = joint, mode, root
        self.shift = nn.Parameter(torch.zeros_like(mode))
        self.log_scale = nn.Parameter(torch.zeros_like(mode))
        self.lower = nn.Parameter(torch.zeros_like(root))

    def location(self) -> Tensor:
        """Mean of theta, `replicate x parameter`."""
        return self.mode + (self.root @ self.shift.unsqueeze(-1)).squeeze(-1)

    def scale_root(self) -> Tensor:
        """Root of the covariance of theta, `replicate x parameter x parameter`."""
        tril = torch.tril(self.lower, -1) + torch.diag_embed(self.log_scale.exp())
        return self.root @ tril

    def forward(self, likelihood: object, spec: object) -> None:
        """Sample every site from one draw of the flat vector (Pyro's guide)."""
        single = self.joint.spec.n_replicates is None
        location, root = self.location(), self.scale_root()
        if single:
            location, root = location[0], root[0]
        with replicates(self.joint.spec):
            normal = dist.MultivariateNormal(
                location, covariance_matrix=root @ root.mT + _jitter(root), validate_args=False
            )
            theta = pyro.sample("_theta", normal, infer={"is_auxiliary": True})
            values = self.joint.unpack(theta.unsqueeze(-2) if single else theta)
            for site in self.joint.sites:
                delta = dist.Delta(values[site.name], event_dim=len(site.event_shape))
                pyro.sample(site.name, delta)


def _jitter(root: Tensor) -> Tensor:
    scale = (root * root).sum((-1, -2), keepdim=True)
    return 1e-14 * scale * torch.eye(root.shape[-1], dtype=root.dtype)


def fit_guide(guide: FullRankGuide, *, steps: int = 40, tolerance: float = 0.05) -> list[float]:
    """Maximise Pyro's ELBO from the Laplace approximation.

    Adam with a rate that falls linearly to 0; stops at the half way point when the ELBO has not
    gained `tolerance` nats a replicate, which is the rule with many respondents.

    Args:
        guide: The guide, changed in place.
        steps: Most steps.
        tolerance: Gain worth going on for, nats.

    Returns:
        The ELBO at every step, nats, summed over replicates.
    """
    joint = guide.joint
    plates = 0 if joint.spec.n_replicates is None else 1
    elbo = Trace_ELBO(num_particles=_PARTICLES, vectorize_particles=True, max_plate_nesting=plates)
    optimiser = torch.optim.Adam(guide.parameters(), lr=_RATE)
    trace: list[float] = []
    with pyro.validation_enabled(False):
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = _RATE * (1.0 - step / steps)
            optimiser.zero_grad()
            loss = elbo.differentiable_loss(joint.program, guide, joint.likelihood, joint.spec)
            loss.backward()
            nn.utils.clip_grad_value_(guide.parameters(), 10.0)
            optimiser.step()
            trace.append(-float(loss.detach()))
            if step + 1 == steps // 4 and _flat(trace, tolerance * joint.n_replicates):
                break
    return trace


def _flat(trace: list[float], tolerance: float) -> bool:
    """Whether the second half of a trace gains less than `tolerance` on the first."""
    values = torch.tensor(trace)
    half = len(values) // 2
    return bool(values[half:].mean() - values[:half].mean() < tolerance)
