"""Options that several commands share, as signatures: the functions here are never called."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = [
    "EVERYWHERE",
    "Dtype",
    "Truncation",
    "common_options",
    "data_options",
    "judgement_options",
    "model_option",
]

_COLUMNS = "Columns (a column of the option's own name is found without it)"
_SETS = "Choice sets (one row an alternative)"
_DATA = "Rows"
EVERYWHERE = "Everywhere"

Dtype = Literal["auto", "float32", "bfloat16", "float16", "float64"]
Truncation = Literal["keep_start", "keep_end"]


def model_option(text: str, metavar: str = "MODEL") -> Any:
    """An option about language models."""
    return typer.Option(help=text, metavar=metavar, rich_help_panel="Models")


def _column(text: str) -> Any:
    return typer.Option(help=text, metavar="COLUMN", rich_help_panel=_COLUMNS)


def _set(text: str) -> Any:
    return typer.Option(help=text, metavar="COLUMN", rich_help_panel=_SETS)


def _columns(text: str) -> Any:
    text = f"{text}; repeat, or join by commas."
    return typer.Option(help=text, metavar="COLUMN", rich_help_panel=_COLUMNS)


def data_options(
    *,
    data: Annotated[
        str,
        typer.Argument(
            help="A CSV, TSV, JSONL, JSON or Parquet file, a folder of them, or a hub id.",
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
        typer.Option(
            help="Stop at a malformed row, or drop and list such rows.", rich_help_panel=_DATA
        ),
    ] = "stop",
    schema: Annotated[
        str | None,
        typer.Option(
            help="A known data set, such as prism, hh, arena.",
            metavar="NAME",
            rich_help_panel=_DATA,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split of a data set (default: train).", metavar="NAME", rich_help_panel=_DATA
        ),
    ] = None,
) -> None:
    """Where the data are and which column is what."""


def judgement_options(
    *,
    grade: Annotated[str | None, _column("Grades, in place of outcomes.")] = None,
    grades: Annotated[
        str | None,
        typer.Option(
            help="Words of grades, clearly first to clearly second: A>>B,A>B,A=B,B>A,B>>A.",
            metavar="WORDS",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    votes_a: Annotated[str | None, _column("Counts of votes for the first.")] = None,
    votes_b: Annotated[str | None, _column("Counts of votes for the second.")] = None,
    votes_tie: Annotated[str | None, _column("Counts of ties.")] = None,
    choice_id: Annotated[
        str | None, _set("Choice sets: which rows are one set; --chosen: 1 or a name.")
    ] = None,
    alternative: Annotated[str | None, _set("Names of the alternatives.")] = None,
    ranking: Annotated[str | None, _set("Ranks in place of --chosen, 1 the best.")] = None,
    available: Annotated[str | None, _set("1 where an alternative could be chosen.")] = None,
    constants: Annotated[
        str | None,
        typer.Option(
            help="Give alternatives constants; that of NAME is 0.",
            metavar="NAME",
            rich_help_panel=_SETS,
        ),
    ] = None,
) -> None:
    """Grades and counted votes of pairs; choice sets."""


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
