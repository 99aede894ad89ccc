"""`mixlogit compare`: which of several fits of the same votes do the data want?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mixlogit.cli.fitting import read_votes
from mixlogit.cli.html import Report, finish
from mixlogit.cli.invocation import Invocation, call_of_run
from mixlogit.cli.summary import table
from mixlogit.run import write_json, write_text
from mixlogit.run.words import differing, plural

if TYPE_CHECKING:
    from mixlogit.models import ModelComparison

__all__ = ["compare", "comparison_text", "write_comparison"]

_NAMED = 5  # of those with a high Pareto k


def compare(
    call: Invocation,
    *,
    runs: Annotated[list[Path], typer.Argument(help="Run folders.", metavar="RUN RUN ...")],
    by: Annotated[
        Literal["respondent", "comparison"],
        typer.Option(help="Who is left out; comparisons where runs have no panel."),
    ] = "respondent",
    folds: Annotated[
        int, typer.Option(help="Also folds of votes; fits every run again so often.", metavar="N")
    ] = 0,
    report: Report = True,
) -> None:
    """Compare fits of the same votes: which heterogeneity do the data want?

    With --output the result is written to a folder too, with a report.
    """
    import mixlogit as ml

    named: Any = {str(run): run for run in runs}
    data = _votes(call, runs[0]) if folds else None
    with call.terminal.progress("compare") as show:
        found = ml.compare(named, by, folds=folds, data=data, seed=call.seed, progress=show)
    text = comparison_text(found)
    result = found.to_dict()
    call.terminal.say(text)
    if call.output is not None:
        with call.folder(call.output) as folder:
            write_comparison(folder.folder, found)
        finish(call.terminal, call.output, report=report)
    call.terminal.result(result)


def write_comparison(folder: Path, found: "ModelComparison", **more: str) -> dict[str, Any]:
    """Write comparison.json and comparison.txt; the object for `--json`.

    Args:
        folder: Where.
        found: What `mixlogit.compare` gave.
        **more: What the object says besides.
    """
    result = {**more, **found.to_dict()}
    write_json(folder / "comparison.json", result)
    write_text(folder / "comparison.txt", comparison_text(found) + "\n")
    return result


def _votes(call: Invocation, run: Path) -> Any:
    """The votes that a run was fitted to."""
    made = call_of_run(run, call.terminal)
    return read_votes(made, fraction=made.options.get("test_fraction"))[0]


def comparison_text(found: "ModelComparison") -> str:
    """The table, whose densities are doubtful, and the verdict.

    Args:
        found: What `mixlogit.compare` gave.
    """
    columns = ["differ in", "elpd", "se", "difference", "se", "weight"]
    columns += ["votes", "se"] if found.folds else []
    rows = []
    for name, row in found.table.iterrows():
        cells = [differing(str(row["kind"])), *(f"{row[key]:,.1f}" for key in ("elpd", "se"))]
        cells += [f"{row[key]:.1f}" for key in ("difference", "difference_se")]
        cells.append(f"{row['weight']:.2f}")
        if found.folds:
            cells += [f"{row[key]:.1f}" for key in ("votes_difference", "votes_difference_se")]
        rows.append((str(name), cells))
    lines = [table(f"Leave one {found.by} out", columns, rows)]
    if found.folds:
        lines.append(f"votes: difference in held-out votes of known judges, {found.folds} folds")
    for run, names in found.high_k.items():
        if names:
            some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
            noun = plural(len(names), found.by)
            lines.append(f"Pareto k above 0.7 in {run} for {noun}: {some}; do not rely on them.")
    return "\n".join([*lines, "", *found.verdict.sentences])
