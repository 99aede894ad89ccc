"""How much respondents differ where tastes do: measures over new respondents at each draw."""

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from mixlogit.models.predictive import Predictor
from mixlogit.models.thin import thinned

__all__ = ["pooled", "taste_measures"]

_DRAWS, _ROWS, _POINTS = 64, 100, 400


class _Population(Protocol):
    """One draw of a population of tastes."""

    def people(
        self, rows: Tensor, points: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities of answers of new respondents.

        Returns:
            `answer x row x point`; those of people of the same tastes with other strengths; and
            the margins, `row x point` (of sets `row x alternative x point`).
        """

    def individual(self) -> tuple[float, float]:
        """Shrinkage and reliability of individual tastes."""


def taste_measures(predictor: Predictor, seed: int) -> dict[str, Tensor]:
    """Measures of heterogeneity over some of the judgements, each a `kept`-vector.

    With p the probability of an answer, over 400 new respondents and 100 of the judgements:
    `disagreement`, `Var(p) / (pbar (1 - pbar))`, summed over judgements and answers above and
    below (the correlation of two answers of one respondent); `taste_share`, the share of
    `Var(p)` that is due to taste, as the covariance of two people of the same taste and
    independent strengths (Sobol 1993); `minority`, the share of respondents who prefer another
    answer than most do; `cost_known`, the mean divergence of `pbar` from p, bits a judgement;
    and `shrinkage` and `reliability` of individual tastes.

    Args:
        predictor: The draws of a fit of tastes.
        seed: Seed.
    """
    generator = torch.Generator().manual_seed(seed)
    n = predictor.answers.recorded.shape[1]
    rows = thinned(n, _ROWS)
    names = ("disagreement", "taste_share", "minority", "cost_known", "shrinkage", "reliability")
    out = []
    with torch.no_grad():
        for place in thinned(len(predictor), _DRAWS).tolist():
            one: Any = predictor.at(place)
            draw: _Population = one
            out.append((*_of_people(*draw.people(rows, _POINTS, generator)), *draw.individual()))
    return dict(zip(names, torch.tensor(out, dtype=torch.float64).T, strict=True))


def _of_people(p: Tensor, other: Tensor, margin: Tensor) -> tuple[float, ...]:
    """The measures at one draw; arguments as `people` returns them."""
    n = p.shape[-1]
    mean = (p.mean(-1) + other.mean(-1)) / 2
    away, moved = p - mean.unsqueeze(-1), other - mean.unsqueeze(-1)
    variance = float((away.square() + moved.square()).sum()) / (2 * n)
    shared = float((away * moved).sum()) / n
    possible = float((mean * (1 - mean)).sum())
    if margin.dim() == 2:
        ahead = (margin > 0).double().mean(-1)
        minority = torch.minimum(ahead, 1 - ahead)
    else:
        best = torch.nn.functional.one_hot(margin.argmin(1), margin.shape[1])
        minority = 1 - best.double().mean(1).amax(-1)
    divergence = torch.xlogy(p, p) - torch.xlogy(p, mean.unsqueeze(-1))
    cost = float(divergence.sum(0).mean()) / math.log(2)
    share = min(1.0, max(0.0, shared / variance)) if variance > 0 else 0.0
    return variance / possible, share, float(minority.mean()), cost


def pooled(mean: Tensor, variance: Tensor, population: Tensor) -> tuple[float, float]:
    """Shrinkage and reliability of individual tastes at one draw.

    Args:
        mean: Posterior means, `unit x quantity`, on comparable scales.
        variance: Posterior variances, the same shape.
        population: Variance of each quantity over the population.

    Returns:
        `1 - E[v] / Var` and `Var(m) / (Var(m) + E[v])`, each pooled over the quantities.

    Example:
        >>> mean = torch.tensor([[0.0], [2.0]])
        >>> [round(share, 3) for share in pooled(mean, torch.ones(2, 1), torch.tensor([4.0]))]
        [0.75, 0.667]
    """
    within, between = float(variance.mean(0).sum()), float(mean.var(0).sum())
    shrinkage = 1 - within / max(float(population.sum()), 1e-300)
    return min(1.0, max(0.0, shrinkage)), between / max(between + within, 1e-300)
