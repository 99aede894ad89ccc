"""After training: the strength that is reported."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mixlogit.align.settings import AlignSettings
from mixlogit.data import Comparisons
from mixlogit.errors import UsageError
from mixlogit.models import Posterior, fit
from mixlogit.models.held_out import held_out_log_scores
from mixlogit.models.problem import Problem
from mixlogit.models.threads import few_threads
from mixlogit.run import Progress

__all__ = ["log_predictive", "refit", "spread_warning"]

_SCORE, SPREAD = 0.002, 1.05  # nats a vote lost, factor of the spread gained
FREE = 5.0  # scale of the prior of cv: lognormal strength of log-sd 2 has a cv of 7
# sd of the prior of log mean: margins of a short training are small, whatever beta
_ANY_SCALE = 3.0


def refit(
    data: Comparisons,
    margin: Tensor,
    settings: AlignSettings,
    *,
    cv_scale: float = FREE,
    evidence: bool = True,
    draws: int = 2000,
    progress: Progress | None = None,
) -> Posterior:
    """Fit mean and spread freely on the finished policy's margins.

    The spread learned in training is a parameter of training: under an anchored mean, with
    margins that move, it understates. This posterior is the estimate.

    Args:
        data: The training comparisons.
        margin: The finished policy's margins, refreshed, a `comparison`-vector.
        settings: How strength entered. With contrarians the normal family is fitted, whose
            share of negative strength is their estimate.
        cv_scale: Scale of the half-normal prior of cv. Wide by default: margins of a policy that
            learned from unequal judges have told already that strength differs, and the usual
            scale of 1 would pull in a large spread.
        evidence: Weigh mixed against fixed strength.
        draws: Draws of the posterior.
        progress: Called with a stage, steps done and steps in all.

    Returns:
        The posterior, as from `mixlogit.fit`.

    Raises:
        UsageError: If the policy equals its reference.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, "lognormal", mean=0.1, cv=0.5, seed=1).comparisons()
        >>> posterior = refit(data, data.margin, AlignSettings(), evidence=False, draws=400)
        >>> posterior.family, posterior.panel
        ('lognormal', True)
    """
    if not bool(margin.any()):
        raise UsageError(
            "The policy equals its reference: all margins are 0, and no strength can be fitted. "
            "Raise --learning-rate or --max-steps."
        )
    family, how = _arguments(data, settings, cv_scale)
    return fit(
        replace(data, margin=margin.detach().cpu().double()),
        family,
        **how,
        lapse=settings.lapse != 0,
        evidence=evidence,
        draws=draws,
        seed=settings.seed,
        progress=progress,
    )


def log_predictive(
    data: Comparisons, settings: AlignSettings, test: Comparisons, posterior: Posterior
) -> Tensor:
    """Log probability of the recorded choice of each decided comparison that was held out.

    Under the posterior of `refit`, which may have been read from a folder: a respondent of the
    training counts with their own strength, a new one as the population.

    Args:
        data: The training comparisons, with the finished policy's margins.
        settings: How strength entered.
        test: Held-out comparisons with margins and the same group columns.
        posterior: What `refit` found on the training comparisons.

    Returns:
        A vector with one log probability a decided comparison, nats.

    Raises:
        UsageError: For comparisons that cannot be scored.
    """
    family, how = _arguments(data, settings, FREE)
    how["n_classes"] = how.pop("classes")
    problem = Problem(data, **how)
    theta = posterior.to_datatree()["unconstrained_posterior"]["theta"].to_numpy()
    with few_threads(len(problem.index)):
        joint = problem.joint(family, lapse=settings.lapse != 0)
        draws = torch.from_numpy(theta).reshape(-1, 1, joint.size)
        return held_out_log_scores(problem, joint, draws, test)


def _arguments(
    data: Comparisons, settings: AlignSettings, cv_scale: float
) -> tuple[str, dict[str, Any]]:
    """The family, and what else of the settings a fit takes."""
    signed = settings.contrarians and settings.family != "classes"
    panel = data.respondent is not None if settings.panel is None else settings.panel
    return "normal" if signed else settings.family, {
        "panel": panel,
        "by": settings.by,
        "classes": settings.classes,
        "contrarians": settings.contrarians and not signed,
        "priors": replace(
            settings.priors, mean=settings.beta, log_mean_sd=_ANY_SCALE, cv_scale=cv_scale
        ),
    }


def spread_warning(spread: list[float], score: list[float]) -> str | None:
    """What to say when the spread rises while the validation score falls.

    A policy that overfits makes margins that agree with every vote, and these look like strong
    respondents.

    Args:
        spread: cv of strength at each evaluation.
        score: Mean validation log score at each, nats a vote.

    Returns:
        One sentence, or None.

    Example:
        >>> print(spread_warning([0.5, 0.6, 0.8], [-0.52, -0.50, -0.51]))
        The spread of strength rose from 0.60 to 0.80 while the validation score fell from \
-0.5000 to -0.5100: the policy overfits, and the spread with it. Stop at evaluation 2.
        >>> spread_warning([0.5, 0.6], [-0.52, -0.50]) is None
        True
    """
    best = max(range(len(score)), key=score.__getitem__)
    if score[-1] > score[best] - _SCORE or spread[-1] < SPREAD * spread[best]:
        return None
    return (
        f"The spread of strength rose from {spread[best]:.2f} to {spread[-1]:.2f} while the "
        f"validation score fell from {score[best]:.4f} to {score[-1]:.4f}: the policy overfits, "
        f"and the spread with it. Stop at evaluation {best + 1}."
    )
