"""Alignment of a language model through the model of preference strength.

The package can be called: `mixlogit.align(data, model=..., output=...)` is `run.align`, the Python
form of the command `mixlogit align`.

Example:
    >>> import mixlogit as ml
    >>> ml.align("votes.parquet", model="gpt2", output="runs/x", betta=0.1)
    Traceback (most recent call last):
    mixlogit.errors.UsageError: Unknown option "betta". Did you mean "beta"?
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mixlogit.align.objective import ComparisonObjective, Objective, make_objective
from mixlogit.align.panel import PanelObjective
from mixlogit.align.refit import refit, spread_warning
from mixlogit.align.settings import RECIPES, AlignSettings

if TYPE_CHECKING:
    from mixlogit.align.aligned import Aligned

__all__ = [
    "RECIPES",
    "AlignSettings",
    "ComparisonObjective",
    "Objective",
    "PanelObjective",
    "make_objective",
    "refit",
    "spread_warning",
]


class _Package(ModuleType):
    """A package of the same name as the function that matters most in it."""

    def __call__(self, data: Any, **options: Any) -> "Aligned":
        from mixlogit.align.run import align

        return align(data, **options)


sys.modules[__name__].__class__ = _Package
