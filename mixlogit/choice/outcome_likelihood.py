"""Panel likelihoods of choices among several, ties and grades, under any strength family."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.choice.batching import at_nodes, select
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcomes import OutcomeModel
from mixlogit.choice.rules import mode_and_widths, population_masses, split_nodes, stretched_rule
from mixlogit.choice.utility import UtilityLikelihood, some_rows, strengthened

__all__ = ["OutcomeLikelihood", "OutcomeRows"]

_ROUNDS = 5  # of centring and scaling the nodes, from the population's own width
_COARSE = stretched_rule(13)  # for that
_WIDTHS = 11  # nodes over a respondent's own width


@dataclass(frozen=True, eq=False)
class OutcomeRows:
    """Judgements in the order of their respondents, with what their margins are made of.

    Attributes:
        margin: Given margins, a `row`-vector, or None.
        item: Items, `row x alternative`, or None: what was preferred (or chosen) first. Two
            for pairs.
        features: `row x alternative x feature` of sets or `row x feature` of pairs: what was
            preferred minus the other; or None.
        weight: Weight, a `row`-vector.
        respondent: Respondent's code, a `row`-vector, rising.
        block: Block of parameters of each respondent, a `respondent`-vector.
        n_blocks: Number of blocks.
        context: `row x covariate` of pairs: log strength is linear in it; None without.
    """

    margin: Tensor | None
    item: Tensor | None
    features: Tensor | None
    weight: Tensor
    respondent: Tensor
    block: Tensor
    n_blocks: int
    context: Tensor | None = None

    def margins(self, utilities: Tensor | None, pairs: bool) -> Tensor:
        """Margins of what was preferred: `draw x row`, of sets `draw x row x alternative`.

        Args:
            utilities: `draw x item` utilities or `draw x feature` weights, then slopes of the
                context.
            pairs: Whether the rows are pairs.
        """
        factor: Tensor | float = 1.0
        if utilities is not None:
            utilities, factor = strengthened(self.context, utilities)
        if self.margin is not None:
            return self.margin.unsqueeze(0) * factor
        assert utilities is not None
        if self.features is not None:
            return torch.einsum("...k,dk->d...", self.features, utilities) * factor
        assert self.item is not None
        value = utilities[:, self.item]
        margin = value[..., :1] - value
        return margin[..., 1] * factor if pairs else margin


class OutcomeLikelihood(UtilityLikelihood):
    """Marginal log-likelihood of judgements with an outcome model, strengths integrated out.

    The curve of a respondent over strength is one-dimensional given the outcome model's
    parameters; a respondent's own width, if there is one, is integrated first, on nodes of its
    own at each value of strength.

    Args:
        rows: The judgements.
        model: The outcome model of the rows.
        pairs: Whether the rows are pairs; otherwise choice sets.
        nodes: Quadrature nodes of each respondent.
    """

    def __init__(
        self, rows: OutcomeRows, model: OutcomeModel, *, pairs: bool, nodes: int = 25
    ) -> None:
        self.judged, self.model, self.pairs = rows, model, pairs
        self.panel, self.n_respondents = True, len(rows.block)
        self._rule = stretched_rule(nodes)

    @property
    def of_item_pairs(self) -> bool:
        """Whether margins are differences of two items' utilities and nothing else."""
        return self.pairs and self.judged.item is not None and self.judged.context is None

    @property
    def n_entries(self) -> int:
        """Numbers that a strength is multiplied with."""
        rows = self.judged
        item = rows.features[..., 0] if rows.features is not None else rows.item
        return rows.weight.numel() if item is None or self.pairs else item.numel()

    @property
    def respondent(self) -> Tensor:
        """Respondent of each row, rising."""
        return self.judged.respondent

    def part(
        self, rows: slice | Tensor, respondent: Tensor, n_respondents: int
    ) -> "OutcomeLikelihood":
        """The likelihood of some rows without groups; arguments as of `some_rows`."""
        kept = some_rows(self.judged, rows, respondent, n_respondents)
        out = OutcomeLikelihood(kept, self.model.of_rows(rows), pairs=self.pairs)
        out._rule = self._rule
        return out

    def __call__(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        utilities: Tensor | None = None,
        outcome: Tensor | None = None,
    ) -> Tensor:
        """Log-likelihood of each block.

        Args:
            family: Mixing distribution with batch shape `draw x block`.
            lapse: Lapse rates, `draw x 1`, or None.
            utilities: `draw x item` utilities or `draw x feature` weights, or None.
            outcome: Parameters of the outcome model, `draw x parameter`.

        Returns:
            `draw x block`, nats, differentiable in every argument.
        """
        each = self.by_respondent(family, lapse, utilities, outcome)
        out = torch.zeros(len(each), self.judged.n_blocks, dtype=torch.float64)
        return out.index_add(1, self.judged.block, each)

    def by_respondent(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        utilities: Tensor | None = None,
        outcome: Tensor | None = None,
    ) -> Tensor:
        """Log-likelihood of each respondent: `draw x respondent`, nats."""
        return torch.logsumexp(self.nodes_of(family, lapse, utilities, outcome)[1], -1)

    def finer(self, nodes: int) -> "OutcomeLikelihood":
        """The same with another number of quadrature nodes."""
        return OutcomeLikelihood(self.judged, self.model, pairs=self.pairs, nodes=nodes)

    def nodes_of(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        utilities: Tensor | None = None,
        outcome: Tensor | None = None,
        *,
        rule: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Strengths and log masses of each respondent's nodes: `draw x respondent x node`."""
        strengths, _, log_mass = self.joint_nodes(family, lapse, utilities, outcome, rule=rule)
        return strengths, torch.logsumexp(log_mass, -1)

    def joint_nodes(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        utilities: Tensor | None,
        outcome: Tensor | None,
        *,
        rule: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Nodes over strength and over the respondent's own log width.

        Returns:
            Strengths `draw x respondent x node`, log widths `draw x respondent x width` (one of
            0 where there are none) and log masses `draw x respondent x node x width`.
        """
        margin = self.judged.margins(utilities, self.pairs)
        own = select(family, self.judged.block)
        if own.atoms is not None:
            strengths, log_shares = own.atoms
            widths, log_prior = self._widths(strengths, margin, outcome, lapse)
            curves = self._curves_at(strengths, widths, margin, outcome, lapse)
            return strengths, widths, curves + log_prior.unsqueeze(-2) + log_shares.unsqueeze(-1)
        spread, linear = at_nodes(own), own.coordinate == "linear"
        location, width = (part.unsqueeze(-1) for part in own.location_scale())
        with torch.no_grad():
            shape = location, width, width
            for _ in range(_ROUNDS):
                u, log_weight = split_nodes(*shape, _COARSE)
                at = u if linear else u.exp()
                widths, log_prior = self._widths(at, margin, outcome, lapse)
                curves = self._curves_at(at, widths, margin, outcome, lapse)
                curve = torch.logsumexp(curves + log_prior.unsqueeze(-2), -1)
                shape = mode_and_widths(u, curve + spread.log_density(u), log_weight)
        strengths, log_mass = population_masses(spread, *split_nodes(*shape, rule or self._rule))
        widths, log_prior = self._widths(strengths, margin, outcome, lapse)
        curves = self._curves_at(strengths, widths, margin, outcome, lapse)
        return strengths, widths, curves + log_prior.unsqueeze(-2) + log_mass.unsqueeze(-1)

    def _curves_at(
        self,
        strengths: Tensor,
        widths: Tensor,
        margin: Tensor,
        outcome: Tensor | None,
        lapse: Tensor | None,
    ) -> Tensor:
        """Log-likelihood of each respondent: `draw x respondent x node x width`."""
        who, weight = self.judged.respondent, self.judged.weight.unsqueeze(-1)
        b = strengths[:, who]
        each = (self.each_row(b, one[:, who], margin, outcome, lapse) for one in widths.unbind(-1))
        return torch.stack([self._total(log_p * weight) for log_p in each], -1)

    def each_row(
        self,
        strengths: Tensor,
        log_width: Tensor,
        margin: Tensor,
        outcome: Tensor | None,
        lapse: Tensor | None,
    ) -> Tensor:
        """Log probability of what was recorded in each row, not weighted.

        Args:
            strengths: `draw x row x node`.
            log_width: `draw x row`.
            margin: `draw x row`, of sets `draw x row x alternative`.
            outcome: Parameters of the outcome model, `draw x parameter`, or None.
            lapse: Lapse rates, `draw x 1`, or None.

        Returns:
            `draw x row x node`, nats.
        """
        options = self.model.n_options
        options = options.unsqueeze(-1) if options.dim() else options
        log_p = self.model.log_prob(strengths, margin, outcome, log_width.unsqueeze(-1))
        return log_lapsed(log_p, None if lapse is None else lapse.unsqueeze(-1), options)

    def _total(self, values: Tensor) -> Tensor:
        """Sum over each respondent's rows (axis 1)."""
        out = values.new_zeros(len(values), self.n_respondents, *values.shape[2:])
        return out.index_add(1, self.judged.respondent, values)

    def _widths(
        self, strengths: Tensor, margin: Tensor, outcome: Tensor | None, lapse: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Nodes over each respondent's log width, and their log masses under the population."""
        draws = len(strengths)
        if not self.model.widths:
            zero = strengths.new_zeros(draws, self.n_respondents, 1)
            return zero, zero
        assert outcome is not None
        sd = self.model.log_width_sd(outcome).clamp_min(1e-6).view(-1, 1, 1)
        prior = torch.distributions.Normal(torch.zeros_like(sd), sd)
        rule, ones = stretched_rule(_WIDTHS), strengths.new_ones(draws, self.n_respondents, 1)
        with torch.no_grad():
            shape = 0 * ones, sd * ones, sd * ones
            middle = strengths[..., strengths.shape[-1] // 2, None]
            for _ in range(2):
                x, log_weight = split_nodes(*shape, rule)
                curve = self._curves_at(middle, x, margin, outcome, lapse).squeeze(-2)
                shape = mode_and_widths(x, curve + prior.log_prob(x), log_weight)
            centre, below, above = shape  # wider: strength moves the mode
            x, log_weight = split_nodes(centre, 1.3 * below, 1.3 * above, rule)
        return x, prior.log_prob(x) + log_weight
