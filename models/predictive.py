"""What a fit predicts of its own judgements: probabilities, and replicated answers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.choice.batching import select
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.special import log1mexp
from mixlogit.models.answers import Answers, answers_of
from mixlogit.models.individual import Individuals, unit_nodes
from mixlogit.models.joint import LogJoint
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled
from mixlogit.models.thin import thinned

__all__ = ["Predicted", "draw_answers", "predict"]

_MOST = 60_000  # judgements looked at: of some respondents, if there are more
_REPLICATES, _AVERAGED = 64, 16  # draws for replicates, and for probabilities
_ROWS = 20_000  # judgements worked on at once


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of judgements that the fit has seen, some of them where there are many.

    Attributes:
        answers: The possible answers.
        rows: Which judgements, rising.
        margin: Posterior mean margin, first minus second, of every judgement of the data; of
            choice sets how far the favourite leads.
        first: Probability that the first (the favourite) is preferred, given that one is: a
            `row`-vector.
        without: The same, given all judgements but this one.
        again: Answers of the same respondents once more, `replicate x row`: positions.
        others: Answers of new respondents in the same design, `replicate x row`.
    """

    answers: Answers
    rows: Tensor
    margin: Tensor
    first: Tensor
    without: Tensor
    again: Tensor
    others: Tensor


