"""What a judgement can come out as: a choice among several, ties, grades.

Each outcome model gives the log probability of what was recorded, given the margins free of
strength and the strengths at nodes. Its own parameters come as one flat vector for each draw:

    thresholds (or the log odds of a tie) | exponent, if any | sd of log widths, if any

Widths. The zone of indifference of a respondent with strength b is `threshold b^exponent` wide
on the scale of b x margin, so `threshold b^(exponent - 1)` on the scale of the margin itself:
with exponent 0 a judge of twice the strength tells half the difference, with exponent 1 the zone
is the same difference for all. A respondent's own width multiplies the thresholds.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.special import log1mexp

__all__ = ["Choice", "Davidson", "Ordered", "OutcomeModel", "TieModel"]


class OutcomeModel(ABC):
    """An outcome model.

    Attributes:
        n_thresholds: Number of thresholds; for Davidson the log odds of a tie.
        exponent: Whether the width may depend on strength.
        widths: Whether each respondent has a width of its own.
    """

    n_thresholds: int = 0
    exponent: bool = False
    widths: bool = False

    @abstractmethod
    def of_rows(self, rows: slice | Tensor) -> Self:
        """The same model of some of the rows."""

    @abstractmethod
    def log_prob(
        self, strength: Tensor, margin: Tensor, parameters: Tensor | None, log_width: Tensor
    ) -> Tensor:
        """Log probability of what was recorded in each row.

        Args:
            strength: `draw x row x node`.
            margin: `draw x row`, or `draw x row x alternative`; positive where it agrees.
            parameters: `draw x parameter`.
            log_width: Log of the respondent's own width, broadcasts with `strength`.

        Returns:
            `draw x row x node`, nats.
        """

    @property
    @abstractmethod
    def n_options(self) -> Tensor:
        """How many outcomes a random answer chooses from: a `row`-vector, or one number."""

    @property
    def n_parameters(self) -> int:
        """Length of the flat vector of parameters."""
        return self.n_thresholds + int(self.exponent) + int(self.widths)

    def log_factor(self, parameters: Tensor, strength: Tensor, log_width: Tensor) -> Tensor:
        """Log of `b^exponent` times the respondent's own width; broadcasts with strength."""
        if not self.exponent:
            return log_width
        power = parameters[:, self.n_thresholds, None, None]
        return power * strength.abs().clamp_min(1e-300).log() + log_width

    def log_width_sd(self, parameters: Tensor) -> Tensor:
        """Standard deviation of the log widths over respondents: a `draw`-vector."""
        return parameters[:, -1]


@dataclass(frozen=True, eq=False)
class Choice(OutcomeModel):
    """One of several alternatives: the multinomial logit, `P(j) = exp(b U_j) / sum exp(b U_k)`.

    Source: McFadden (1974). Margins are those of the chosen alternative over each, itself
    included, so `log P = -log sum_k exp(-b margin_k)`.

    Args:
        mask: `row x alternative`, 0 where there is one, -inf where a set has fewer.

    Example:
        >>> mask = torch.zeros(1, 3, dtype=torch.float64)
        >>> one, none = torch.ones(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1)
        >>> Choice(mask).log_prob(one, torch.zeros(1, 1, 3).double(), None, none).exp()
        tensor([[[0.3333]]], dtype=torch.float64)
    """

    mask: Tensor

    def of_rows(self, rows: slice | Tensor) -> Self:
        """The same model of some of the choice sets."""
        return replace(self, mask=self.mask[rows])

    def log_prob(
        self, strength: Tensor, margin: Tensor, parameters: Tensor | None, log_width: Tensor
    ) -> Tensor:
        """Log probability of the chosen alternative: `draw x row x node`."""
        scaled = -strength.unsqueeze(-2) * margin.unsqueeze(-1)
        return -torch.logsumexp(scaled + self.mask.unsqueeze(-1), -2)

    @property
    def n_options(self) -> Tensor:
        """Alternatives of each set."""
        return torch.isfinite(self.mask).sum(-1).to(torch.float64)


