"""How strength enters an alignment: settings, their checks, and named recipes."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mixlogit.choice import FAMILIES, strength
from mixlogit.errors import UsageError
from mixlogit.models import Priors

__all__ = ["RECIPES", "AlignSettings"]

# MixDPO (mixed logit), arXiv 2601.06180: see docs/alignment.md for what the paper leaves open
RECIPES: dict[str, dict[str, Any]] = {
    "mixdpo": {"family": "lognormal", "panel": False, "anchor": None, "draws": 16},
    "mixdpo-gamma": {"family": "gamma", "panel": False, "anchor": None},
}


@dataclass(frozen=True)
class AlignSettings:
    """How strength enters an alignment.

    Attributes:
        family: Strength family.
        beta: The strength of DPO; what `anchor` holds fixed.
        anchor: "mean" keeps E[b] at `beta` (over the population, whatever the groups), "median"
            the median; None learns the mean, starting at `beta`.
        panel: One strength for each respondent; None: where there are respondents.
        by: Group columns with effects on the mean and the spread of strength.
        lapse: Share of votes given at random, a number or "learned"; twice the flip rate of
            robust DPO.
        contrarians: Let a learned share of respondents have negative strength (panel only).
        draws: Monte Carlo points in place of the exact probability (per comparison only).
        classes: Classes of the `classes` family.
        burn_in: Epochs of DPO before the panel's weights are used, while the table fills.
        priors: Priors of the hyper-parameters; `priors.mean` is not used, `beta` takes its place.
        rate: Learning rate of the hyper-parameters' own optimiser.
        seed: Seed of the draws from the guide and of the Monte Carlo points.

    Raises:
        UsageError: For settings that cannot be used together.

    Example:
        >>> AlignSettings(beta=0.1).anchor
        'mean'
        >>> AlignSettings.recipe("mixdpo", beta=0.1).draws
        16
        >>> AlignSettings(beta=-1)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: Expected beta > 0 but got -1.
    """

    family: str = "lognormal"
    beta: float = 0.1
    anchor: Literal["mean", "median"] | None = "mean"
    panel: bool | None = None
    by: tuple[str, ...] = ()
    lapse: float | Literal["learned"] = 0.0
    contrarians: bool = False
    draws: int | None = None
    classes: int = 2
    burn_in: int = 0
    priors: Priors = field(default_factory=Priors)
    rate: float = 0.02
    seed: int = 0

    @classmethod
    def recipe(cls, name: str, **settings: Any) -> "AlignSettings":
        """A named recipe; `settings` complete it and may not contradict it.

        Raises:
            UsageError: For an unknown recipe, or a setting that contradicts it.
        """
        if name not in RECIPES:
            raise UsageError(f"No recipe '{name}'. Expected one of {', '.join(RECIPES)}.")
        for key, value in RECIPES[name].items():
            if key in settings and settings[key] != value:
                raise UsageError(f"Recipe '{name}' has {key}={value!r}, not {settings[key]!r}.")
        return cls(**settings | RECIPES[name])

    def __post_init__(self) -> None:
        """Refuse what cannot be used."""
        if self.family not in FAMILIES:
            strength(self.family)  # says which families there are
        for name in ("beta", "rate"):
            if not getattr(self, name) > 0:
                raise UsageError(f"Expected {name} > 0 but got {getattr(self, name)}.")
        if self.anchor not in ("mean", "median", None):
            raise UsageError(f'Expected anchor "mean", "median" or None but got {self.anchor!r}.')
        if self.anchor == "median" and self.family == "classes":
            raise UsageError("Classes have no smooth median. Choose anchor mean or none.")
        if self.lapse != "learned" and not (
            isinstance(self.lapse, int | float) and 0 <= self.lapse < 1
        ):
            raise UsageError(
                f'Expected lapse from 0 to below 1, or "learned", but got {self.lapse!r}.'
            )
        if self.draws is not None and self.draws < 1:
            raise UsageError(f"Expected draws of at least 1 but got {self.draws}.")
        if self.burn_in < 0:
            raise UsageError(f"Expected burn_in of at least 0 epochs but got {self.burn_in}.")
        if self.contrarians and self.family == "normal":
            raise UsageError("Normal strength is negative for some already; drop contrarians.")

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)
