"""How pictures look: colours, axes, headings, legends, and names that people typed."""

import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BLUE",
    "GREY",
    "ORANGE",
    "PALE",
    "bare",
    "heading",
    "legend_below",
    "new_axes",
    "plain",
    "rows_of_names",
]

# Okabe and Ito's colours, apart for every kind of colour blindness; on grey paper shapes and
# line styles tell them apart as well
BLUE, ORANGE, PALE, GREY = "#0072B2", "#D55E00", "#A6CDE3", "#8C8C8C"
_LONGEST = 28


def new_axes(ax: "Axes | None", size: tuple[float, float] = (5.6, 4.0)) -> "Axes":
    """The axes given, or new ones in a figure of their own.

    Args:
        ax: Axes, or None.
        size: Width and height of a new figure, inches.

    Example:
        >>> new_axes(None, (2.0, 1.0)).figure.get_size_inches().tolist()
        [2.0, 1.0]
    """
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").add_subplot()


def bare(ax: "Axes", *more: str) -> None:
    """Take away the spines at the top and right, and others by name."""
    for side in ("top", "right", *more):
        ax.spines[side].set_visible(False)


def heading(ax: "Axes", words: str) -> None:
    """The heading, above the left edge."""
    ax.set_title(words, loc="left", fontsize=12)


def legend_below(ax: "Axes", columns: int = 2) -> None:
    """A legend under the picture, where it covers nothing."""
    figure: Any = ax.figure
    figure.legend(
        *ax.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
    )


def rows_of_names(ax: "Axes", names: list[str]) -> None:
    """One row for each name, from the top down at 0, -1, -2, ..."""
    ax.set_yticks([-float(k) for k in range(len(names))], [plain(name) for name in names])
    ax.set_ylim(0.6 - len(names), 0.6)
    bare(ax, "left")
    ax.tick_params(axis="y", length=0)


def plain(name: Any) -> str:
    r"""A name as it can be drawn: no control characters, no mathematics, not too long.

    Example:
        >>> print(plain("cost in $"), plain("a" * 40))
        cost in \$ aaaaaaaaaaaaaaaaaaaaaaaaaaa…
    """
    text = "".join(
        " " if unicodedata.category(sign)[0] in "CZ" else sign for sign in str(name)[:_LONGEST]
    )
    if len(str(name)) > _LONGEST:
        text = text[:-1] + "…"
    return text.replace("$", r"\$")