@dataclass(frozen=True, eq=False)
class TieModel(OutcomeModel):
    """A model of pairs whose outcome has a level: 0 a tie, 1 the slightest preference, ...

    Args:
        level: `row`-vector of levels; the margin is positive where the preference agrees.
        n_thresholds: Number of thresholds.
        exponent: Whether the width depends on strength.
        widths: Whether each respondent has a width of its own.
        ties: Whether there is a level 0.
    """

    level: Tensor
    n_thresholds: int = 1
    exponent: bool = False
    widths: bool = False
    ties: bool = True

    def of_rows(self, rows: slice | Tensor) -> Self:
        """The same model of some of the rows."""
        return replace(self, level=self.level[rows])

    @abstractmethod
    def at(self, scaled: Tensor, parameters: Tensor, log_factor: Tensor) -> Tensor:
        """Log probability of what was recorded.

        Args:
            scaled: Strength times margin, `draw x row x node`.
            parameters: `draw x parameter`.
            log_factor: Log of what multiplies the thresholds; broadcasts with `scaled`.
        """

    def log_prob(
        self, strength: Tensor, margin: Tensor, parameters: Tensor | None, log_width: Tensor
    ) -> Tensor:
        """Log probability of what was recorded: `draw x row x node`."""
        assert parameters is not None
        log_factor = self.log_factor(parameters, strength, log_width)
        return self.at(strength * margin.unsqueeze(-1), parameters, log_factor)

    @property
    def n_options(self) -> Tensor:
        """Levels both ways, and the tie."""
        top = self.n_thresholds + (0 if self.ties else 1)
        return torch.tensor(2.0 * top + (1.0 if self.ties else 0.0), dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Ordered(TieModel):
    """Ordered logit with cut points that do not depend on which response came first.

    `P(at least level g for the first) = sigmoid(s - t_g)`, `s = b x margin`, thresholds
    `0 < t_1 < t_2 < ...` (times the width); a tie lies between -t_1 and t_1. Without ties the
    first threshold is 0. With one threshold this is the model of Rao and Kupper (1967), whose
    theta is `exp(t_1)`; in general McCullagh (1980), symmetric as in Agresti (1992).

    Example:
        >>> level = torch.tensor([0, 1])
        >>> model, one = Ordered(level), torch.ones(1, 2, 1, dtype=torch.float64)
        >>> threshold = torch.tensor([[1.0]], dtype=torch.float64)
        >>> model.log_prob(one, 0 * one[..., 0], threshold, 0 * one).exp().flatten()
        tensor([0.4621, 0.2689], dtype=torch.float64)
    """

    def at(self, scaled: Tensor, parameters: Tensor, log_factor: Tensor) -> Tensor:
        """Log probability of the level, in the direction recorded: `draw x row x node`."""
        s, wide = scaled, log_factor.exp()
        cuts = parameters[:, : self.n_thresholds]
        if not self.ties:
            cuts = torch.cat([torch.zeros_like(cuts[:, :1]), cuts], -1)
        top, level = cuts.shape[-1], self.level
        low = cuts[:, (level - 1).clamp_min(0)]
        low = torch.where(level == 0, -low, low).unsqueeze(-1) * wide
        high = cuts[:, level.clamp(max=top - 1)].unsqueeze(-1) * wide
        inside = (level < top).unsqueeze(-1)  # the highest level has no upper end
        gap = torch.where(inside, (low - high).clamp_max(-1e-12), -1.0)
        upper = torch.where(inside, logsigmoid(high - s) + log1mexp(gap), 0.0)
        return logsigmoid(s - low) + upper


@dataclass(frozen=True, eq=False)
class Davidson(TieModel):
    """Ties in proportion to the geometric mean: `P(tie) / sqrt(P(first) P(second)) = nu`.

    Source: Davidson (1970). The parameter is log nu; with a width of `b^exponent` it becomes
    `log nu + exponent log b + log width`. Given that there is no tie the choice is logistic.

    Example:
        >>> model = Davidson(torch.tensor([0, 1]))
        >>> one, log_nu = torch.ones(1, 2, 1, dtype=torch.float64), torch.zeros(1, 1).double()
        >>> model.log_prob(one, 0 * one[..., 0], log_nu, 0 * one).exp().flatten()
        tensor([0.3333, 0.3333], dtype=torch.float64)
    """

    def at(self, scaled: Tensor, parameters: Tensor, log_factor: Tensor) -> Tensor:
        """Log probability of the tie or of the recorded preference: `draw x row x node`."""
        half = 0.5 * scaled
        tie = parameters[:, :1, None] + log_factor
        total = torch.logsumexp(torch.stack(torch.broadcast_tensors(half, -half, tie)), 0)
        return torch.where((self.level == 0).unsqueeze(-1), tie, half) - total
