"""The sample sites that the Pyro programs share.

Every site has real support, and what is constrained is a deterministic function of a standard
normal site: cv, scales and lapse rate are the half-normal or beta variables with its quantile.
(An autoguide over constrained sites with an analytic KL drops the change of variables in Pyro
1.9, and real sites need none. The logarithm of cv would be real too, but where the data say
little its posterior has an exponential tail, which Gaussian guides and NUTS handle badly; in
these coordinates no posterior has heavier tails than the normal prior.)
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from mixlogit.choice import FAMILIES, StrengthFamily
from mixlogit.choice.discrete import class_strengths
from mixlogit.choice.outcomes import Davidson, OutcomeModel
from mixlogit.models.priors import Priors
from mixlogit.models.quantile import beta_from_normal, half_normal_from_normal

__all__ = [
    "CovariateDesign",
    "GroupDesign",
    "Sampled",
    "Spec",
    "by_draw",
    "centred",
    "class_sites",
    "common_log_cv",
    "common_log_mean",
    "covariate_designs",
    "family_at",
    "group_effects",
    "group_scale",
    "lapse_rate",
    "outcome_parameters",
    "replicates",
    "score",
    "strength",
    "utilities",
]


@dataclass(frozen=True, eq=False)
class GroupDesign:
    """One group column: its labels, and which label each block of parameters has."""

    column: str
    labels: tuple[str, ...]
    level: Tensor  # block-vector


@dataclass(frozen=True, eq=False)
class CovariateDesign(GroupDesign):
    """Labels whose effects on log mean are linear in covariates; none on log cv."""

    names: tuple[str, ...]
    values: Tensor  # label x covariate, standardised
    scale: Tensor  # covariate-vector: standard deviations before


def covariate_designs(spec: "Spec") -> list[CovariateDesign]:
    """The covariates among the groups of a spec: one design, or none."""
    return [group for group in spec.groups if isinstance(group, CovariateDesign)]


class Sampled(NamedTuple):
    """What one execution of a program sampled.

    Attributes:
        family: The mixing distribution, batch shape `... x block`.
        lapse: Lapse rate, `... x 1`, or None.
        utilities: `... x item` utilities or `... x feature` weights, then slopes of the context;
            or None.
        outcome: Parameters of the outcome model, `... x parameter`, or None.
    """

    family: StrengthFamily
    lapse: Tensor | None
    utilities: Tensor | None = None
    outcome: Tensor | None = None

    def arguments(self) -> tuple[Any, ...]:
        """The arguments of a likelihood: no more of them than it needs."""
        if self.outcome is not None:
            return tuple(self)
        return self[:2] if self.utilities is None else self[:3]


@dataclass(frozen=True, eq=False)
class Spec:
    """What a program samples.

    Attributes:
        family: Name of the strength family.
        priors: The priors.
        centre: Centre of the prior of mean strength; 1 where it is anchored.
        anchored: Mean strength fixed at 1 (latent utilities carry the scale).
        lapse: Whether comparisons may be answered at random.
        groups: Group columns.
        n_classes: Classes of the `classes` family.
        contrarians: Whether its first class has negative strength.
        n_replicates: Independent data sets fitted side by side; None for one.
        n_utilities: Free item utilities or feature weights; 0 where margins are given.
        utility_basis: `free x item` matrix that maps them to utilities that sum to zero, or to
            the weights of features.
        outcome: Model of ties or grades; None for plain choices.
        n_tastes: Latent classes of taste, each with utilities of its own.
        n_context: Covariates of comparisons with effects on log strength.
    """

    family: str
    priors: Priors
    centre: float = 1.0
    anchored: bool = False
    lapse: bool = False
    groups: tuple[GroupDesign, ...] = field(default=())
    n_classes: int = 2
    contrarians: bool = False
    n_replicates: int | None = None
    n_utilities: int = 0
    utility_basis: Tensor | None = None
    outcome: OutcomeModel | None = None
    n_tastes: int = 1
    n_context: int = 0


def replicates(spec: Spec) -> AbstractContextManager[object]:
    """The plate of independent data sets, if there are several."""
    if spec.n_replicates is None:
        return nullcontext()
    plate: AbstractContextManager[object] = pyro.plate("replicate", spec.n_replicates, dim=-1)
    return plate


def _half_normal(name: str, scale: float, shape: tuple[int, ...] = ()) -> Tensor:
    """A HalfNormal(scale) variable by its standard normal site `name`."""
    return half_normal_from_normal(_standard_normal(name, shape), scale)


def _standard_normal(name: str, shape: tuple[int, ...] = ()) -> Tensor:
    normal = dist.Normal(_real(0.0), 1.0)
    x: Tensor = pyro.sample(name, normal.expand(shape).to_event(1) if shape else normal)
    return x


def _real(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _by_block(value: Tensor, spec: Spec) -> Tensor:
    """A scalar site as `draw x block`: replicates are blocks, one data set is one block."""
    return value if spec.n_replicates is not None else value.unsqueeze(-1)


def strength(
    spec: Spec,
    effects: tuple[Tensor, Tensor] | None = None,
    draws: tuple[int, ...] | torch.Size = (),
) -> StrengthFamily:
    """Sample the mixing distribution.

    Sites: `log_mean` (unless anchored), `normal_cv` (families with a spread); for `classes`,
    `normal_gaps` of the gaps between the logs of neighbouring strengths, `share_logits` against
    the first class, and `log_reversal`, the size of a negative strength relative to the smallest
    positive.

    Args:
        spec: What to sample.
        effects: Effects on log mean and log cv, each `... x block`.
        draws: Shape of the draws, for an anchored family, which need not have a site of its own.

    Returns:
        The family, with batch shape `... x block`.
    """
    log_mean = torch.zeros(draws, dtype=torch.float64)
    if not spec.anchored:
        log_mean = common_log_mean(spec)
    log_mean = _by_block(log_mean, spec)
    if effects is not None:
        log_mean = log_mean + effects[0]
    if spec.family == "classes":
        return _classes(spec, log_mean, effects)
    if spec.family == "fixed":
        return family_at(spec, log_mean, log_mean)
    log_cv = _by_block(common_log_cv(spec), spec)
    if effects is not None:
        log_cv = log_cv + effects[1]
    return family_at(spec, *torch.broadcast_tensors(log_mean, log_cv))


def common_log_mean(spec: Spec) -> Tensor:
    """Sample the log mean of the population."""
    normal = dist.Normal(_real(math.log(spec.centre)), spec.priors.log_mean_sd)
    x: Tensor = pyro.sample("log_mean", normal)
    return x


def common_log_cv(spec: Spec) -> Tensor:
    """Sample the log cv of the population, by the site `normal_cv`."""
    return _half_normal("normal_cv", spec.priors.cv_scale).clamp_min(1e-300).log()


def family_at(spec: Spec, log_mean: Tensor, log_cv: Tensor) -> StrengthFamily:
    """The family of a spec, not of classes, with given log means and log cvs."""
    mean, cv = log_mean.exp(), log_cv.clamp(-7.0, 3.0).exp()
    if spec.family == "fixed":
        return FAMILIES["fixed"](mean=mean, validate_args=False)
    if spec.family == "normal":
        return FAMILIES["normal"](mean=mean, sd=mean * cv, validate_args=False)
    return FAMILIES[spec.family](mean=mean, cv=cv, validate_args=False)


def _classes(
    spec: Spec, log_mean: Tensor, effects: tuple[Tensor, Tensor] | None
) -> StrengthFamily:
    """Strengths in rising order with mean absolute strength exp(log_mean)."""
    logits, gaps, reversal = class_sites(spec)
    shares = torch.softmax(torch.cat([torch.zeros_like(logits[..., :1]), logits], -1), -1)
    levels = torch.cat([torch.zeros_like(logits[..., :1]), gaps.cumsum(-1)], -1)
    spread = torch.ones_like(log_mean) if effects is None else effects[1].exp()
    if spec.n_replicates is None:
        levels, shares = levels.unsqueeze(-2), shares.unsqueeze(-2)
    levels = levels * spread.unsqueeze(-1)
    if reversal is not None:
        reversal = _by_block(reversal, spec).unsqueeze(-1)
    strengths = class_strengths(levels, shares, reversal, log_mean.unsqueeze(-1))
    strengths, shares = torch.broadcast_tensors(strengths, shares)
    return FAMILIES["classes"](strengths=strengths, shares=shares, validate_args=False)


def class_sites(spec: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """Sample what classes of strength are made of.

    Returns:
        Log odds of shares against the first class (`... x class_`), gaps between the logs of
        neighbouring positive strengths, and the log size of a negative strength or None.
    """
    shape = (spec.n_classes - 1,)
    logits = pyro.sample("share_logits", dist.Normal(_real(0.0), 1.5).expand(shape).to_event(1))
    gaps = logits[..., :0]
    n_gaps = spec.n_classes - int(spec.contrarians) - 1
    if n_gaps:
        gaps = _half_normal("normal_gaps", 2.0 * spec.priors.cv_scale, (n_gaps,)).clamp(max=33.0)
    reversal = None
    if spec.contrarians:
        reversal = pyro.sample("log_reversal", dist.Normal(_real(0.0), 0.5))
    return logits, gaps, reversal


def group_effects(spec: Spec) -> tuple[Tensor, Tensor]:
    """Sample hierarchical effects of every group column on log mean and log cv.

    Sites per column: `normal_scale_mean:COLUMN`, `normal_scale_cv:COLUMN` (of the standard
    deviations) and `z_mean:COLUMN`, `z_cv:COLUMN` (standardised effects). The `fixed` family
    has no effects on log cv.

    Returns:
        Effects on log mean and on log cv, `... x block`.
    """
    totals: list[Tensor] = []
    for kind in ("mean",) if spec.family == "fixed" else ("mean", "cv"):
        total = _real(0.0)
        for group in spec.groups:
            if isinstance(group, CovariateDesign):
                total = total + (_covariate_effect(spec, group) if kind == "mean" else 0.0)
                continue
            scale = group_scale(spec, kind, group.column)
            z = _standard_normal(f"z_{kind}:{group.column}", (len(group.labels),))
            z = centred(z, spec, kind)
            total = total + (scale.unsqueeze(-1) * z)[..., group.level]
        totals.append(total)
    return totals[0], totals[-1] if len(totals) == 2 else torch.zeros_like(totals[0])


def group_scale(spec: Spec, kind: str, column: str) -> Tensor:
    """Sample the standard deviation of a group column's effects on log "mean" or log "cv"."""
    return _half_normal(f"normal_scale_{kind}:{column}", spec.priors.group_scale)


