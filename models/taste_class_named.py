"""Latent tastes by name: shares, utilities by class, memberships of respondents."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from mixlogit.models.individual import Individuals
from mixlogit.models.outcome_parameters import outcome_values
from mixlogit.models.parameters import Named, spread_values
from mixlogit.models.posterior import summarise
from mixlogit.models.problem import Problem
from mixlogit.models.sites import CovariateDesign, covariate_designs
from mixlogit.models.taste_class_joint import TasteClassJoint
from mixlogit.models.taste_classes import SLOPES, covariate_slopes, share_basis, share_scale
from mixlogit.models.thin import thinned

__all__ = ["Members", "class_members", "membership_table", "named_classes", "tastes_record"]

_DRAWS = 32  # of the population, over which individuals are averaged
_NODES = 6_000_000  # units x nodes x draws kept, but at least four draws


def named_classes(problem: Problem, joint: TasteClassJoint, theta: Tensor) -> Named:
    """Population parameters at draws.

    `share` of each class, over all respondents; with groups also `share:COLUMN`, at the average
    of the other columns, and with covariates `share_effect`, the change of the log odds of each
    class against class 1 a unit of each; `utility` or `weight` of each class; spread of strength,
    lapse rate and outcome parameters as without classes.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: `chain x draw x parameter`.
    """
    flat = theta.reshape(-1, 1, joint.size)
    sampled: Any = joint.sampled(flat)
    spec, coords = joint.spec, {"class_": [str(c + 1) for c in range(joint.spec.n_tastes)]}
    weight = torch.bincount(problem.units.block, minlength=problem.units.n_blocks)
    weight = weight.to(torch.float64) / len(problem.units.block)
    out = {"share": torch.einsum("dbc,b->dc", sampled.log_share.exp(), weight)}
    dims: dict[str, tuple[str, ...]] = {"share": ("class_",)}
    for column, labels, value in _group_shares(joint, flat):
        out[f"share:{column}"] = value
        dims[f"share:{column}"] = (column, "class_")
        coords[column] = labels
    for design in covariate_designs(spec):
        slopes = covariate_slopes(joint.unpack(flat)[SLOPES], spec) @ share_basis(spec.n_tastes)
        out["share_effect"] = (slopes - slopes[..., :1]) / design.scale.unsqueeze(-1)
        dims["share_effect"], coords["covariate"] = ("covariate", "class_"), list(design.names)
    if spec.family not in ("fixed", "classes"):
        out |= spread_values(sampled.family)
    if spec.family == "classes":
        strengths, log_shares = sampled.family.atoms
        out |= {"cv": sampled.family.cv[:, 0], "class_strength": strengths[:, 0]}
        out["class_share"] = log_shares[:, 0].exp()
        dims |= {"class_strength": ("strength_class",), "class_share": ("strength_class",)}
        coords["strength_class"] = [str(c + 1) for c in range(strengths.shape[-1])]
    if sampled.lapse is not None:
        out["lapse"] = sampled.lapse[:, 0]
    if sampled.outcome is not None:
        own, own_dims, own_coords = outcome_values(spec.outcome, sampled.outcome)
        out, dims, coords = out | own, dims | own_dims, coords | own_coords
    axis = "item" if problem.data.items else "feature"
    name = "utility" if problem.data.items else "weight"
    out[name], dims[name] = sampled.utilities, ("class_", axis)
    coords[axis] = list(problem.data.items or problem.data.feature_names)
    arrays = {
        key: value.detach().reshape(*theta.shape[:2], *value.shape[1:]).numpy()
        for key, value in out.items()
    }
    return Named(arrays, dims, coords)


def _group_shares(joint: TasteClassJoint, flat: Tensor) -> list[tuple[str, list[str], Tensor]]:
    """Column, labels and shares `draw x label x class_` of every group column."""
    sites, basis = joint.unpack(flat), share_basis(joint.spec.n_tastes)
    out = []
    for group in joint.spec.groups:
        if isinstance(group, CovariateDesign):
            continue
        scale = share_scale(sites[f"normal_scale_taste:{group.column}"], joint.spec)
        effect = scale.unsqueeze(-1).unsqueeze(-1) * sites[f"z_taste:{group.column}"]
        logits = sites["taste_logits"].unsqueeze(-2) + effect
        out.append((group.column, list(group.labels), torch.softmax(logits @ basis, -1)))
    return out


@dataclass(frozen=True, eq=False)
class Members:
    """What is known of every unit, averaged over draws of the population.

    Attributes:
        probability: Of each class, `unit x class_`.
        individuals: Nodes and weights of the units' strengths, all classes together.
    """

    probability: Tensor
    individuals: Individuals


def class_members(joint: TasteClassJoint, theta: Tensor) -> Members:
    """Class probabilities and strengths of every unit.

    Args:
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`; thinned to as many as memory allows.
    """
    per_draw = 25 * joint.classes.n_classes * joint.classes.n_respondents
    theta = theta[thinned(len(theta), max(4, min(_DRAWS, _NODES // per_draw)))]
    total: Any = 0.0
    strengths, weights = [], []
    with torch.no_grad():
        for one in theta.split(1):
            sampled: Any = joint.sampled(one)
            parts = [part.posterior_nodes(sampled) for part in joint.classes.parts()]
            b, log_weight = (torch.cat(each, 1) for each in zip(*parts, strict=True))
            weight = log_weight.exp() / len(theta)  # class_ x unit x node
            total = total + weight.sum(-1).T
            strengths.append(b.transpose(0, 1).flatten(1))
            weights.append(weight.transpose(0, 1).flatten(1))
    found = Individuals(theta, torch.cat(strengths, -1), torch.cat(weights, -1))
    return Members(total, found)


def membership_table(problem: Problem, members: Members) -> pd.DataFrame:
    """One row for each unit: its groups, judgements, most probable class, all probabilities.

    Args:
        problem: The data.
        members: From `class_members`.
    """
    columns: dict[str, Any] = {"respondent": problem.unit_respondents(), **problem.unit_groups()}
    columns["n"] = problem.unit_sizes.numpy()
    columns["class_"] = (members.probability.argmax(-1) + 1).numpy()
    for c, probability in enumerate(members.probability.T):
        columns[f"p[{c + 1}]"] = probability.numpy()
    return pd.DataFrame(columns)


def tastes_record(named: Named, members: Members) -> dict[str, Any]:
    """The `tastes` of `--json`: shares and utilities of every class.

    Args:
        named: From `named_classes`.
        members: From `class_members`.
    """
    name = "utility" if "utility" in named.values else "weight"
    labels = named.coords[named.dims[name][-1]]
    values, shares = named.values[name], named.values["share"]
    by_class = {
        label: {
            "share": summarise(shares[..., c]),
            "respondents": float(members.probability[:, c].sum()),
            name: {item: summarise(values[..., c, k]) for k, item in enumerate(labels)},
        }
        for c, label in enumerate(named.coords["class_"])
    }
    certain = float(members.probability.amax(-1).mean())
    return {"classes": by_class, "mean_largest_membership": certain}
