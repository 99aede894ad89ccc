"""The objective of an alignment, one strength for each comparison.

Policy and strength maximise one evidence lower bound,

    ELBO = E_q[ (N / B) sum_i log p(y_i | margin_i, F) + log prior - log q ],

over the N training comparisons, from batches of B. `loss` is minus its part that depends on the
policy, divided by N, at a detached draw of the strength; `step` is the strength's own step on
detached margins with the same draw.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from mixlogit.align.population import Population, Strength
from mixlogit.align.settings import AlignSettings
from mixlogit.align.votes import Votes
from mixlogit.choice import StrengthFamily
from mixlogit.choice.batching import select
from mixlogit.choice.link import log_lapsed
from mixlogit.data import Comparisons
from mixlogit.errors import UsageError

__all__ = ["ComparisonObjective", "Objective", "check_margins", "make_objective"]


def check_margins(margin: Tensor, index: Tensor) -> None:
    """Refuse margins that would spoil the strength for good.

    Raises:
        UsageError: If a margin is NaN or infinite.

    Example:
        >>> check_margins(torch.tensor([0.0, torch.nan]), torch.tensor([4, 7]))
        Traceback (most recent call last):
        mixlogit.errors.UsageError: The margin of comparison 7 is nan: the policy has diverged. \
Lower the learning rate.
    """
    bad = ~torch.isfinite(margin)
    if bool(bad.any()):
        where = int(bad.nonzero()[0])
        raise UsageError(
            f"The margin of comparison {int(index[where])} is {float(margin[where])}: the policy "
            "has diverged. Lower the learning rate."
        )


class Objective(ABC):
    """What a trainer calls: `loss` with margins that carry gradients, then `step`.

    Every process calls `step` with the same gathered margins and takes the same step.

    Args:
        settings: How strength enters.
        votes: The training comparisons.

    Attributes:
        population: The strength and its inference.
    """

    def __init__(self, settings: AlignSettings, votes: Votes) -> None:
        self.settings, self.votes = settings, votes
        self.population = Population(settings, votes)

    @abstractmethod
    def loss(self, margin: Tensor, index: Tensor) -> Tensor:
        """The policy's loss: mean over a batch, differentiable in the margins only.

        Args:
            margin: Margins, first (chosen) minus second, a `comparison`-vector with gradient.
            index: Positions of these comparisons in the training data, a `comparison`-vector
                on the CPU.

        Returns:
            A scalar of the type of `margin`, nats a comparison.
        """

    @abstractmethod
    def step(self, margin: Tensor, index: Tensor) -> float:
        """The strength's step on the margins of one optimiser step, gathered from everywhere.

        Args:
            margin: As in `loss`; gradients are not used.
            index: As in `loss`; repeats are allowed.

        Returns:
            The ELBO a comparison, nats.
        """

    @abstractmethod
    def log_predictive(self, margin: Tensor, unit: Tensor, block: Tensor) -> Tensor:
        """Log probability that the first is preferred, for comparisons not trained on.

        Args:
            margin: Their margins, a `comparison`-vector.
            unit: Unit of training that judged, -1 for a new one; a `comparison`-vector.
            block: Block of parameters of each, a `comparison`-vector.

        Returns:
            A `comparison`-vector, float64, without gradient.
        """

    def describe(self) -> dict[str, float]:
        """Mean and cv of strength and the other hyper-parameters, for the log."""
        return self.population.describe()

    def state_dict(self) -> dict[str, Tensor]:
        """All that training changes, as tensors by name."""
        return {f"population.{k}": v for k, v in self.population.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state_dict`, bit for bit."""
        prefix = "population."
        own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        self.population.load_state_dict(own)


