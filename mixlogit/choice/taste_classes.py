"""Marginal likelihood of respondents who belong to latent classes of taste."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.utility import UtilityLikelihood

__all__ = ["Classified", "TasteClassLikelihood", "at_classes"]

_ELEMENTS = 4_000_000  # rows x nodes x classes evaluated at once


class Classified(NamedTuple):
    """Parameters of a population with latent classes of taste.

    Attributes:
        family: The mixing distribution of strength, batch shape `... x 1`.
        lapse: Lapse rate, `... x 1`, or None.
        utilities: `... x class_ x item` utilities or `... x class_ x feature` weights.
        outcome: Parameters of the outcome model, `... x parameter`, or None.
        log_share: Log shares of the classes, `... x block x class_`.
    """

    family: StrengthFamily
    lapse: Tensor | None
    utilities: Tensor
    outcome: Tensor | None
    log_share: Tensor

    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the likelihood."""
        return tuple(self)


def at_classes(values: Tensor, n_classes: int) -> Tensor:
    """Values of each draw once for every class: `draw x ...` to `draw * class_ x ...`.

    Example:
        >>> at_classes(torch.tensor([[1.0], [2.0]]), 2).flatten().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    return values.repeat_interleave(n_classes, 0)


class TasteClassLikelihood:
    """Log-likelihood of respondents, classes enumerated and strengths integrated out.

    `log p(respondent) = logsumexp_c [log share_c + log p(panel | utilities of class c)]`, the
    second term from the likelihood of one taste, its strengths on nodes of their own in each
    class. Respondents are worked on in blocks and, where a gradient is wanted, evaluated again
    on the way back, so that memory does not grow with their number.

    Source: Kamakura and Russell, Journal of Marketing Research 26 (1989).

    Args:
        inner: The likelihood of one taste for all, without groups.
        share_block: Row of `log_share` that holds for each respondent, a `respondent`-vector.
        n_classes: Number of classes.
        nodes: Evaluations that one comparison takes in one class.
    """

    def __init__(
        self, inner: UtilityLikelihood, share_block: Tensor, n_classes: int, nodes: int = 25
    ) -> None:
        self.inner, self.share_block, self.n_classes = inner, share_block, n_classes
        self.panel, self._nodes = True, nodes
        self.n_respondents = len(share_block)
        self.n_entries = inner.n_entries * n_classes

    @property
    def cost(self) -> int:
        """Numbers evaluated for each draw."""
        return self.n_entries * self._nodes

    def __call__(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        utilities: Tensor,
        outcome: Tensor | None,
        log_share: Tensor,
    ) -> Tensor:
        """Log-likelihood of all respondents.

        Args:
            family: Mixing distribution of strength, batch shape `draw x 1`.
            lapse: Lapse rates, `draw x 1`, or None.
            utilities: `draw x class_ x item` utilities or `draw x class_ x feature` weights.
            outcome: Parameters of the outcome model, `draw x parameter`, or None.
            log_share: Log shares of the classes, `draw x block x class_`.

        Returns:
            `draw x 1`, nats, differentiable in every argument.
        """
        sampled = Classified(family, lapse, utilities, outcome, log_share)
        total = utilities.new_zeros(len(utilities))
        parts = list(self.parts())
        again = len(parts) > 1 and torch.is_grad_enabled()
        for part in parts:
            job = partial(_summed, part, sampled)
            total = total + (checkpoint(job, use_reentrant=False) if again else job())
        return total.unsqueeze(-1)

    def by_respondent(
        self,
        family: StrengthFamily,
        lapse: Tensor | None,
        utilities: Tensor,
        outcome: Tensor | None,
        log_share: Tensor,
    ) -> Tensor:
        """Log-likelihood of each respondent: `draw x respondent`, nats."""
        sampled = Classified(family, lapse, utilities, outcome, log_share)
        return torch.cat([torch.logsumexp(part.joint(sampled), -1) for part in self.parts()], -1)

    def posterior_nodes(self, sampled: Classified) -> tuple[Tensor, Tensor]:
        """Strengths and log weights of each respondent's nodes in each class, at one draw.

        Returns:
            Both `class_ x respondent x node`; the weights of a respondent sum to 1 over nodes
            and classes.
        """
        strengths, log_mass = self.inner.nodes_of(*self.folded(sampled))
        log_mass = log_mass + sampled.log_share[0, self.share_block].T.unsqueeze(-1)
        return strengths, log_mass - torch.logsumexp(log_mass, (0, 2), keepdim=True)

    def memberships(self, sampled: Classified) -> Tensor:
        """Probability of each class given the respondent's panel.

        Returns:
            `draw x respondent x class_`.
        """
        parts = [torch.softmax(part.joint(sampled), -1) for part in self.parts()]
        return torch.cat(parts, 1)

    def joint(self, sampled: Classified) -> Tensor:
        """Log probability of class and panel: `draw x respondent x class_`, nats."""
        each = self.inner.by_respondent(*self.folded(sampled))
        by_class = each.view(len(sampled.utilities), self.n_classes, -1).transpose(1, 2)
        return by_class + sampled.log_share[:, self.share_block]

    def folded(self, sampled: Classified) -> tuple[Any, ...]:
        """Arguments of the likelihood of one taste, with a draw for each draw and class."""
        family, lapse, utilities, outcome, _ = sampled
        wide = {key: at_classes(value, self.n_classes) for key, value in family.parameters.items()}
        every = type(family)(**wide, validate_args=False)
        rates = None if lapse is None else at_classes(lapse, self.n_classes)
        arguments = (every, rates, utilities.flatten(0, 1))
        return arguments if outcome is None else (*arguments, at_classes(outcome, self.n_classes))

    def finer(self, nodes: int) -> "TasteClassLikelihood":
        """The same with another number of quadrature nodes."""
        return TasteClassLikelihood(
            self.inner.finer(nodes), self.share_block, self.n_classes, max(nodes, self._nodes)
        )

    def parts(self) -> Iterator["TasteClassLikelihood"]:
        """The likelihood in blocks of respondents, each small enough to be evaluated at once."""
        count = max(1, -(-self.cost // _ELEMENTS))
        if count == 1:
            yield self
            return
        who = self.inner.respondent
        bounds = torch.linspace(0, len(who), count + 1)[1:-1].long()  # evenly many rows
        edges = torch.unique(torch.cat([torch.tensor([0, self.n_respondents]), who[bounds]]))
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            first, last = torch.searchsorted(who, torch.tensor([low, high])).tolist()
            members = torch.arange(low, high)
            yield self._of(slice(first, last), who[first:last] - low, members)

    def some(self, chosen: Tensor) -> "TasteClassLikelihood":
        """The likelihood of some respondents only.

        Args:
            chosen: Whether each respondent is among them.
        """
        who = self.inner.respondent
        rows = torch.nonzero(chosen[who]).squeeze(-1)
        place = chosen.to(torch.long).cumsum(0) - 1
        return self._of(rows, place[who[rows]], torch.nonzero(chosen).squeeze(-1))

    def _of(
        self, rows: slice | Tensor, respondent: Tensor, members: Tensor
    ) -> "TasteClassLikelihood":
        inner = self.inner.part(rows, respondent, len(members))
        return TasteClassLikelihood(inner, self.share_block[members], self.n_classes, self._nodes)


def _summed(part: TasteClassLikelihood, sampled: Classified) -> Tensor:
    return torch.logsumexp(part.joint(sampled), -1).sum(-1)
