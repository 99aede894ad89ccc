"""Choice sets by respondent in padded blocks, and their logit likelihood at many tastes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.choice.special import log1mexp

__all__ = ["Block", "Moments", "make_blocks"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Log-likelihood of each respondent at coefficients of its own, and its derivatives.

    Attributes:
        value: `respondent x draw`, nats.
        score: Derivative in the coefficients, `respondent x draw x feature`; None if not asked.
        bend: Second derivative, `respondent x draw x feature x feature`; None if not asked.
    """

    value: Tensor
    score: Tensor | None = None
    bend: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Block:
    """Respondents of about the same number of choice sets.

    Attributes:
        respondent: Their codes.
        features: What the other alternatives have more than the chosen one,
            `respondent x set x alternative x feature`.
        mask: 0 where there is an alternative, -inf where not: `respondent x set x alternative`.
        weight: `respondent x set`.
        gaps: How often each respondent's judgements lie between two thresholds, `respondent x
            gap`, and `gap x feature`: the coefficients whose sum is their distance; None without
            grades.
    """

    respondent: Tensor
    features: Tensor
    mask: Tensor
    weight: Tensor
    gaps: tuple[Tensor, Tensor] | None = None

    def moments(self, coefficients: Tensor, order: int = 0) -> Moments:
        """Log-likelihood of every respondent's judgements.

        Args:
            coefficients: `respondent x draw x feature`.
            order: 0 for the value, 1 for scores too, 2 for second derivatives too.
        """
        found = self._logit(coefficients, order)
        return found if self.gaps is None else self._with_gaps(found, coefficients, order)

    def _logit(self, coefficients: Tensor, order: int) -> Moments:
        """The multinomial logit of the choices."""
        people, sets, others, k = self.features.shape
        x = self.features.reshape(people, sets * others, k)
        v = (x @ coefficients.mT + self.mask.reshape(people, -1, 1)).view(people, sets, others, -1)
        top = v.detach().amax(2).clamp_min(0.0)
        p = v.sub_(top.unsqueeze(2)).exp_()
        total = p.sum(2).add_(torch.exp(-top))
        weight = self.weight.unsqueeze(-1)
        value = -((top + total.log()) * weight).sum(1)
        if order == 0:
            return Moments(value)
        p = p.div_(total.unsqueeze(2))
        weighted = (p * weight.unsqueeze(2)).view(people, sets * others, -1)
        score = -(weighted.mT @ x)
        if order == 1:
            return Moments(value, score)
        square = (x.unsqueeze(-1) * x.unsqueeze(-2)).reshape(people, -1, k * k)
        bend = -(weighted.mT @ square).view(people, -1, k, k)
        mean = (p.movedim(-1, -2) @ self.features).movedim(2, 1)  # respondent draw set feature
        rooted = mean * self.weight.sqrt().view(people, 1, sets, 1)
        return Moments(value, score, bend + rooted.mT @ rooted)

    def _with_gaps(self, found: Moments, coefficients: Tensor, order: int) -> Moments:
        """With `log(1 - exp(-gap))` for each judgement that lies between two thresholds."""
        assert self.gaps is not None
        counts, features = self.gaps
        gap = (coefficients @ features.T).clamp_min(1e-12)
        counts = counts.unsqueeze(1)
        value = found.value + (counts * log1mexp(-gap)).sum(-1)
        rate = torch.expm1(gap).reciprocal()
        score = bend = None
        if found.score is not None:
            score = found.score + (counts * rate) @ features
        if found.bend is not None:
            outer = (features.unsqueeze(-1) * features.unsqueeze(-2)).flatten(1)
            curve = (counts * rate * (1.0 + rate)) @ outer
            bend = found.bend - curve.view(found.bend.shape)
        return Moments(value, score, bend)

    def entries(self) -> int:
        """Numbers of one draw."""
        return self.mask.numel()


def make_blocks(
    features: Tensor,
    mask: Tensor,
    weight: Tensor,
    respondent: Tensor,
    largest: int,
    gaps: tuple[Tensor, Tensor] | None = None,
) -> list[Block]:
    """Blocks of respondents, sorted by their number of choice sets.

    Args:
        features: Chosen minus others, `set x other x feature`.
        mask: `set x other`.
        weight: `set`-vector.
        respondent: `set`-vector of codes 0, 1, ...
        largest: Most sets x others of a block, unless one respondent has more.
        gaps: `respondent x gap` and `gap x feature`, as `Block` has them.
    """
    order = torch.argsort(respondent, stable=True)
    sizes = torch.bincount(respondent)
    start = sizes.cumsum(0) - sizes
    blocks = []
    for people in _grouped(sizes, features.shape[1], largest):
        longest = int(sizes[people].max())
        offset = torch.arange(longest)
        inside = offset < sizes[people].unsqueeze(-1)
        row = order[(start[people].unsqueeze(-1) + offset).clamp(max=len(order) - 1)]
        blocks.append(
            Block(
                people,
                torch.where(inside[..., None, None], -features[row], 0.0),
                torch.where(inside.unsqueeze(-1), mask[row], -torch.inf),
                torch.where(inside, weight[row], 0.0),
                None if gaps is None else (gaps[0][people], gaps[1]),
            )
        )
    return blocks


def _grouped(sizes: Tensor, others: int, largest: int) -> Iterator[Tensor]:
    """Respondents in groups: padded to the longest panel, none above `largest` entries."""
    order = torch.argsort(sizes, stable=True)
    begin = 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and (end + 1 - begin) * int(sizes[order[end]]) * others <= largest:
            end += 1
        yield order[begin:end]
        begin = end
