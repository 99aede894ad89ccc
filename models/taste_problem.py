"""Data made ready for random tastes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.outcomes import TieModel
from mixlogit.choice.panel_sets import Block, ChoiceRows, make_blocks
from mixlogit.choice.simulated import Sampling, SimulatedLikelihood
from mixlogit.choice.taste_strength import taste_strength
from mixlogit.choice.taste_width import TasteWidth
from mixlogit.choice.tastes import TasteDesign, parse_random
from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.covariates import CovariateMatrix, Covariates
from mixlogit.models.outcome_parameters import outcome_names
from mixlogit.models.outcome_problem import OutcomeProblem, make_problem, within_rms
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem
from mixlogit.models.taste_rows import judged_rows, taste_width
from mixlogit.models.taste_shifts import StrengthShifts
from mixlogit.models.units import Units

__all__ = ["Random", "RandomTastes", "TasteProblem", "refuse_with_tastes"]

_ELEMENTS = 1_000_000  # sets x alternatives x draws of a block


@dataclass(frozen=True)
class RandomTastes:
    """Which coefficients differ between respondents, and how that is integrated.

    Args:
        random: `"price:-lognormal,time:normal"` or the same as a dictionary: "normal",
            "lognormal", "-lognormal" (negative) or "triangular"; all others are fixed.
        correlated: Whether they are correlated; or a number of common factors.
        draws: Draws of each respondent's tastes.
        sampling: "adaptive" (importance draws around each respondent's own tastes), or draws
            from the population: scrambled "sobol", "halton".

    Example:
        >>> RandomTastes("price:-lognormal,time:normal", correlated=True).draws
        256
    """

    random: str | Mapping[str, str]
    correlated: bool | int = False
    draws: int = 256
    sampling: Sampling = "adaptive"

    @classmethod
    def of(cls, random: "Random") -> "RandomTastes":
        """What was asked for, however it was written."""
        return random if isinstance(random, RandomTastes) else cls(random)

    @property
    def families(self) -> dict[str, str]:
        """Distribution by name of the feature."""
        return parse_random(self.random) if isinstance(self.random, str) else dict(self.random)


Random = str | Mapping[str, str] | RandomTastes


def refuse_with_tastes(options: Mapping[str, object]) -> None:
    """Raise a `UsageError` for options that random tastes cannot be joined with.

    Args:
        options: Option to its value; those that are true are refused.
    """
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise UsageError(f"--random cannot be joined with {', '.join(given)}.")


@dataclass(frozen=True, eq=False)
class TasteProblem:
    """Choices by features with random coefficients.

    Args:
        data: Choice sets with features, or comparisons with features.
        design: Which coefficients are random.
        random: How that was asked for.
        seed: Seed of the draws.
        alone: The same data with one taste for all, under the same priors of its coefficients.
        people: Covariates of respondents, which taste means are linear in.
        lapse: Whether judgements may be made at random.
    """

    data: Any
    design: TasteDesign
    random: RandomTastes
    seed: int
    alone: Problem
    people: CovariateMatrix | None = None
    lapse: bool = False

    @classmethod
    def of(
        cls,
        data: Comparisons | ChoiceSets,
        random: Random,
        family: str,
        seed: int,
        *,
        priors: Priors | None = None,
        covariates: Covariates | None = None,
        strength_covariates: Covariates | None = None,
        lapse: bool = False,
        **options: Any,
    ) -> "TasteProblem":
        """Check what was asked for.

        Args:
            data: The data.
            random: Which coefficients are random.
            family: Strength family.
            seed: Seed of the draws.
            priors: The priors.
            covariates: Covariates of respondents, on taste means.
            strength_covariates: Covariates of respondents, on mean strength.
            lapse: Whether judgements may be made at random.
            **options: `ties`, `width`, `by`, `context`, `n_classes` and `contrarians`, as for
                `make_problem`.

        Raises:
            UsageError: Data without features, or what cannot be joined.
        """
        if data.features is None:
            raise UsageError("Random tastes need features: name their columns with --features.")
        alone = make_problem(data, priors=priors, covariates=strength_covariates, **options)
        people = None if covariates is None else covariates.matrix()
        strength = taste_strength(family, alone.spec.n_classes, contrarians=alone.spec.contrarians)
        asked, model = RandomTastes.of(random), _tie_model(alone, family)
        if options.get("width", "shared") == "strength" and (model is None or not model.exponent):
            raise UsageError(
                "--width strength needs a strength that differs and is positive: name --family "
                "lognormal, gamma or classes."
            )
        design = TasteDesign(
            tuple(data.feature_names),
            asked.families,
            asked.correlated,
            strength,
            () if people is None else people.names,
            _names_of_judging(alone, model, lapse=lapse),
            exponent=model is not None and model.exponent,
            widths=model is not None and model.widths,
        )
        if people is not None and not design.drawn:
            raise UsageError("A taste formula moves random coefficients. Name some by --random.")
        made = cls(data, design, asked, seed, alone, people, lapse)
        basis = torch.diag(1.0 / made.rms)
        alone.spec = replace(alone.spec, utility_basis=basis)
        return made

    @property
    def family(self) -> str:
        """Name of the strength family."""
        return "fixed" if self.design.strength is None else self.design.strength.family

    @property
    def priors(self) -> Priors:
        """The priors."""
        return self.alone.priors

    @cached_property
    def model(self) -> TieModel | None:
        """How ties or grades are modelled; None for choices and half votes."""
        return _tie_model(self.alone, self.family)

    @cached_property
    def width(self) -> TasteWidth | None:
        """How zones of indifference differ between respondents; None where all share them."""
        return taste_width(len(self.design.features), self.model)

    @cached_property
    def shifts(self) -> StrengthShifts:
        """What moves strength."""
        return StrengthShifts.of(self.alone)

    def judging(self, psi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Parameters of ties or grades, slopes of log strength, log odds of a lapse if any.

        Args:
            psi: `... x parameter`.
        """
        tail = self.design.parts(psi)[-1]
        lapse, slopes = int(self.lapse), len(self.shifts.names)
        first, second, third = tail.split([tail.shape[-1] - slopes - lapse, slopes, lapse], -1)
        return first, second, third

    @cached_property
    def panel(self) -> bool:
        """Whether respondents made several judgements each."""
        return self.data.respondent is not None

    @cached_property
    def rms(self) -> Tensor:
        """Typical size of each feature's differences within a judgement: a `feature`-vector."""
        if isinstance(self.data, ChoiceSets):
            return within_rms(self.data)
        rms: Tensor = 0.5 * self.data.features.square().mean(0).sqrt()
        return torch.where(rms > 0, rms, 1.0)

    @property
    def whole(self) -> Any:
        """All judgements: the data themselves."""
        return self.data

    @cached_property
    def units(self) -> Units:
        """Who has tastes of their own."""
        return Units.of(self.data, (), panel=self.panel)

    @cached_property
    def unit_sizes(self) -> Tensor:
        """Judgements of each unit, a `unit`-vector."""
        return torch.bincount(self.units.of_comparison, minlength=len(self.units.block))

    @property
    def columns(self) -> tuple[str, ...]:
        """Group columns of the fit: none."""
        return ()

    @cached_property
    def context_values(self) -> Tensor | None:
        """What log strength is linear in, `judgement x slope`; None without."""
        return self.shifts.values(self.data)

    def unit_labels(self) -> list[str]:
        """Names of the respondents in the order of the likelihood."""
        return self.labels()

    def blocks(self) -> list[Block]:
        """The choices by respondent; without respondents each judgement is its own."""
        largest = max(1, _ELEMENTS // (self.random.draws * self.design.copies))
        return make_blocks(self.rows_of(self.data), self.unit_of_judgement, largest)

    def rows_of(self, data: Comparisons | ChoiceSets) -> ChoiceRows:
        """The choices that judgements consist of.

        Args:
            data: Judgements with the features of the fit.
        """
        context = self.context_values if data is self.data else self.shifts.values(data)
        return judged_rows(data, self.model, context=context, lapse=self.lapse)

    @cached_property
    def unit_of_judgement(self) -> Tensor:
        """Respondent of each judgement, without gaps in the numbers; else the judgement."""
        n = len(self.data)
        who = self.data.respondent.codes if self.panel else torch.arange(n)
        unit: Tensor = torch.unique(who, return_inverse=True)[1]
        return unit

    def likelihood(self) -> SimulatedLikelihood:
        """The simulated likelihood, its draws still around 0."""
        return SimulatedLikelihood(
            self.blocks(),
            self.design,
            draws=self.random.draws,
            sampling=self.random.sampling,
            seed=self.seed,
            covariates=self.covariates_of(self.data),
        )

    def covariates_of(self, data: Comparisons | ChoiceSets) -> Tensor | None:
        """Covariates of the respondents of data, in the order of the likelihood; None without.

        Raises:
            DataError: For a respondent who has no row of them.
        """
        if self.people is None:
            return None
        self.people.join(data)
        rows = [self.people.row[name] for name in replace(self, data=data).labels()]
        values: Tensor = self.people.values[rows]
        return values

    def labels(self) -> list[str]:
        """Names of the respondents in the order of the likelihood."""
        if not self.panel:
            return [str(k + 1) for k in range(len(self.data))]
        seen = self.data.respondent.codes.unique().tolist()
        return [self.data.respondent.labels[code] for code in seen]


def _tie_model(problem: Problem, family: str) -> TieModel | None:
    """The model of ties or grades of a problem with a family of strength."""
    if not isinstance(problem, OutcomeProblem) or isinstance(problem.data, ChoiceSets):
        return None
    model = problem.joint(family).spec.outcome
    assert isinstance(model, TieModel)
    return model


def _names_of_judging(alone: Problem, model: TieModel | None, *, lapse: bool) -> tuple[str, ...]:
    """Names of the parameters of ties or grades, of what moves strength, and of lapses."""
    names = () if model is None else outcome_names(model)
    exponent = ("width exponent",) if model is not None and model.exponent else ()
    return (
        *names,
        *exponent,
        *StrengthShifts.of(alone).names,
        *(("log odds of a lapse",) if lapse else ()),
    )