def centred(z: Tensor, spec: Spec, kind: str) -> Tensor:
    """Standardised effects of labels, as they count: about 0 where utilities carry the scale.

    All groups stronger and all utilities smaller would be the same model, told apart by the
    priors alone.

    Args:
        z: `... x label`.
        spec: What was sampled.
        kind: "mean" or "cv".
    """
    return z - z.mean(-1, keepdim=True) if spec.anchored and kind == "mean" else z


def _covariate_effect(spec: Spec, group: CovariateDesign) -> Tensor:
    """Effects on log mean, `... x block`: slopes ~ Normal(0, group_scale) a standard deviation."""
    z = _standard_normal("z_covariates", (len(group.names),))
    return spec.priors.group_scale * (z @ group.values.T)[..., group.level]


def lapse_rate(spec: Any) -> Tensor | None:
    """Sample the lapse rate ~ Beta(a, b), `... x 1` (or `... x replicate`).

    Site: `normal_lapse`.
    """
    if not spec.lapse:
        return None
    rate = beta_from_normal(_standard_normal("normal_lapse"), *spec.priors.lapse)
    return _by_block(rate.clamp(1e-11, 1 - 1e-11), spec)


def utilities(spec: Spec) -> Tensor | None:
    """Sample item utilities (summing to zero in each component) or feature weights, and slopes.

    Sites: `utilities_free`, independent Normal(0, utility_sd) along an orthonormal basis;
    `z_context`, slopes of log strength ~ Normal(0, group_scale) a standard deviation.

    Returns:
        `... x item` or `... x feature`, with the slopes of the context behind them; None where
        margins are given and have no context.
    """
    parts = []
    if spec.n_utilities:
        normal = dist.Normal(_real(0.0), spec.priors.utility_sd)
        free = pyro.sample("utilities_free", normal.expand((spec.n_utilities,)).to_event(1))
        parts.append(free if spec.utility_basis is None else free @ spec.utility_basis)
    if spec.n_context:
        slopes = _standard_normal("z_context", (spec.n_context,))
        parts.append(spec.priors.group_scale * slopes)
    return torch.cat(parts, -1) if parts else None


