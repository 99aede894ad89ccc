"""The strength's step behind each optimiser step of a trainer, and what it tells."""

from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from mixlogit.align.objective import Objective

__all__ = ["Means", "StrengthStep"]


class StrengthStep(TrainerCallback):
    """Keeps the margins of forward passes until the optimiser's step, then steps the strength.

    All processes gather the same margins and take the same step.

    Args:
        objective: The strength and its objective.
        accelerator: The trainer's.
        beta: Strength at which the probability of the chosen is told.

    Example:
        >>> from accelerate import Accelerator
        >>> from mixlogit.align import AlignSettings, make_objective
        >>> from mixlogit.data import Comparisons
        >>> data = Comparisons(outcome=torch.ones(2), margin=torch.zeros(2))
        >>> objective = make_objective(data, AlignSettings())
        >>> step = StrengthStep(objective, Accelerator(cpu=True), beta=0.1)
        >>> loss = step.loss(torch.tensor([1.0, -2.0], requires_grad=True), torch.arange(2))
        >>> step.on_step_end()
        >>> told = step.told()
        >>> told["margins"], told["accuracy"], sorted(step.told())
        (-0.5, 0.5, [])
    """

    def __init__(self, objective: Objective, accelerator: Any, beta: float) -> None:
        self.objective, self.accelerator = objective, accelerator
        self.means = Means(objective, beta)
        self._seen: list[tuple[Tensor, Tensor]] = []

    def loss(self, margin: Tensor, index: Tensor) -> Tensor:
        """The policy's loss of a batch, whose margins are kept for the strength's step.

        Args:
            margin: As for `Objective.loss`.
            index: As there, on any device.
        """
        self._seen.append((margin.detach(), index))
        return self.objective.loss(margin, index.cpu())

    def on_step_end(self, *arguments: Any, **others: Any) -> None:
        """The strength's step on the margins of all processes since the last one."""
        margin, index = (torch.cat(parts) for parts in zip(*self._seen, strict=True))
        self._seen = []
        if self.accelerator.num_processes > 1:
            together = self.accelerator.pad_across_processes
            margin = self.accelerator.gather(together(margin, pad_index=0))
            index = self.accelerator.gather(together(index, pad_index=-1))
            margin, index = margin[index >= 0], index[index >= 0]
        margin, index = margin.cpu(), index.cpu()
        self.means.add(self.objective.step(margin, index), margin, index)

    def told(self) -> dict[str, float]:
        """Means since this was last called, and the strength now; nothing if no step was taken."""
        means = self.means.take()
        strength = self.objective.describe() if means else {}
        return means | {f"strength/{name}": value for name, value in strength.items()}


class Means:
    """Means over some steps, for the log.

    Of steps: the ELBO. Of comparisons that are no ties, all together and by group label: the
    margin of the preferred answer, the share of margins above 0, the preferred's probability.

    Args:
        objective: Knows outcomes and groups.
        beta: Strength at which the probability is taken.

    Example:
        >>> from mixlogit.align import AlignSettings, make_objective
        >>> from mixlogit.data import Comparisons, Labels
        >>> data = Comparisons(
        ...     outcome=torch.ones(2), margin=torch.zeros(2),
        ...     groups={"stance": Labels(torch.tensor([0, 1]), ("pro", "con"))})
        >>> means = Means(make_objective(data, AlignSettings(by=("stance",))), beta=0.1)
        >>> means.add(-0.7, torch.tensor([1.0, -2.0]), torch.arange(2))
        >>> told = means.take()
        >>> told["margins"], told["margins/stance=con"], told["accuracy"], told["elbo"]
        (-0.5, -2.0, 0.5, -0.7)
    """

    def __init__(self, objective: Objective, beta: float) -> None:
        self.votes, self.beta = objective.votes, beta
        self._forget()

    def _forget(self) -> None:
        self._elbo: list[float] = []
        self._sums = {"": torch.zeros(1, 4, dtype=torch.float64)}
        for group in self.votes.groups:
            self._sums[group.column] = torch.zeros(len(group.labels), 4, dtype=torch.float64)

    def add(self, elbo: float, margin: Tensor, index: Tensor) -> None:
        """Count one step's margins, chosen minus rejected, on the CPU."""
        self._elbo.append(elbo)
        outcome = self.votes.outcome[index]
        decided = outcome != 0.5
        index = index[decided]
        signed = margin[decided].double() * (2 * outcome[decided] - 1)
        p = torch.sigmoid(self.beta * signed)
        each = torch.stack([signed, (signed > 0).double(), p, torch.ones_like(p)], -1)
        block = self.votes.block_of(index)
        self._sums[""] += each.sum(0)
        for group in self.votes.groups:
            self._sums[group.column].index_add_(0, group.level[block], each)

    def take(self) -> dict[str, float]:
        """The means by name, then begin anew; nothing if nothing was counted."""
        if not self._elbo:
            return {}
        told = {"elbo": sum(self._elbo) / len(self._elbo)}
        labels = {"": [""]} | {
            group.column: [f"/{group.column}={label}" for label in group.labels]
            for group in self.votes.groups
        }
        for column, sums in self._sums.items():
            for label, (*total, n) in zip(labels[column], sums.tolist(), strict=True):
                if n:
                    names = ("margins", "accuracy", "p_chosen")
                    told |= {f"{k}{label}": v / n for k, v in zip(names, total, strict=True)}
        self._forget()
        return told
