"""Pictures inside a page: inline SVG with a name and a description, self-contained."""

import io
import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["inline_svg"]

_ID = re.compile(r'(\bid="|url\(#|href="#)')


def inline_svg(ax: "Axes", name: str, words: str) -> Markup:
    """Axes as an SVG element for a page: no outside reference, ids of its own, a text instead.

    Args:
        ax: The axes; their whole figure is drawn.
        name: Prefix of the element's ids; a page with several pictures needs several names.
        words: What the picture shows, for readers who cannot see it.

    Example:
        >>> from mixlogit.analysis.style import new_axes
        >>> made = inline_svg(new_axes(None), "empty", "Nothing <yet>.")
        >>> made.startswith('<svg role="img" aria-label="Nothing &lt;yet&gt;."')
        True
    """
    from matplotlib import rc_context

    figure: Any = ax.figure
    buffer = io.StringIO()
    none = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=none)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _ID.sub(rf"\g<1>{name}-", svg)
    head, _, body = svg.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    opening = f'<svg role="img" aria-label="{escape(words)}" {box[0]} class="picture"'
    space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return Markup(f"{opening} {space}>{body}")  # matplotlib escapes its texts
