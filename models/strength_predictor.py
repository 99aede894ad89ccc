"""What one strength for each respondent predicts: the draws of a fit of strength."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mixlogit.choice.batching import select
from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood
from mixlogit.choice.special import log1mexp
from mixlogit.models.answers import Answers, answers_of
from mixlogit.models.individual import Individuals, unit_nodes
from mixlogit.models.joint import LogJoint
from mixlogit.models.predictive import node_at_random, picked
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled
from mixlogit.models.thin import thinned

__all__ = ["StrengthPredictor", "draw_answers", "drawn_widths"]

_DRAWS, _AVERAGED = 64, 16  # draws that predict, and that find the favourite of choice sets


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
    one = _StrengthDraw(problem, answers, sampled, margin, None, None)
    return one.answer(torch.arange(len(margin)), generator, same=False)


@dataclass(frozen=True, eq=False)
class StrengthPredictor:
    """The draws of a fit of strength.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`.
        found: Individual strengths at these draws; None: they are found where they are wanted.
        answers: The possible answers.
    """

    problem: Problem
    joint: LogJoint
    theta: Tensor
    found: Individuals | None
    answers: Answers

    @classmethod
    def of(
        cls, problem: Problem, joint: LogJoint, theta: Tensor, found: Individuals | None
    ) -> "StrengthPredictor":
        """Some of the draws of a fit: those of individual strengths, if there are any.

        Args:
            problem: The data.
            joint: The fitted program.
            theta: Draws, `draw x 1 x parameter`.
            found: Individual strengths of a panel.
        """
        theta = found.theta if found is not None else theta[thinned(len(theta), _DRAWS)]
        answers = answers_of(problem, joint, theta[thinned(len(theta), _AVERAGED)])
        return cls(problem, joint, theta, found, answers)

    def __len__(self) -> int:
        """Number of draws."""
        return len(self.theta)

    def at(self, place: int) -> "_StrengthDraw":
        """The draw at a place."""
        theta, found = self.theta[place : place + 1], self.found
        sampled = self.joint.sampled(theta)
        nodes = weights = None
        if found is not None:
            width = found.strengths.shape[1] // len(found.theta)
            part = slice(place * width, (place + 1) * width)
            nodes, weights = found.strengths[:, part], found.weights[:, part]
        elif self.problem.panel or isinstance(self.joint.likelihood, OutcomeLikelihood):
            nodes, log_weight = unit_nodes(self.joint, theta)
            weights = log_weight.exp()
        margin = self.answers.margins(sampled)
        return _StrengthDraw(self.problem, self.answers, sampled, margin, nodes, weights)


@dataclass(frozen=True, eq=False)
class _StrengthDraw:
    """One draw of the population, and what it says of strengths.

    `nodes` and `weights` (up to a factor) are `unit x node`, or None without a panel, where every
    judgement has a strength of its own.
    """

    problem: Problem
    answers: Answers
    sampled: Sampled
    margin: Tensor
    nodes: Tensor | None
    weights: Tensor | None

    @property
    def size(self) -> Tensor:
        return self.answers.sizes(self.margin)

    def chances(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        unit = self.problem.units.of_comparison[rows]
        margin = self.margin[rows]
        if self.nodes is not None and self.weights is not None:
            log_p = self.answers.log_prob(self.sampled, margin, self.nodes[unit])
            weights = self.weights[unit]
            return log_p, weights / weights.sum(-1, keepdim=True)
        own = select(self.sampled.family, self.problem.units.block[unit])
        log_first = log_lapsed(own.log_choice_prob(margin), self.sampled.lapse)[0]
        log_p = torch.stack([log_first, log1mexp(log_first)]).unsqueeze(-1)
        return log_p, torch.ones(len(rows), 1, dtype=log_p.dtype)

    def answer(self, rows: Tensor, generator: torch.Generator, *, same: bool) -> Tensor:
        who, place = self.problem.units.of_comparison[rows].unique(return_inverse=True)
        strength = self._strengths(who, generator, same=same)[place, None]
        width = drawn_widths(self.answers, self.sampled, len(who), generator)
        width = None if width is None else width[place, None]
        log_p = self.answers.log_prob(self.sampled, self.margin[rows], strength, width)
        return picked(log_p[..., 0], generator)

    def _strengths(self, who: Tensor, generator: torch.Generator, *, same: bool) -> Tensor:
        """One strength of some units: from the respondent's own posterior, or of a new one."""
        if same and self.nodes is not None and self.weights is not None:
            at = node_at_random(self.weights[who], generator)
            return self.nodes[who].gather(-1, at).squeeze(-1)
        return select(self.sampled.family, self.problem.units.block[who]).sample((), generator)[0]


def drawn_widths(
    answers: Answers, sampled: Sampled, units: int, generator: torch.Generator
) -> Tensor | None:
    """Log width of each unit at random, from the population; None where all have the same.

    Args:
        answers: The possible answers.
        sampled: One draw of the population.
        units: How many units.
        generator: Source of randomness.
    """
    model = answers.model
    if model is None or not model.widths:
        return None
    assert sampled.outcome is not None
    noise = torch.randn(units, generator=generator, dtype=torch.float64)
    width: Tensor = noise * model.log_width_sd(sampled.outcome)
    return width
