"""`mixlogit report`: one HTML file of a run."""

from pathlib import Path
from typing import Annotated

import typer

from mixlogit.cli.invocation import Invocation
from mixlogit.cli.terminal import Terminal
from mixlogit.errors import StorageError

__all__ = ["Report", "finish", "report"]

Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Write report.html into the run folder.")
]


def report(
    call: Invocation,
    *,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of fit or align.")],
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Show the texts of the most surprising votes.")
    ] = False,
) -> int:
    """Write the report of a run: one HTML file without scripts or outside requests.

    By default report.html in the run folder; it is made anew each time. With --show-text the
    prompts and texts of the most surprising votes are read again from the data file.
    """
    from mixlogit import analysis

    output = call.output or run / "report.html"
    if call.output is not None and output.exists() and not call.overwrite:
        raise StorageError(f"{output} exists. Choose another --output, or add --overwrite.")
    written = analysis.report(run, output, show_text=show_text)
    size = written.stat().st_size
    call.terminal.say(f"Wrote {written} ({size / 1000:,.0f} kB)")
    call.terminal.result({"run": str(run), "report": str(written), "bytes": size})
    return 0


def finish(terminal: Terminal, run: Path, *, report: bool) -> None:
    """Say where a finished run lies, and write its report; without one the run is still whole.

    Args:
        terminal: Where to say it.
        run: The run folder.
        report: Whether to write the report.
    """
    from mixlogit import analysis

    written = run
    if report:
        try:
            written = analysis.report(run)
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            terminal.warn(
                f"{run} is complete, but its report could not be written: {reason} "
                f'"mixlogit report {run}" tries again.'
            )
    terminal.say(f"Wrote {written}")
