"""`mixlogit power`: plan a study of how strength differs."""

from typing import Annotated

import typer

from mixlogit.cli.invocation import Invocation
from mixlogit.errors import UsageError
from mixlogit.run import write_json

__all__ = ["power"]


def power(
    call: Invocation,
    *,
    votes: Annotated[int, typer.Option(help="Votes of each respondent.", metavar="N")],
    respondents: Annotated[
        int | None, typer.Option(help="Respondents; or ask by --target.", metavar="A")
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(help="How many respondents reach this probability?", metavar="P"),
    ] = None,
    cv: Annotated[
        float, typer.Option(help="True coefficient of variation; 0: false alarms.", metavar="C")
    ] = 0.6,
    family: Annotated[
        str, typer.Option(help="Strength family: lognormal, gamma, normal or classes.")
    ] = "lognormal",
    mean: Annotated[float, typer.Option(help="Mean strength.", metavar="M")] = 1.0,
    margin_sd: Annotated[
        float, typer.Option(help="Standard deviation of margins.", metavar="S")
    ] = 2.0,
    lapse: Annotated[float, typer.Option(help="Share of random votes.", metavar="P")] = 0.0,
    studies: Annotated[int, typer.Option(help="Studies to simulate.", metavar="N")] = 100,
) -> None:
    """How probably would a study find that strength differs, or how large must it be?

    With --output the result is written to a folder too.
    """
    import mixlogit as ml

    if (respondents is None) == (target is None):
        raise UsageError("Name one of --respondents and --target.")
    with call.terminal.progress("power") as show:
        found = ml.power(
            respondents,
            votes,
            cv,
            family,
            target=target or 0.8,
            mean=mean,
            margin_sd=margin_sd,
            lapse=lapse,
            studies=studies,
            seed=call.seed,
            progress=show,
        )
    said = "strength differs" if cv > 0 else "a false alarm"
    call.terminal.say(
        f"power    {found.respondents:,} respondents x {votes} votes, cv {cv:g}: probability of "
        f'"{said}" {found.probability:.2f} +- {found.se:.2f} ({studies} studies)'
    )
    if call.output is not None:
        with call.folder(call.output) as folder:
            write_json(folder.folder / "summary.json", found.to_dict())
        call.terminal.say(f"Wrote {call.output}")
    call.terminal.result(found.to_dict())
