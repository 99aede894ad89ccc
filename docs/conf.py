"""The site of the documentation: Sphinx, MyST Markdown and the docstrings; needs no network.

    make docs        # writes docs/_build/index.html

Equations of docstrings become MathML, which browsers set by themselves, by the converter that
comes with docutils; MathJax would be a script from another host. Equations of the Markdown pages
are set as text, so that they read the same in a terminal and on a code host.
"""

from typing import Any, NoReturn

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import mixlogit

project = "mixlogit"
author = "the mixlogit authors"
copyright = author
version = release = mixlogit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mixlogit {release}"

# Markdown: anchors of headings can be linked to, directives are fenced by colons
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# docstrings: `x` is code; signatures carry the types, shortened to their last names
default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

# references within mixlogit must be found; those to other packages have no pages here
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!mixlogit\.).*")]
# passed between our own modules only
nitpick_ignore = [
    ("py:class", "mixlogit.align.votes.Votes"),
    ("py:class", "mixlogit.data.columns.Roles"),
    ("py:class", "mixlogit.data.feed.Feed"),
    ("py:class", "mixlogit.data.scan.Block"),
    ("py:class", "mixlogit.data.schemas.base.LeftOut"),
    ("py:class", "mixlogit.data.schemas.base.Malformed"),
    ("py:class", "mixlogit.data.source.Source"),
    ("py:class", "mixlogit.data.vote_reader.VoteReader"),
    ("py:class", "mixlogit.models.covariates.CovariateMatrix"),
]


def set_equation(writer: Any, node: nodes.Element) -> NoReturn:
    """Write an equation as MathML."""
    writer.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Register the renderer of equations."""
    renderers = (set_equation, None)
    app.add_html_math_renderer("mathml", renderers, renderers)


html_math_renderer = "mathml"
