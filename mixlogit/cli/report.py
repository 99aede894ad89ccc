"""The text and files of a finished fit."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixlogit.cli.summary import (
    checks_line,
    model_words,
    ranked_table,
    strength_table,
    utilities_table,
)
from mixlogit.run import Progress, write_json, write_text
from mixlogit.run.words import figure

if TYPE_CHECKING:
    from mixlogit.data import Comparisons
    from mixlogit.models import Posterior

__all__ = ["Trace", "report_text", "write_results"]


class Trace:
    """Progress that is shown and kept, for `metrics.jsonl`.

    Example:
        >>> from mixlogit.run import silent
        >>> trace = Trace(silent)
        >>> trace("map", 1, 2)
        >>> {**trace.events[0], "seconds": 0}
        {'stage': 'map', 'done': 1, 'total': 2, 'seconds': 0}
    """

    def __init__(self, show: Progress) -> None:
        self._show = show
        self._start = time.monotonic()
        self.events: list[dict[str, str | float]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Keep and show one event."""
        seconds = round(time.monotonic() - self._start, 3)
        self.events.append({"stage": stage, "done": done, "total": total, "seconds": seconds})
        self._show(stage, done, total)

    def write(self, path: Path) -> None:
        """Write one JSON object a line."""
        write_text(path, "".join(json.dumps(event) + "\n" for event in self.events))


def report_text(
    posterior: "Posterior", result: Mapping[str, Any], truth: Mapping[str, float] | None = None
) -> str:
    """What a fit says: how it went, checks, table, and in words what was learnt.

    Args:
        posterior: The posterior.
        result: Its `to_dict()`, with `held_out` if votes were held out.
        truth: Known values by parameter, to be shown beside the estimates.
    """
    what = "panel" if result["panel"] else "per comparison"
    classes = result["tastes"].get("classes", {})
    model = model_words(result["family"], len(classes) or 1, random=bool(result.get("random")))
    lines = [f"fit      {model}, {what}, {result['seconds']['total']:.1f} s"]
    lines += [f"checks   {checks_line(result['checks'])}"]
    lines += [f"         {check['advice']}" for check in result["checks"] if not check["ok"]]
    summary = posterior.summary()
    if len(summary):  # with one strength for all and given scale there is nothing to tell of it
        lines += ["", strength_table(summary, truth=truth)]
    if classes:
        lines += ["", utilities_table(classes)]
    elif not result.get("random") and len(utilities := posterior.utilities()):
        lines += ["", ranked_table(utilities)]
    groups = posterior.group_summary()
    if len(groups):
        lines += ["", strength_table(groups, title="By group")]
    lines += ["", *posterior.verdict.sentences]
    if "sbc" in result:
        lines.append(_calibrated(result["sbc"]))
    held_out = result.get("held_out")
    if held_out is not None:
        lines.append(_held_out(held_out))
    return "\n".join(lines)


def _calibrated(sbc: Mapping[str, Any]) -> str:
    parts = [f"{name} {share:.0%}" for name, share in sbc["coverage"].items()]
    return (
        f"In {sbc['replicates']} data sets simulated at this design, 90 % intervals hold the "
        f"truth: {', '.join(parts)}."
    )


def _held_out(scores: Mapping[str, Any]) -> str:
    text = f"Held-out votes ({scores['n']:,}): log score {scores['log_score']:.4f}"
    if "gain_millinats" in scores:
        gain = f"{scores['gain_millinats']:+.1f} +- {scores['se']:.1f} milli-nats a vote"
        text += f", {gain} over one strength for all"
    if scores["accuracy"] is not None:
        text += f"; accuracy {figure(scores['accuracy'])}"
    return text + "."


def write_results(
    folder: Path,
    data: "Comparisons",
    posterior: "Posterior",
    result: Mapping[str, Any],
    text: str,
) -> None:
    """Write the files of a run folder that people and programs read."""
    from mixlogit.analysis import save_plot
    from mixlogit.data import data_record

    posterior.write(folder)
    write_json(folder / "data.json", data_record(data))
    write_json(folder / "summary.json", result)
    write_json(folder / "checks.json", result["checks"])
    write_text(folder / "summary.txt", text + "\n")
    for suffix in ("svg", "png") if not len(posterior.tastes()) else ():
        save_plot(posterior, folder / f"strength.{suffix}")
