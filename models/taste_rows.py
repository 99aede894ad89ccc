"""Judgements as choices that are linear in coefficients and thresholds.

Every outcome is a multinomial logit once the outcome model's parameters stand beside the
coefficients. A tie after Davidson is a third alternative, with `log nu` for its utility. A grade
between two thresholds, `sigmoid(s - low) - sigmoid(s - high)`, is
`sigmoid(s - low) sigmoid(high - s) (1 - exp(low - high))`: two choices of two and a factor that
depends on the thresholds alone.
"""

from dataclasses import replace

import torch
from torch import Tensor

from mixlogit.choice.outcomes import Davidson, Ordered, TieModel
from mixlogit.choice.panel_sets import ChoiceRows
from mixlogit.choice.taste_width import TasteWidth
from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.models.outcome_problem import oriented, padded_sets
from mixlogit.models.units import signed_rows

__all__ = ["choice_rows", "judged_rows", "taste_width"]


def judged_rows(
    data: Comparisons | ChoiceSets,
    model: TieModel | None,
    *,
    context: Tensor | None = None,
    lapse: bool = False,
) -> ChoiceRows:
    """The choices that judgements consist of, with contexts, lapses and widths.

    Args:
        data: Judgements with features.
        model: How ties or grades are modelled; None: ties are half votes.
        context: `judgement x covariate`: log strength is linear in it; None without.
        lapse: Whether judgements may be made at random.
    """
    judged = lapse or context is not None
    rows = choice_rows(data, model, side_by_side=judged)
    assert data.features is not None
    options = _options(data, model) if lapse else None
    width = taste_width(data.features.shape[1], model)
    n_scaled = data.features.shape[1]
    return replace(rows, n_scaled=n_scaled, context=context, options=options, width=width)


def _options(data: Comparisons | ChoiceSets, model: TieModel | None) -> Tensor:
    """How many outcomes a random answer chooses from, a `judgement`-vector."""
    if isinstance(data, ChoiceSets):
        return data.sizes.to(torch.float64)
    options = torch.tensor(2.0, dtype=torch.float64) if model is None else model.n_options
    return options.expand(len(data))


def taste_width(n_features: int, model: TieModel | None) -> TasteWidth | None:
    """How thresholds differ between respondents; None where all share them.

    Args:
        n_features: How many tastes.
        model: How ties or grades are modelled; None: they are not.
    """
    if model is None or not (model.exponent or model.widths):
        return None
    odds = isinstance(model, Davidson)
    return TasteWidth(
        n_features, model.n_thresholds, exponent=model.exponent, own=model.widths, odds=odds
    )


def choice_rows(
    data: Comparisons | ChoiceSets, model: TieModel | None, *, side_by_side: bool = False
) -> ChoiceRows:
    """The choices that judgements consist of.

    Args:
        data: Judgements with features.
        model: How ties or grades are modelled; None: ties are half votes.
        side_by_side: Whether all grades are to be two choices, one after the other.
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
    return _ordered(features, level, weight, model, side_by_side=side_by_side)


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


def _ordered(
    features: Tensor, level: Tensor, weight: Tensor, model: Ordered, *, side_by_side: bool
) -> ChoiceRows:
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
    if side_by_side:
        rows = _side_by_side(rows, n)
        weight = torch.ones_like(weight)
    least = 0 if model.ties else 1
    kinds = torch.arange(least, top)
    lows = torch.where((kinds == 0).unsqueeze(-1), -cuts[0], cuts[(kinds - 1).clamp_min(0)])
    none = torch.zeros(len(kinds), features.shape[-1], dtype=torch.float64)
    counts = (level.unsqueeze(-1) == kinds).to(torch.float64) * weight.unsqueeze(-1)
    return replace(rows, gaps=(counts, torch.cat([none, cuts[kinds] - lows], -1)))


def _side_by_side(rows: ChoiceRows, n: int) -> ChoiceRows:
    """Two choices of each judgement one after the other, the second one of some without others."""
    features = rows.features.new_zeros(n, 2, *rows.features.shape[1:])
    mask = rows.mask.new_full((n, 2, rows.mask.shape[1]), -torch.inf)
    weight = rows.weight[:n].repeat_interleave(2)
    for place, part in enumerate((slice(n), slice(n, None))):
        features[rows.judgement[part], place] = rows.features[part]
        mask[rows.judgement[part], place] = rows.mask[part]
    judgement = torch.arange(n).repeat_interleave(2)
    return ChoiceRows(features.flatten(0, 1), mask.flatten(0, 1), weight, judgement)
