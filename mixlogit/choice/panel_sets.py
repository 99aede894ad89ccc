"""Choice sets by respondent in padded blocks, and their logit likelihood at many tastes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mixlogit.choice.lapsing_sets import JudgedSets, Lapsing
from mixlogit.choice.special import log1mexp
from mixlogit.choice.taste_width import TasteWidth

__all__ = ["Block", "ChoiceRows", "Moments", "make_blocks"]


@dataclass(frozen=True, eq=False)
class ChoiceRows:
    """Choices, one row each; one or more make a judgement.

    Attributes:
        features: Chosen minus others, `row x other x coefficient`.
        mask: 0 where there is another alternative, -inf where not: `row x other`.
        weight: `row`-vector.
        judgement: Judgement of each row, a `row`-vector, rising where there is a context or a
            lapse rate.
        gaps: How often each judgement lies between two thresholds, `judgement x gap`, and `gap x
            coefficient`: those whose sum is their distance; None without grades.
        n_scaled: Coefficients that strength multiplies; they come first.
        context: `judgement x covariate`: log strength is linear in it; None without.
        options: How many outcomes a random answer chooses from, a `judgement`-vector; None
            without a lapse rate.
        width: How thresholds differ between respondents; None where all share them.
    """

    features: Tensor
    mask: Tensor
    weight: Tensor
    judgement: Tensor
    gaps: tuple[Tensor, Tensor] | None = None
    n_scaled: int = 0
    context: Tensor | None = None
    options: Tensor | None = None
    width: TasteWidth | None = None

    @property
    def judged(self) -> bool:
        """Whether judgements are more than the sum of their choices."""
        return self.context is not None or self.options is not None

    def take(self, kept: Tensor) -> "ChoiceRows":
        """Those of some judgements, which are numbered anew."""
        place = torch.full((int(self.judgement.max()) + 1,), -1)
        place[kept] = torch.arange(len(kept))
        judgement = place[self.judgement]
        row = torch.nonzero(judgement >= 0).squeeze(-1)
        return replace(
            self,
            features=self.features[row],
            mask=self.mask[row],
            weight=self.weight[row],
            judgement=judgement[row],
            gaps=None if self.gaps is None else (self.gaps[0][kept], self.gaps[1]),
            context=None if self.context is None else self.context[kept],
            options=None if self.options is None else self.options[kept],
        )


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
        judged: The judgements, where they have a context or a lapse rate, in place of all these.
        width: How thresholds differ between respondents; None where all share them.
    """

    respondent: Tensor
    features: Tensor
    mask: Tensor
    weight: Tensor
    gaps: tuple[Tensor, Tensor] | None = None
    judged: JudgedSets | None = None
    width: TasteWidth | None = None

    def moments(self, coefficients: Tensor, order: int = 0) -> Moments:
        """Log-likelihood of every respondent's judgements.

        Args:
            coefficients: `respondent x draw x feature`.
            order: 0 for the value, 1 for scores too, 2 for second derivatives too.
        """
        if self.width is None:
            return self._choices(coefficients, order)
        found = self._choices(self.width.inner(coefficients), order)
        if found.score is None:
            return found
        return Moments(found.value, *self.width.outer(coefficients, found.score, found.bend))

    def _choices(self, coefficients: Tensor, order: int) -> Moments:
        """At thresholds of each respondent."""
        if self.judged is not None:
            at = Lapsing(self.judged, coefficients)
            score, bend = at.score() if order else None, at.bend() if order == 2 else None
            return Moments(at.value(), score, bend)
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


def make_blocks(rows: ChoiceRows, respondent: Tensor, largest: int) -> list[Block]:
    """Blocks of respondents, sorted by their number of choice sets.

    Args:
        rows: The choices.
        respondent: Code of each judgement's, 0, 1, ..., a `judgement`-vector.
        largest: Most sets x others of a block, unless one respondent has more.
    """
    counts = None
    if rows.gaps is not None:
        n = int(respondent.max()) + 1
        counts = rows.gaps[0].new_zeros(n, rows.gaps[0].shape[1])
        counts = counts.index_add(0, respondent, rows.gaps[0])
    who = respondent[rows.judgement]
    order = torch.argsort(who, stable=True)
    sizes = torch.bincount(who)
    start = sizes.cumsum(0) - sizes
    blocks = []
    for people in _grouped(sizes, rows.features.shape[1], largest):
        longest = int(sizes[people].max())
        offset = torch.arange(longest)
        inside = offset < sizes[people].unsqueeze(-1)
        row = order[(start[people].unsqueeze(-1) + offset).clamp(max=len(order) - 1)]
        block = Block(
            people,
            torch.where(inside[..., None, None], -rows.features[row], 0.0),
            torch.where(inside.unsqueeze(-1), rows.mask[row], -torch.inf),
            torch.where(inside, rows.weight[row], 0.0),
            None if counts is None or rows.gaps is None else (counts[people], rows.gaps[1]),
            width=rows.width,
        )
        judged = _judged(rows, block, rows.judgement[row]) if rows.judged else None
        blocks.append(replace(block, judged=judged))
    return blocks


def _judged(rows: ChoiceRows, block: Block, judgement: Tensor) -> JudgedSets:
    """The judgements of a block, whose sets lie side by side.

    Args:
        rows: The choices.
        block: The block.
        judgement: Judgement of each of its sets, `respondent x set`.
    """
    parts = 1 if rows.gaps is None else 2
    first = judgement[:, ::parts]
    return JudgedSets(
        block.features,
        block.mask,
        block.weight[:, ::parts],
        rows.n_scaled,
        None if rows.context is None else rows.context[judgement],
        None if rows.options is None else rows.options[first],
        None if rows.gaps is None else (rows.gaps[0][first], rows.gaps[1]),
    )


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
