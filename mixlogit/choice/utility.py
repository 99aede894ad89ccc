"""Likelihoods where the margins are latent: item utilities or feature weights.

The margin of a comparison is the difference of two item utilities (Bradley-Terry), or a weighted
sum of feature differences. Each respondent's strength is integrated out on nodes centred at the
mode of the integrand and scaled to its widths below and above, found anew at every parameter
value without gradient; where few items are compared and panels are short, on nodes that all
respondents share.
"""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.batching import at_nodes, select
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.link import log_lapsed
from mixlogit.choice.rules import mode_and_widths, population_masses, split_nodes, stretched_rule
from mixlogit.choice.shared_nodes import MOST_NODES, SharedNodes

__all__ = ["Rows", "UtilityLikelihood", "latent_margins", "some_rows", "strengthened"]

_STEPS = 10  # of Fisher scoring


@dataclass(frozen=True, eq=False)
class Rows:
    """Comparisons in the order of their respondents; the recorded choice comes first.

    Attributes:
        first: Item chosen, a `comparison`-vector; None with features.
        second: Item not chosen, a `comparison`-vector; None with features.
        features: `comparison x feature`, chosen minus other; None with items.
        weight: Weight, a `comparison`-vector; a tie is two rows of half a vote.
        respondent: Respondent's code, a `comparison`-vector, rising.
        block: Block of parameters of each respondent, a `respondent`-vector.
        n_blocks: Number of blocks.
        margin: Given margins, a `comparison`-vector, in place of items and features.
        context: `comparison x covariate`: log strength is linear in it; None without.
    """

    first: Tensor | None
    second: Tensor | None
    features: Tensor | None
    weight: Tensor
    respondent: Tensor
    block: Tensor
    n_blocks: int
    margin: Tensor | None = None
    context: Tensor | None = None

    def merged(self) -> "Rows":
        """The same with equal comparisons of a respondent as one row of their summed weight."""
        if self.first is None or self.second is None or self.context is not None:
            return self
        n_items = int(torch.maximum(self.first.max(), self.second.max())) + 1
        key = (self.respondent * n_items + self.first) * n_items + self.second
        pair, where = torch.unique(key, return_inverse=True)
        weight = torch.zeros(len(pair), dtype=torch.float64).index_add(0, where, self.weight)
        return replace(
            self,
            first=pair // n_items % n_items,
            second=pair % n_items,
            weight=weight,
            respondent=pair // (n_items * n_items),
        )


def some_rows(whole: Any, rows: slice | Tensor, respondent: Tensor, n_respondents: int) -> Any:
    """Some of the rows, of `Rows` or the like, with one block of parameters.

    Args:
        whole: All rows.
        rows: Those to keep, in the order of their respondents.
        respondent: New code of the respondent of each of them.
        n_respondents: Number of respondents.
    """
    kept = {
        name: value[rows]
        for name, value in vars(whole).items()
        if isinstance(value, Tensor) and name not in ("respondent", "block")
    }
    block = torch.zeros(n_respondents, dtype=torch.long)
    return replace(whole, **kept, respondent=respondent, block=block, n_blocks=1)


def latent_margins(rows: Rows, utilities: Tensor) -> Tensor:
    """Margins of the recorded choices, as their context strengthens them.

    Args:
        rows: The comparisons.
        utilities: `draw x item` utilities or `draw x feature` weights, then slopes of the context.

    Returns:
        `draw x comparison`.
    """
    values, factor = strengthened(rows.context, utilities)
    if rows.margin is not None:
        return rows.margin * factor
    if rows.features is not None:
        return values @ rows.features.T * factor
    assert rows.first is not None
    assert rows.second is not None
    return (values[:, rows.first] - values[:, rows.second]) * factor


def strengthened(context: Tensor | None, utilities: Tensor) -> tuple[Tensor, Tensor | float]:
    """Utilities without the slopes behind them, and the factor of strength in each context.

    Args:
        context: `comparison x covariate`, or None.
        utilities: `draw x item` utilities or `draw x feature` weights, then slopes of the context.

    Returns:
        `draw x item` (or `feature`), and `exp(context @ slope)`, `draw x comparison`; 1 without.

    Example:
        >>> values, factor = strengthened(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0, 0.0]]))
        >>> values.tolist(), factor.tolist()
        ([[3.0]], [[1.0, 1.0]])
    """
    if context is None:
        return utilities, 1.0
    k = context.shape[-1]
    values, slope = utilities[..., :-k], utilities[..., -k:]
    return values, (slope @ context.T).exp()


