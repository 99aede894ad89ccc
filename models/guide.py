"""The full-rank guide over the population parameters, and its ELBO."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor, nn

from mixlogit.models.joint import LogJoint
from mixlogit.models.sites import replicates

__all__ = ["PARTICLES", "FullRankGuide", "fit_guide"]

PARTICLES, _RATE = 8, 0.04  # draws of a step, of each chain
_DECAY, _TINY = (0.9, 0.999), 1e-8  # Adam's own, as its authors advise


class FullRankGuide(nn.Module):
    """Multivariate normal over all sites, in coordinates whitened by the Laplace approximation.

    `theta = mode + root (shift + tril eps)`: at the start (shift 0, tril 1) it is the Laplace
    approximation itself, and one learning rate suits every problem. Several guides side by side,
    a `chain` axis in front of what is given, are fitted in the same passes over the data.

    Args:
        joint: The program's flat view.
        mode: `(chain x) replicate x parameter`.
        root: Root of the covariance, `(chain x) replicate x parameter x parameter`.
    """

    def __init__(self, joint: LogJoint, mode: Tensor, root: Tensor) -> None:
        super().__init__()
        self.joint, self.mode, self.root = joint, mode, root
        self.shift = nn.Parameter(torch.zeros_like(mode))
        self.log_scale = nn.Parameter(torch.zeros_like(mode))
        self.lower = nn.Parameter(torch.zeros_like(root))

    def location(self) -> Tensor:
        """Mean of theta, `(chain x) replicate x parameter`."""
        return self.mode + (self.root @ self.shift.unsqueeze(-1)).squeeze(-1)

    def scale_root(self) -> Tensor:
        """Root of the covariance of theta, `(chain x) replicate x parameter x parameter`."""
        tril = torch.tril(self.lower, -1) + torch.diag_embed(self.log_scale.exp())
        return self.root @ tril

    def forward(self, likelihood: object, spec: object) -> None:
        """Sample every site from one draw of the flat vector (Pyro's guide)."""
        single = self.joint.spec.n_replicates is None
        location, root = self.location(), self.scale_root()
        volume = self.log_scale.sum(-1) + torch.linalg.slogdet(self.root)[1]
        if location.ndim == 3:  # particles of one chain after another
            location, root, volume = (
                x.repeat_interleave(PARTICLES, 0) for x in (location, root, volume)
            )
        if single:
            location, root, volume = location.squeeze(-2), root.squeeze(-3), volume.squeeze(-1)
        with replicates(self.joint.spec):
            normal = dist.Normal(torch.zeros_like(location), 1.0, validate_args=False).to_event(1)
            eps = pyro.sample("_eps", normal, infer={"is_auxiliary": True})
            pyro.factor("_volume", -volume, has_rsample=True)
            theta = location + (root @ eps.unsqueeze(-1)).squeeze(-1)
            values = self.joint.unpack(theta.unsqueeze(-2) if single else theta)
            for site in self.joint.sites:
                delta = dist.Delta(values[site.name], event_dim=len(site.event_shape))
                pyro.sample(site.name, delta)


def fit_guide(guide: FullRankGuide, *, steps: int = 40, tolerance: float = 0.05) -> list[float]:
    """Maximise Pyro's ELBO from the Laplace approximation.

    Adam (Kingma and Ba 2015) with a rate that falls linearly to 0; stops at a quarter of the way
    when the ELBO has not gained `tolerance` nats a replicate, which is the rule with many
    respondents.

    Args:
        guide: The guide, changed in place.
        steps: Most steps.
        tolerance: Gain worth going on for, nats.

    Returns:
        The ELBO at every step, nats, summed over replicates; the mean of the chains.
    """
    joint = guide.joint
    chains = guide.mode.shape[:-2].numel()
    elbo = Trace_ELBO(
        num_particles=chains * PARTICLES,
        vectorize_particles=True,
        max_plate_nesting=0 if joint.spec.n_replicates is None else 1,
    )
    parameters = list(guide.parameters())
    moments = [(torch.zeros_like(x), torch.zeros_like(x)) for x in parameters]
    trace: list[float] = []
    with pyro.validation_enabled(False):
        for step in range(steps):
            loss = elbo.differentiable_loss(joint.program, guide, joint.likelihood, joint.spec)
            slopes = torch.autograd.grad(chains * loss, parameters)
            for x, slope, both in zip(parameters, slopes, moments, strict=True):
                _adam(x.data, slope.clamp(-10.0, 10.0), both, _RATE * (1.0 - step / steps), step)
            trace.append(-float(loss.detach()))
            if step + 1 == steps // 4 and _flat(trace, tolerance * joint.n_replicates):
                break
    return trace


def _adam(
    x: Tensor, slope: Tensor, moments: tuple[Tensor, Tensor], rate: float, step: int
) -> None:
    """One step, in place; torch's own imports its compiler, which costs more than a fit."""
    mean, square = moments
    mean.lerp_(slope, 1.0 - _DECAY[0])
    square.lerp_(slope.square(), 1.0 - _DECAY[1])
    mean_hat, square_hat = (
        part / (1.0 - decay ** (step + 1)) for part, decay in zip(moments, _DECAY, strict=True)
    )
    x -= rate * mean_hat / (square_hat.sqrt() + _TINY)


def _flat(trace: list[float], tolerance: float) -> bool:
    """Whether the second half of a trace gains less than `tolerance` on where it began."""
    values = torch.tensor(trace)
    return bool(values[len(values) // 2 :].mean() - values[:2].mean() < tolerance)
