"""`mixlogit fit`: from preference data to a posterior of preference strength."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mixlogit.cli.invocation import Invocation
from mixlogit.cli.report import Trace, report_text, write_results
from mixlogit.cli.summary import data_line
from mixlogit.errors import UsageError

if TYPE_CHECKING:
    from mixlogit.data import Comparisons

__all__ = ["fit"]

_CHECK_FAILED = 4
_PRIORS = "Priors"


def _prior(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_PRIORS)


def fit(
    call: Invocation,
    *,
    family: Annotated[
        str, typer.Option(help="Strength family: fixed, lognormal, gamma, normal or classes.")
    ] = "lognormal",
    panel: Annotated[
        bool | None,
        typer.Option(
            "--panel/--no-panel",
            help="One strength a respondent, or one a comparison (default: by the data).",
        ),
    ] = None,
    lapse: Annotated[
        bool, typer.Option("--lapse/--no-lapse", help="Let a share of votes be random.")
    ] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence/--no-evidence", help="Mixed against fixed strength.")
    ] = True,
    inference: Annotated[
        Literal["auto", "nuts"], typer.Option(help="How the posterior is found.")
    ] = "auto",
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
    asked: dict[str, Any] = {"family": family, "panel": panel, "lapse": lapse}
    asked |= {"evidence": evidence, "inference": inference, "draws": posterior_draws}
    asked |= {"classes": classes, "contrarians": contrarians}
    return run_fit(call, asked, priors, test, test_fraction)


def run_fit(
    call: Invocation,
    asked: dict[str, Any],
    priors: dict[str, Any],
    test: str | None,
    test_fraction: float | None,
) -> int:
    """Read, fit, write the run folder, say what was learnt."""
    import mixlogit as ml

    path = call.output or Path("runs") / _slug(call.columns["data"])
    with call.folder(path) as run:
        data, held_out = _read(call, test, test_fraction)
        call.terminal.say(f"data     {data_line(data)}")
        label = f"fit      {asked['family']}"
        with call.terminal.progress(label) as show:
            trace = Trace(show)
            posterior = ml.fit(
                data,
                by=list(call.columns["groups"]),
                priors=ml.Priors(**{k: v for k, v in priors.items() if v is not None}),
                seed=call.seed,
                progress=trace,
                **asked,
            )
        result = posterior.to_dict()
        if held_out is not None:
            result["held_out"] = posterior.held_out(held_out)
        text = report_text(posterior, result)
        write_results(run.folder, data, posterior, result, text)
        trace.write(run.folder / "metrics.jsonl")
        failed = not all(check.ok for check in posterior.checks)
        run.state = "check failed" if failed else "done"
    call.terminal.say(text)
    call.terminal.say(f"Wrote {path}")
    call.terminal.result({"run": str(path), **result})
    return _CHECK_FAILED if failed else 0


def _read(
    call: Invocation, test: str | None, fraction: float | None
) -> tuple["Comparisons", "Comparisons | None"]:
    """The votes to fit, and those held out."""
    if test is not None and fraction is not None:
        raise UsageError("--test and --test-fraction are both given. Name one of them.")
    data = call.load()
    if fraction is not None:
        return data.split(fraction, seed=call.seed)
    return data, None if test is None else call.load(test)


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


def _slug(data: str) -> str:
    """A folder name from a path or hub id."""
    name = Path(data).name.split(".")[0] or Path(data).resolve().name
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "fit"
