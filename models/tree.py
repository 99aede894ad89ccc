"""The interchange object: an `xarray.DataTree` with named dimensions."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.utility import UtilityLikelihood
from mixlogit.models.infer import Inferred
from mixlogit.models.joint import LogJoint
from mixlogit.models.parameters import Named
from mixlogit.models.problem import Problem

__all__ = ["make_tree", "unit_log_likelihood"]

_ELEMENTS = 20_000_000  # draws x respondents of log-likelihood kept
_COMPARISONS = 40_000  # per-comparison log-likelihoods are kept up to so many comparisons


def unit_log_likelihood(joint: LogJoint, theta: Tensor) -> np.ndarray | None:
    """Marginal log-likelihood of every respondent at thinned draws, float32.

    Args:
        joint: The fitted program.
        theta: `chain x draw x parameter`.

    Returns:
        `chain x draw x respondent` with as many draws a chain as memory allows; by comparison
        where there is no panel, None where those are more than 40,000.
    """
    likelihood: Any = joint.likelihood
    chains, draws, size = theta.shape
    if isinstance(likelihood, PanelLikelihood):
        n_units = likelihood.table.values.shape[1]
    elif isinstance(likelihood, UtilityLikelihood) and likelihood.panel:
        n_units = likelihood.n_respondents
    else:
        return None
    cost = n_units
    if isinstance(likelihood, UtilityLikelihood):  # integrated anew at each draw
        cost = max(n_units, 3 * len(likelihood.rows.weight))
    kept = min(draws, max(10, _ELEMENTS // (chains * cost)))
    thin = theta[:, torch.linspace(0, draws - 1, kept).round().long()].reshape(-1, 1, size)
    parts = []
    for part in thin.split(joint.draws_at_once):
        sampled = joint.sampled(part)
        with torch.no_grad():
            if sampled.utilities is None:
                each = likelihood.by_respondent(sampled.family, sampled.lapse)
            else:
                each = likelihood.by_respondent(*sampled)
        parts.append(each.to(torch.float32))
    return torch.cat(parts).view(chains, kept, n_units).numpy()


def make_tree(
    problem: Problem,
    joint: LogJoint,
    inferred: Inferred,
    named: Named,
    prior: Named,
    log_likelihood: np.ndarray | None,
) -> xr.DataTree:
    """Posterior, prior, log-likelihood by respondent, observed and constant data."""
    groups = {
        "posterior": _dataset(named),
        "prior": _dataset(prior),
        "sample_stats": xr.Dataset(
            {
                "elbo": ("step", np.asarray(inferred.elbo, dtype=np.float64)),
                "k_hat": float(inferred.k_hat[0]),
            },
            attrs={"method": inferred.method},
        ),
        "observed_data": xr.Dataset({"outcome": ("comparison", problem.data.outcome.numpy())}),
        "constant_data": _constants(problem),
    }
    if log_likelihood is not None:
        groups["log_likelihood"] = xr.Dataset(
            {"panel": (("chain", "draw", "unit"), log_likelihood)},
            coords={"unit": unit_labels(problem)},
        )
    attrs = {"family": joint.spec.family, "panel": int(problem.panel), "creator": "mixlogit"}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs |= attrs
    return tree


def unit_labels(problem: Problem) -> list[str]:
    """Respondent of each unit, with its group labels where respondents are split."""
    data, units = problem.data, problem.units
    assert data.respondent is not None
    assert units.respondent is not None
    labels = [data.respondent.labels[code] for code in units.respondent.tolist()]
    if len(set(labels)) == len(labels):
        return labels
    for k, group in enumerate(problem.spec.groups):
        level = units.level[units.block, k].tolist()
        labels = [f"{a} | {group.labels[code]}" for a, code in zip(labels, level, strict=True)]
    return labels


def _dataset(named: Named) -> xr.Dataset:
    variables = {
        name: (("chain", "draw", *named.dims.get(name, ())), value)
        for name, value in named.values.items()
    }
    first = next(iter(named.values.values()))
    coords: dict[str, Any] = {
        "chain": np.arange(first.shape[0]),
        "draw": np.arange(first.shape[1]),
    }
    return xr.Dataset(variables, coords={**coords, **named.coords})


def _constants(problem: Problem) -> xr.Dataset:
    data = problem.data
    out: dict[str, Any] = {}
    if data.margin is not None:
        out["margin"] = ("comparison", data.margin.numpy())
    if data.item_a is not None and data.item_b is not None:
        out["item_a"] = ("comparison", data.item_a.numpy())
        out["item_b"] = ("comparison", data.item_b.numpy())
    if data.features is not None:
        out["features"] = (("comparison", "feature"), data.features.numpy())
    if data.respondent is not None:
        out["respondent"] = ("comparison", data.respondent.codes.numpy())
    if data.weight is not None:
        out["weight"] = ("comparison", data.weight.numpy())
    coords = {"feature": list(data.feature_names)} if data.features is not None else {}
    return xr.Dataset(out, coords=coords)
