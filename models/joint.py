"""A Pyro program seen as a function of one flat vector for each draw."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyro
import torch
from pyro import poutine
from torch import Tensor

from mixlogit.choice import StrengthFamily
from mixlogit.models.sites import Sampled, Spec, strength

__all__ = ["LogJoint", "Site"]


@dataclass(frozen=True)
class Site:
    """A sample site: its event shape and its place in the flat vector."""

    name: str
    event_shape: torch.Size
    start: int
    stop: int


class LogJoint:
    """Log prior and log-likelihood of a program at many parameter values at once.

    All sites have real support, so a value is a flat vector: `draw x replicate x parameter`
    (one replicate where the spec has none).

    Args:
        program: The Pyro program, called with `likelihood` and `spec`.
        likelihood: Its likelihood.
        spec: What it samples.
        draws_at_once: How many draws the likelihood should see in one call.

    Attributes:
        well_started: Whether `start` is the mode already, so that no other start is tried.
    """

    well_started = False

    def __init__(
        self,
        program: Callable[..., object],
        likelihood: object,
        spec: Spec,
        draws_at_once: int = 1024,
    ) -> None:
        self.program, self.likelihood, self.spec = program, likelihood, spec
        self.draws_at_once = draws_at_once
        self.n_replicates = spec.n_replicates or 1
        trace = poutine.trace(program).get_trace(_nothing, spec)
        self.sites: list[Site] = []
        start = 0
        for name, node in self._latent(trace):
            shape = node["fn"].event_shape
            size = int(torch.Size(shape).numel())
            self.sites.append(Site(name, shape, start, start + size))
            start += size
        self.size = start

    @staticmethod
    def _latent(trace: poutine.Trace) -> list[tuple[str, dict[str, Any]]]:
        return [
            (name, node)
            for name, node in trace.nodes.items()
            if node["type"] == "sample"
            and not node["is_observed"]
            and type(node["fn"]).__name__ != "_Subsample"
        ]

    def unpack(self, theta: Tensor) -> dict[str, Tensor]:
        """Values of the sites: `draw (x replicate) x event`."""
        if self.spec.n_replicates is None:
            theta = theta.squeeze(-2)
        return {
            site.name: theta[..., site.start : site.stop].reshape(
                theta.shape[:-1] + site.event_shape
            )
            for site in self.sites
        }

    def start(self) -> Tensor:
        """Where to begin: the middle of the prior; `replicate x parameter`."""
        theta = torch.zeros(self.n_replicates, self.size, dtype=torch.float64)
        for site in self.sites:
            value = math.log(self.spec.centre) if site.name == "log_mean" else 0.0
            theta[:, site.start : site.stop] = value
        return theta

    def parts(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Log prior and log-likelihood, each `draw x replicate`, nats, differentiable.

        Args:
            theta: `draw x replicate x parameter`.
        """
        pieces = [self._parts(part) for part in theta.split(self.draws_at_once)]
        return torch.cat([p for p, _ in pieces]), torch.cat([q for _, q in pieces])

    def log_likelihood(self, theta: Tensor, *, penalised: bool = False) -> Tensor:
        """Log-likelihood, `draw x replicate`; with the prior of utilities if `penalised`."""
        total = self.parts(theta)[1]
        if penalised and self.spec.n_utilities:
            values = self.unpack(theta)["utilities_free"]
            sd = self.spec.priors.utility_sd
            total = total - 0.5 * (values / sd).square().sum(-1).unsqueeze(-1)
        return total

    def sampled(self, theta: Tensor) -> Sampled:
        """The family, lapse rate and utilities at `draw x replicate x parameter` values."""
        conditioned = poutine.condition(self.program, data=self.unpack(theta))
        out: Sampled = conditioned(_nothing, self.spec)
        return out

    def population(self, values: dict[str, Tensor]) -> StrengthFamily:
        """The family without group effects at given values of the sites, `draw x 1`."""
        alone = replace(self.spec, groups=())
        draws = next(iter(values.values())).shape[:1]
        out: StrengthFamily = poutine.condition(strength, data=values)(alone, None, draws)
        return out

    def prior_draws(self, draws: int, seed: int) -> Tensor:
        """Draws from the prior, `draw x parameter`, of a program without replicates."""
        with torch.random.fork_rng(devices=[]), pyro.plate("draws", draws, dim=-1):
            torch.manual_seed(seed)
            trace = poutine.trace(self.program).get_trace(_nothing, self.spec)
        return torch.cat(
            [trace.nodes[site.name]["value"].reshape(draws, -1) for site in self.sites], -1
        )

    def site_log_prior(self, theta: Tensor) -> dict[str, Tensor]:
        """Log prior density of every site as it was sampled, each a `draw`-vector, nats.

        Args:
            theta: `draw x 1 x parameter`, of a program without replicates.
        """
        conditioned = poutine.condition(self.program, data=self.unpack(theta))
        trace = poutine.trace(conditioned).get_trace(_nothing, self.spec)
        trace.compute_log_prob()
        return {site.name: trace.nodes[site.name]["log_prob"] for site in self.sites}

    def _parts(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        conditioned = poutine.condition(self.program, data=self.unpack(theta))
        with pyro.validation_enabled(False):  # a step too far is -inf or NaN, not an error
            trace = poutine.trace(conditioned).get_trace(self.likelihood, self.spec)
            trace.compute_log_prob()
        shape = theta.shape[:2]
        prior, likelihood = theta.new_zeros(shape), theta.new_zeros(shape)
        for name, node in trace.nodes.items():
            if node["type"] != "sample" or type(node["fn"]).__name__ == "_Subsample":
                continue
            value = node["log_prob"]
            value = value.unsqueeze(-1) if self.spec.n_replicates is None else value
            if name in ("panels", "comparisons"):
                likelihood = likelihood + value
            else:
                prior = prior + value
        return prior, likelihood

    def __call__(self, theta: Tensor) -> Tensor:
        """Log joint density, `draw x replicate`, nats."""
        prior, likelihood = self.parts(theta)
        return prior + likelihood


def _nothing(family: StrengthFamily, *_: Tensor | None) -> Tensor:
    """A likelihood that says nothing: enough to find the sites."""
    return torch.zeros(family.batch_shape, dtype=torch.float64)
