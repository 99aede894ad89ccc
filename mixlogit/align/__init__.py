"""Alignment of a language model through the model of preference strength."""

from mixlogit.align.objective import ComparisonObjective, Objective, make_objective
from mixlogit.align.panel import PanelObjective
from mixlogit.align.refit import refit, spread_warning
from mixlogit.align.settings import RECIPES, AlignSettings

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
