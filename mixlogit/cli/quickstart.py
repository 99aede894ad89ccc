"""`mixlogit quickstart`: simulate judges, fit, align a tiny policy, compare with the truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mixlogit.cli.fitting import CHECK_FAILED
from mixlogit.cli.html import finish
from mixlogit.cli.invocation import Invocation
from mixlogit.cli.report import Trace, report_text, write_results
from mixlogit.cli.summary import data_line, table

if TYPE_CHECKING:
    from mixlogit.align.tiny import Learned

__all__ = ["learned_text", "quickstart"]

_RESPONDENTS = 200
_VOTES = 30  # a respondent
_MEAN, _CV = 1.0, 0.6


def quickstart(call: Invocation) -> int:
    """Simulate judges, fit, align a tiny policy by DPO and by panel, compare with the truth.

    Offline, and about a minute on two cores. Without --output the run goes to
    runs/quickstart, which is made anew each time.
    """
    import mixlogit as ml
    from mixlogit.align.tiny import align_tiny_policy

    say = call.terminal.say
    path = call.output or Path("runs") / "quickstart"
    with call.folder(path, overwrite=call.overwrite or call.output is None) as run:
        made = ml.simulate(
            _RESPONDENTS * _VOTES, _RESPONDENTS, "lognormal", mean=_MEAN, cv=_CV, seed=call.seed
        )
        data = made.comparisons(source="quickstart")
        counts = f"data     {data_line(data)}"
        say(counts)
        with call.terminal.progress("fit      lognormal") as show:
            trace = Trace(show)
            posterior = ml.fit(data, family="lognormal", seed=call.seed, progress=trace)
        result = posterior.to_dict()
        text = report_text(posterior, result, truth={"mean": _MEAN, "cv": _CV})
        write_results(run.folder, data, posterior, result, f"{counts}\n{text}")
        trace.write(run.folder / "metrics.jsonl")
        made.write(run.folder / "judges.parquet")
        failed = not all(check.ok for check in posterior.checks)
        run.state = "check failed" if failed else "done"
    say(text)
    say()
    with call.terminal.progress("align    tiny policy") as show:
        learned = align_tiny_policy(path / "alignment", call.seed, show)
    say(learned_text(learned))
    finish(call.terminal, path, report=True)
    alignment = [one._asdict() for one in learned]
    call.terminal.result({"run": str(path), **result, "alignment": alignment})
    return CHECK_FAILED if failed else 0


def learned_text(learned: "Sequence[Learned]") -> str:
    """What the policies have learned, side by side with the truth.

    Args:
        learned: From `align_tiny_policy`.

    Example:
        >>> from mixlogit.align.tiny import Learned
        >>> print(learned_text([Learned("DPO", 0.875, None)]).splitlines()[1])
          DPO                                    0.875
    """
    from mixlogit.align.tiny import LOG_SD

    rows = []
    for one in learned:
        cells = [f"{one.accuracy:.3f}", "", ""]
        if one.log_sd is not None:
            mean, low, high = one.log_sd
            cells[1:] = [f"{mean:.2f} ({low:.2f} to {high:.2f})", f"{LOG_SD:.2f}"]
        rows.append((one.name, cells))
    columns = ["true order", "sd of log strength", "truth"]
    return table("Alignment: accuracy", columns, rows)
