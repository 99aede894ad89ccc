"""Minibatch stochastic variational inference of random tastes, a guide for every individual.

For data whose individual tastes are too many to be integrated. The guide over individuals is
mean-field, so spreads come out biased and their intervals too narrow: results say so.
"""

import math
from dataclasses import replace

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO
from torch import Tensor, nn

from mixlogit.choice.panel_sets import Block, make_blocks
from mixlogit.models.infer import Inferred, Sampler
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import Mode
from mixlogit.models.random_tastes import TasteSpec, random_tastes
from mixlogit.models.taste_problem import TasteProblem

__all__ = ["infer_by_svi"]

_PEOPLE = 256  # respondents of a minibatch, about
_STEPS, _RATE = 2000, 0.03


class _Guide(nn.Module):
    """Full-rank normal over the population's sites, independent normals over individuals.

    Args:
        joint: The program's flat view.
        start: Where the sites begin, `1 x parameter`.
        people: Number of respondents.
        latent: Standard normals of each.
    """

    def __init__(self, joint: LogJoint, start: Tensor, people: int, latent: int) -> None:
        super().__init__()
        self.joint = joint
        self.location = nn.Parameter(start[0].clone())
        self.root = nn.Parameter(0.05 * torch.eye(joint.size, dtype=torch.float64))
        self.z_location = nn.Parameter(torch.zeros(people, latent, dtype=torch.float64))
        self.z_log_scale = nn.Parameter(torch.full((people, latent), -0.5).double())

    def tril(self) -> Tensor:
        """Root of the covariance of the sites."""
        diagonal = self.root.diagonal().abs().clamp_min(1e-4)
        return torch.tril(self.root, -1) + torch.diag(diagonal)

    def forward(
        self, block: Block, spec: TasteSpec, people: int, covariates: Tensor | None
    ) -> None:
        """Sample the sites and the individuals of a minibatch."""
        normal = dist.MultivariateNormal(self.location, scale_tril=self.tril())
        theta = pyro.sample("_theta", normal, infer={"is_auxiliary": True})
        for name, value in self.joint.unpack(theta.view(1, 1, -1)).items():
            pyro.sample(name, dist.Delta(value[0], event_dim=1))
        who = block.respondent
        with pyro.plate("respondent", len(who)), poutine.scale(scale=people / len(who)):
            own = dist.Normal(self.z_location[who], self.z_log_scale[who].exp())
            pyro.sample("z", own.to_event(1))


def _model(block: Block, spec: TasteSpec, people: int, covariates: Tensor | None) -> None:
    """The program of random tastes with its individuals, on a minibatch."""
    population = random_tastes(lambda drawn: torch.zeros(drawn.batch_shape), spec)
    who = block.respondent
    zero = torch.zeros(len(who), spec.design.n_latent, dtype=torch.float64)
    with pyro.plate("respondent", len(who)), poutine.scale(scale=people / len(who)):
        z = pyro.sample("z", dist.Normal(zero, 1.0).to_event(1))
        each = z.unsqueeze(1).expand(-1, spec.design.copies, -1)
        at = spec.design.at(population.psi, each, None if covariates is None else covariates[who])
        value = block.moments(at.value).value + at.log_mass
        pyro.factor("choices", torch.logsumexp(value, -1))


def infer_by_svi(
    problem: TasteProblem, joint: LogJoint, start: Tensor, sampler: Sampler
) -> Inferred:
    """Draws of the population's sites from a variational guide.

    Args:
        problem: The data.
        joint: The program's flat view.
        start: Where the sites begin, `1 x parameter`.
        sampler: Chains, draws, seed and progress.
    """
    spec: TasteSpec = joint.spec  # type: ignore[assignment]  # of the program of random tastes
    blocks, covariates = _minibatches(problem), problem.covariates_of(problem.data)
    people = sum(len(block.respondent) for block in blocks)
    torch.manual_seed(sampler.seed)
    guide = _Guide(joint, start, people, problem.design.n_latent)
    elbo = Trace_ELBO(max_plate_nesting=1)
    optimiser = torch.optim.Adam(guide.parameters(), lr=_RATE)
    trace: list[float] = []
    with pyro.validation_enabled(False):
        for step in range(_STEPS):
            for group in optimiser.param_groups:
                group["lr"] = _RATE * (1.0 - step / _STEPS)
            block = blocks[int(torch.randint(len(blocks), ()))]
            optimiser.zero_grad()
            loss = elbo.differentiable_loss(_model, guide, block, spec, people, covariates)
            loss.backward()
            nn.utils.clip_grad_norm_(guide.parameters(), 10.0 * people**0.5)
            optimiser.step()
            trace.append(-float(loss.detach()))
            if sampler.progress is not None and (step + 1) % 100 == 0:
                sampler.progress("svi", step + 1, _STEPS)
    with torch.no_grad():
        eps = torch.randn(sampler.chains, sampler.draws, 1, joint.size, dtype=torch.float64)
        theta = guide.location + eps @ guide.tril().T
        location = guide.location.detach().unsqueeze(0)
        curvature = -torch.cholesky_inverse(guide.tril()).unsqueeze(0)
    unknown = torch.full((1,), math.nan)
    return Inferred(
        theta=theta,
        mode=Mode(location, unknown, curvature, torch.zeros_like(location), _STEPS),
        method="svi",
        k_hat=unknown,
        effective=unknown,
        log_evidence=unknown,
        evidence_by="none",
        elbo=trace,
        spread_of_modes=math.nan,
    )


def _minibatches(problem: TasteProblem) -> list[Block]:
    """Blocks of about 256 respondents, each of panels of all lengths."""
    rows = problem.rows_of(problem.data)
    who = problem.unit_of_judgement
    people = int(who.max()) + 1
    shuffled = torch.randperm(people, generator=torch.Generator().manual_seed(problem.seed))
    out = []
    for chosen in shuffled.split(_PEOPLE):
        place = torch.full((people,), -1)
        place[chosen] = torch.arange(len(chosen))
        kept = torch.nonzero(place[who] >= 0).squeeze(-1)
        (block,) = make_blocks(rows.take(kept), place[who[kept]], 1 << 62)
        out.append(replace(block, respondent=chosen[block.respondent]))
    return out
