"""What `fit` is given: is it data, are they priors, do the options go together?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mixlogit.choice import FAMILIES, strength
from mixlogit.data import ChoiceSets, Comparisons, Streamed
from mixlogit.errors import UsageError
from mixlogit.models.covariates import Covariates
from mixlogit.models.outcome_problem import Ties, Width, make_problem
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem
from mixlogit.models.taste_class_fit import MOST_TASTES
from mixlogit.models.taste_problem import RandomTastes

__all__ = ["Options", "check_arguments", "check_kinds"]


def check_kinds(data: Any, priors: Any) -> None:
    """Refuse what is no data, or no priors, and say how to make them.

    Raises:
        UsageError: For anything else.

    Example:
        >>> check_kinds([0.5, 1.0], None)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: Expected Comparisons or ChoiceSets but got list. Make them by \
mixlogit.load(data, ...), which takes paths, data frames and data sets.
    """
    if not isinstance(data, Comparisons | ChoiceSets | Streamed):
        raise UsageError(
            f"Expected Comparisons or ChoiceSets but got {type(data).__name__}. Make them by "
            "mixlogit.load(data, ...), which takes paths, data frames and data sets."
        )
    if priors is not None and not isinstance(priors, Priors):
        raise UsageError(
            f"Expected Priors but got {type(priors).__name__}. Write Priors(cv_scale=0.5); the "
            f"others are {', '.join(name for name in vars(Priors()) if name != 'cv_scale')}."
        )


@dataclass(frozen=True)
class Options:
    """What a problem is made of besides the data, as `fit` takes it."""

    tastes: int
    random: RandomTastes | None
    panel: bool | None
    by: Sequence[str]
    priors: Priors | None
    classes: int
    contrarians: bool
    ties: Ties
    width: Width
    covariates: Covariates | None
    strength_covariates: Covariates | None
    context: str

    def problem(self, data: Comparisons | ChoiceSets | Streamed) -> Problem:
        """The problem of a fit without random tastes."""
        return make_problem(
            data,
            ties=self.ties,
            width=self.width,
            panel=self.panel,
            by=self.by,
            priors=self.priors,
            n_classes=self.classes,
            contrarians=self.contrarians,
            covariates=self.covariates,
            context=self.context,
        )


def check_arguments(
    data: object, family: str | None, options: Options, draws: int, inference: str
) -> str:
    """The family; refuses arguments that cannot be used.

    Args:
        data: The data.
        family: The family asked for, or None.
        options: What the problem is made of.
        draws: Draws of the posterior.
        inference: How they are drawn.

    Raises:
        UsageError: For arguments that cannot be used.
    """
    check_kinds(data, options.priors)
    if family is None:
        family = "fixed" if options.random or options.tastes > 1 else "lognormal"
    if not 1 <= options.tastes <= MOST_TASTES:
        raise UsageError(f"Expected 1 to {MOST_TASTES} tastes but got {options.tastes}.")
    if options.random and options.tastes > 1:
        raise UsageError("--tastes and --random are two models of taste. Name one of them.")
    if family not in FAMILIES:
        strength(family)  # says which families there are
    if options.classes < 2:
        raise UsageError(f"Expected at least 2 classes but got {options.classes}.")
    if draws < 1:
        raise UsageError(f"Expected at least 1 draw but got {draws}.")
    if options.strength_covariates is not None and not options.random:
        raise UsageError(
            "`strength_covariates` stand beside random tastes. With one taste give `covariates`."
        )
    by = options.by
    if isinstance(by, str):
        raise UsageError(f'Expected `by` to be a list of group columns but got "{by}".')
    if len(set(by)) < len(by):
        raise UsageError(f"Expected different group columns but got {', '.join(by)}.")
    if inference not in ("auto", "nuts", "laplace", *(["svi"] if options.random else [])):
        raise UsageError(f'Expected inference "auto", "nuts" or "laplace" but got "{inference}".')
    return family
