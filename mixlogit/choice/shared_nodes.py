"""Panels of comparisons among few items, integrated on nodes that all respondents share.

Where few pairs of items were compared by many respondents, a respondent's log-likelihood at a
strength is a product of their votes for each pair with the pairs' log choice probabilities. These
are then computed once for each node of the population, not for each comparison, and a matrix
product does the rest. It takes nodes that lie dense enough for every respondent: their number
follows from bounds on the integrand's width, and draws that want too many are left to nodes at
each respondent's own mode.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.batching import at_nodes, select
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.link import log_lapsed
from mixlogit.choice.rules import REACH, population_masses, split_nodes, stretched_rule

if TYPE_CHECKING:
    from mixlogit.choice.utility import Rows

__all__ = ["MOST_NODES", "SharedNodes"]

MOST_NODES = 129
_SIZES = 33, 65, MOST_NODES
_DENSE = 50  # respondents x pairs for each row up to which the product pays
_REACHES = 4.0, 2.0, 1.0  # sd around the population's middle that are tried to hold all modes
# of log sigmoid(exp(u) d) in u: the largest curvature that is expected of a vote, and the part
# of the distance of its singularities from the real axis that a step of the rule may take
_CURVATURE, _STRIP = 0.44, 0.28
_LAPSED = 0.55  # a lapse rate brings the singularities nearer


class SharedNodes:
    """Marginal log-likelihoods of panels on nodes that respondents share.

    Args:
        rows: Comparisons of items; equal ones of a respondent are one row.
        finer: How many times more nodes than are wanted.
    """

    def __init__(self, rows: "Rows", finer: float = 1.0) -> None:
        assert rows.first is not None
        assert rows.second is not None
        self._finer = finer
        pairs, pair = torch.unique(
            torch.stack([rows.first, rows.second]), dim=1, return_inverse=True
        )
        self._first, self._second = pairs
        self._votes = torch.zeros(len(rows.block), pairs.shape[1], dtype=torch.float64)
        self._votes.index_put_((rows.respondent, pair), rows.weight, accumulate=True)
        self._most = float(self._votes.sum(1).max())
        self._members = [torch.nonzero(rows.block == b).squeeze(1) for b in range(rows.n_blocks)]
        self._place = torch.argsort(torch.cat(self._members))

    @staticmethod
    def suit(rows: "Rows") -> bool:
        """Whether pairs of items are few enough."""
        if rows.first is None or rows.second is None or rows.context is not None:
            return False
        pairs = int(torch.unique(torch.stack([rows.first, rows.second]), dim=1).shape[1])
        n = len(rows.weight)
        return pairs * rows.n_blocks <= n and pairs * len(rows.block) <= _DENSE * n

    def wanted(self, family: StrengthFamily, lapse: Tensor | None, utilities: Tensor) -> Tensor:
        """Number of nodes that resolve every respondent's integrand, a `draw`-vector.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1`, or None.
            utilities: `draw x item` utilities.

        Returns:
            Numbers, to be compared with `MOST_NODES`; 0 for a family of finitely many strengths,
            infinite where some modes lie too far off the population.
        """
        if family.atoms is not None:
            return torch.zeros(len(utilities), dtype=torch.float64)
        return self._wanted(family, lapse, self._margins(utilities))

    def by_respondent(
        self, family: StrengthFamily, lapse: Tensor | None, utilities: Tensor, wanted: Tensor
    ) -> Tensor:
        """Log-likelihood of each respondent: `draw x respondent`, nats.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1`, or None.
            utilities: `draw x item` utilities.
            wanted: Numbers of nodes, from `wanted`; the largest serves all draws.
        """
        margin = self._margins(utilities)
        own = select(family, torch.arange(len(self._members)))
        if own.atoms is not None:
            strengths, log_mass = own.atoms
        else:
            strengths, log_mass = self._nodes(own, float(wanted.max()))
        rate = None if lapse is None else lapse.view(-1, 1, 1, 1)
        scaled = strengths.unsqueeze(-1) * margin[:, None, None]
        log_p = log_lapsed(logsigmoid(scaled), rate)  # draw x block x node x pair
        each = [
            torch.logsumexp(log_p[:, b] @ self._votes[who].T + log_mass[:, b].unsqueeze(-1), 1)
            for b, who in enumerate(self._members)
        ]
        return torch.cat(each, 1)[:, self._place]

    def _margins(self, utilities: Tensor) -> Tensor:
        return utilities[:, self._first] - utilities[:, self._second]

    def _nodes(self, own: StrengthFamily, wanted: float) -> tuple[Tensor, Tensor]:
        """Strengths and log masses of each block's nodes: `draw x block x node`."""
        size = next((size for size in _SIZES if size >= wanted), MOST_NODES)
        with torch.no_grad():
            centre, sd = (part.unsqueeze(-1) for part in own.location_scale())
            rule = stretched_rule(2 * round(self._finer * (size // 2)) + 1)
            u, log_weight = split_nodes(centre, sd, sd, rule)
        return population_masses(at_nodes(own), u, log_weight)

    @torch.no_grad()
    def _wanted(self, family: StrengthFamily, lapse: Tensor | None, margin: Tensor) -> Tensor:
        """As `wanted`, for a family with a density."""
        centre, sd = family.location_scale()  # draw x block
        linear = family.coordinate == "linear"
        strip: Tensor | float = math.pi / 2
        bend: Tensor | float = _CURVATURE * self._most
        if linear:
            bend = (margin.square() @ self._votes.T).amax(1, keepdim=True) / 4
            strip = math.pi / margin.abs().amax(1, keepdim=True)
        away = torch.full_like(sd, torch.inf)  # in sd, where all modes are
        for reach in _REACHES:
            ends = [centre + side * reach * sd for side in (-1, 1)]
            low, high = (self._slope(u if linear else u.exp(), margin, linear) for u in ends)
            inside = (low.amin(-1) * sd > -reach) & (high.amax(-1) * sd < reach)
            away = torch.where(inside, reach, away)
        near = _STRIP * strip * (1.0 if lapse is None else _LAPSED)
        width = (sd.square().reciprocal() + bend).rsqrt().clamp(max=near)
        step = width / (sd * (1 + away.square() / 4).sqrt())
        return (1 + 2 * REACH / step).amax(-1)

    def _slope(self, b: Tensor, margin: Tensor, linear: bool) -> Tensor:
        """Slope of log-likelihoods at strengths `draw x block`: `draw x block x respondent`."""
        scaled = b.unsqueeze(-1) * margin.unsqueeze(1)
        each = torch.sigmoid(-scaled) * (margin.unsqueeze(1) if linear else scaled)
        return each @ self._votes.T
