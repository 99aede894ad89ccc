"""The command line: exit codes, and errors in one line."""

import difflib
import io
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, TextIO

import typer

from mixlogit import __version__
from mixlogit.cli import (
    align,
    check,
    compare,
    doctor,
    evaluate,
    fit,
    html,
    margins,
    power,
    quickstart,
    simulate,
)
from mixlogit.cli.fitting import CHECK_FAILED
from mixlogit.cli.invocation import command
from mixlogit.cli.terminal import Terminal
from mixlogit.cli.training_options import TrainingCommand
from mixlogit.errors import (
    DataWarning,
    Interrupted,
    MixlogitError,
    NumericsWarning,
    OtherProcess,
    StorageError,
    UsageError,
)
from mixlogit.run import disk_full, is_first_process, n_processes
from mixlogit.run.interrupt import interruptible

__all__ = ["main"]

_BUG = 1
_PATIENCE = 5.0  # seconds

app = typer.Typer(
    name="mixlogit",
    help="Preference strength as a random variable: mixed logit for preference data and DPO.",
    epilog=(
        'Begin with "mixlogit quickstart", or with "mixlogit check DATA" on votes of your own. '
        '"mixlogit fit --help" and the like explain a command.'
    ),
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mixlogit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version)
    ] = False,
) -> None:
    """Options before the command."""


_VOTES = (
    "--item-a left --item-b right --outcome winner --labels a=1,b=2,tie=equal --respondent judge"
)
_TRAINING = (
    "--respondent judge --lora 16 --learning-rate 1e-4 --num-train-epochs 2 --save-steps 100"
)

command(app, "quickstart", quickstart.quickstart)
command(app, "check", check.check, reads_data=True, example=f"votes.csv {_VOTES}")
command(app, "simulate", simulate.simulate)
command(
    app,
    "margins",
    margins.margins,
    reads_data=True,
    of_texts=True,
    example="votes.jsonl --policy policy --reference owner/model --output margins.parquet",
)
command(app, "fit", fit.fit, reads_data=True, example=f"votes.csv {_VOTES} --output runs/votes")
command(app, "compare", compare.compare, example="runs/fixed runs/lognormal")
command(app, "power", power.power)
command(app, "report", html.report, example="runs/votes")
command(
    app,
    "align",
    align.align,
    reads_data=True,
    of_texts=True,
    kind=TrainingCommand,
    example=f"votes.jsonl --model owner/model {_TRAINING}",
)
command(
    app,
    "evaluate",
    evaluate.evaluate,
    reads_data=True,
    of_texts=True,
    example="runs/policy test.jsonl --by country",
)
command(app, "doctor", doctor.show)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name; default: `sys.argv`.

    Returns:
        Exit code: 0 done; 1 a bug in mixlogit; 2 usage or configuration; 3 data; 4 finished
        but a check failed (0 under torchrun); 5 storage; 130 interrupted.

    Example:
        >>> main(["--version"])
        mixlogit 0.1.0
        0
    """
    argv = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    terminal = Terminal(quiet="--quiet" in argv, as_json="--json" in argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that the terminal cannot show
    with warnings.catch_warnings(), interruptible():
        warnings.simplefilter("ignore" if "--debug" not in argv else "default")
        warnings.simplefilter("always", DataWarning)
        warnings.simplefilter("always", NumericsWarning)
        warnings.showwarning = _shown_by(terminal)
        try:
            code: int = app(argv, prog_name="mixlogit", standalone_mode=False, obj=argv) or 0
        except Exception as error:
            if "--debug" in argv:
                traceback.print_exc()
            return _report(terminal, error)
    # typer catches KeyboardInterrupt and gives its code
    if code == Interrupted.exit_code and is_first_process():
        terminal.error(Interrupted("Interrupted; nothing was written."))
    if code == CHECK_FAILED and n_processes() > 1:
        return 0  # torchrun would call what was written a failure, and may start it again
    return code


class _Bug(MixlogitError):
    code = "bug"
    exit_code = _BUG


def _shown_by(terminal: Terminal) -> Any:
    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        terminal.warn(str(message))

    return show


def _report(terminal: Terminal, error: Exception) -> int:
    """Say an error in one line; return its exit code."""
    known = _known(error)
    if isinstance(known, OtherProcess):
        return known.exit_code
    if not (is_first_process() or known.alone or isinstance(known, _Bug)):
        time.sleep(_PATIENCE)  # the first process says the same, and torchrun then ends this one
    terminal.error(known)
    return known.exit_code


def _known(error: Exception) -> MixlogitError:
    """Any exception as one of ours."""
    if isinstance(error, MixlogitError):
        return error
    if isinstance(error, typer.TyperException):
        return UsageError(_usage(error))
    reason = disk_full(error)
    if reason is not None:
        return StorageError(f"{reason}. Free space and run the same command again.")
    words = " ".join(str(error).split()) or "no message"
    advice = "This is a bug in mixlogit: please report it with the output of --debug."
    return _Bug(f"{type(error).__name__}: {words}. {advice}")


def _usage(error: typer.TyperException) -> str:
    """A usage error in our words: what, and what was perhaps meant."""
    option = getattr(error, "option_name", None)
    possible = getattr(error, "possibilities", None)
    if option is None or possible is None:
        return error.format_message().replace("Value error, ", "")
    close = difflib.get_close_matches(option, possible, n=1, cutoff=0)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"No such option {option}.{meant}"
