"""After training: the strength that is reported."""

from dataclasses import replace

from torch import Tensor

from mixlogit.align.settings import AlignSettings
from mixlogit.data import Comparisons
from mixlogit.errors import UsageError
from mixlogit.models import Posterior, fit

__all__ = ["refit", "spread_warning"]

_SCORE, _SPREAD = 0.002, 1.05  # nats a vote lost, factor of the spread gained
FREE = 5.0  # scale of the prior of cv: lognormal strength of log-sd 2 has a cv of 7


def refit(
    data: Comparisons,
    margin: Tensor,
    settings: AlignSettings,
    *,
    cv_scale: float = FREE,
    evidence: bool = True,
    draws: int = 2000,
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
    panel = data.respondent is not None if settings.panel is None else settings.panel
    signed = settings.contrarians and settings.family != "classes"
    return fit(
        replace(data, margin=margin.detach().cpu().double()),
        "normal" if signed else settings.family,
        panel=panel,
        by=settings.by,
        lapse=settings.lapse != 0,
        classes=settings.classes,
        contrarians=settings.contrarians and not signed,
        priors=replace(settings.priors, mean=settings.beta, cv_scale=cv_scale),
        evidence=evidence,
        draws=draws,
        seed=settings.seed,
    )


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
    if score[-1] > score[best] - _SCORE or spread[-1] < _SPREAD * spread[best]:
        return None
    return (
        f"The spread of strength rose from {spread[best]:.2f} to {spread[-1]:.2f} while the "
        f"validation score fell from {score[best]:.4f} to {score[-1]:.4f}: the policy overfits, "
        f"and the spread with it. Stop at evaluation {best + 1}."
    )
