"""Random tastes: coefficients that differ between respondents, and their strength."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from mixlogit.choice.outcomes import OutcomeModel
from mixlogit.choice.simulated import SimulatedLikelihood
from mixlogit.choice.tastes import TasteDesign
from mixlogit.models.priors import Priors
from mixlogit.models.quantile import beta_from_normal, half_normal_from_normal
from mixlogit.models.sites import GroupDesign, class_sites, lapse_rate, outcome_parameters
from mixlogit.models.taste_shifts import StrengthShifts

__all__ = ["Population", "TasteFactor", "TasteSpec", "random_tastes"]

_LOG_SD = 1.5  # prior sd of the log median of a lognormal coefficient
_FACTORS = 0.5  # size of the loadings of common factors beside a coefficient's own spread


@dataclass(frozen=True, eq=False)
class TasteSpec:
    """What the program samples.

    Attributes:
        design: Which coefficients are random.
        rms: Typical size of each feature's differences, a `feature`-vector: a coefficient of
            utility_sd / rms moves utility by utility_sd.
        priors: `utility_sd` is the scale of means and sds, `cv_scale` that of strength's cv,
            `group_scale` that of covariates.
        outcome: Model of ties or grades; None for plain choices.
        n_classes: Classes of the `classes` family of strength.
        contrarians: Whether its first class has negative strength.
        shifts: What moves strength.
        lapse: Whether judgements may be made at random.
    """

    design: TasteDesign
    rms: Tensor
    priors: Priors
    outcome: OutcomeModel | None = None
    n_classes: int = 2
    contrarians: bool = False
    shifts: StrengthShifts | None = None
    lapse: bool = False
    n_replicates: None = field(default=None, init=False)
    n_utilities: int = field(default=0, init=False)
    utility_basis: None = field(default=None, init=False)
    centre: float = field(default=1.0, init=False)
    groups: tuple[GroupDesign, ...] = field(default=(), init=False)


class Population(NamedTuple):
    """Population parameters as `TasteDesign.names`, `... x parameter`."""

    psi: Tensor

    @property
    def batch_shape(self) -> torch.Size:
        """Shape of the draws."""
        return self.psi.shape[:-1]


def random_tastes(likelihood: Any, spec: TasteSpec) -> Population:
    """Pyro program whose marginal is the likelihood of `mixlogit.choice.simulated`.

    Sites, all with standard normal priors: `normal_means`; `normal_sds`, half-normal scales by
    quantile; `normal_partial`, partial correlations by quantile, so that the correlation matrix
    is LKJ(1) (Lewandowski, Kurowicka and Joe 2009); `factor_loadings`; `normal_effects` of
    covariates; `normal_cv` of strength, or the sites of classes; those of the outcome model, of
    `StrengthShifts` and of the lapse rate.

    Args:
        likelihood: Gives a `draw`-vector from a `Population`.
        spec: What to sample.
    """
    design, scale = spec.design, spec.priors.utility_sd / spec.rms
    logs = torch.tensor([family.endswith("lognormal") for family in design.families])
    means = _normals("normal_means", len(design.features))
    parts = [torch.where(logs, _LOG_SD * means - spec.rms.log(), scale * means)]
    if design.drawn:
        drawn = list(design.drawn)
        own_scale = torch.where(logs[drawn], torch.ones(()).double(), scale[drawn])
        sds = half_normal_from_normal(_normals("normal_sds", len(drawn)), 1.0) * own_scale
        parts.append(_entries(design, sds, own_scale))
        if design.covariates:
            each = own_scale.repeat_interleave(len(design.covariates))
            effects = _normals("normal_effects", len(each))
            parts.append(spec.priors.group_scale * each * effects)
    outcome = outcome_parameters(spec)
    if design.widths:
        assert outcome is not None
        outcome, width = outcome[..., :-1], outcome[..., -1:]
        parts.append(width)
    parts += _strength(spec)
    if outcome is not None:
        parts.append(outcome)
    if spec.shifts is not None:
        parts += spec.shifts.sample(spec.priors)
    rate = lapse_rate(spec)
    if rate is not None:
        parts.append(torch.logit(rate))
    out = Population(torch.cat(parts, -1))
    pyro.factor("panels", likelihood(out))
    return out


def _strength(spec: TasteSpec) -> list[Tensor]:
    """Sample the parameters of strength."""
    strength = spec.design.strength
    if strength is None:
        return []
    if strength.family == "classes":
        logits, gaps, reversal = class_sites(spec)
        return [logits, gaps, *([] if reversal is None else [reversal.unsqueeze(-1)])]
    cv = half_normal_from_normal(_normals("normal_cv", 1), spec.priors.cv_scale)
    if strength.family != "lognormal":
        return [cv]
    return [torch.log1p(cv.square().clamp_min(1e-12)).sqrt()]


def _normals(name: str, size: int) -> Tensor:
    zero = torch.zeros((), dtype=torch.float64)
    value: Tensor = pyro.sample(name, dist.Normal(zero, 1.0).expand((size,)).to_event(1))
    return value


def _entries(design: TasteDesign, sds: Tensor, own_scale: Tensor) -> Tensor:
    """The free entries of the matrix A from spreads and what correlates them."""
    if design.correlated is False:
        return sds
    n = len(design.drawn)
    if design.correlated is True:
        partial = _normals("normal_partial", n * (n - 1) // 2)
        root = sds.unsqueeze(-1) * _lkj_root(partial, n)
        low = torch.tril_indices(n, n)
        return root[..., low[0], low[1]]
    others = [i for i in range(len(design.entries)) if not design.own(i)]
    place = torch.tensor([design.drawn.index(design.entries[i][0]) for i in others])
    loadings = _FACTORS * own_scale[place] * _normals("factor_loadings", len(others))
    return torch.cat([sds, loadings], -1)


def _lkj_root(x: Tensor, n: int) -> Tensor:
    """Cholesky root of an LKJ(1) correlation matrix from standard normals, `... x n x n`."""
    rows = [torch.cat([torch.ones_like(x[..., :1]), x.new_zeros(*x.shape[:-1], n - 1)], -1)]
    at = 0
    for i in range(1, n):
        left, row = torch.ones_like(x[..., :1]), []
        for j in range(i):
            a = 1.0 + (n - 2 - j) / 2.0
            partial = 2.0 * beta_from_normal(x[..., at : at + 1], a, a) - 1.0
            row.append(partial * left.sqrt())
            left = left * (1.0 - partial.square()).clamp_min(1e-12)
            at += 1
        zeros = x.new_zeros(*x.shape[:-1], n - 1 - i)
        rows.append(torch.cat([*row, left.sqrt(), zeros], -1))
    return torch.stack(rows, -2)


class TasteFactor:
    """The simulated log-likelihood as a function that Pyro can differentiate twice.

    Args:
        likelihood: Its draws stay where they are.
    """

    def __init__(self, likelihood: SimulatedLikelihood) -> None:
        self.likelihood = likelihood

    def __call__(self, population: Population) -> Tensor:
        """Log-likelihood of each draw of the population: shape of its batch, nats."""
        flat = population.psi.reshape(-1, population.psi.shape[-1])
        value: Tensor = _Value.apply(flat, self.likelihood)  # type: ignore[no-untyped-call]
        return value.reshape(population.batch_shape)


class _Value(torch.autograd.Function):
    """Summed log-likelihood at `draw x parameter`; its gradient is `_Gradient`."""

    @staticmethod
    def forward(ctx: Any, psi: Tensor, likelihood: SimulatedLikelihood) -> Tensor:
        ctx.likelihood = likelihood
        ctx.save_for_backward(psi)
        return torch.stack([likelihood.evaluate(one).value.sum() for one in psi.detach()])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (psi,) = ctx.saved_tensors
        slope: Tensor = _Gradient.apply(psi, ctx.likelihood)  # type: ignore[no-untyped-call]
        return grad.unsqueeze(-1) * slope, None


class _Gradient(torch.autograd.Function):
    """Gradient of the log-likelihood at `draw x parameter`; its Jacobian is the Hessian."""

    @staticmethod
    def forward(ctx: Any, psi: Tensor, likelihood: SimulatedLikelihood) -> Tensor:
        found = [likelihood.evaluate(one, 1) for one in psi.detach()]
        ctx.hessians = [None] * len(psi)
        ctx.likelihood = likelihood
        ctx.save_for_backward(psi)
        return torch.stack([each.score.sum(0) for each in found if each.score is not None])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (psi,) = ctx.saved_tensors
        for i, one in enumerate(psi):
            if ctx.hessians[i] is None:
                ctx.hessians[i] = ctx.likelihood.evaluate(one.detach(), 2).hessian
        return (torch.stack(ctx.hessians) @ grad.unsqueeze(-1)).squeeze(-1), None
