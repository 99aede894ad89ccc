"""What random tastes predict: every respondent has coefficients of their own."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.link import log_lapsed
from mixlogit.choice.simulated import SimulatedLikelihood, normal_points
from mixlogit.choice.tastes import TasteDesign
from mixlogit.data import ChoiceSets
from mixlogit.models.answers import Answers, possible_answers
from mixlogit.models.outcome_problem import padded_sets
from mixlogit.models.predictive import node_at_random, picked
from mixlogit.models.sites import Sampled
from mixlogit.models.taste_measures import pooled
from mixlogit.models.taste_problem import TasteProblem
from mixlogit.models.thin import thinned

__all__ = ["TastePredictor"]

_AVERAGED, _POINTS = 16, 512  # draws that find the favourite; points of the mean taste
_ELEMENTS = 8_000_000  # judgements x draws x features worked on at once


@dataclass(frozen=True, eq=False)
class TastePredictor:
    """The draws of a fit of random tastes.

    Args:
        problem: The data.
        simulated: The likelihood, its draws around the modes.
        psi: Population parameters, `draw x parameter`.
        answers: The possible answers.
        features: First minus second, `judgement x feature`; of sets chosen minus each,
            `judgement x alternative x feature`.
        mask: Of sets, 0 where there is an alternative, else -inf; None for pairs.
    """

    problem: TasteProblem
    simulated: SimulatedLikelihood
    psi: Tensor
    answers: Answers
    features: Tensor
    mask: Tensor | None

    @classmethod
    def of(
        cls, problem: TasteProblem, simulated: SimulatedLikelihood, psi: Tensor, most: int
    ) -> "TastePredictor":
        """Some of the draws of a fit.

        Args:
            problem: The data.
            simulated: The likelihood, its draws around the modes.
            psi: Population parameters, `draw x parameter`.
            most: Most draws.
        """
        psi = psi[thinned(len(psi), most)]
        features, mask = problem.data.features, None
        if isinstance(problem.data, ChoiceSets):
            features, _, mask = padded_sets(problem.data)
        some = psi[thinned(len(psi), _AVERAGED)]
        average: list[Any] = [_average(problem, one) for one in some]
        answers = possible_answers(problem, problem.model, average)
        return cls(problem, simulated, psi, answers, features, mask)

    def __len__(self) -> int:
        """Number of draws."""
        return len(self.psi)

    def at(self, place: int) -> "_TasteDraw":
        """The draw at a place."""
        psi = self.psi[place]
        size = self.answers.sizes(self.answers.margins(_average(self.problem, psi)))
        weights = self.simulated.weights(psi)
        simulated = self.simulated
        value = self.problem.design.at(psi, simulated.z, simulated.covariates).value
        return _TasteDraw(self, psi, value, weights, size)


def _average(problem: TasteProblem, psi: Tensor) -> Sampled:
    """The mean taste of the population, with the slopes of strength in the context of pairs."""
    mean = _population(problem.design, psi).mean(0, keepdim=True)
    if not isinstance(problem.data, ChoiceSets):
        mean = torch.cat([mean, problem.judging(psi)[1].unsqueeze(0)], -1)
    return Sampled(None, None, mean)  # type: ignore[arg-type]  # margins need utilities alone


def _population(design: TasteDesign, psi: Tensor) -> Tensor:
    """Coefficients at points of the population, of average covariates: `point x feature`."""
    z = normal_points(1, _POINTS, design.n_latent, "sobol", 0)
    generator = torch.Generator().manual_seed(0)
    return _drawn(design, psi, z, None, generator)[0, :, : len(design.features)]


def _drawn(
    design: TasteDesign,
    psi: Tensor,
    z: Tensor,
    covariates: Tensor | None,
    generator: torch.Generator,
) -> Tensor:
    """Coefficients at normals, the class of strength of each at random.

    Args:
        design: Which coefficients are random.
        psi: Population parameters.
        z: `respondent x draw x latent`.
        covariates: `respondent x covariate`; None: average ones.
        generator: Source of randomness.

    Returns:
        `respondent x draw x coefficient`.
    """
    if covariates is None and design.covariates:
        covariates = z.new_zeros(len(z), len(design.covariates))
    at = design.at(psi, z.repeat(1, design.copies, 1), covariates)
    if design.copies == 1:
        return at.value
    value = at.value.unflatten(1, (design.copies, -1))
    shares = at.log_mass.view(design.copies, -1)[:, 0].exp()
    people, draws = z.shape[:2]
    pick = torch.multinomial(shares, people * draws, replacement=True, generator=generator)
    index = pick.view(people, 1, draws, 1).expand(-1, -1, -1, value.shape[-1])
    found: Tensor = value.gather(1, index).squeeze(1)
    return found


@dataclass(frozen=True, eq=False)
class _TasteDraw:
    """One draw of the population.

    Attributes:
        of: The fit.
        psi: Population parameters.
        value: Coefficients at each unit's own draws, `unit x draw x feature`.
        weights: Of these draws given the votes, `unit x draw`.
        size: Margins of the mean taste.
    """

    of: TastePredictor
    psi: Tensor
    value: Tensor
    weights: Tensor
    size: Tensor

    def chances(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        unit = self.of.problem.units.of_comparison[rows]
        parts = [
            self._log_prob(some, self.value[who])
            for some, who in zip(*(part.split(self._at_once()) for part in (rows, unit)),
                                 strict=True)
        ]  # fmt: skip
        return torch.cat(parts, 1), self.weights[unit]

    def answer(self, rows: Tensor, generator: torch.Generator, *, same: bool) -> Tensor:
        units = len(self.value)
        if same:
            at = node_at_random(self.weights, generator).squeeze(-1)
            own = self.value[torch.arange(units), at]
        else:
            own = self._new(units, generator)
        unit = self.of.problem.units.of_comparison[rows]
        return picked(self._log_prob(rows, own[unit].unsqueeze(1))[..., 0], generator)

    def _new(self, units: int, generator: torch.Generator) -> Tensor:
        """Coefficients of new respondents, `unit x feature`."""
        latent = self.of.problem.design.n_latent
        z = torch.randn(units, 1, latent, generator=generator, dtype=torch.float64)
        covariates = self.of.simulated.covariates
        return _drawn(self.of.problem.design, self.psi, z, covariates, generator).squeeze(1)

    def _at_once(self) -> int:
        alternatives = 1 if self.of.mask is None else self.of.mask.shape[1]
        each = self.value.shape[1] * (self.value.shape[2] + 2 * alternatives)
        return max(1, _ELEMENTS // each)

    def _margins(self, rows: Tensor, value: Tensor) -> Tensor:
        """`row x node`, of sets `row x alternative x node`, from `row x node x feature`."""
        x = self.of.features[rows]
        if self.of.problem.context_values is not None:
            slopes = self.of.problem.judging(self.psi)[1]
            factor = (self.of.problem.context_values[rows] @ slopes).exp()
            x = x * factor.view(-1, *[1] * (x.dim() - 1))
        value = value[..., : x.shape[-1]]
        if self.of.mask is None:
            return (value @ x.unsqueeze(-1)).squeeze(-1)
        margin = x @ value.mT
        there = torch.isfinite(self.of.mask[rows]).unsqueeze(-1)
        return torch.where(there, margin, torch.inf)

    def _log_prob(self, rows: Tensor, value: Tensor) -> Tensor:
        """Log probability of every answer: `answer x row x node`."""
        margin, lapse = self._margins(rows, value), None
        if self.of.problem.lapse:
            lapse = torch.sigmoid(self.of.problem.judging(self.psi)[2])
        if self.of.mask is None:
            options: Any = 2 if self.of.answers.model is None else self.of.answers.model.n_options
            return log_lapsed(self._of_pairs(margin, value), lapse, options)
        there = torch.isfinite(self.of.mask[rows]).T.unsqueeze(-1)
        chosen = log_lapsed(torch.log_softmax(-margin, 1).movedim(1, 0), lapse, there.sum(0))
        return torch.where(there, chosen, -torch.inf)

    def _of_pairs(self, margin: Tensor, value: Tensor) -> Tensor:
        """Log probability of every answer to pairs, by the model of ties or grades if any."""
        answers, problem = self.of.answers, self.of.problem
        if answers.model is None:
            return torch.stack([logsigmoid(margin), logsigmoid(-margin)])
        outcome = problem.judging(self.psi)[0].unsqueeze(0)
        width, log_factor = problem.width, margin.new_zeros(1, 1, 1)
        if width is not None:
            log_factor = width.log_factor(value).squeeze(-1).unsqueeze(0)
        parts = []
        for side, level in zip(
            answers.direction[:, 0].tolist(), answers.level.tolist(), strict=True
        ):
            one = replace(answers.model, level=torch.full((len(margin),), level))
            signed = (margin if side >= 0 else -margin).unsqueeze(0)
            parts.append(one.at(signed, outcome, log_factor)[0])
        return torch.stack(parts)

    def people(
        self, rows: Tensor, points: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Answers of new respondents, and with other strengths, as of latent classes."""
        design = self.of.problem.design
        z = torch.randn(1, points, design.n_latent, generator=generator, dtype=torch.float64)
        value = _drawn(design, self.psi, z, None, generator).expand(len(rows), -1, -1)
        other = z.clone()
        if design.strength is not None and design.strength.latent:
            other[..., 0] = torch.randn(1, points, generator=generator, dtype=torch.float64)
        again = _drawn(design, self.psi, other, None, generator).expand(len(rows), -1, -1)
        margin = self._margins(rows, value)
        return self._log_prob(rows, value).exp(), self._log_prob(rows, again).exp(), margin

    def individual(self) -> tuple[float, float]:
        """Shrinkage and reliability of coefficients, each in units of its feature's size."""
        scale, share = self.of.problem.rms, self.weights.unsqueeze(-1)
        value = self.value[..., : len(scale)] * scale
        mean = (share * value).sum(1)
        variance = (share * (value - mean.unsqueeze(1)).square()).sum(1)
        population = (_population(self.of.problem.design, self.psi) * scale).var(0)
        return pooled(mean, variance, population)
