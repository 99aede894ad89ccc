"""`mixlogit report`: one HTML file of a run."""

from pathlib import Path
from typing import Annotated

import typer

from mixlogit.cli.invocation import Invocation
from mixlogit.errors import StorageError

__all__ = ["report"]


def report(
    call: Invocation,
    *,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of fit or align.")],
) -> int:
    """Write the report of a run: one HTML file without scripts or outside requests.

    By default report.html in the run folder; it is made anew each time.
    """
    from mixlogit import analysis

    output = call.output or run / "report.html"
    if call.output is not None and output.exists() and not call.overwrite:
        raise StorageError(f"{output} exists. Choose another --output, or add --overwrite.")
    written = analysis.report(run, output)
    size = written.stat().st_size
    call.terminal.say(f"Wrote {written} ({size / 1000:,.0f} kB)")
    call.terminal.result({"run": str(run), "report": str(written), "bytes": size})
    return 0
