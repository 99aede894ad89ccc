"""Options that several commands share, as signatures: the functions here are never called."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = ["EVERYWHERE", "common_options", "data_options"]

_COLUMNS = "Columns (a column of the option's own name is found without it)"
EVERYWHERE = "Everywhere"


def _column(text: str) -> Any:
    return typer.Option(help=text, metavar="COLUMN", rich_help_panel=_COLUMNS)


def _columns(text: str) -> Any:
    text = f"{text}; repeat, or join by commas."
    return typer.Option(help=text, metavar="COLUMN", rich_help_panel=_COLUMNS)


def data_options(
    *,
    data: Annotated[
        str,
        typer.Argument(
            help="A CSV, JSONL, JSON or Parquet file, a folder of them, or a hub id.",
            metavar="DATA",
        ),
    ],
    margin: Annotated[str | None, _column("Margins: chosen minus rejected.")] = None,
    item_a: Annotated[str | None, _column("First items.")] = None,
    item_b: Annotated[str | None, _column("Second items.")] = None,
    features: Annotated[
        list[str] | None, _columns("Differences of features, first minus second")
    ] = None,
    outcome: Annotated[str | None, _column("Outcomes: a, b or tie.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Other words for outcomes: a=1,b=2,tie=equal.",
            metavar="WORDS",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    respondent: Annotated[str | None, _column("Who judged.")] = None,
    by: Annotated[list[str] | None, _columns("Groups")] = None,
    weight: Annotated[str | None, _column("Positive weights.")] = None,
    prompt: Annotated[str | None, _column("Prompts.")] = None,
    chosen: Annotated[str | None, _column("Preferred texts.")] = None,
    rejected: Annotated[str | None, _column("The other texts.")] = None,
    bad_rows: Annotated[
        Literal["stop", "drop"],
        typer.Option(help="Stop at a malformed row, or drop and list such rows."),
    ] = "stop",
    schema: Annotated[
        str | None,
        typer.Option(help="A known data set, such as prism, hh, arena.", metavar="NAME"),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of a hub data set (default: train).", metavar="NAME")
    ] = None,
) -> None:
    """Where the data are and which column is what."""


def common_options(
    *,
    output: Annotated[
        Path | None,
        typer.Option(help="Where results go.", metavar="DIR", rich_help_panel=EVERYWHERE),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of everything random.", rich_help_panel=EVERYWHERE)
    ] = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Only warnings and errors.", rich_help_panel=EVERYWHERE)
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=EVERYWHERE),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace earlier results.", rich_help_panel=EVERYWHERE),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show a traceback on error.", rich_help_panel=EVERYWHERE),
    ] = False,
) -> None:
    """What every command takes."""