class ComparisonObjective(Objective):
    """Each comparison has a strength of its own: MixDPO (mixed logit), arXiv 2601.06180.

    With the fixed family it is DPO, to the last bit.

    Args:
        settings: How strength enters.
        votes: The training comparisons.

    Example:
        >>> data = Comparisons(outcome=torch.ones(4), margin=torch.zeros(4))
        >>> objective = make_objective(data, AlignSettings(family="fixed", beta=0.1))
        >>> margin = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> objective.loss(margin, torch.tensor([0, 1]))
        tensor(0.7213, grad_fn=<NegBackward0>)
    """

    def loss(self, margin: Tensor, index: Tensor) -> Tensor:
        """The policy's loss; see `Objective.loss`."""
        log_p = self._score(self.population.draw(), margin, index)
        return -log_p.to(margin.dtype).mean()

    def step(self, margin: Tensor, index: Tensor) -> float:
        """The strength's step; see `Objective.step`."""
        check_margins(margin, index)
        return self.population.step(self.likelihood(margin.detach().cpu().double(), index))

    def likelihood(
        self, margin: Tensor, index: Tensor
    ) -> Callable[[StrengthFamily, Tensor | None, Tensor | None], Tensor]:
        """Log-likelihood of all comparisons as a batch estimates it, for the Pyro program."""
        scale = len(self.votes) / len(index)

        def of(family: StrengthFamily, lapse: Tensor | None, _: Tensor | None) -> Tensor:
            return scale * self._score(Strength(family, lapse, None), margin, index).sum()

        return of

    def log_predictive(self, margin: Tensor, unit: Tensor, block: Tensor) -> Tensor:
        """Log probability that the first is preferred; see `Objective.log_predictive`."""
        family, lapse, _ = self.population.centre()
        with torch.no_grad():
            own = _of_blocks(family, block)
            return log_lapsed(own.log_choice_prob(margin.detach().cpu().double()), lapse)

    def _score(self, strength: Strength, margin: Tensor, index: Tensor) -> Tensor:
        family = _of_blocks(strength.family, self.votes.block_of(index))
        lapse = None if strength.lapse is None else strength.lapse.to(margin.device)
        draws, generator = self.settings.draws, None
        if draws is not None:
            seed = self.population.noise_seed() + 7919 * int(index[0])
            generator = torch.Generator(margin.device).manual_seed(seed)

        def log_p(margin: Tensor) -> Tensor:
            value = family.log_choice_prob(margin, draws=draws, generator=generator)
            return log_lapsed(value, lapse)

        return self.votes.score(log_p, margin, index)


def _of_blocks(family: StrengthFamily, block: Tensor) -> StrengthFamily:
    """The family of each comparison; one that all share broadcasts as it is."""
    if family.batch_shape == (1,):
        return family
    lifted = {name: value.unsqueeze(0) for name, value in family.parameters.items()}
    own = select(type(family)(**lifted, validate_args=False), block)
    flat = {name: value.squeeze(0) for name, value in own.parameters.items()}
    return type(family)(**flat, validate_args=False)


def make_objective(data: Comparisons, settings: AlignSettings) -> Objective:
    """The objective that the settings ask for: a panel where there are respondents.

    With one fixed strength for all, respondents make no difference, and the objective is DPO.

    Args:
        data: The training comparisons; their margins are not used.
        settings: How strength enters.

    Raises:
        UsageError: If data and settings do not fit together.

    Example:
        >>> data = Comparisons(outcome=torch.ones(4), margin=torch.zeros(4))
        >>> type(make_objective(data, AlignSettings())).__name__
        'ComparisonObjective'
    """
    from mixlogit.align.panel import PanelObjective

    panel = data.respondent is not None if settings.panel is None else settings.panel
    if settings.contrarians and not panel:
        raise UsageError(
            "Contrarians need a panel: single votes cannot tell them from random ones. Name the "
            "column of respondents with --respondent, or use --lapse."
        )
    if panel and settings.draws is not None:
        raise UsageError("Monte Carlo draws are for strength per comparison, not for a panel.")
    trivial = settings.family == "fixed" and not (settings.contrarians or settings.by)
    if panel and not trivial:
        return PanelObjective(settings, Votes.of(data, settings.by, panel=True))
    return ComparisonObjective(settings, Votes.of(data, settings.by, panel=False))
