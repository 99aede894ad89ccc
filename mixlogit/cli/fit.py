"""`mixlogit fit`: from preference data to a posterior of preference strength."""

from typing import Annotated, Any, Literal

import typer

from mixlogit.cli.fitting import run_maximum, run_posterior
from mixlogit.cli.invocation import Invocation
from mixlogit.errors import UsageError

__all__ = ["fit"]

_PRIORS = "Priors"
_PANEL = "One strength a respondent, or one a comparison (default: by the data)."
_INFERENCE = "Fast way, NUTS, normal approximation; or the flat-prior maximum."

_Family = Annotated[
    str, typer.Option(help="Strength family: fixed, lognormal, gamma, normal or classes.")
]
_Panel = Annotated[bool | None, typer.Option("--panel/--no-panel", help=_PANEL)]
_Inference = Annotated[
    Literal["auto", "nuts", "laplace", "maximum"], typer.Option(help=_INFERENCE)
]


def _prior(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_PRIORS)


def fit(
    call: Invocation,
    *,
    family: _Family = "lognormal",
    panel: _Panel = None,
    lapse: Annotated[
        bool, typer.Option("--lapse/--no-lapse", help="Let a share of votes be random.")
    ] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence/--no-evidence", help="Mixed against fixed strength.")
    ] = True,
    inference: _Inference = "auto",
    classes: Annotated[int, typer.Option(help="Classes of the family of that name.")] = 2,
    contrarians: Annotated[
        bool, typer.Option("--contrarians", help="The first class has negative strength.")
    ] = False,
    posterior_draws: Annotated[int, typer.Option(help="Draws of the posterior.")] = 2000,
    test: Annotated[
        str | None, typer.Option(help="Held-out votes, in the same columns.", metavar="FILE")
    ] = None,
    test_fraction: Annotated[
        float | None, typer.Option(help="Share of the votes to hold out.", metavar="P")
    ] = None,
    prior_mean: Annotated[float | None, _prior("Median of the mean strength.")] = None,
    prior_mean_sd: Annotated[float | None, _prior("Sd of the log mean strength.")] = None,
    prior_cv: Annotated[float | None, _prior("Scale of the half-normal cv.")] = None,
    prior_group: Annotated[float | None, _prior("Scale of the group effects' sds.")] = None,
    prior_lapse: Annotated[str | None, _prior("Beta of the lapse rate, as 1,9.")] = None,
    prior_utility: Annotated[float | None, _prior("Sd of items' utilities.")] = None,
) -> int:
    """Fit preference data: the posterior of preference strength, with checks and a verdict.

    Exit code 4: the fit finished, but a check failed.
    """
    priors = {
        "mean": prior_mean,
        "log_mean_sd": prior_mean_sd,
        "cv_scale": prior_cv,
        "group_scale": prior_group,
        "lapse": _beta(prior_lapse),
        "utility_sd": prior_utility,
    }
    given = {name: value for name, value in priors.items() if value is not None}
    asked: dict[str, Any] = {"family": family, "panel": panel, "lapse": lapse}
    if inference == "maximum":
        of_posteriors = {"by": call.columns["groups"], "prior": given}
        of_posteriors |= {"test": test, "test-fraction": test_fraction}
        return run_maximum(call, asked, of_posteriors)
    asked |= {"evidence": evidence, "inference": inference, "draws": posterior_draws}
    asked |= {"classes": classes, "contrarians": contrarians}
    return run_posterior(call, asked, given, test, test_fraction)


def _beta(text: str | None) -> tuple[float, float] | None:
    """The two parameters of a Beta distribution, from `1,9`."""
    if text is None:
        return None
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        message = f'--prior-lapse must be two numbers such as 1,9, not "{text}".'
        raise UsageError(message) from None
    return first, second
