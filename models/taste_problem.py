"""Data made ready for random tastes, and names for what is estimated."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.panel_sets import Block, make_blocks
from mixlogit.choice.simulated import Sampling, SimulatedLikelihood
from mixlogit.choice.tastes import TasteDesign, parse_random
from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.outcome_problem import padded_sets, within_rms
from mixlogit.models.units import Units, signed_rows

__all__ = ["Random", "RandomTastes", "TasteProblem", "named_tastes", "refuse_with_tastes"]

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
        data: Choice sets with features, or comparisons with features; ties are half votes.
        design: Which coefficients are random.
        draws: Draws of each respondent.
        sampling: How they are drawn.
        seed: Seed of the draws.
    """

    data: Any
    design: TasteDesign
    draws: int
    sampling: Sampling
    seed: int

    @classmethod
    def of(
        cls,
        data: Comparisons | ChoiceSets,
        random: Random,
        family: str,
        seed: int,
    ) -> "TasteProblem":
        """Check what was asked for.

        Raises:
            UsageError: Data without features, or a family of strength that cannot be joined.
        """
        if data.features is None:
            raise UsageError("Random tastes need features: name their columns with --features.")
        if family not in ("fixed", "lognormal"):
            raise UsageError(
                f'Random tastes go with "fixed" or "lognormal" strength but got "{family}".'
            )
        asked = RandomTastes.of(random)
        design = TasteDesign(
            tuple(data.feature_names),
            asked.families,
            asked.correlated,
            strength=family == "lognormal",
        )
        return cls(data, design, asked.draws, asked.sampling, seed)

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

    @property
    def whole(self) -> Any:
        """All judgements of the fit: they are never read in parts."""
        return self.data

    @property
    def context_values(self) -> None:
        """Covariates of comparisons: none."""

    def unit_labels(self) -> list[str]:
        """Names of the respondents in the order of the likelihood."""
        return self.labels()

    def rows(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Chosen minus other features, mask, weight and judgement, one row a choice."""
        data = self.data
        if isinstance(data, ChoiceSets):
            features, _, mask = padded_sets(data)
            assert features is not None
            ones = torch.ones(len(data), dtype=torch.float64)
            weight = ones if data.weight is None else data.weight
            return features[:, 1:], mask[:, 1:], weight, torch.arange(len(data))
        index, sign, weight = signed_rows(data.outcome, data.weight)
        features = (sign.unsqueeze(-1) * data.features[index]).unsqueeze(1)
        return features, torch.zeros(len(index), 1, dtype=torch.float64), weight, index

    def blocks(self) -> list[Block]:
        """The choices by respondent; without respondents each judgement is its own."""
        features, mask, weight, index = self.rows()
        who = self.data.respondent.codes[index] if self.panel else index
        seen = torch.unique(who, return_inverse=True)[1]
        return make_blocks(features, mask, weight, seen, max(1, _ELEMENTS // self.draws))

    def likelihood(self) -> SimulatedLikelihood:
        """The simulated likelihood, its draws still around 0."""
        return SimulatedLikelihood(
            self.blocks(),
            self.design,
            draws=self.draws,
            sampling=self.sampling,
            seed=self.seed,
        )

    def labels(self) -> list[str]:
        """Names of the respondents in the order of the likelihood."""
        if not self.panel:
            return [str(k + 1) for k in range(len(self.data))]
        seen = self.data.respondent.codes.unique().tolist()
        return [self.data.respondent.labels[code] for code in seen]


def named_tastes(design: TasteDesign, psi: Tensor) -> tuple[list[str], Tensor]:
    """What is reported, from the flat parameters.

    `mean[k]` and `sd[k]` of each coefficient over respondents; of lognormal ones also
    `log_mean[k]` and `log_sd[k]`; `correlation[k,l]` of the linear predictors; `cv` and `log_sd`
    of strength.

    Args:
        design: Which coefficients are random.
        psi: `draw x parameter`.

    Returns:
        Names, and values `draw x name`.
    """
    names: list[str] = []
    values: list[Tensor] = []

    def add(name: str, value: Tensor) -> None:
        names.append(name)
        values.append(value)

    matrix = design.matrix(psi)
    scale = matrix.square().sum(-1).clamp_min(1e-300).sqrt()
    for k, (name, family) in enumerate(zip(design.features, design.families, strict=True)):
        m, s = psi[:, k], scale[:, k]
        if family.endswith("lognormal"):
            sign = -1.0 if family.startswith("-") else 1.0
            mean = (m + s.square() / 2).exp()
            add(f"mean[{name}]", sign * mean)
            add(f"sd[{name}]", mean * torch.expm1(s.square()).sqrt())
            add(f"log_mean[{name}]", m)
            add(f"log_sd[{name}]", s)
        else:
            add(f"mean[{name}]", m)
            if family != "fixed":
                add(f"sd[{name}]", s / 6**0.5 if family == "triangular" else s)
    if design.correlated is not False:
        drawn = [k for k, family in enumerate(design.families) if family != "fixed"]
        cross = matrix @ matrix.mT
        for i, k in enumerate(drawn):
            for j in drawn[:i]:
                value = cross[:, k, j] / (scale[:, k] * scale[:, j])
                add(f"correlation[{design.features[j]},{design.features[k]}]", value)
    if design.strength:
        tau = psi[:, -1].abs()
        add("cv", torch.expm1(tau.square()).sqrt())
        add("log_sd", tau)
    return names, torch.stack(values, -1)
