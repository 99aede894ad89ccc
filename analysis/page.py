"""The report of a run: one HTML file without scripts or outside requests."""

import re
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from mixlogit.analysis.material import Material, read_comparison, read_material
from mixlogit.analysis.report_comparison import comparison_sections
from mixlogit.analysis.report_sections import SECTIONS
from mixlogit.analysis.section import Section
from mixlogit.errors import UsageError
from mixlogit.run import write_text

__all__ = ["render_report", "report"]

# no script, no outside request: styles are inline, pictures are part of the page
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def report(run: Any, output: str | Path | None = None, *, show_text: bool = False) -> Path:
    """Write the report of a run (verdict, alerts, data, strength, ...) or of a comparison.

    One HTML file under 2 MB with inline SVG pictures, readable on paper and without colour. It
    needs neither torch nor Pyro. Names in it (respondents, groups, columns, files) are escaped.

    Args:
        run: The path of a run folder, or of a comparison's; or a `Posterior`.
        output: Where to write; by default `report.html` in the run folder.
        show_text: Show the most surprising votes with their texts, read again from the data.

    Returns:
        Where it was written.

    Raises:
        StorageError: If the folder is no run, a file of it is damaged, or nothing can be
            written; with `show_text` also if the data file is gone or has changed.
        UsageError: If `run` is something else, or a posterior in memory comes without `output`;
            with `show_text` also if the run does not say where its texts are.

    Example:
        >>> import mixlogit as ml
        >>> from tempfile import mkdtemp
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> posterior = ml.fit(data, evidence=False, draws=400)
        >>> report(posterior, Path(mkdtemp()) / "report.html").name
        'report.html'
    """
    if output is None:
        if not isinstance(run, str | Path):
            raise UsageError("A posterior in memory has no folder: name an output file.")
        output = Path(run) / "report.html"
    compared = _comparison(run)
    if compared is None:
        page = render_report(read_material(run, show_text=show_text))
    elif show_text:
        raise UsageError(f"{run} is a comparison, which has no texts; report one of its runs.")
    else:
        name = Path(run).resolve().name
        page = _render(name, "Comparison of fits", comparison_sections(compared))
    write_text(Path(output), page)
    return Path(output)


def _comparison(run: Any) -> dict[str, Any] | None:
    """The comparison in a folder that is no run itself; None for anything else."""
    if not isinstance(run, str | Path) or (Path(run) / "posterior.nc").exists():
        return None
    return read_comparison(Path(run))


def render_report(material: Material) -> str:
    """The page of a run, as text.

    Args:
        material: The run.
    """
    found = [make(material) for make in SECTIONS]
    sections = [section for section in found if section is not None]
    return _render(material.name, "Preference strength", sections)


def _with_options(text: str) -> Markup:
    """A text in which options of the command line are not parted at the end of a line."""
    return Markup(_OPTION.sub(r'<span class="option">\g<0></span>', str(escape(text))))


def _render(name: str, subject: str, sections: list[Section]) -> str:
    from jinja2 import Environment

    here = files("mixlogit.analysis")
    template = (here / "report.html.j2").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page.filters["options"] = _with_options
    return page.from_string(template).render(
        name=name,
        subject=subject,
        policy=_POLICY,
        style=(here / "report.css").read_text(encoding="utf-8"),
        written=time.strftime("%Y-%m-%d %H:%M"),
        sections=sections,
    )
