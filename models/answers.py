"""Every answer that a comparison or choice set could have got, and its probability."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.outcomes import TieModel
from mixlogit.choice.utility import strengthened
from mixlogit.data import ChoiceSets
from mixlogit.models.joint import LogJoint
from mixlogit.models.outcome_problem import padded_sets
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled

__all__ = ["Answers", "answers_of", "possible_answers"]

_FIRST = torch.tensor([[1], [-1]])


@dataclass(frozen=True, eq=False)
class Answers:
    """The possible answers to judgements, in the order of the data.

    The first response of a pair is "first"; of a choice set it is the alternative with the
    largest utility, the mean over the posterior.

    Attributes:
        problem: The data.
        model: Outcome model of ties or grades, else None.
        direction: `answer x judgement` (or `answer x 1`): 1 for first, -1 for another, 0 a tie.
        level: Grade of each answer, an `answer`-vector: 0 a tie, 1 the slightest preference.
        recorded: Share of the recorded answer, `answer x judgement`; half a tie each way.
    """

    problem: Any
    model: TieModel | None
    direction: Tensor
    level: Tensor
    recorded: Tensor

    def margins(self, sampled: Sampled) -> Tensor:
        """Margins at one draw: first minus second; of choice sets `judgement x alternative`."""
        data: Any = self.problem.data
        if isinstance(data, ChoiceSets):
            return _set_margins(data, sampled)
        factor: Tensor | float = 1.0
        values = sampled.utilities
        if values is not None:
            values, factor = strengthened(self.problem.context_values, values)
        if data.margin is not None:
            return torch.as_tensor(data.margin * factor).view(-1)
        assert values is not None
        if data.features is not None:
            return torch.as_tensor(data.features @ values[0] * factor).view(-1)
        return torch.as_tensor((values[0, data.item_a] - values[0, data.item_b]) * factor).view(-1)

    def direction_of(self, rows: Tensor) -> Tensor:
        """Direction of every answer to some judgements: `answer x row`."""
        return self.direction.expand(-1, self.recorded.shape[1])[:, rows]

    def sizes(self, margin: Tensor) -> Tensor:
        """Signed margin of the first; of choice sets by how much it leads the next."""
        if margin.dim() == 1:
            return margin
        best = margin.topk(2, dim=-1, largest=False).values  # margins of chosen over each
        return best[:, 1] - best[:, 0]

    def log_prob(
        self, sampled: Sampled, margin: Tensor, strength: Tensor, log_width: Tensor | None = None
    ) -> Tensor:
        """Log probability of every answer.

        Args:
            sampled: One draw.
            margin: Some of `margins(sampled)`.
            strength: Strengths to look at, `judgement x node`.
            log_width: Log width of each respondent, `judgement x 1`, or None.

        Returns:
            `answer x judgement x node`, nats.
        """
        lapse = None if sampled.lapse is None else sampled.lapse[0, 0]
        if margin.dim() == 2:
            there = torch.isfinite(margin)
            scaled = -strength.unsqueeze(-2) * torch.where(there, margin, 0.0).unsqueeze(-1)
            scaled = torch.where(there.unsqueeze(-1), scaled, -torch.inf)
            options = there.sum(-1).to(scaled.dtype).unsqueeze(-1)
            mixed = log_lapsed(torch.log_softmax(scaled, -2).movedim(1, 0), lapse, options)
            return torch.where(there.T.unsqueeze(-1), mixed, -torch.inf)
        if self.model is None:
            scaled = strength * margin.unsqueeze(-1)
            return log_lapsed(torch.stack([logsigmoid(scaled), logsigmoid(-scaled)]), lapse)
        wide = torch.zeros_like(strength[:, :1]) if log_width is None else log_width
        parts = []
        for side, level in zip(self.direction[:, 0].tolist(), self.level.tolist(), strict=True):
            every = torch.full((len(margin),), level)
            one = replace(self.model, level=every)
            signed = (margin if side >= 0 else -margin).unsqueeze(0)
            parts.append(one.log_prob(strength.unsqueeze(0), signed, sampled.outcome, wide)[0])
        return log_lapsed(torch.stack(parts), lapse, self.model.n_options)


def answers_of(problem: Problem, joint: LogJoint, theta: Tensor) -> Answers:
    """The answers of a problem of one taste.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`, for the mean utilities of choice sets.
    """
    model = getattr(joint.likelihood, "model", None)
    return possible_answers(problem, model, [joint.sampled(one) for one in theta.split(1)])


def possible_answers(problem: Any, model: Any, sampled: Sequence[Sampled]) -> Answers:
    """The answers to the judgements of any data.

    Args:
        problem: The data.
        model: Outcome model, or None.
        sampled: Draws whose mean utilities say which alternative of a choice set is first.
    """
    data: Any = problem.data
    if isinstance(data, ChoiceSets):
        margin = torch.stack([_set_margins(data, one) for one in sampled])
        favourite = margin.mean(0).argmin(-1)
        n, top = margin.shape[1:]
        direction = torch.where(torch.arange(top).unsqueeze(-1) == favourite, 1, -1)
        recorded = torch.zeros(top, n, dtype=torch.float64)
        recorded[0] = 1.0  # the chosen alternative stands first
        return Answers(problem, None, direction, torch.ones(top, dtype=torch.long), recorded)
    if model is None:
        recorded = torch.stack([data.outcome, 1 - data.outcome])
        return Answers(problem, None, _FIRST, torch.ones(2, dtype=torch.long), recorded)
    top = model.n_thresholds + (0 if model.ties else 1)
    level = torch.arange(1, top + 1)
    tie = torch.zeros(1 if model.ties else 0, dtype=torch.long)
    level = torch.cat([level, level, tie])
    direction = torch.cat([torch.ones(top), -torch.ones(top), tie]).to(torch.long).unsqueeze(-1)
    side = (2 * data.outcome - 1).to(torch.long)
    grade = side.abs() if data.grade is None else data.grade.abs()
    same = (direction == side) & (level.unsqueeze(-1) == grade)
    return Answers(problem, model, direction, level, same.to(torch.float64))


def _set_margins(data: ChoiceSets, sampled: Sampled) -> Tensor:
    """Utility of the chosen alternative over each; infinite where a set has fewer."""
    features, item, mask = padded_sets(data)
    assert sampled.utilities is not None
    value = sampled.utilities[0]
    if features is not None:
        margin = features @ value
    else:
        assert item is not None
        margin = value[item[:, :1]] - value[item]
    return torch.where(torch.isfinite(mask), margin, torch.inf)
