"""The interchange object: an `xarray.DataTree` with named dimensions."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from mixlogit.choice.batching import select
from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.utility import UtilityLikelihood, latent_margins
from mixlogit.data import ChoiceSets
from mixlogit.models.diagnose import Diagnosis
from mixlogit.models.held_out import scoring_draws
from mixlogit.models.infer import Inferred
from mixlogit.models.joint import LogJoint
from mixlogit.models.parameters import Named
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled
from mixlogit.models.thin import thinned

__all__ = ["make_tree", "unconstrained", "unit_log_likelihood"]

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
    n_units = cost = len(problem.units.block)
    if not problem.panel:
        if n_units > _COMPARISONS:
            return None
        cost *= _CHOICE_NODES
    elif not isinstance(likelihood, PanelLikelihood):  # integrated anew at each draw
        cost = max(n_units, 3 * likelihood.n_entries)
    kept = min(draws, max(10, _ELEMENTS // (chains * cost)))
    thin = theta[:, thinned(draws, kept)].reshape(-1, 1, size)
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
    problem: Any,
    family: str,
    inferred: Inferred,
    named: tuple[Named, Named],
    log_likelihood: np.ndarray | None,
    found: Diagnosis,
) -> xr.DataTree:
    """Every group of a saved posterior; docs/diagnostics.md lists them.

    Args:
        problem: The data, of any kind of fit.
        family: Name of the strength family; "tastes" where they are random.
        inferred: The result.
        named: Posterior and prior parameters.
        log_likelihood: Of units, `chain x draw x unit`.
        found: What was diagnosed.
    """
    observed, predictive = _figures(found)
    groups = {
        "posterior": _dataset(named[0]),
        "prior": _dataset(named[1]),
        "sample_stats": _sample_stats(problem, inferred, found),
        "observed_data": _observed(problem).merge(observed),
        "posterior_predictive": predictive,
        "constant_data": _constants(problem, found),
        "log_prior": xr.Dataset({"population": (("chain", "draw"), found.log_prior)}),
    }
    if log_likelihood is not None:
        name, dim = ("panel", "unit") if problem.panel else ("choice", "comparison")
        coords = _unit_coords(problem) if problem.panel else {}
        groups["log_likelihood"] = xr.Dataset(
            {name: (("chain", "draw", dim), log_likelihood)}, coords=coords
        )
    attrs = {"family": family, "panel": int(problem.panel), "creator": "mixlogit"}
    attrs["kind"], attrs["tastes"] = problem.data.kind, int(bool(found.measures))
    tree = xr.DataTree.from_dict(groups)
    tree.attrs |= attrs
    return tree


def unconstrained(joint: LogJoint, theta: Tensor) -> xr.DataTree:
    """The draws that score held-out votes, as the program samples them.

    Args:
        joint: The fitted program.
        theta: `draw x 1 x parameter`.
    """
    names = [site.name for site in joint.sites for _ in range(site.start, site.stop)]
    some = scoring_draws(theta).squeeze(1).numpy()[None]
    values = {"theta": (("chain", "draw", "parameter"), some)}
    return xr.DataTree(xr.Dataset(values, coords={"parameter": names}))


def _sample_stats(problem: Any, inferred: Inferred, found: Diagnosis) -> xr.Dataset:
    """ELBO, Pareto k of the guide and of leaving out, individuals, measures of tastes."""
    out: dict[str, Any] = {
        "elbo": ("step", np.asarray(inferred.elbo, dtype=np.float64)),
        "k_hat": float(inferred.k_hat[0]),
    }
    coords: dict[str, Any] = {}
    if found.left_out is not None:
        dim = "unit" if problem.panel else "comparison"
        out["loo_elpd"] = (dim, found.left_out.elpd)
        out["loo_k_hat"] = (dim, found.left_out.k_hat)
        coords = {"unit": problem.unit_labels()} if problem.panel else {}
    if found.votes is not None:
        for name, value in (("elpd", found.votes.elpd), ("k_hat", found.votes.k_hat)):
            each = np.full(len(problem.data), np.nan, dtype=np.float32)
            each[found.votes.rows] = value
            out[f"vote_{name}"] = ("comparison", each)
    if found.shrinkage is not None:
        out["shrinkage"] = ("kept", found.shrinkage)
        out["reliability"] = ("kept", found.reliability)
    out |= {name: ("kept", value) for name, value in found.measures.items()}
    return xr.Dataset(out, coords=coords, attrs={"method": inferred.method})


def _figures(found: Diagnosis) -> tuple[xr.Dataset, xr.Dataset]:
    """Figures of the data and of its replicates; predicted probabilities and calibration."""
    dims = dict.fromkeys(("agreeing", "tied", "mean_grade"), ("bin",)) | {"taste": ("direction",)}
    seen = {name: (dims.get(name, ()), value) for name, value in found.replicated.observed.items()}
    made: dict[str, Any] = {
        name: (("chain", "draw", *dims.get(name, ())), value[None])
        for name, value in found.replicated.replicated.items()
    }
    predicted = found.predicted
    for name, part in (
        ("probability", predicted.first),
        ("probability_without", predicted.without),
    ):
        each = np.full(len(predicted.margin), np.nan, dtype=np.float32)
        each[predicted.rows.numpy()] = part.numpy()
        made[name] = ("comparison", each)
    if found.calibration is not None:
        for name in ("predicted", "observed", "low", "high"):
            made[f"calibration_{name}"] = ("knot", getattr(found.calibration, name))
    return xr.Dataset(seen), xr.Dataset(made)


def _unit_coords(problem: Any) -> dict[str, Any]:
    """Name of each unit, and whose it is: they differ where groups split respondents."""
    data, units = problem.data, problem.units
    assert data.respondent is not None
    assert units.respondent is not None
    names = [data.respondent.labels[code] for code in units.respondent.tolist()]
    return {"unit": problem.unit_labels(), "respondent": ("unit", names)}


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


def _observed(problem: Any) -> xr.Dataset:
    data: Any = problem.data
    if isinstance(data, ChoiceSets):
        return xr.Dataset({"chosen": ("row", data.chosen.numpy())})
    observed = {"outcome": ("comparison", data.outcome.numpy())}
    if data.grade is not None:
        observed["grade"] = ("comparison", data.grade.numpy())
    return xr.Dataset(observed)


def _constants(problem: Any, found: Diagnosis) -> xr.Dataset:
    """The design: margins (of latent utilities posterior means), items, respondents, groups."""
    data: Any = problem.data
    name = "lead" if isinstance(data, ChoiceSets) else "margin"
    name = f"mean_{name}" if found.measures else name
    coords: dict[str, Any] = {}
    out: dict[str, Any] = {
        "bin_margin": ("bin", found.replicated.bin_margin),
        name: ("comparison", found.predicted.margin.numpy()),
    }
    if getattr(data, "row", None) is not None:
        out["file_row"] = ("comparison", data.row.numpy())
    if isinstance(data, ChoiceSets):
        out["choice"] = ("row", data.choice.numpy())
        out["alternative"] = ("row", data.alternative.codes.numpy())
        if data.features is not None:
            out["features"] = (("row", "feature"), data.features.numpy())
    else:
        if data.item_a is not None and data.item_b is not None:
            out["item_a"] = ("comparison", data.item_a.numpy())
            out["item_b"] = ("comparison", data.item_b.numpy())
        if data.features is not None:
            out["features"] = (("comparison", "feature"), data.features.numpy())
    if data.feature_names:
        coords["feature"] = list(data.feature_names)
    if data.respondent is not None:
        out["respondent"] = ("comparison", data.respondent.codes.numpy())
    if problem.panel:
        out["unit"] = ("comparison", problem.units.of_comparison.numpy())
        out["votes"] = ("panel", problem.unit_sizes.numpy())
    for k, column in enumerate(problem.columns):
        if problem.panel:
            level = problem.units.level[problem.units.block, k]
            out[f"panel_group:{column}"] = ("panel", level.numpy())
        out[f"group:{column}"] = ("comparison", data.groups[column].codes.numpy())
    if data.weight is not None:
        out["weight"] = ("comparison", data.weight.numpy())
    return xr.Dataset(out, coords=coords)
