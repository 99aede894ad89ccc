"""The interchange object: an `xarray.DataTree` with named dimensions."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from mixlogit.choice.batching import select
from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.utility import UtilityLikelihood, latent_margins
from mixlogit.data import ChoiceSets
from mixlogit.models.infer import Inferred
from mixlogit.models.joint import LogJoint
from mixlogit.models.parameters import Named
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled

__all__ = ["make_tree", "unit_log_likelihood"]

_ELEMENTS = 20_000_000  # draws x respondents of log-likelihood kept
_CHOICE_NODES = 64  # about as many evaluations a choice probability takes
_COMPARISONS = 40_000  # per-comparison log-likelihoods are kept up to so many comparisons


def unit_log_likelihood(problem: Problem, joint: LogJoint, theta: Tensor) -> np.ndarray | None:
    """Marginal log-likelihood of every unit at thinned draws, float32.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: `chain x draw x parameter`.

    Returns:
        `chain x draw x unit` with as many draws a chain as memory allows; a unit is a respondent
        (in each combination of groups), or a comparison where there is no panel. None without a
        panel where there are more than 40,000 comparisons.
    """
    likelihood: Any = joint.likelihood
    chains, draws, size = theta.shape
    n_units = cost = int(problem.units.of_comparison.max()) + 1
    if not problem.panel:
        if n_units > _COMPARISONS:
            return None
        cost *= _CHOICE_NODES
    elif isinstance(likelihood, UtilityLikelihood):  # integrated anew at each draw
        cost = max(n_units, 3 * likelihood.n_entries)
    kept = min(draws, max(10, _ELEMENTS // (chains * cost)))
    thin = theta[:, torch.linspace(0, draws - 1, kept).round().long()].reshape(-1, 1, size)
    at_once = joint.draws_at_once if problem.panel else max(1, _ELEMENTS // (4 * cost))
    parts = []
    for part in thin.split(at_once):
        sampled = joint.sampled(part)
        with torch.no_grad():
            if not problem.panel and not isinstance(likelihood, OutcomeLikelihood):
                each = _by_comparison(problem, joint, sampled)
            else:
                each = likelihood.by_respondent(*sampled.arguments())
        parts.append(each.to(torch.float32))
    return torch.cat(parts).view(chains, kept, n_units).numpy()


def _by_comparison(problem: Problem, joint: LogJoint, sampled: Sampled) -> Tensor:
    """Log-likelihood of each comparison by itself: `draw x comparison`."""
    if sampled.utilities is None:
        margin, comparison, weight = problem.margin, problem.index, problem.weight
    else:
        assert isinstance(joint.likelihood, UtilityLikelihood)
        rows = joint.likelihood.rows
        margin = latent_margins(rows, sampled.utilities)
        comparison, weight = rows.respondent, rows.weight
    own = select(sampled.family, problem.units.block[comparison])
    each = log_lapsed(own.log_choice_prob(margin), sampled.lapse) * weight
    out = each.new_zeros(len(each), problem.data.n_comparisons)
    return out.index_add(1, comparison, each)


def make_tree(
    problem: Problem,
    joint: LogJoint,
    inferred: Inferred,
    named: Named,
    prior: Named,
    log_likelihood: np.ndarray | None,
) -> xr.DataTree:
    """Posterior, prior, log-likelihood by unit, observed and constant data."""
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
        "observed_data": _observed(problem),
        "constant_data": _constants(problem),
    }
    if log_likelihood is not None:
        name, dim = ("panel", "unit") if problem.panel else ("choice", "comparison")
        coords = _unit_coords(problem) if problem.panel else {}
        groups["log_likelihood"] = xr.Dataset(
            {name: (("chain", "draw", dim), log_likelihood)}, coords=coords
        )
    attrs = {"family": joint.spec.family, "panel": int(problem.panel), "creator": "mixlogit"}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs |= attrs
    return tree


def _unit_coords(problem: Problem) -> dict[str, Any]:
    """Whose each unit is, and its name: with its group labels where respondents are split."""
    data, units = problem.data, problem.units
    assert data.respondent is not None
    assert units.respondent is not None
    names = [data.respondent.labels[code] for code in units.respondent.tolist()]
    labels = names
    for k, group in enumerate(problem.spec.groups if len(set(names)) < len(names) else ()):
        level = units.level[units.block, k].tolist()
        labels = [f"{a} | {group.labels[code]}" for a, code in zip(labels, level, strict=True)]
    return {"unit": labels, "respondent": ("unit", names)}


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


def _observed(problem: Problem) -> xr.Dataset:
    data: Any = problem.data
    if isinstance(data, ChoiceSets):
        return xr.Dataset({"chosen": ("row", data.chosen.numpy())})
    observed = {"outcome": ("comparison", data.outcome.numpy())}
    if data.grade is not None:
        observed["grade"] = ("comparison", data.grade.numpy())
    return xr.Dataset(observed)


def _constants(problem: Problem) -> xr.Dataset:
    data: Any = problem.data
    if isinstance(data, ChoiceSets):
        sets: dict[str, Any] = {
            "choice": ("row", data.choice.numpy()),
            "alternative": ("row", data.alternative.codes.numpy()),
        }
        if data.features is not None:
            sets["features"] = (("row", "feature"), data.features.numpy())
        if data.respondent is not None:
            sets["respondent"] = ("comparison", data.respondent.codes.numpy())
        return xr.Dataset(sets, coords={"feature": list(data.feature_names)})
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
