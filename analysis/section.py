"""What a section of the report is made of: texts, tables and pictures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from mixlogit.analysis.figure_svg import inline_svg

__all__ = ["INTERVAL", "Picture", "Quote", "Section", "Table", "picture"]

INTERVAL = ["mean", "sd", "5 %", "95 %"]


@dataclass(frozen=True)
class Table:
    """A table of texts; the first cell of a row names it.

    Attributes:
        head: Names of the columns, the first one's too.
        rows: Cells, row by row.
        caption: What it shows.
    """

    head: list[str]
    rows: list[list[str]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture with a caption.

    Attributes:
        svg: The SVG element, its description included.
        caption: How to read it.
    """

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Quote:
    """Texts of the data, shown as they are.

    Attributes:
        title: What they are.
        parts: Each text with its name.
    """

    title: str
    parts: list[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        key: Anchor in the page.
        title: The heading.
        text: Paragraphs.
        alerts: What is wrong, each with what to do.
        points: A list of sentences.
        tables: Tables.
        pictures: Pictures.
        quotes: Texts of the data.
        code: A command or a file, to be shown as it is.
    """

    key: str
    title: str
    text: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    code: list[str] = field(default_factory=list)


def picture(key: str, make: Callable[[], Any], words: str, caption: str) -> Picture:
    """Draw a picture for the page.

    Args:
        key: Unique in the page.
        make: Draws it; gives axes.
        words: What it shows, for readers who cannot see it.
        caption: How to read it.
    """
    return Picture(inline_svg(make(), key, words), caption)
