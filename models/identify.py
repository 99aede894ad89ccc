"""What the data say about mean, spreads, lapse rate and shares, apart from the prior."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixlogit.models.infer import Inferred
from mixlogit.models.joint import LogJoint, Site
from mixlogit.models.problem import Problem
from mixlogit.models.taste_classes import SHARE_SD
from mixlogit.models.thin import thinned

__all__ = ["Identified", "Information", "identify", "information_at_mode", "rescaling_error"]

# site -> what it says of the population; sites of several numbers have one for each
_SITES = {
    "log_mean": "mean",
    "normal_cv": "cv",
    "normal_lapse": "lapse",
    "normal_sds": "sd",
    "taste_logits": "shares",
}
_DRAWS, _ROWS = 8, 20_000
_SCALE = (
    "Strength and utilities are known up to a common factor alone: mean strength is 1 by "
    "convention, and utilities carry the scale."
)


@dataclass(frozen=True)
class Information:
    """Observed information of the data about the population, in units of the prior's.

    In the program's coordinates the priors of cv and of the lapse rate are standard normal, and
    that of log mean is scaled to be: the prior's information is the identity matrix. In a
    direction with information 0 the data say nothing, with 1 as much as the prior.

    Attributes:
        parameters: Names, in the order of the matrix.
        eigenvalues: Of the information, rising.
        weakest: The direction of the smallest one, a weight for each parameter, the largest
            above 0.
        correlation: Correlations of the maximum-likelihood estimates; None where the data's
            information is singular.
    """

    parameters: tuple[str, ...]
    eigenvalues: tuple[float, ...]
    weakest: tuple[float, ...]
    correlation: tuple[tuple[float, ...], ...] | None

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return dict(vars(self))


@dataclass(frozen=True)
class Identified:
    """What the data can tell.

    Attributes:
        respondents: Respondents; None where there are none.
        repeaters: Those with two judgements or more.
        pairs: Pairs of judgements by one respondent, `sum n (n - 1) / 2`: what tells a spread of
            people from the shape of the link.
        margin: Median and 90th percentile of |margin|, where margins are given.
        information: About the parameters of the fit.
        with_lapse: The same when votes may be random, where that was weighed.
        contraction: 1 - posterior variance / prior variance, by parameter.
        rescaled: Largest change of the log posterior, nats, when all margins are doubled and
            strength halved; None where margins are latent.
        sentences: In words.
    """

    respondents: int | None
    repeaters: int | None
    pairs: int | None
    margin: tuple[float, float] | None
    information: Information | None
    with_lapse: Information | None
    contraction: dict[str, float]
    rescaled: float | None
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        out = dict(vars(self))
        for name in ("information", "with_lapse"):
            out[name] = None if out[name] is None else out[name].to_dict()
        return out


def information_at_mode(
    joint: LogJoint, inferred: Inferred, labels: Mapping[str, Sequence[str]] | None = None
) -> Information | None:
    """The data's information about spreads, mean, lapse rate, shares, others integrated out.

    Args:
        joint: A fitted program.
        inferred: Its result.
        labels: Names of the numbers of a site that has several.

    Returns:
        None where the program has none of these parameters.
    """
    sites = [site for site in joint.sites if site.name in _SITES]
    if not sites:
        return None
    names: list[str] = []
    scale: list[float] = []
    for site in sites:
        names += _names(site, (labels or {}).get(site.name))
        sd = {"log_mean": joint.spec.priors.log_mean_sd, "taste_logits": SHARE_SD}
        scale += [sd.get(site.name, 1.0)] * (site.stop - site.start)
    index = torch.cat([torch.arange(site.start, site.stop) for site in sites])
    return _information(tuple(names), torch.tensor(scale).double(), _about(inferred, index))


def _names(site: Site, labels: Sequence[str] | None) -> list[str]:
    """What the numbers of a site are called."""
    word, size = _SITES[site.name], site.stop - site.start
    if labels is not None:
        return [f"{word}[{label}]" for label in labels]
    return [word] if size == 1 else [f"{word} {k + 1}" for k in range(size)]


def _about(inferred: Inferred, index: Tensor) -> Tensor:
    """Precision of some coordinates at the mode, the others integrated out."""
    precision = -inferred.mode.hessian[0]
    other = torch.ones(len(precision), dtype=torch.bool)
    other[index] = False
    about = precision[index][:, index]
    if bool(other.any()):
        cross = precision[index][:, other]
        about = about - cross @ torch.linalg.pinv(precision[other][:, other]) @ cross.T
    return about


def _information(names: tuple[str, ...], scale: Tensor, about: Tensor) -> Information:
    """Eigenvalues and correlations, given the prior's scales and the posterior's precision."""
    matrix = scale * about * scale.unsqueeze(-1) - torch.eye(len(names), dtype=torch.float64)
    values, vectors = torch.linalg.eigh(matrix)
    correlation = None
    if float(values[0]) > 1e-6:
        covariance = torch.linalg.inv(matrix)
        root = covariance.diagonal().sqrt()
        correlation = tuple(tuple(row) for row in (covariance / root / root[:, None]).tolist())
    weakest = vectors[:, 0] * vectors[vectors[:, 0].abs().argmax(), 0].sign()
    return Information(names, tuple(values.tolist()), tuple(weakest.tolist()), correlation)


def identify(
    problem: Any,
    information: Information | None,
    with_lapse: Information | None,
    posterior: Mapping[str, np.ndarray],
    prior: Mapping[str, np.ndarray],
    rescaled: float | None = None,
) -> Identified:
    """What the data identify.

    Args:
        problem: The data, of any kind of fit.
        information: About the parameters of the fit.
        with_lapse: From the model with a lapse rate that the evidence fitted.
        posterior: Draws of parameters.
        prior: The same, from the prior.
        rescaled: From `rescaling_error`.
    """
    data: Any = problem.data
    whole: Any = problem.whole
    respondents = repeaters = pairs = None
    if data.respondent is not None:
        counts = whole.respondent.counts()
        respondents, repeaters = len(counts), int((counts >= 2).sum())
        pairs = int((counts * (counts - 1) // 2).sum())
    margin = None
    if data.kind == "margin":
        low, high = np.quantile(data.margin.abs().numpy(), [0.5, 0.9])
        margin = float(low), float(high)
    return Identified(
        respondents=respondents,
        repeaters=repeaters,
        pairs=pairs,
        margin=margin,
        information=information,
        with_lapse=with_lapse,
        contraction=_contraction(posterior, prior),
        rescaled=rescaled,
        sentences=tuple(_sentences(problem, repeaters, pairs)),
    )


def _contraction(
    posterior: Mapping[str, np.ndarray], prior: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """How much narrower than its prior each parameter with one value a draw became."""
    out = {}
    for name, value in posterior.items():
        if value.ndim == 2 and name != "p_negative":
            log = name == "mean" and bool((value > 0).all()) and bool((prior[name] > 0).all())
            after, before = (np.log(value), np.log(prior[name])) if log else (value, prior[name])
            out[name] = float(1 - after.var() / max(before.var(), 1e-300))
    return out


def rescaling_error(problem: Problem, joint: LogJoint, theta: Tensor) -> float | None:
    """Largest change of the log posterior when margins are doubled and strengths halved.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: Draws, `... x parameter`.

    Returns:
        Nats; None where margins are latent.
    """
    if problem.data.kind != "margin":
        return None
    if problem.panel and problem.n_rows > _ROWS:
        problem = problem.part(_ROWS, 0)
        joint = problem.joint(joint.spec.family, lapse=joint.spec.lapse)
    doubled = problem.rescaled(2.0).joint(joint.spec.family, lapse=joint.spec.lapse)
    flat = theta.reshape(-1, 1, joint.size)
    flat = flat[thinned(len(flat), _DRAWS)]
    moved = flat.clone()
    for site in joint.sites:
        if site.name == "log_mean":
            moved[..., site.start] -= np.log(2.0)
    with torch.no_grad():
        return float((joint(flat) - doubled(moved)).abs().max())


def _sentences(problem: Any, repeaters: int | None, pairs: int | None) -> list[str]:
    scale = [] if problem.data.kind == "margin" else [_SCALE]
    if not problem.panel:
        said = [
            "The spread is one of comparisons: it bends the choice curve, and cannot be told from "
            "random votes, a wrong link or margins with errors.",
        ]
        if repeaters:
            said.append(f"{repeaters:,} respondents judged twice or more; a panel would use that.")
        return said + scale
    assert repeaters is not None
    assert pairs is not None
    return [
        f"{repeaters:,} respondents judged twice or more ({pairs:,} pairs of judgements by one "
        "respondent): only these tell how people differ.",
        *scale,
    ]
