"""`MixDPOConfig`: the trainer's arguments."""

from dataclasses import dataclass, field
from typing import Any, Literal

from transformers import TrainingArguments

from mixlogit.align.settings import AlignSettings
from mixlogit.models import Priors

__all__ = ["MixDPOConfig"]


@dataclass
class MixDPOConfig(TrainingArguments):
    """Arguments of `MixDPOTrainer`: those of transformers, and how strength enters.

    What TRL's DPOConfig has too is named as there.

    Attributes:
        beta: The strength of DPO; what `anchor` holds fixed.
        family: Strength family.
        anchor: "mean", "median", or None to learn the mean.
        panel: One strength for each respondent; None: where there are respondents.
        respondent: Column of who judged; "respondent" if there is one.
        by: Group columns with effects on strength.
        outcome: Column of outcomes, where the chosen answer is not always the preferred one.
        weight: Column of weights.
        lapse: Share of votes given at random, a number or "learned".
        contrarians: Let a learned share of respondents have negative strength.
        draws: Monte Carlo points in place of the exact probability.
        classes: Classes of the `classes` family.
        burn_in: Epochs of DPO before the panel's weights are used.
        strength_learning_rate: Learning rate of the strength's own optimiser.
        prior_cv: Scale of the half-normal prior of cv.
        recipe: A named recipe, such as "mixdpo", that sets several of these.
        max_length: Most tokens of a prompt with one answer; None cuts nothing.
        truncation_mode: What remains of longer ones, "keep_start" or "keep_end".
        disable_dropout: Train without dropout.
        score_tokens: Most tokens that go through a model at a time where nothing is trained.

    Example:
        >>> MixDPOConfig(output_dir="runs/y", family="gamma", beta=0.2).strength().family
        'gamma'
    """

    beta: float = 0.1
    family: str = "lognormal"
    anchor: Literal["mean", "median"] | None = "mean"
    panel: bool | None = None
    respondent: str | None = None
    by: list[str] = field(default_factory=list)
    outcome: str | None = None
    weight: str | None = None
    lapse: float | Literal["learned"] = 0.0
    contrarians: bool = False
    draws: int | None = None
    classes: int = 2
    burn_in: int = 0
    strength_learning_rate: float = 0.02
    prior_cv: float = 1.0
    recipe: str | None = None
    max_length: int | None = None
    truncation_mode: Literal["keep_start", "keep_end"] = "keep_start"
    disable_dropout: bool = True
    score_tokens: int = 2048

    learning_rate: float = 1e-6
    report_to: Any = "none"
    remove_unused_columns: bool = False

    def strength(self) -> AlignSettings:
        """How strength enters, checked.

        Raises:
            UsageError: For settings that cannot be used together.
        """
        chosen: dict[str, Any] = {
            "beta": self.beta,
            "by": tuple(self.by),
            "lapse": self.lapse,
            "contrarians": self.contrarians,
            "classes": self.classes,
            "burn_in": self.burn_in,
            "priors": Priors(cv_scale=self.prior_cv),
            "rate": self.strength_learning_rate,
            "seed": self.seed,
        }
        own = {name: getattr(self, name) for name in ("family", "anchor", "panel", "draws")}
        if self.recipe is None:
            return AlignSettings(**chosen, **own)
        defaults = MixDPOConfig.__dataclass_fields__
        said = {name: value for name, value in own.items() if value != defaults[name].default}
        return AlignSettings.recipe(self.recipe, **chosen, **said)
