"""Latent classes of taste: each class has utilities of its own and a share."""

from typing import Any

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from mixlogit.choice.taste_classes import Classified
from mixlogit.models import sites
from mixlogit.models.basis import sum_to_zero_basis
from mixlogit.models.quantile import half_normal_from_normal
from mixlogit.models.sites import CovariateDesign, Spec

__all__ = ["SHARE_SD", "SLOPES", "covariate_slopes", "share_basis", "share_scale", "taste_classes"]

SLOPES = "z_taste:covariates"
SHARE_SD = 1.5  # prior sd of the log shares' coordinates


def taste_classes(likelihood: Any, spec: Spec) -> Classified:
    """Pyro program: utilities and shares of latent classes, one distribution of strength.

    The class of a respondent is enumerated and its strength integrated inside the likelihood.
    Mean strength is 1 in every class: the utilities carry the scale. The prior is the same for
    all orders of the classes. Group columns and covariates of respondents act on the shares: a
    multinomial logit.

    Sites: `utilities_free` (`class_ x free`), independent Normal(0, utility_sd);
    `taste_logits`, Normal(0, 1.5) coordinates of log shares that sum to zero; per group column
    `normal_scale_taste:COLUMN` and `z_taste:COLUMN` (`label x class_ - 1`); `z_taste:covariates`
    (`covariate x class_ - 1`).

    Args:
        likelihood: A `TasteClassLikelihood`.
        spec: What to sample; anchored, with `n_utilities` and `n_tastes`.
    """
    shape = (spec.n_tastes, spec.n_utilities)
    zero = torch.zeros((), dtype=torch.float64)
    free = pyro.sample(
        "utilities_free",
        dist.Normal(zero, spec.priors.utility_sd).expand(shape).to_event(2),
    )
    values = free if spec.utility_basis is None else free @ spec.utility_basis
    sampled = Classified(
        sites.strength(spec, None, values.shape[:-2]),
        sites.lapse_rate(spec),
        values,
        sites.outcome_parameters(spec),
        _log_shares(spec),
    )
    pyro.factor("panels", sites.by_draw(likelihood, *sampled).sum(-1))
    return sampled


def share_basis(n_classes: int) -> Tensor:
    """Orthonormal coordinates of log shares that sum to zero: `class_ - 1 x class_`.

    Example:
        >>> share_basis(2).round(decimals=3).tolist()
        [[0.707, -0.707]]
    """
    return sum_to_zero_basis(torch.zeros(n_classes, dtype=torch.long))


def _log_shares(spec: Spec) -> Tensor:
    """Log shares of every block: `... x block x class_`."""
    zero, size = torch.zeros((), dtype=torch.float64), spec.n_tastes - 1
    logits = pyro.sample("taste_logits", dist.Normal(zero, SHARE_SD).expand((size,)).to_event(1))
    logits = logits.unsqueeze(-2)
    for group in spec.groups:
        if isinstance(group, CovariateDesign):
            slopes = covariate_slopes(_sample_slopes(group, size), spec)
            logits = logits + (group.values @ slopes)[..., group.level, :]
            continue
        normal = pyro.sample(f"normal_scale_taste:{group.column}", dist.Normal(zero, 1.0))
        scale = share_scale(normal, spec).unsqueeze(-1).unsqueeze(-1)
        shape = (len(group.labels), size)
        z = pyro.sample(
            f"z_taste:{group.column}", dist.Normal(zero, 1.0).expand(shape).to_event(2)
        )
        logits = logits + scale * z[..., group.level, :]
    return torch.log_softmax(logits @ share_basis(spec.n_tastes), -1)


def share_scale(normal: Tensor, spec: Spec) -> Tensor:
    """Sd of a group column's effects on log shares, HalfNormal(2 group_scale), by quantile."""
    return half_normal_from_normal(normal, 2.0 * spec.priors.group_scale)


def _sample_slopes(design: CovariateDesign, size: int) -> Tensor:
    """Standardised slopes of covariates, `... x covariate x class_ - 1`."""
    normal = dist.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    z: Tensor = pyro.sample(SLOPES, normal.expand((len(design.names), size)).to_event(2))
    return z


def covariate_slopes(z: Tensor, spec: Spec) -> Tensor:
    """Slopes of log shares ~ Normal(0, 2 group_scale) a standard deviation, from standard ones."""
    return 2.0 * spec.priors.group_scale * z
