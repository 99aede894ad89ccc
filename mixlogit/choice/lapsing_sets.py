"""Judgements whose strength depends on their context, or that may be made at random.

The utilities of a judgement are multiplied by `exp(z' delta)`, z its context, and its probability
p becomes `lapse / options + (1 - lapse) p`. Derivatives are in the coefficients, then delta, then
the logit of the lapse rate.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.special import log1mexp

__all__ = ["JudgedSets", "Lapsing", "bordered"]


@dataclass(frozen=True, eq=False)
class JudgedSets:
    """What is known of the judgements of some respondents, in equally many choices each.

    Attributes:
        features: What others have more than the chosen one,
            `respondent x set x alternative x coefficient`, the sets of a judgement side by side.
        mask: 0 where there is an alternative, -inf where not: `respondent x set x alternative`.
        weight: `respondent x judgement`.
        n_scaled: How many of the coefficients strength multiplies; they come first.
        context: `respondent x set x covariate`; None without.
        options: How many outcomes a random answer chooses from, `respondent x judgement`; None
            without a lapse rate.
        gaps: Between which thresholds judgements lie, `respondent x judgement x gap`, and
            `gap x coefficient`; None without grades.
    """

    features: Tensor
    mask: Tensor
    weight: Tensor
    n_scaled: int
    context: Tensor | None
    options: Tensor | None
    gaps: tuple[Tensor, Tensor] | None


@dataclass(frozen=True, eq=False)
class Lapsing:
    """Their log-likelihood at coefficients of each respondent.

    Args:
        sets: The judgements.
        at: Coefficients, delta, logit of the lapse rate, `respondent x draw x parameter`; the
            last two are the same for all.
    """

    sets: JudgedSets
    at: Tensor

    @cached_property
    def linear(self) -> Tensor:
        """The coefficients alone."""
        return self.at[..., : self.sets.features.shape[-1]]

    @cached_property
    def features(self) -> Tensor:
        """Features as their context strengthens them."""
        x, context = self.sets.features, self.sets.context
        if context is None:
            return x
        first = self.linear.shape[-1]
        delta = self.at[0, 0, first : first + context.shape[-1]]
        factor = (context @ delta).exp()[..., None, None]
        k = self.sets.n_scaled
        return torch.cat([x[..., :k] * factor, x[..., k:]], -1)

    @cached_property
    def rate(self) -> Tensor | None:
        """Lapse rate, one number."""
        return None if self.sets.options is None else torch.sigmoid(self.at[0, 0, -1])

    @cached_property
    def _terms(self) -> tuple[Tensor, Tensor, Tensor]:
        """Exponentials of utilities above the chosen one's, their sums, and what was factored."""
        people, sets, others, k = self.features.shape
        v = self.features.reshape(people, sets * others, k) @ self.linear.mT
        v = (v + self.sets.mask.reshape(people, -1, 1)).view(people, sets, others, -1)
        top = v.detach().amax(2).clamp_min(0.0)
        terms = (v - top.unsqueeze(2)).exp()
        return terms, terms.sum(2) + torch.exp(-top), top

    @cached_property
    def log_p(self) -> Tensor:
        """Log probability but for lapses, `respondent x judgement x draw`."""
        _, total, top = self._terms
        found = -(top + total.log())
        found = found.view(len(found), self.sets.weight.shape[1], -1, found.shape[-1]).sum(2)
        if self.sets.gaps is not None:
            found = found + self.sets.gaps[0] @ log1mexp(-self._gap).mT
        return found

    @cached_property
    def _gap(self) -> Tensor:
        """Distances of thresholds, `respondent x draw x gap`."""
        assert self.sets.gaps is not None
        return (self.linear @ self.sets.gaps[1].T).clamp_min(1e-12)

    @cached_property
    def log_mixed(self) -> Tensor:
        """Log probability of what was recorded: `respondent x judgement x draw`."""
        if self.sets.options is None:
            return self.log_p
        return log_lapsed(self.log_p, self.rate, self.sets.options.unsqueeze(-1))

    def value(self) -> Tensor:
        """Log-likelihood, `respondent x draw`."""
        return (self.log_mixed * self.sets.weight.unsqueeze(-1)).sum(1)

    @cached_property
    def _meant(self) -> Tensor:
        """Probability that a judgement was meant: `respondent x judgement x draw`."""
        if self.rate is None:
            return torch.ones_like(self.log_p)
        return (self.log_p - self.log_mixed).exp() * (1.0 - self.rate)

    @cached_property
    def _weights(self) -> tuple[Tensor, Tensor]:
        """Weights of judgements as they were meant, of each judgement and of each set."""
        each = self.sets.weight.unsqueeze(-1) * self._meant
        sets = self.features.shape[1] // each.shape[1]
        return each, each.repeat_interleave(sets, 1)

    @cached_property
    def _scaled(self) -> Tensor:
        """What strength multiplies of each alternative's utility, shaped as the terms."""
        k = self.sets.n_scaled
        x = self.features[..., :k].flatten(1, 2)
        return (x @ self.linear[..., :k].mT).view(self._terms[0].shape)

    @cached_property
    def _slopes(self) -> Tensor:
        """Minus the slope of each set's log probability: `respondent x draw x set x parameter`."""
        terms, total, _ = self._terms
        p = terms / total.unsqueeze(2)
        mean = (p.movedim(-1, -2) @ self.features).movedim(2, 1)
        if self.sets.context is None:
            return mean
        a = (p * self._scaled).sum(2).mT.unsqueeze(-1)
        return torch.cat([mean, a * self.sets.context.unsqueeze(1)], -1)

    @cached_property
    def _rates(self) -> Tensor:
        """Derivative of the log of `1 - exp(-gap)`."""
        return torch.expm1(self._gap).reciprocal()

    @cached_property
    def _gap_features(self) -> Tensor:
        """What gaps are made of, for all parameters of `_slopes`."""
        assert self.sets.gaps is not None
        g = self.sets.gaps[1]
        return torch.cat([g, g.new_zeros(len(g), self._slopes.shape[-1] - g.shape[-1])], -1)

    def score(self) -> Tensor:
        """Derivative in the parameters, `respondent x draw x parameter`."""
        each, by_set = self._weights
        out = -(by_set.mT.unsqueeze(2) @ self._slopes).squeeze(2)
        if self.sets.gaps is not None:
            out = out + ((each.mT @ self.sets.gaps[0]) * self._rates) @ self._gap_features
        if self.rate is None:
            return out
        random = self.sets.weight.unsqueeze(-1) * (1.0 - self._meant - self.rate)
        return torch.cat([out, random.sum(1).unsqueeze(-1)], -1)

    def bend(self) -> Tensor:
        """Second derivative, `respondent x draw x parameter x parameter`."""
        each, by_set = self._weights
        weighted = self._slopes * by_set.mT.unsqueeze(-1)
        out = weighted.mT @ self._slopes - self._curved(by_set)
        if self.sets.gaps is not None:
            g = self._gap_features
            curve = (each.mT @ self.sets.gaps[0]) * self._rates * (1.0 + self._rates)
            out = out - (g.T * curve.unsqueeze(-2)) @ g
        return out if self.rate is None else self._lapsed(out, each)

    def _curved(self, by_set: Tensor) -> Tensor:
        """Mean second moments of the alternatives, and curvature of their utilities."""
        terms, total, _ = self._terms
        p = terms / total.unsqueeze(2) * by_set.unsqueeze(2)
        people, sets, others, k = self.features.shape
        x = self.features.reshape(people, sets * others, k)
        square = (x.unsqueeze(-1) * x.unsqueeze(-2)).flatten(2)
        first = (p.flatten(1, 2).mT @ square).view(people, -1, k, k)
        z, scaled = self.sets.context, self.sets.n_scaled
        if z is None:
            return first
        a = self._scaled
        inner = (p * a).movedim(-1, -2) @ self.features
        own = p.movedim(-1, -2) @ self.features[..., :scaled]
        inner = torch.cat([inner[..., :scaled] + own, inner[..., scaled:]], -1)
        beside = inner.movedim(2, 1).mT @ z.unsqueeze(1)
        square = (z.unsqueeze(-1) * z.unsqueeze(-2)).flatten(2)
        corner = (p * (a.square() + a)).sum(2).mT @ square
        return bordered(first, beside, corner.unflatten(-1, (z.shape[-1], -1)))

    def _lapsed(self, bend: Tensor, each: Tensor) -> Tensor:
        """With what lapses add, and their own row and column."""
        assert self.rate is not None
        slope = -self._slopes.unflatten(2, (each.shape[1], -1)).sum(3)
        if self.sets.gaps is not None:
            slope = (
                slope
                + (self.sets.gaps[0].unsqueeze(1) * self._rates.unsqueeze(2)) @ self._gap_features
            )
        unsure = each * (1.0 - self._meant)
        turned = slope * unsure.mT.unsqueeze(-1)
        spread = self.sets.weight.sum(1, keepdim=True) * self.rate * (1.0 - self.rate)
        corner = (unsure.sum(1) - spread)[..., None, None]
        return bordered(bend + turned.mT @ slope, -turned.sum(2).unsqueeze(-1), corner)


def bordered(first: Tensor, beside: Tensor, corner: Tensor) -> Tensor:
    """Symmetric matrices of two blocks and what lies between them, `... x row x column`.

    Args:
        first: `... x m x m`.
        beside: `... x m x n`.
        corner: `... x n x n`.

    Example:
        >>> bordered(torch.eye(1), torch.zeros(1, 1), torch.eye(1)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    top = torch.cat([first, beside], -1)
    return torch.cat([top, torch.cat([beside.mT, corner], -1)], -2)