def predict(
    problem: Problem,
    joint: LogJoint,
    theta: Tensor,
    found: Individuals | None,
    seed: int,
) -> Predicted:
    """Predict the judgements of a fit.

    Without its own answer, of likelihood `l`, a judgement has the probability
    `E[p / l] / E[1 / l]` over the posterior given all of them (Gelfand, Dey and Chang 1992): the
    strength is integrated on its nodes and the population averaged over draws.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`.
        found: Individual strengths of a panel.
        seed: Seed of the replicates.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = _some(problem, generator)
    theta = found.theta if found is not None else theta[thinned(len(theta), _REPLICATES)]
    averaged = thinned(len(theta), _AVERAGED)
    answers = answers_of(problem, joint, theta[averaged])
    total = torch.zeros(len(rows), 3, dtype=torch.float64)
    odds = torch.zeros(len(rows), 3, dtype=torch.float64)
    margin: Tensor | None = None
    again, others = [], []
    with torch.no_grad():
        for k in range(_REPLICATES):
            at = k % len(theta)
            one = _Draw.of(problem, joint, theta[at : at + 1], found, at, answers)
            if k in averaged:
                size = answers.sizes(one.margin) / len(averaged)
                margin = size if margin is None else margin + size
                one.add_chances(rows, total, odds)
            again.append(one.answer(rows, generator, same=True))
            others.append(one.answer(rows, generator, same=False))
    assert margin is not None
    first = total[:, 0] / (total[:, 0] + total[:, 1])
    without = odds[:, 0] / (odds[:, 0] + odds[:, 1])
    return Predicted(
        answers, rows, margin, first, without, torch.stack(again), torch.stack(others)
    )


def _some(problem: Problem, generator: torch.Generator) -> Tensor:
    """All judgements, or those of as many random units as have no more than `_MOST`."""
    unit = problem.units.of_comparison
    if len(unit) <= _MOST:
        return torch.arange(len(unit))
    sizes = torch.bincount(unit)
    order = torch.randperm(len(sizes), generator=generator)
    kept = torch.zeros(len(sizes), dtype=torch.bool)
    kept[order[sizes[order].cumsum(0) <= _MOST]] = True
    return torch.nonzero(kept[unit]).squeeze(-1)


def draw_answers(
    problem: Problem, answers: Answers, sampled: Sampled, generator: torch.Generator
) -> Tensor:
    """Answers of new respondents at one value of the population's parameters.

    Args:
        problem: The design.
        answers: The possible answers.
        sampled: What was sampled, at one draw.
        generator: Source of randomness.

    Returns:
        Positions among the answers, int8, a vector over judgements.
    """
    margin = answers.margins(sampled)
    one = _Draw(problem, answers, sampled, margin, None, None)
    return one.answer(torch.arange(len(margin)), generator, same=False)


def _picked(log_p: Tensor, generator: torch.Generator) -> Tensor:
    """One answer at random for each row of `answer x row` log probabilities."""
    below = log_p.exp().cumsum(0)
    u = torch.rand(below.shape[1], generator=generator, dtype=below.dtype) * below[-1]
    return (below[:-1] < u).sum(0).to(torch.int8)


@dataclass(frozen=True, eq=False)
class _Draw:
    """One draw of the population, and what it says of strengths.

    `nodes` and `weights` are `unit x node`, or None without a panel, where every judgement has
    a strength of its own.
    """

    problem: Problem
    answers: Answers
    sampled: Sampled
    margin: Tensor
    nodes: Tensor | None
    weights: Tensor | None

    @classmethod
    def of(
        cls,
        problem: Problem,
        joint: LogJoint,
        theta: Tensor,
        found: Individuals | None,
        place: int,
        answers: Answers,
    ) -> "_Draw":
        """The draw at `theta`, which is at a place among those of individual strengths."""
        sampled = joint.sampled(theta)
        margin = answers.margins(sampled)
        if found is not None:
            width = found.strengths.shape[1] // len(found.theta)
            part = slice(place * width, (place + 1) * width)
            weights = found.weights[:, part] * len(found.theta)
            return cls(problem, answers, sampled, margin, found.strengths[:, part], weights)
        if isinstance(joint.likelihood, OutcomeLikelihood):
            nodes, log_weight = unit_nodes(joint, theta)
            return cls(problem, answers, sampled, margin, nodes, log_weight.exp())
        return cls(problem, answers, sampled, margin, None, None)

    def add_chances(self, rows: Tensor, total: Tensor, odds: Tensor) -> None:
        """Add probabilities of first, other and tie, plain and divided by the likelihood."""
        weight = self.problem.data.weight
        for part in torch.arange(len(rows)).split(_ROWS):
            at = rows[part]
            log_p, share = self._log_prob(at)
            direction = self.answers.direction.expand(-1, len(self.margin))[:, at].unsqueeze(-1)
            power = self.answers.recorded[:, at]
            if weight is not None:
                power = power * weight[at]
            log_own = torch.where(power.unsqueeze(-1) > 0, power.unsqueeze(-1) * log_p, 0.0).sum(0)
            inverse = share * (-log_own).clamp(max=600.0).exp()
            p = log_p.exp()
            for side, column in ((1, 0), (-1, 1)):
                chance = torch.where(direction == side, p, 0.0).sum(0)
                total[part, column] += (share * chance).sum(-1)
                odds[part, column] += (inverse * chance).sum(-1)

    def answer(self, rows: Tensor, generator: torch.Generator, *, same: bool) -> Tensor:
        """Random answers: positions, int8, a `row`-vector."""
        strength = self._strengths(generator, same=same)
        unit = self.problem.units.of_comparison[rows]
        width = self._widths(generator)
        width = None if width is None else width[unit, None]
        log_p = self.answers.log_prob(self.sampled, self.margin[rows], strength[unit, None], width)
        return _picked(log_p[..., 0], generator)

    def _log_prob(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities `answer x row x node`, and weights of the nodes `row x node`."""
        unit = self.problem.units.of_comparison[rows]
        margin = self.margin[rows]
        if self.nodes is not None and self.weights is not None:
            log_p = self.answers.log_prob(self.sampled, margin, self.nodes[unit])
            return log_p, self.weights[unit]
        own = select(self.sampled.family, self.problem.units.block[unit])
        log_first = own.log_choice_prob(margin)[0].clamp_max(-1e-300)
        if self.sampled.lapse is not None:
            lapse = self.sampled.lapse[0, 0]
            log_first = torch.log(lapse / 2 + (1 - lapse) * log_first.exp())
        log_p = torch.stack([log_first, log1mexp(log_first)]).unsqueeze(-1)
        return log_p, torch.ones(len(rows), 1, dtype=log_p.dtype)

    def _strengths(self, generator: torch.Generator, *, same: bool) -> Tensor:
        """One strength of each unit: from the respondent's own posterior, or of a new one."""
        if same and self.nodes is not None and self.weights is not None:
            below = self.weights.cumsum(-1)
            u = torch.rand(len(below), 1, generator=generator, dtype=below.dtype) * below[:, -1:]
            at = torch.searchsorted(below, u).clamp(max=below.shape[1] - 1)
            return self.nodes.gather(-1, at).squeeze(-1)
        return select(self.sampled.family, self.problem.units.block).sample((), generator)[0]

    def _widths(self, generator: torch.Generator) -> Tensor | None:
        """Log width of each unit, from the population; None where all have the same."""
        model = self.answers.model
        if model is None or not model.widths:
            return None
        assert self.sampled.outcome is not None
        n = len(self.problem.units.block)
        noise = torch.randn(n, generator=generator, dtype=torch.float64)
        return noise * model.log_width_sd(self.sampled.outcome)
