"""Named parameters from flat draws: what is reported, plotted and saved."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mixlogit.choice import Normal, StrengthFamily
from mixlogit.models.joint import LogJoint
from mixlogit.models.outcome_parameters import outcome_values
from mixlogit.models.problem import Problem
from mixlogit.models.quantile import half_normal_from_normal
from mixlogit.models.sites import CovariateDesign, centred, covariate_designs

__all__ = ["Named", "named_parameters", "prior_parameters", "spread_values"]


@dataclass(frozen=True, eq=False)
class Named:
    """Parameters by name, as `chain x draw x ...` arrays.

    Attributes:
        values: The arrays.
        dims: Names of the axes after chain and draw.
        coords: Labels along those axes.
    """

    values: dict[str, np.ndarray]
    dims: dict[str, tuple[str, ...]] = field(default_factory=dict)
    coords: dict[str, list[str]] = field(default_factory=dict)


def named_parameters(problem: Problem, joint: LogJoint, theta: Tensor) -> Named:
    """Population parameters at draws: mean, cv, log_sd, and what else the model has.

    With groups, `mean` and `cv` are those of the population without group effects, and each
    group column adds `mean:COLUMN` and `cv:COLUMN`, one value for each label. With covariates they
    are those at average covariates, and `effect` is the change of log mean a unit of each; so
    is `context_effect` for covariates of comparisons.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: `chain x draw x parameter`.
    """
    chains, draws = theta.shape[:2]
    sites = joint.unpack(theta.reshape(chains * draws, 1, -1))
    sampled = joint.sampled(theta.reshape(chains * draws, 1, -1))
    out: dict[str, Tensor] = {}
    dims: dict[str, tuple[str, ...]] = {}
    coords: dict[str, list[str]] = {}
    family, spec = sampled.family, joint.spec
    if spec.groups:
        base = joint.population(sites)
        effects, coords = _group_parameters(joint, sites, base.mean[:, 0], base.cv[:, 0])
        out |= effects
        dims |= {name: (name.split(":", 1)[1],) for name in effects}
        family = base
        for design in covariate_designs(spec):
            out["effect"] = spec.priors.group_scale * sites["z_covariates"] / design.scale
            dims["effect"], coords["covariate"] = ("covariate",), list(design.names)
    out = {"mean": family.mean[:, 0], **spread_values(family), **out}
    if spec.anchored:
        out.pop("mean")
    if spec.family == "fixed":
        out = {name: value for name, value in out.items() if name not in ("cv", "log_sd")}
    if spec.family == "classes" and family.atoms is not None:
        strengths, log_shares = family.atoms
        out |= {"class_strength": strengths[:, 0], "class_share": log_shares[:, 0].exp()}
        dims |= {"class_strength": ("class_",), "class_share": ("class_",)}
        coords["class_"] = [str(c + 1) for c in range(strengths.shape[-1])]
    if sampled.lapse is not None:
        out["lapse"] = sampled.lapse[:, 0]
    if sampled.outcome is not None:
        own, own_dims, own_coords = outcome_values(spec.outcome, sampled.outcome)
        out, dims, coords = out | own, dims | own_dims, coords | own_coords
    values = sampled.utilities
    if values is not None and problem.context is not None:
        values, slope = values.split([values.shape[-1] - spec.n_context, spec.n_context], -1)
        out["context_effect"] = slope / problem.context.scale
        dims["context_effect"], coords["context"] = ("context",), list(problem.context.names)
    if values is not None and values.shape[-1]:
        name, axis = ("utility", "item") if problem.data.items else ("weight", "feature")
        out[name] = values
        dims[name] = (axis,)
        coords[axis] = list(problem.data.items or problem.data.feature_names)
    arrays = {
        name: value.detach().reshape(chains, draws, *value.shape[1:]).numpy()
        for name, value in out.items()
    }
    return Named(arrays, dims, coords)


def spread_values(family: StrengthFamily) -> dict[str, Tensor]:
    """cv, and the sd of log strength or, where strength is signed, sd and P(b < 0)."""
    out = {"cv": family.cv[:, 0]}
    if isinstance(family, Normal):
        z = family.mean[:, 0] / family.sd[:, 0]
        return out | {"sd": family.sd[:, 0], "p_negative": torch.special.ndtr(-z)}
    log_sd = family.log_sd[:, 0]
    if bool(torch.isnan(log_sd).any()):  # classes with contrarians
        assert family.atoms is not None
        strengths, log_shares = family.atoms
        share = torch.where(strengths[:, 0] < 0, log_shares[:, 0].exp(), 0.0).sum(-1)
        return out | {"sd": family.sd[:, 0], "p_negative": share}
    return out | {"log_sd": log_sd}


def _group_parameters(
    joint: LogJoint, sites: dict[str, Tensor], mean: Tensor, cv: Tensor
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Mean and cv of each label of each group column, the other columns at their average.

    Args:
        joint: The fitted program.
        sites: Values of its sites, `draw x event`.
        mean: Mean of the population, a `draw`-vector.
        cv: Coefficient of variation of the population, a `draw`-vector.
    """
    out, coords = {}, {}
    for group in joint.spec.groups:
        if isinstance(group, CovariateDesign):
            continue
        column = group.column
        coords[column] = list(group.labels)
        for kind, base in (("mean", mean), ("cv", cv)):
            if f"z_{kind}:{column}" not in sites or (
                kind == "cv" and joint.spec.family == "classes"
            ):
                continue
            normal = sites[f"normal_scale_{kind}:{column}"].unsqueeze(-1)
            scale = half_normal_from_normal(normal, joint.spec.priors.group_scale)
            z = centred(sites[f"z_{kind}:{column}"], joint.spec, kind)
            effect = (scale * z).exp()
            out[f"{kind}:{column}"] = base.unsqueeze(-1) * effect
    return out, coords


def prior_parameters(problem: Problem, joint: LogJoint, draws: int, seed: int) -> Named:
    """The same parameters drawn from the prior: one chain."""
    theta = joint.prior_draws(draws, seed)
    return named_parameters(problem, joint, theta.unsqueeze(0))
