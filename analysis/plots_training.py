"""Pictures of a training: loss, margins and strength over its steps."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mixlogit.analysis.material import read_training
from mixlogit.analysis.style import BLUE, ORANGE, bare, heading, legend_below, new_axes
from mixlogit.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_training"]

# what -> heading, label of the y axis, key and name of the lines of training and of evaluation
_LINES: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "loss": (
        "Loss of the policy",
        "nats a vote",
        [("loss", "training loss"), ("eval_log_score", "minus log score, held out")],
    ),
    "margins": (
        "Margins",
        "mean, chosen minus rejected",
        [("margins", "training"), ("eval_margins", "held out")],
    ),
    "strength": (
        "Spread of strength while training",
        "coefficient of variation",
        [("strength/cv", "training"), ("eval_strength_cv", "at evaluations")],
    ),
}


def plot_training(
    run: Any, what: Literal["loss", "margins", "strength"] = "loss", ax: "Axes | None" = None
) -> "Axes":
    """Draw what was logged while a policy was trained, over its steps.

    Args:
        run: The path of a run folder of `mixlogit align`, or the logs themselves: one mapping a
            log, as in `trainer.state.log_history`.
        what: "loss" (and the held-out log score), "margins", or "strength" (its cv).
        ax: Where to draw; by default new axes in a figure of their own, `ax.figure`.

    Returns:
        The axes.

    Raises:
        StorageError: If the logs are damaged.
        UsageError: If nothing of the kind was logged.

    Example:
        >>> logs = [{"step": 10, "loss": 0.69}, {"step": 20, "loss": 0.6}]
        >>> plot_training(logs).get_xlabel()
        'optimiser step'
    """
    logs = run if isinstance(run, list) else read_training(run)
    title, words, lines = _LINES[what]
    ax = new_axes(ax, (5.6, 3.2))
    drawn = False
    for (key, name), colour, mark in zip(lines, (BLUE, ORANGE), ("", "o"), strict=True):
        found = np.array([(log["step"], log[key]) for log in logs if key in log], dtype=float)
        if len(found):
            sign = -1.0 if key == "eval_log_score" else 1.0
            (line,) = ax.plot(found[:, 0], sign * found[:, 1], color=colour, label=name)
            line.set(marker=mark, markersize=5, markerfacecolor="white")
            drawn = True
    if not drawn:
        keys = ", ".join(key for key, _ in lines)
        raise UsageError(f"No {what} was logged: none of {keys}.")
    ax.set_xlabel("optimiser step")
    ax.set_ylabel(words)
    bare(ax)
    heading(ax, title)
    legend_below(ax)
    return ax
