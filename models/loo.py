"""Leave-one-out predictive density from the log-likelihoods that a fit keeps."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixlogit.models.psis import pareto_smooth

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "LeftOut",
    "UnitsLeftOut",
    "elpd",
    "k_limit",
    "leave_one_out",
    "left_out",
    "units_left_out",
]

_ELEMENTS = 400_000  # draws x units smoothed at once


class LeftOut(NamedTuple):
    """What each respondent (or comparison) left out would have been given.

    Attributes:
        labels: Their names.
        log_density: Log predictive density of each, nats.
        k_hat: Pareto k of each; above 0.7 its density is not to be relied on.
    """

    labels: tuple[str, ...]
    log_density: Tensor
    k_hat: Tensor


def leave_one_out(log_likelihood: Tensor) -> tuple[Tensor, Tensor]:
    """Log predictive density of every unit given all the others (Vehtari et al. 2017).

    The posterior without a unit is the posterior weighted by 1 / its likelihood, the weights
    smoothed by a Pareto tail.

    Args:
        log_likelihood: `draw x unit`, nats; the units are independent given a draw.

    Returns:
        Log density (nats) and Pareto k-hat, both `unit`; k is -1 at least, also where all
        weights are alike.

    Example:
        >>> density, k = leave_one_out(torch.full((100, 2), -0.5).double())
        >>> density.tolist()
        [-0.5, -0.5]
    """
    densities, shapes = [], []
    for part in log_likelihood.T.split(max(1, _ELEMENTS // len(log_likelihood))):
        part = part.double()
        log_weight, k_hat = pareto_smooth(-part)
        densities.append(torch.logsumexp(log_weight + part, -1))
        shapes.append(k_hat.clamp_min(-1.0))
    return torch.cat(densities), torch.cat(shapes)


class UnitsLeftOut(NamedTuple):
    """Leaving out one unit: a respondent, or a comparison where there is no panel.

    Attributes:
        elpd: Log predictive density given all others, a `unit`-vector, nats.
        k_hat: Pareto k of it, a `unit`-vector.
        limit: Largest k to trust.
    """

    elpd: NDArray[np.float64]
    k_hat: NDArray[np.float64]
    limit: float


def units_left_out(log_likelihood: NDArray[np.float32]) -> UnitsLeftOut:
    """Log predictive density of each unit given all others, and how far it can be trusted.

    Args:
        log_likelihood: `chain x draw x unit`, nats; a unit is a respondent or a comparison.

    Example:
        >>> x = np.random.default_rng(0).normal(-1.0, 0.1, size=(1, 500, 3))
        >>> elpd, k, _ = units_left_out(x.astype(np.float32))
        >>> bool((np.abs(elpd + 1.0) < 0.1).all()), bool((k < 0.5).all())
        (True, True)
    """
    flat = torch.from_numpy(log_likelihood).flatten(0, 1)
    density, k_hat = leave_one_out(flat)
    return UnitsLeftOut(density.numpy(), k_hat.numpy(), k_limit(len(flat)))


def k_limit(draws: int) -> float:
    """Largest Pareto k that so many draws can be trusted with: `min(0.7, 1 - 1 / log10 S)`.

    Source: Vehtari, Simpson, Gelman, Yao and Gabry (2024), section 3.2.

    Example:
        >>> round(k_limit(2000), 2), round(k_limit(200), 2)
        (0.7, 0.57)
    """
    return min(0.7, 1 - 1 / math.log10(draws))


def left_out(tree: "xr.DataTree") -> LeftOut | None:
    """Leave-one-out densities of a fit, by respondent where it has a panel.

    Args:
        tree: The tree of a posterior.

    Returns:
        By respondent, or by comparison without a panel; None where none were kept.
    """
    if "log_likelihood" not in tree.children:
        return None
    kept = tree["log_likelihood"].to_dataset()
    name = "panel" if "panel" in kept else "choice"
    values = kept[name].to_numpy()
    flat = torch.from_numpy(values.reshape(-1, values.shape[-1]))
    if name == "choice":
        labels = tuple(str(k) for k in range(flat.shape[1]))
        return LeftOut(labels, *leave_one_out(flat))
    names = kept["respondent" if "respondent" in kept.coords else "unit"].to_numpy()
    people, first, place = np.unique(names.astype(str), return_index=True, return_inverse=True)
    labels, known = tuple(people.tolist()), tree["sample_stats"].to_dataset()
    if len(people) == len(names) and "loo_elpd" in known:  # by unit is by respondent
        each = (torch.from_numpy(known[x].to_numpy()[first]) for x in ("loo_elpd", "loo_k_hat"))
        return LeftOut(labels, *each)
    whole = flat.new_zeros(len(flat), len(people), dtype=torch.float64)
    whole.index_add_(1, torch.from_numpy(place), flat.double())  # in several groups, but one
    return LeftOut(labels, *leave_one_out(whole))


def elpd(tree: "xr.DataTree", *, panel: bool) -> dict[str, Any] | None:
    """The leave-one-out total of a fit, as its record keeps it.

    Args:
        tree: The tree of a posterior.
        panel: Whether respondents were left out, or comparisons.

    Returns:
        `estimate` and `se` in nats, and `per`: "respondent" or "comparison".
    """
    found = left_out(tree)
    if found is None:
        return None
    each = found.log_density
    return {
        "estimate": float(each.sum()),
        "se": float(each.std(correction=0)) * len(each) ** 0.5,
        "per": "respondent" if panel else "comparison",
    }
