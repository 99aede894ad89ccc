"""What latent tastes predict: every respondent has a class and a strength within it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.batching import select
from mixlogit.models.answers import Answers, possible_answers
from mixlogit.models.predictive import node_at_random, picked
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled
from mixlogit.models.strength_predictor import drawn_widths
from mixlogit.models.taste_class_joint import TasteClassJoint
from mixlogit.models.taste_measures import pooled
from mixlogit.models.thin import thinned

__all__ = ["ClassPredictor"]

_AVERAGED = 16  # draws that find the favourite of choice sets


@dataclass(frozen=True, eq=False)
class ClassPredictor:
    """The draws of a fit of latent tastes.

    Args:
        problem: The data.
        joint: The fitted program.
        theta: Draws, `draw x 1 x parameter`.
        answers: The possible answers.
    """

    problem: Problem
    joint: TasteClassJoint
    theta: Tensor
    answers: Answers

    @classmethod
    def of(
        cls, problem: Problem, joint: TasteClassJoint, theta: Tensor, most: int
    ) -> "ClassPredictor":
        """Some of the draws of a fit.

        Args:
            problem: The data.
            joint: The fitted program.
            theta: Draws, `draw x 1 x parameter`.
            most: Most draws.
        """
        theta = theta[thinned(len(theta), most)]
        some = theta[thinned(len(theta), _AVERAGED)]
        model = getattr(joint.classes.inner, "model", None)
        average = [_average(joint, joint.sampled(one)) for one in some.split(1)]
        return cls(problem, joint, theta, possible_answers(problem, model, average))

    def __len__(self) -> int:
        """Number of draws."""
        return len(self.theta)

    def at(self, place: int) -> "_ClassDraw":
        """The draw at a place."""
        sampled: Any = self.joint.sampled(self.theta[place : place + 1])
        parts = [part.posterior_nodes(sampled) for part in self.joint.classes.parts()]
        nodes, log_weight = (torch.cat(each, 1) for each in zip(*parts, strict=True))
        classes = [sampled.utilities[:, c] for c in range(self.joint.spec.n_tastes)]
        each = [Sampled(sampled.family, sampled.lapse, u, sampled.outcome) for u in classes]
        margins = torch.stack([self.answers.margins(one) for one in each])
        size = self.answers.sizes(self.answers.margins(_average(self.joint, sampled)))
        shares = sampled.log_share[0, self.joint.classes.share_block].exp()
        weights = log_weight.exp()
        return _ClassDraw(self.problem, self.answers, each, margins, nodes, weights, shares, size)


def _average(joint: TasteClassJoint, sampled: Any) -> Sampled:
    """The mean taste of the respondents."""
    share = sampled.log_share[0, joint.classes.share_block].exp().mean(0)
    mean = torch.einsum("c,dck->dk", share, sampled.utilities)
    return Sampled(sampled.family, sampled.lapse, mean, sampled.outcome)


@dataclass(frozen=True, eq=False)
class _ClassDraw:
    """One draw of the population.

    Attributes:
        sampled: One for each class.
        margins: `class_ x judgement`, of sets `class_ x judgement x alternative`.
        nodes: Strengths, `class_ x unit x node`.
        weights: Of class and node given the votes, `class_ x unit x node`.
        shares: Of classes in each unit's population, `unit x class_`.
        size: Margins of the mean taste.
    """

    problem: Problem
    answers: Answers
    sampled: list[Sampled]
    margins: Tensor
    nodes: Tensor
    weights: Tensor
    shares: Tensor
    size: Tensor

    def chances(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        unit = self.problem.units.of_comparison[rows]
        log_p = [
            self.answers.log_prob(one, margin[rows], nodes[unit])
            for one, margin, nodes in zip(self.sampled, self.margins, self.nodes, strict=True)
        ]
        return torch.cat(log_p, -1), torch.cat([each[unit] for each in self.weights], -1)

    def answer(self, rows: Tensor, generator: torch.Generator, *, same: bool) -> Tensor:
        _, units, nodes = self.nodes.shape
        if same:
            whole = self.weights.transpose(0, 1).flatten(1)
            at = node_at_random(whole, generator)
            strength = self.nodes.transpose(0, 1).flatten(1).gather(-1, at).squeeze(-1)
            taste = at.squeeze(-1) // nodes
        else:
            taste = node_at_random(self.shares, generator).squeeze(-1)
            family = select(self.sampled[0].family, torch.zeros(units, dtype=torch.long))
            strength = family.sample((), generator)[0]
        width = drawn_widths(self.answers, self.sampled[0], units, generator)
        return self._picked(rows, taste, strength, width, generator)

    def _picked(
        self,
        rows: Tensor,
        taste: Tensor,
        strength: Tensor,
        width: Tensor | None,
        generator: torch.Generator,
    ) -> Tensor:
        unit = self.problem.units.of_comparison[rows]
        margin = self.margins[taste[unit], rows]
        wide = None if width is None else width[unit, None]
        log_p = self.answers.log_prob(self.sampled[0], margin, strength[unit, None], wide)
        return picked(log_p[..., 0], generator)

    def people(
        self, rows: Tensor, points: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities of answers of new respondents, and with other strengths.

        Args:
            rows: Judgements.
            points: How many respondents.
            generator: Source of randomness.

        Returns:
            Probabilities `answer x row x point`; those of people of the same tastes with other
            strengths; and the margins, `row x point` (of sets `row x alternative x point`).
        """
        share = self.shares.mean(0).expand(points, -1)
        taste = node_at_random(share, generator).squeeze(-1).sort().values
        family = select(self.sampled[0].family, torch.zeros(points, dtype=torch.long))
        made = []
        for _ in range(2):
            strength = family.sample((), generator)[0].expand(len(rows), -1)
            log_p = [
                self.answers.log_prob(one, margin[rows], strength[:, taste == c])
                for c, (one, margin) in enumerate(zip(self.sampled, self.margins, strict=True))
            ]
            made.append(torch.cat(log_p, -1).exp())
        return made[0], made[1], self.margins[taste][:, rows].movedim(0, -1)

    def individual(self) -> tuple[float, float]:
        """Shrinkage and reliability of memberships: of a 1 for the own class, 0 for others."""
        own, share = self.weights.sum(-1).T, self.shares.mean(0)
        return pooled(own, own * (1 - own), share * (1 - share))
