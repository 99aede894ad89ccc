"""Saved runs: pictures, measures, the way to ArviZ; works without torch and pyro."""

from importlib import import_module
from typing import Any

# public name -> module that defines it; matplotlib and arviz load on first use
_PUBLIC = {
    "describe_strength": "mixlogit.analysis.plots",
    "heterogeneity": "mixlogit.analysis.measures",
    "plot_calibration": "mixlogit.analysis.plots_votes",
    "plot_choice_curve": "mixlogit.analysis.plots_votes",
    "plot_elbo": "mixlogit.analysis.plots_inference",
    "plot_elpd": "mixlogit.analysis.plots_inference",
    "plot_groups": "mixlogit.analysis.plots_groups",
    "plot_k_hat": "mixlogit.analysis.plots_people",
    "plot_measure": "mixlogit.analysis.plots_groups",
    "plot_memberships": "mixlogit.analysis.plots_tastes",
    "plot_profiles": "mixlogit.analysis.plots_tastes",
    "plot_ridge": "mixlogit.analysis.plots_groups",
    "plot_shrinkage": "mixlogit.analysis.plots_people",
    "plot_strength": "mixlogit.analysis.plots",
    "plot_trace": "mixlogit.analysis.plots_inference",
    "plot_training": "mixlogit.analysis.plots_training",
    "report": "mixlogit.analysis.page",
    "save_plot": "mixlogit.analysis.plots",
    "to_arviz": "mixlogit.analysis.az",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'mixlogit.analysis' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted(__all__)