def outcome_parameters(spec: Any) -> Tensor | None:
    """Sample the parameters of the outcome model, `... x parameter`; None if it has none.

    Sites: `log_tie`, the log odds nu of a tie (Davidson), or `log_gaps` between neighbouring
    thresholds; `width_exponent` and `normal_width` (sd of log widths) where the model has them.
    """
    model = spec.outcome
    if model is None or not model.n_parameters:
        return None
    first: Tensor
    if isinstance(model, Davidson):
        first = pyro.sample("log_tie", dist.Normal(_real(0.0), 1.5)).unsqueeze(-1)
    else:
        normal = dist.Normal(_real(-0.5), 1.0).expand((model.n_thresholds,)).to_event(1)
        first = pyro.sample("log_gaps", normal).exp().cumsum(-1)
    parts = [first]
    if model.exponent:
        parts.append(pyro.sample("width_exponent", dist.Normal(_real(0.5), 0.5)).unsqueeze(-1))
    if model.widths:
        parts.append(_half_normal("normal_width", 1.0).unsqueeze(-1))
    return torch.cat(parts, -1)


def score(name: str, likelihood: Callable[..., Tensor], spec: Spec, *sampled: Any) -> Sampled:
    """Score the comparisons: a factor with one value for each draw (and replicate).

    Args:
        name: Name of the factor.
        likelihood: Takes a `draw x block` family and the others, gives `draw x block`.
        spec: What was sampled.
        sampled: The fields of `Sampled`; last axes their own, before them the draws if any.

    Returns:
        What was sampled.
    """
    out = Sampled(*sampled)
    total = by_draw(likelihood, *out.arguments())
    pyro.factor(name, total if spec.n_replicates is not None else total.sum(-1))
    return out


def by_draw(
    likelihood: Callable[..., Tensor], family: StrengthFamily, *others: Tensor | None
) -> Tensor:
    """A likelihood of draws at what was sampled, by a single execution of a program too.

    Args:
        likelihood: Takes a `draw x block` family and the others, gives `draw x block`.
        family: Batch shape `draw x block`, or `block` from a single execution.
        others: What else the likelihood takes.

    Returns:
        `draw x block`, or `block`.
    """
    if len(family.batch_shape) > 1:
        return likelihood(family, *others)
    lifted = {key: value.unsqueeze(0) for key, value in family.parameters.items()}
    one = type(family)(**lifted, validate_args=False)
    return likelihood(one, *(x if x is None else x.unsqueeze(0) for x in others))[0]
