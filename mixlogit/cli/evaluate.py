"""`mixlogit evaluate`: an aligned policy on comparisons that it was not trained on."""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mixlogit.cli.invocation import Invocation
from mixlogit.cli.options import Dtype, model_option
from mixlogit.cli.summary import table
from mixlogit.run import write_json, write_parquet, write_text
from mixlogit.run.words import plural

__all__ = ["evaluate"]

_WIN = "Win rate"
_JUDGE = "A reward model (folder or hub id), module:function, or the address of an endpoint."


def _win(text: str, metavar: str) -> Any:
    return typer.Option(help=text, metavar=metavar, rich_help_panel=_WIN)


def evaluate(
    call: Invocation,
    *,
    run: Annotated[str, typer.Argument(help="A run folder of mixlogit align.", metavar="RUN")],
    reference: Annotated[
        str | None, model_option("The reference; default: that of the run.")
    ] = None,
    tokenizer: Annotated[str | None, model_option("The tokenizer, if not the policy's.")] = None,
    dtype: Annotated[
        Dtype, model_option("Of the weights; auto: bfloat16 on a GPU.", "DTYPE")
    ] = "auto",
    device: Annotated[str | None, model_option("Such as cpu or cuda:0.", "DEVICE")] = None,
    batch_tokens: Annotated[
        int | None, model_option("Tokens in a batch, padding included.", "N")
    ] = None,
    cache: Annotated[
        str, model_option("Folder of reference scores; auto: the user's; none: no cache.", "DIR")
    ] = "auto",
    replicates: Annotated[int, typer.Option(help="Replicates of the bootstrap.")] = 1000,
    judge: Annotated[str | None, _win(_JUDGE, "JUDGE")] = None,
    judge_model: Annotated[str | None, _win("Name of an endpoint's model.", "NAME")] = None,
    prompts: Annotated[int | None, _win("Prompts of DATA; default 100.", "N")] = None,
    against: Annotated[
        str | None, _win("Another run or model; default: the reference.", "RUN")
    ] = None,
    new_tokens: Annotated[int | None, _win("Of an answer at most; default 128.", "N")] = None,
    greedy: Annotated[
        bool,
        typer.Option("--greedy", help="Likeliest tokens, not draws.", rich_help_panel=_WIN),
    ] = False,
) -> None:
    """Held-out accuracy, log score and calibration, with intervals; win rate by a judge."""
    own = {name: value for name, value in locals().items() if name != "call"}
    _evaluate(call, {**own, "greedy": greedy or None, "cache": None if cache == "none" else cache})


def _evaluate(call: Invocation, options: Mapping[str, Any]) -> None:
    import mixlogit as ml

    columns = {name: value for name, value in call.columns.items() if value is not None}
    given = {"by": columns.pop("groups"), "data": columns.pop("data"), **options, **columns}
    if given["judge"] is not None and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # where a module:function of the user's own lies
    with call.terminal.progress("evaluate", "comparisons") as show:
        found = ml.evaluate(**given, seed=call.seed, progress=show)
    figures = found.to_dict()
    text = _text(figures)
    if call.output is not None:
        with call.folder(call.output) as folder:
            write_json(folder.folder / "evaluation.json", figures)
            write_text(folder.folder / "summary.txt", text + "\n")
            write_parquet(folder.folder / "comparisons.parquet", found.comparisons)
    call.terminal.say(text)
    if call.output is not None:
        call.terminal.say(f"Wrote {call.output}")
    call.terminal.result(figures)


def _text(figures: Mapping[str, Any]) -> str:
    """Counts, and tables of figures."""
    n, accuracy = figures["n"], figures["accuracy"]
    macro = accuracy["macro_group"] or {}
    counts = [plural(n["comparisons"], "comparison"), plural(n["respondents"], "respondent")]
    head = f"data     {', '.join(counts[: 2 if n['respondents'] else 1])}"
    if n["ties"]:
        head += f"; {plural(n['ties'], 'tie')} left out"
    controlled = accuracy["length_controlled"]
    rows = {
        "all comparisons alike": accuracy["micro"],
        "respondents alike": accuracy["macro_respondent"],
        **{f"groups of {name} alike": one for name, one in macro.items()},
        "at equal lengths": controlled,
        "longer and shorter chosen alike": controlled["length_balanced"],
    }
    rows |= {
        f"{label} ({column}, {one['n']:,})": one
        for column, labels in accuracy["groups"].items()
        for label, one in labels.items()
    }
    score, calibration = figures["log_score"], figures["calibration"]
    scores = {
        "all comparisons alike": score["micro"],
        "respondents alike": score["macro_respondent"],
        **{f"{who} respondents": score[who] for who in ("known", "new") if n["respondents"]},
    }
    fits = {"slope (1 is right)": calibration["slope"], "error": calibration["error"]}
    parts = [_table("Accuracy", rows), _table("Log score", scores), _table("Calibration", fits)]
    if accuracy["worst_group"] is not None:
        worst = accuracy["worst_group"]
        parts[0] += f"\nWorst group: {worst['label']} ({worst['column']})."
    if figures["win_rate"] is not None:
        parts.append(_win_rate(figures["win_rate"]))
    return "\n\n".join([head, *parts])


def _win_rate(found: Mapping[str, Any]) -> str:
    """The win rate, and what it is made of."""
    shares = ", ".join(f"{name} {found[name]:.3f}" for name in ("win", "tie", "loss"))
    lengths = found["tokens"]
    lines = [
        _table("Win rate", {f"against {found['against']}": found}),
        f"  {plural(found['n'], 'prompt')}: {shares}",
        f"  tokens of an answer: {lengths['policy']:.1f} against {lengths['other']:.1f}",
    ]
    if found["first_preferred"] is not None:
        lines.append(f"  the judge preferred what came first in {found['first_preferred']:.0%}")
    if found["unread"]:
        lines.append(f"  {plural(found['unread'], 'verdict')} could not be read: ties")
    return "\n".join(lines)


def _table(title: str, rows: Mapping[str, Any]) -> str:
    cells = [
        (name, [f"{values[key]:.3f}" for key in ("estimate", "q05", "q95")])
        for name, values in rows.items()
        if values is not None
    ]
    return table(title, ["estimate", "5%", "95%"], cells)
