"""Per-comparison likelihood: each comparison has a strength of its own.

`sum_i w_i log p(d_i; F)` with `p(d; F) = E_F[sigmoid(b d)]` is a sum of one smooth function of
one number. In `log |d|` that function is analytic with the strip of the panel table (b and d
enter as a product), so ten-point interpolation on a uniform grid turns the sum over comparisons
into a fixed weighted sum over about 320 margins: a step costs the same for 10^3 and 10^8
comparisons.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.batching import at_nodes
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.rules import ORDER, lagrange_weights, log_add

__all__ = ["LinkLikelihood", "log_lapsed"]

# A lapse rate brings the singularities nearer: pi / log(2 / lapse) off the real axis of log |d|.
_STEP, _REACH = 0.1, 16.0  # nodes reach exp(-16) below the largest margin


def log_lapsed(log_p: Tensor, lapse: Tensor | None, options: Tensor | float = 2) -> Tensor:
    """Log of `lapse / options + (1 - lapse) p`, for arguments of shapes that broadcast.

    Example:
        >>> log_p = torch.tensor([-800.0], dtype=torch.float64)
        >>> round(float(log_lapsed(log_p, torch.tensor(0.1)).exp()), 3)
        0.05
    """
    if lapse is None:
        return log_p
    if bool((lapse > 0).all()):  # nothing cancels or vanishes: four times faster than in logs
        return torch.log(lapse / options + (1 - lapse) * log_p.exp())
    return log_add(torch.log(lapse / options), torch.log1p(-lapse) + log_p)


class LinkLikelihood:
    """Log-likelihood of comparisons that share a mixing distribution, strength by strength.

    Args:
        margin: Signed margins, a `comparison`-vector: positive where the choice agrees.
        weight: Weight of each comparison, a `comparison`-vector; 1 if absent.
        block: Block of parameters of each comparison, a `comparison`-vector; all 0 if absent.
        n_blocks: Number of blocks.

    Example:
        >>> from mixlogit.choice import strength
        >>> margin = torch.linspace(-3, 3, 1001, dtype=torch.float64)
        >>> family = strength("lognormal", mean=torch.ones(1, 1), cv=torch.ones(1, 1))
        >>> exact = family.log_choice_prob(margin).sum()
        >>> bool((LinkLikelihood(margin)(family)[0, 0] - exact).abs() < 1e-5)
        True
    """

    def __init__(
        self,
        margin: Tensor,
        weight: Tensor | None = None,
        block: Tensor | None = None,
        n_blocks: int = 1,
    ) -> None:
        margin = margin.to(torch.float64)
        weight = torch.ones_like(margin) if weight is None else weight.to(torch.float64)
        block = torch.zeros(len(margin), dtype=torch.long) if block is None else block
        top = math.log(float(margin.abs().max()) or 1.0)
        size = math.ceil(_REACH / _STEP) + 1
        x = torch.exp(top - _STEP * torch.arange(size - 1, -1, -1, dtype=torch.float64))
        self.margins = torch.cat([-x.flip(0), torch.zeros(1, dtype=torch.float64), x])
        self.weights = torch.zeros(n_blocks, len(self.margins), dtype=torch.float64)
        for start in range(0, len(margin), 1 << 18):
            part = slice(start, start + (1 << 18))
            self._add(margin[part], weight[part], block[part], x, size)

    def _add(self, margin: Tensor, weight: Tensor, block: Tensor, x: Tensor, size: int) -> None:
        """Spread comparisons over the nodes next to their margins."""
        away = margin.abs()
        # below the smallest node log p is linear in the margin: share it between 0 and that node
        near = (away / x[0]).clamp(max=1.0)
        position = (away.clamp_min(float(x[0])).log() - x[0].log()) / _STEP
        first, share = lagrange_weights(position, size)
        index = first.unsqueeze(-1) + torch.arange(ORDER)  # of x, outwards from 0
        index = torch.where(margin.unsqueeze(-1) < 0, size - 1 - index, size + 1 + index)
        flat = self.weights.view(-1)
        row = block * self.weights.shape[1]
        flat.index_add_(
            0,
            (row.unsqueeze(-1) + index).reshape(-1),
            (share * (weight * near).unsqueeze(-1)).reshape(-1),
        )
        flat.index_add_(0, row + size, weight * (1 - near))

    def __call__(self, family: StrengthFamily, lapse: Tensor | None = None) -> Tensor:
        """Log-likelihood of each block.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1` or `draw x block`.

        Returns:
            `draw x block`, nats; differentiable in the family's parameters and the lapse rate.
        """
        if family.atoms is not None:
            strengths, log_shares = family.atoms
            scaled = strengths.unsqueeze(-2) * self.margins.unsqueeze(-1)
            log_p = torch.logsumexp(logsigmoid(scaled) + log_shares.unsqueeze(-2), -1)
        else:
            log_p = at_nodes(family).log_choice_prob(self.margins)
        if lapse is not None:
            log_p = log_lapsed(log_p, lapse.unsqueeze(-1))
        return (log_p * self.weights).sum(-1)
