"""Zones of indifference that differ between respondents, as a change of coefficients.

The thresholds of a respondent of strength b are those of all times `b^exponent exp(w)`, with w the
log width of their own; of Davidson's ties that factor multiplies the odds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["TasteWidth"]

_LEAST = 1e-8  # strength below which the width stays as it is


@dataclass(frozen=True)
class TasteWidth:
    """From coefficients with strength and log width to those of choices.

    Coefficients are tastes times strength, then strength (with an exponent) and log width (where
    respondents have their own), thresholds, the exponent, and whatever follows.

    Args:
        n_tastes: How many tastes.
        n_thresholds: How many thresholds; one log odds with Davidson.
        exponent: Whether the width depends on strength.
        own: Whether respondents have widths of their own.
        odds: Whether the threshold is log odds.

    Example:
        >>> width = TasteWidth(1, 1, exponent=True, own=False, odds=False)
        >>> width.inner(torch.tensor([[[0.3, 4.0, 0.5, 0.5]]]))  # taste, b, threshold, exponent
        tensor([[[0.3000, 1.0000]]])
    """

    n_tastes: int
    n_thresholds: int
    exponent: bool
    own: bool
    odds: bool

    @property
    def n_own(self) -> int:
        """Numbers of a respondent's own beside tastes."""
        return int(self.exponent) + int(self.own)

    def _parts(self, at: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Tastes, own numbers, thresholds, exponent, and what follows."""
        sizes = [self.n_tastes, self.n_own, self.n_thresholds, int(self.exponent)]
        tastes, own, cuts, exponent, rest = at.split([*sizes, at.shape[-1] - sum(sizes)], -1)
        return tastes, own, cuts, exponent, rest

    def log_factor(self, at: Tensor) -> Tensor:
        """Log of what multiplies the thresholds, `respondent x draw x 1`.

        Args:
            at: The coefficients.
        """
        _, own, _, exponent, _ = self._parts(at)
        out = own[..., -1:] if self.own else torch.zeros_like(at[..., :1])
        return out + exponent * own[..., :1].clamp_min(_LEAST).log() if self.exponent else out

    def inner(self, at: Tensor) -> Tensor:
        """Coefficients of choices: tastes, the respondent's thresholds, what follows."""
        tastes, _, cuts, _, rest = self._parts(at)
        factor = self.log_factor(at)
        cuts = cuts + factor if self.odds else cuts * factor.exp()
        return torch.cat([tastes, cuts, rest], -1)

    def _slopes(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivatives of the log factor in own numbers and exponent."""
        _, own, _, exponent, _ = self._parts(at)
        n = self.n_own + int(self.exponent)
        first, second = at.new_zeros(*at.shape[:-1], n), at.new_zeros(*at.shape[:-1], n, n)
        if self.own:
            first[..., self.n_own - 1] = 1.0
        if self.exponent:
            b, power = own[..., 0].clamp_min(_LEAST), exponent[..., 0]
            first[..., 0], first[..., -1] = power / b, b.log()
            second[..., 0, 0] = -power / b.square()
            second[..., 0, -1] = second[..., -1, 0] = 1.0 / b
        return first, second

    def outer(
        self, at: Tensor, score: Tensor, bend: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Derivatives in the coefficients, from those in `inner` of them.

        Args:
            at: The coefficients.
            score: First derivative, `respondent x draw x coefficient`.
            bend: Second derivative, or None.
        """
        k, m, n = self.n_tastes, self.n_thresholds, self.n_own
        cuts = self.inner(at)[..., k : k + m]
        grow = torch.ones_like(cuts[..., :1]) if self.odds else self.log_factor(at).exp()
        per_log = torch.ones_like(cuts) if self.odds else cuts
        first, second = self._slopes(at)
        outer, inner = at.shape[-1], score.shape[-1]
        places = [*range(k, k + n), *([k + n + m] if self.exponent else [])]
        jacobian = at.new_zeros(*at.shape[:-1], inner, outer)
        tail = k + n + m + int(self.exponent)
        for i, j in [(i, i) for i in range(k)] + [
            (k + m + i, tail + i) for i in range(outer - tail)
        ]:
            jacobian[..., i, j] = 1.0
        for i in range(m):
            jacobian[..., k + i, k + n + i] = grow[..., 0]
            jacobian[..., k + i, places] = per_log[..., i : i + 1] * first
        moved = (score.unsqueeze(-2) @ jacobian).squeeze(-2)
        if bend is None:
            return moved, None
        out = jacobian.mT @ bend @ jacobian
        own = score[..., k : k + m]
        linear = (own * per_log).sum(-1)[..., None, None]
        curve = linear * second
        if not self.odds:
            curve = curve + linear * first.unsqueeze(-1) * first.unsqueeze(-2)
            cross = (own * grow).unsqueeze(-1) * first.unsqueeze(-2)
            for i in range(m):
                out[..., k + n + i, places] += cross[..., i, :]
                out[..., places, k + n + i] += cross[..., i, :]
        row = torch.tensor(places)
        out[..., row.unsqueeze(-1), row] += curve
        return moved, out
