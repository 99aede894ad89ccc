"""Judgements as choices that are linear in coefficients and thresholds.

Every outcome is a multinomial logit once the outcome model's parameters stand beside the
coefficients. A tie after Davidson is a third alternative, with `log nu` for its utility. A grade
between two thresholds, `sigmoid(s - low) - sigmoid(s - high)`, is
`sigmoid(s - low) sigmoid(high - s) (1 - exp(low - high))`: two choices of two and a factor that
depends on the thresholds alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mixlogit.choice.outcomes import Davidson, Ordered, TieModel
from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.models.outcome_problem import oriented, padded_sets
from mixlogit.models.units import signed_rows

__all__ = ["ChoiceRows", "choice_rows"]


class ChoiceRows(NamedTuple):
    """Choices, one row each.

    Attributes:
        features: Chosen minus others, `row x other x coefficient`.
        mask: 0 where there is another alternative, -inf where not: `row x other`.
        weight: `row`-vector.
        judgement: Judgement of each row, a `row`-vector.
        gaps: `judgement x gap` and `gap x coefficient`, as `Block` has them by respondent; None
            without grades.
    """

    features: Tensor
    mask: Tensor
    weight: Tensor
    judgement: Tensor
    gaps: tuple[Tensor, Tensor] | None = None


def choice_rows(data: Comparisons | ChoiceSets, model: TieModel | None) -> ChoiceRows:
    """The choices that judgements consist of.

    Args:
        data: Judgements with features.
        model: How ties or grades are modelled; None: ties are half votes.
    """
    n = len(data)
    weight = torch.ones(n, dtype=torch.float64) if data.weight is None else data.weight
    if isinstance(data, ChoiceSets):
        features, _, mask = padded_sets(data)
        assert features is not None
        return ChoiceRows(features[:, 1:], mask[:, 1:], weight, torch.arange(n))
    assert data.features is not None
    if model is None:
        index, sign, weight = signed_rows(data.outcome, data.weight)
        features = sign.unsqueeze(-1) * data.features[index]
        return _pairs(features, weight, index)
    features = oriented(data)[2]
    assert features is not None
    decided = data.outcome != 0.5 if data.grade is None else data.grade
    level = decided.to(torch.long).abs()
    if isinstance(model, Davidson):
        return _davidson(features, level, weight)
    assert isinstance(model, Ordered)
    return _ordered(features, level, weight, model)


def _pairs(features: Tensor, weight: Tensor, judgement: Tensor) -> ChoiceRows:
    """Choices of two."""
    mask = torch.zeros(len(features), 1, dtype=torch.float64)
    return ChoiceRows(features.unsqueeze(1), mask, weight, judgement)


def _davidson(features: Tensor, level: Tensor, weight: Tensor) -> ChoiceRows:
    """What was preferred first, of three: first, second, tie."""
    one = torch.ones(len(features), 1, dtype=torch.float64)
    first = torch.cat([0.5 * features, 0.0 * one], -1)
    second = torch.cat([-0.5 * features, 0.0 * one], -1)
    tie = torch.cat([0.0 * features, one], -1)
    tied = (level == 0).unsqueeze(-1)
    chosen = torch.where(tied, tie, first)
    others = torch.stack([second, torch.where(tied, first, tie)], 1)
    mask = torch.zeros(len(features), 2, dtype=torch.float64)
    return ChoiceRows(chosen.unsqueeze(1) - others, mask, weight, torch.arange(len(features)))


def _ordered(features: Tensor, level: Tensor, weight: Tensor, model: Ordered) -> ChoiceRows:
    """`s > low`, and `s < high` of all levels but the highest."""
    n, size = len(features), model.n_thresholds
    cuts = torch.eye(size, dtype=torch.float64)
    if not model.ties:
        cuts = torch.cat([torch.zeros(1, size, dtype=torch.float64), cuts])
    top = len(cuts)
    level = level.clamp(max=top)
    low = torch.where((level == 0).unsqueeze(-1), -cuts[0], cuts[(level - 1).clamp_min(0)])
    inside = torch.nonzero(level < top).squeeze(-1)
    high = cuts[level[inside]]
    above = torch.cat([features, -low], -1)
    below = torch.cat([-features[inside], high], -1)
    judgement = torch.cat([torch.arange(n), inside])
    rows = _pairs(torch.cat([above, below]), weight[judgement], judgement)
    least = 0 if model.ties else 1
    kinds = torch.arange(least, top)
    lows = torch.where((kinds == 0).unsqueeze(-1), -cuts[0], cuts[(kinds - 1).clamp_min(0)])
    none = torch.zeros(len(kinds), features.shape[-1], dtype=torch.float64)
    counts = (level.unsqueeze(-1) == kinds).to(torch.float64) * weight.unsqueeze(-1)
    return rows._replace(gaps=(counts, torch.cat([none, cuts[kinds] - lows], -1)))
