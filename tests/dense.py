"""Simulated panels with their exact marginal log-likelihoods, from a dense grid of strengths."""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice import StrengthFamily, strength

F64 = torch.float64
FAMILIES = ("lognormal", "gamma", "normal")
CVS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0)
SIZES = (1, 5, 30, 100, 300, 1000, 5000)
LAPSE = 0.05
_NODES, _ROWS = 2000, 1000


@dataclass(frozen=True, eq=False)
class Panels:
    """Panels of one family, and what they must give.

    Attributes:
        family: Where the strengths come from, batch shape `1 x 1`.
        margin: Signed margins, a `comparison`-vector.
        respondent: Codes, a `comparison`-vector.
        size: Votes of each respondent.
        exact: Log-likelihood of each respondent.
        lapsed: The same with a lapse rate of `LAPSE`.
    """

    family: StrengthFamily
    margin: Tensor
    respondent: Tensor
    size: Tensor
    exact: Tensor
    lapsed: Tensor


def population(
    name: str, mean: float, cv: float, shape: tuple[int, int] = (1, 1)
) -> StrengthFamily:
    """A family by its mean and cv."""
    ones = torch.ones(shape, dtype=F64)
    if name == "normal":
        return strength(name, mean=mean * ones, sd=mean * cv * ones)
    return strength(name, mean=mean * ones, cv=cv * ones)


def votes(family: StrengthFamily, size: int, generator: torch.Generator) -> Tensor:
    """Signed margins of one respondent: Normal(0, 1) margins, votes by the model."""
    margin = torch.randn(size, generator=generator, dtype=F64)
    b = family.sample(generator=generator).reshape(())
    first = torch.rand(size, generator=generator, dtype=F64) < torch.sigmoid(b * margin)
    return torch.where(first, margin, -margin)


def codes(panels: list[Tensor]) -> Tensor:
    """The respondent of each comparison."""
    return torch.repeat_interleave(
        torch.arange(len(panels)), torch.tensor([len(panel) for panel in panels])
    )


def dense_grid(family: StrengthFamily) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes of the coordinate that cover every integrand, strengths, and the masses there."""
    location, scale = (float(part) for part in family.location_scale())
    if family.coordinate == "linear":
        low, high = location - 14 * scale, location + 14 * scale
    else:
        low, high = max(-13.0, location - 25 * scale), min(9.0, location + 14 * scale)
    u = torch.linspace(low, high, _NODES, dtype=F64)
    step = u[1] - u[0]
    log_mass = family.log_density(u)[0] + step.log()
    below, above = family.log_tails(u[0] - step / 2, u[-1] + step / 2)
    log_mass[0] = torch.logaddexp(log_mass[0], below[0, 0])
    log_mass[-1] = torch.logaddexp(log_mass[-1], above[0, 0])
    return u, u if family.coordinate == "linear" else u.exp(), log_mass


def dense_marginals(
    family: StrengthFamily, margin: Tensor, respondent: Tensor, lapses: tuple[float, ...] = (0.0,)
) -> Tensor:
    """Log-likelihood of each respondent on the dense grid, `lapse x respondent`."""
    _, strengths, log_mass = dense_grid(family)
    curves = torch.zeros(len(lapses), int(respondent.max()) + 1, _NODES, dtype=F64)
    for start in range(0, len(margin), _ROWS):
        part = slice(start, start + _ROWS)
        scaled = margin[part].unsqueeze(-1) * strengths
        p = torch.sigmoid(scaled) if any(lapses) else scaled
        for k, lapse in enumerate(lapses):
            log_p = (lapse / 2 + (1 - lapse) * p).log() if lapse else logsigmoid(scaled)
            curves[k].index_add_(0, respondent[part], log_p)
    return torch.logsumexp(curves + log_mass, -1)


@cache
def panels(name: str, cv: float) -> Panels:
    """Panels of 1 to 5,000 votes of one family; some of up to 100 perfectly separated."""
    generator = torch.Generator().manual_seed(round(1000 * cv) + FAMILIES.index(name))
    family = population(name, 1.0, cv)
    found = []
    for size in SIZES:
        found += [votes(family, size, generator) for _ in range(2 if size < 1000 else 1)]
        if size <= 100:
            found += [found[-1].abs(), -found[-1].abs()]
    margin, respondent = torch.cat(found), codes(found)
    exact, lapsed = dense_marginals(family, margin, respondent, (0.0, LAPSE))
    return Panels(family, margin, respondent, torch.bincount(respondent), exact, lapsed)


def gauss_hermite(panels: Panels, count: int = 20) -> Tensor:
    """Log-likelihoods by fixed Gauss-Hermite nodes of a lognormal population."""
    from numpy.polynomial.hermite_e import hermegauss

    x, weight = (torch.as_tensor(part) for part in hermegauss(count))
    mean, sd = (float(part) for part in panels.family.location_scale())
    scaled = panels.margin.unsqueeze(-1) * torch.exp(mean + sd * x)
    curves = torch.zeros(len(panels.size), count, dtype=F64)
    curves.index_add_(0, panels.respondent, logsigmoid(scaled))
    return torch.logsumexp(curves + weight.log(), -1) - math.log(2 * math.pi) / 2
