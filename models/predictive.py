"""What a fit predicts of its own judgements: probabilities, and replicated answers."""

from collections.abc import Sized
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from mixlogit.models.answers import Answers
from mixlogit.models.thin import thinned

__all__ = [
    "Draw",
    "Predicted",
    "Predictor",
    "node_at_random",
    "own_log_prob",
    "picked",
    "predict",
]

_MOST = 30_000  # votes looked at: of some respondents, if there are more
_REPLICATES, _AVERAGED = 64, 16  # draws for replicates, and for probabilities
_ROWS = 20_000  # votes worked on at once


class Draw(Protocol):
    """One draw of the population's parameters, and what it says of judgements."""

    @property
    def size(self) -> Tensor:
        """Signed margin of the first (how far the favourite leads), averaged over tastes."""

    def chances(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities given nodes of what differs between respondents, and weights.

        Args:
            rows: Judgements.

        Returns:
            `answer x row x node`, nats, and the nodes' weights given all votes of each
            respondent, `row x node`.
        """

    def answer(self, rows: Tensor, generator: torch.Generator, *, same: bool) -> Tensor:
        """Random answers, int8 positions, a `row`-vector.

        Args:
            rows: Judgements.
            generator: Source of randomness.
            same: Of the same respondents; otherwise of new ones in the same design.
        """


class Predictor(Sized, Protocol):
    """The draws of a fit, each able to predict; `len` is their number."""

    @property
    def answers(self) -> Answers:
        """The possible answers."""

    def at(self, place: int) -> Draw:
        """The draw at a place."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of votes that the fit has seen, some of them where there are many.

    Attributes:
        answers: The possible answers.
        rows: Which judgements, rising; a judgement that stands for several votes so often.
        single: Whether each row is one vote: weights, if any, are counts.
        margin: Posterior mean margin, first minus second, of every judgement of the data; of
            choice sets how far the favourite leads. Where tastes differ it is their mean's.
        first: Probability that the first (the favourite) is preferred, given that one is: a
            `row`-vector.
        without: The same, given all votes but this one.
        again: Answers of the same respondents once more, `replicate x row`: positions.
        others: Answers of new respondents in the same design, `replicate x row`.
    """

    answers: Answers
    rows: Tensor
    single: bool
    margin: Tensor
    first: Tensor
    without: Tensor
    again: Tensor
    others: Tensor


def predict(problem: Any, predictor: Predictor, seed: int) -> Predicted:
    """Predict the votes of a fit.

    Without its own answer, of likelihood `l`, a vote has the probability `E[p / l] / E[1 / l]`
    over the posterior given all of them (Gelfand, Dey and Chang 1992): what differs between
    respondents is integrated on nodes and the population averaged over draws.

    Args:
        problem: The data, of any kind of fit.
        predictor: The draws.
        seed: Seed of the replicates.
    """
    generator = torch.Generator().manual_seed(seed)
    rows, single = _votes(problem, generator)
    averaged = set(thinned(len(predictor), _AVERAGED).tolist())
    total = torch.zeros(len(rows), 2, dtype=torch.float64)
    odds = torch.zeros(len(rows), 2, dtype=torch.float64)
    margin: Tensor | None = None
    again, others = [], []
    with torch.no_grad():
        for k in range(_REPLICATES):
            one = predictor.at(k % len(predictor))
            if k in averaged:
                size = one.size / len(averaged)
                margin = size if margin is None else margin + size
                _add_chances(one, predictor.answers, rows, single, total, odds)
            again.append(one.answer(rows, generator, same=True))
            others.append(one.answer(rows, generator, same=False))
    assert margin is not None
    first, without = (each[:, 0] / each.sum(-1) for each in (total, odds))
    made = torch.stack(again), torch.stack(others)
    return Predicted(predictor.answers, rows, single, margin, first, without, *made)


def _votes(problem: Any, generator: torch.Generator) -> tuple[Tensor, bool]:
    """Rows of all votes, or of as many random units as have about `_MOST`; whether single."""
    unit, weight = problem.units.of_comparison, problem.data.weight
    count = torch.ones_like(unit)
    single = weight is None or bool((weight == weight.round()).all())
    if weight is not None and single:
        count = weight.long()
    sizes = torch.zeros(int(unit.max()) + 1, dtype=torch.long).index_add(0, unit, count)
    rows = torch.arange(len(unit))
    if int(sizes.sum()) > _MOST:
        order = torch.randperm(len(sizes), generator=generator)
        kept = torch.zeros(len(sizes), dtype=torch.bool)
        kept[order[: max(1, int((sizes[order].cumsum(0) <= _MOST).sum()))]] = True
        rows = torch.nonzero(kept[unit]).squeeze(-1)
    rows = rows.repeat_interleave(count[rows])
    return rows[thinned(len(rows), _MOST)], single


def own_log_prob(answers: Answers, rows: Tensor, log_p: Tensor, *, single: bool) -> Tensor:
    """Log-likelihood of the recorded answer of each vote (of each row, if weights are no counts).

    Args:
        answers: The possible answers.
        rows: Judgements.
        log_p: `answer x row x node`.
        single: Whether each row is one vote.

    Returns:
        `row x node`, nats.
    """
    power = answers.recorded[:, rows]
    if not single:
        power = power * answers.problem.data.weight[rows]
    power = power.unsqueeze(-1)
    return torch.where(power > 0, power * log_p, 0.0).sum(0)


def _add_chances(
    one: Draw, answers: Answers, rows: Tensor, single: bool, total: Tensor, odds: Tensor
) -> None:
    """Add probabilities of first and other, plain and divided by the likelihood."""
    for part in torch.arange(len(rows)).split(_ROWS):
        at = rows[part]
        log_p, share = one.chances(at)
        log_own = own_log_prob(answers, at, log_p, single=single)
        inverse = share * (-log_own).clamp(max=600.0).exp()
        direction, p = answers.direction_of(at).unsqueeze(-1), log_p.exp()
        for side, column in ((1, 0), (-1, 1)):
            chance = torch.where(direction == side, p, 0.0).sum(0)
            total[part, column] += (share * chance).sum(-1)
            odds[part, column] += (inverse * chance).sum(-1)


def picked(log_p: Tensor, generator: torch.Generator) -> Tensor:
    """One answer at random for each row of `answer x row` log probabilities."""
    below = log_p.exp().cumsum(0)
    u = torch.rand(below.shape[1], generator=generator, dtype=below.dtype) * below[-1]
    return (below[:-1] < u).sum(0).to(torch.int8)


def node_at_random(weights: Tensor, generator: torch.Generator) -> Tensor:
    """A node of each unit by its weights, `unit x node`: a `unit x 1` index."""
    below = weights.cumsum(-1)
    u = torch.rand(len(below), 1, generator=generator, dtype=below.dtype) * below[:, -1:]
    return torch.searchsorted(below, u).clamp(max=below.shape[1] - 1)
