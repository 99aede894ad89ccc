"""From DATA and a model to a run folder with a policy: train, fit, write, say what was learnt."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixlogit.cli.fitting import CHECK_FAILED, run_path
from mixlogit.cli.html import finish
from mixlogit.cli.invocation import Invocation
from mixlogit.cli.report import report_text
from mixlogit.cli.summary import data_line
from mixlogit.run import is_first_process, write_text
from mixlogit.run.words import figure

if TYPE_CHECKING:
    from mixlogit.align.aligned import Aligned
    from mixlogit.data import Comparisons

__all__ = ["run_align", "training_line"]

_TEXTS = "summary.txt"
_HARDLY = 0.98  # a loss above this share of a coin's is hardly learning


def run_align(call: Invocation, options: Mapping[str, Any], *, report: bool = True) -> int:
    """Train a policy and write its run folder.

    Args:
        call: The call of `mixlogit align`.
        options: Its own options.
        report: Whether to write the report.

    Returns:
        Exit code: 4 if a check failed.
    """
    import mixlogit as ml

    path = run_path(call)
    first, terminal = is_first_process(), call.terminal
    before = (path / "run.json").is_file() and not call.overwrite
    columns = {name: value for name, value in call.columns.items() if value is not None}
    by, data = columns.pop("groups"), columns.pop("data")
    given = {name: value for name, value in options.items() if value is not None}
    with terminal.progress("align", "steps") as show:
        aligned = ml.align(
            data,
            **columns,
            **given,
            **call.more,
            by=by,
            output=path,
            seed=call.seed,
            overwrite=call.overwrite,
            command=["mixlogit", *call.argv],
            progress=show,
            finish=_add_texts,
        )
    texts = path / _TEXTS  # not there if it was made from Python
    terminal.say(texts.read_text(encoding="utf-8").rstrip() if texts.is_file() else repr(aligned))
    if before:
        terminal.say(f"{path} was finished before; no step was added.")
    elif first:
        finish(terminal, path, report=report)
    terminal.result(aligned.to_dict())
    return 0 if not first or all(check.ok for check in aligned.checks) else CHECK_FAILED


def _add_texts(folder: Path, aligned: "Aligned", data: "Comparisons") -> None:
    """The files that people look at: a text and pictures."""
    from mixlogit.analysis import save_plot

    posterior, result = aligned.posterior, aligned.to_dict()
    text = f"data     {data_line(data)}\n{training_line(result)}\n"
    text += report_text(posterior, result)
    write_text(folder / _TEXTS, text + "\n")
    for suffix in ("svg", "png"):
        save_plot(posterior, folder / f"strength.{suffix}")


def training_line(result: Mapping[str, Any]) -> str:
    """How the training went, in one line, and what to do if it led nowhere.

    Args:
        result: The object of `--json`.

    Example:
        >>> train = {"loss": 0.55, "accuracy": 0.75}
        >>> result = {"steps": 40, "train": train, "seconds": {"train": 2.5}, "eval": None}
        >>> training_line(result)
        'train    40 steps in 2.5 s, loss 0.5500, 75% of margins agree with the choice'
    """
    told, seconds = result["train"], result["seconds"]["train"]
    parts = [f"{result['steps']:,} steps in {seconds:,.1f} s"]
    if "loss" in told:
        parts.append(f"loss {told['loss']:.4f}")
        parts.append(f"{told['accuracy']:.0%} of margins agree with the choice")
    if result["eval"] is not None:
        parts.append(f"held out: accuracy {figure(result['eval']['accuracy'])}")
    line = "train    " + ", ".join(parts)
    if told.get("loss", 0.0) > _HARDLY * math.log(2.0):
        line += (
            "\n         The policy has hardly learned: a loss of 0.6931 is a coin's. Raise "
            "--learning-rate, or train longer."
        )
    return line
