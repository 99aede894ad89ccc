"""`mixlogit simulate`: preference data with known truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixlogit.cli.invocation import Invocation
from mixlogit.errors import StorageError, UsageError
from mixlogit.run.words import plural

if TYPE_CHECKING:
    from mixlogit.data import Simulated

__all__ = ["simulate"]

_SUFFIXES = (".parquet", ".csv", ".jsonl")


def simulate(
    call: Invocation,
    *,
    comparisons: Annotated[int, typer.Option(help="Number of comparisons.", metavar="N")],
    respondents: Annotated[
        int, typer.Option(help="Number of respondents; 0: no ids.", metavar="A")
    ] = 0,
    family: Annotated[
        str, typer.Option(help="Strength family: fixed, lognormal, gamma, normal or classes.")
    ] = "lognormal",
    mean: Annotated[float, typer.Option(help="Mean strength.", metavar="M")] = 1.0,
    cv: Annotated[
        float, typer.Option(help="Coefficient of variation of strength.", metavar="C")
    ] = 0.6,
    groups: Annotated[int, typer.Option(help="Groups of respondents.", metavar="G")] = 0,
    tastes: Annotated[
        int, typer.Option(help="Classes of respondents with their own utilities.", metavar="C")
    ] = 1,
    ties: Annotated[bool, typer.Option("--ties", help="Let some votes be ties.")] = False,
    tie_share: Annotated[
        float, typer.Option(help="Share of ties, with --ties.", metavar="P")
    ] = 0.1,
    lapse: Annotated[float, typer.Option(help="Share of random votes.", metavar="P")] = 0.0,
    items: Annotated[
        int, typer.Option(help="Compare this many items with latent utilities.", metavar="I")
    ] = 0,
    features: Annotated[
        int, typer.Option(help="Compare alternatives of this many features.", metavar="K")
    ] = 0,
    texts: Annotated[
        bool, typer.Option("--texts", help="Prompts and answers in a small vocabulary.")
    ] = False,
) -> None:
    """Write preference data with known truth: --output x.parquet, x.csv, x.jsonl or a folder.

    The truth goes to a JSON file beside the data.
    """
    import mixlogit as ml

    path = _target(call.output or Path("simulated.parquet"), overwrite=call.overwrite)
    votes: dict[str, Any] = {"comparisons": comparisons, "respondents": respondents}
    votes |= {"family": family, "mean": mean, "cv": cv, "seed": call.seed}
    more: dict[str, Any] = {"groups": groups, "tastes": tastes, "lapse": lapse, "items": items}
    more |= {"features": features, "ties": tie_share if ties else 0.0}
    made = _texts(votes, more) if texts else ml.simulate(**votes, **more)
    files = made.write(path)
    counts = f"{plural(comparisons, 'comparison')}, {plural(respondents, 'respondent')}"
    call.terminal.say(f"data     {counts}")
    for file in files:
        call.terminal.say(f"Wrote {file}")
    names = [str(file) for file in files]
    arguments = made.truth["arguments"]
    call.terminal.result({"output": names[0], "files": names, "arguments": arguments})


def _texts(votes: dict[str, Any], more: dict[str, Any]) -> "Simulated":
    """Texts, which have no more than the first few options."""
    import mixlogit as ml

    if any(more[name] for name in more if name != "tastes") or more["tastes"] != 1:
        names = "--groups, --tastes, --ties, --lapse, --items and --features"
        raise UsageError(f"Texts are simulated without {names}.")
    made: Simulated = ml.simulate_texts(**votes)
    return made


def _target(path: Path, *, overwrite: bool) -> Path:
    """The file of data to write: the path itself, or comparisons.parquet in a folder."""
    if path.suffix not in _SUFFIXES:
        path = path / "comparisons.parquet"
    if path.exists() and not overwrite:
        message = f"{path} exists. Choose another --output, or add --overwrite."
        raise StorageError(message, file=path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.", file=path) from error
    return path
