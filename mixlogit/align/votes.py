"""What is known of the training comparisons before there is a margin: who judged, and how."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.data import Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.sites import GroupDesign
from mixlogit.models.units import Units

__all__ = ["Votes"]


@dataclass(frozen=True, eq=False)
class Votes:
    """Outcomes, weights, and the units that share a strength.

    Attributes:
        outcome: `comparison`-vector: 1 if the first was preferred, 0 the second, 0.5 a tie.
        weight: `comparison`-vector, or None.
        units: Units and blocks of parameters.
        groups: Group columns of the blocks.
        decided: Whether the first was preferred everywhere and there are no weights.
    """

    outcome: Tensor
    weight: Tensor | None
    units: Units
    groups: tuple[GroupDesign, ...]
    decided: bool

    @classmethod
    def of(cls, data: Comparisons, by: tuple[str, ...], *, panel: bool) -> "Votes":
        """The votes of a data set; its margins are not used.

        Raises:
            UsageError: For an unknown group column, or a panel without respondents.

        Example:
            >>> data = Comparisons(outcome=torch.ones(2), margin=torch.zeros(2))
            >>> Votes.of(data, (), panel=False).decided
            True
        """
        missing = [column for column in by if column not in data.groups]
        if missing:
            known = ", ".join(data.groups) or "none"
            raise UsageError(f'No group column "{missing[0]}". Group columns: {known}.')
        if panel and data.respondent is None:
            raise UsageError("A panel needs respondents. Name their column with --respondent.")
        units = Units.of(data, by, panel=panel)
        groups = tuple(
            GroupDesign(column, data.groups[column].labels, units.level[:, k])
            for k, column in enumerate(by)
        )
        decided = data.weight is None and bool((data.outcome == 1).all())
        return cls(data.outcome, data.weight, units, groups, decided)

    def __len__(self) -> int:
        """Number of comparisons."""
        return len(self.outcome)

    @property
    def share(self) -> Tensor:
        """Share of the units in each block, a `block`-vector: the population's make-up."""
        count = torch.bincount(self.units.block, minlength=self.units.n_blocks)
        return count.to(torch.float64) / len(self.units.block)

    def block_of(self, index: Tensor) -> Tensor:
        """Block of each of some comparisons."""
        return self.units.block[self.units.of_comparison[index]]

    def score(self, log_p: Callable[[Tensor], Tensor], x: Tensor, index: Tensor) -> Tensor:
        """Weighted log probabilities of what was recorded; a tie is half a vote each way.

        Args:
            log_p: Log probability that the first is preferred, at `x`; at `-x` the second.
            x: Margins, or strengths times margins: `comparison x ...`.
            index: Which comparisons these are, a `comparison`-vector.

        Returns:
            The shape of `x`.
        """
        if self.decided:
            return log_p(x)
        shape = (-1, *[1] * (x.dim() - 1))
        outcome = self.outcome[index].to(x.device).view(shape)
        total = log_p(torch.where(outcome < 0.5, -x, x))
        tied = outcome == 0.5
        if bool(tied.any()):
            total = torch.where(tied, 0.5 * (total + log_p(-x)), total)
        if self.weight is not None:
            total = total * self.weight[index].to(x.device).view(shape)
        return total