class UtilityLikelihood:
    """Marginal log-likelihood given utilities, strengths integrated out.

    Args:
        rows: The comparisons.
        panel: One strength for each respondent; otherwise one for each comparison.
        nodes: Quadrature nodes of each respondent.
    """

    def __init__(self, rows: Rows, *, panel: bool = True, nodes: int = 25) -> None:
        self.rows, self.panel = rows, panel
        self.n_respondents = len(rows.block)
        self._rule = stretched_rule(nodes)

    @cached_property
    def _shared(self) -> SharedNodes | None:
        """Nodes for all respondents together, where few items are compared."""
        suit = self.panel and SharedNodes.suit(self.rows)
        return SharedNodes(self.rows, len(self._rule[0]) / 25) if suit else None

    @property
    def of_item_pairs(self) -> bool:
        """Whether margins are differences of two items' utilities and nothing else."""
        return self.rows.first is not None and self.rows.context is None

    @property
    def n_entries(self) -> int:
        """Numbers that a strength is multiplied with."""
        return len(self.rows.weight)

    @property
    def respondent(self) -> Tensor:
        """Respondent of each row, rising."""
        return self.rows.respondent

    def part(
        self, rows: slice | Tensor, respondent: Tensor, n_respondents: int
    ) -> "UtilityLikelihood":
        """The likelihood of some rows without groups; arguments as of `some_rows`."""
        out = UtilityLikelihood(
            some_rows(self.rows, rows, respondent, n_respondents), panel=self.panel
        )
        out._rule = self._rule
        return out

    def __call__(self, family: StrengthFamily, lapse: Tensor | None, utilities: Tensor) -> Tensor:
        """Log-likelihood of each block.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1`, or None.
            utilities: `draw x item` utilities or `draw x feature` weights.

        Returns:
            `draw x block`, nats, differentiable in every argument.
        """
        each = self.by_respondent(family, lapse, utilities)
        out = torch.zeros(len(each), self.rows.n_blocks, dtype=torch.float64)
        return out.index_add(1, self.rows.block, each)

    def by_respondent(
        self, family: StrengthFamily, lapse: Tensor | None, utilities: Tensor
    ) -> Tensor:
        """Log-likelihood of each respondent: `draw x respondent`, nats."""
        if not self.panel:
            margin = latent_margins(self.rows, utilities)
            return self._sum(self.each_comparison(family, lapse, margin))
        if self._shared is None:
            return self._on_own_nodes(family, lapse, utilities)
        wanted = self._shared.wanted(family, lapse, utilities)
        enough = wanted <= MOST_NODES
        if bool(enough.all()):
            return self._shared.by_respondent(family, lapse, utilities, wanted)
        if not bool(enough.any()):
            return self._on_own_nodes(family, lapse, utilities)
        shared = partial(self._shared.by_respondent, wanted=wanted[enough])
        blocks, out = torch.arange(self.rows.n_blocks), []
        for which, how in ((enough, shared), (~enough, self._on_own_nodes)):
            rate = None if lapse is None else lapse[which]
            out.append(how(select(family, blocks, which), rate, utilities[which]))
        place = torch.cat([torch.nonzero(which) for which in (enough, ~enough)]).squeeze(1)
        return torch.cat(out)[place.argsort()]

    def _on_own_nodes(
        self, family: StrengthFamily, lapse: Tensor | None, utilities: Tensor
    ) -> Tensor:
        """Log-likelihood of each respondent, on nodes at their own modes."""
        log_mass = self.nodes(family, lapse, latent_margins(self.rows, utilities))[1]
        return torch.logsumexp(log_mass, -1)

    def each_comparison(
        self, family: StrengthFamily, lapse: Tensor | None, margin: Tensor
    ) -> Tensor:
        """Weighted log choice probabilities, each comparison its own strength.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1`, or None.
            margin: `draw x comparison`, positive where the recorded choice agrees.

        Returns:
            `draw x comparison`, nats.
        """
        own = select(family, self.rows.block[self.rows.respondent])
        return log_lapsed(own.log_choice_prob(margin), lapse) * self.rows.weight

    def nodes_of(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        utilities: Tensor,
        *,
        rule: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Strengths and log masses of each respondent's nodes, as `nodes`, given utilities."""
        return self.nodes(family, lapse, latent_margins(self.rows, utilities), rule)

    def finer(self, nodes: int) -> "UtilityLikelihood":
        """The same with another number of quadrature nodes."""
        return UtilityLikelihood(self.rows, panel=self.panel, nodes=nodes)

    def nodes(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        margin: Tensor,
        rule: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Strengths and log masses of each respondent's quadrature nodes.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1`, or None.
            margin: `draw x comparison`, positive where the recorded choice agrees.
            rule: Nodes and log weights in units of the widths; the likelihood's own if absent.

        Returns:
            Strengths and log masses, both `draw x respondent x node`; the log-sum-exp of the
            masses over nodes is the marginal log-likelihood.
        """
        own = select(family, self.rows.block)
        if own.atoms is not None:
            strengths, log_shares = own.atoms
            return strengths, self._curves(strengths, margin, lapse) + log_shares
        spread, linear = at_nodes(own), own.coordinate == "linear"
        with torch.no_grad():
            mode, width = self._mode(own, lapse, margin)
            shape = mode, width, width
            for _ in range(3):
                u, log_weight = split_nodes(*shape, self._rule)
                curves = self._curves(u if linear else u.exp(), margin, lapse)
                shape = mode_and_widths(u, curves + spread.log_density(u), log_weight)
        strengths, log_mass = population_masses(spread, *split_nodes(*shape, rule or self._rule))
        return strengths, self._curves(strengths, margin, lapse) + log_mass

    def _curves(self, strengths: Tensor, margin: Tensor, lapse: Tensor | None) -> Tensor:
        """Log-likelihood of each respondent at own strengths: `draw x respondent x node`."""
        scaled = strengths[:, self.rows.respondent] * margin.unsqueeze(-1)
        share = None if lapse is None else lapse.unsqueeze(-1)
        log_p = log_lapsed(logsigmoid(scaled), share)
        return self._sum(log_p * self.rows.weight.unsqueeze(-1))

    def _sum(self, values: Tensor) -> Tensor:
        """Sum over each respondent's comparisons (axis 1)."""
        shape = (len(values), self.n_respondents, *values.shape[2:])
        return values.new_zeros(shape).index_add(1, self.rows.respondent, values)

    def _mode(
        self, family: StrengthFamily, lapse: Tensor | None, margin: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mode and width of each respondent's integrand by Fisher scoring: `draw x resp. x 1`.

        Steps that would leave the interval in which the slope changes its sign halve it instead:
        votes against a wide population's mean would be overshot for ever.
        """
        location, width = family.location_scale()
        precision = width.square().reciprocal()
        linear, kept = family.coordinate == "linear", 1.0 if lapse is None else 1.0 - lapse
        u, weight = location, self.rows.weight
        low, high = torch.full_like(u, -torch.inf), torch.full_like(u, torch.inf)
        for _ in range(_STEPS):
            b = (u if linear else u.exp())[:, self.rows.respondent]
            p = torch.sigmoid(b * margin)
            slope = kept * p * (1 - p) * (margin if linear else b * margin)
            mixed = kept * p + (1 - kept) / 2
            information = slope.square() / (mixed * (1 - mixed)).clamp_min(1e-12)
            total = self._sum(information * weight) + precision
            gradient = self._sum(slope / mixed.clamp_min(1e-300) * weight)
            move = (gradient - precision * (u - location)) / total
            low, high = torch.where(move > 0, u, low), torch.where(move < 0, u, high)
            u = u + (move if linear else move.clamp(-1.5, 1.5))
            left = ((u <= low) | (u >= high)) & (move.square() * total > 1e-8)
            u = torch.where(left, (low + high) / 2, u)
        return u.unsqueeze(-1), total.rsqrt().unsqueeze(-1)
