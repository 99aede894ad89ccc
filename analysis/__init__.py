"""Analysis of saved runs: pictures, and the way to ArviZ; works without torch and pyro."""

from importlib import import_module
from typing import Any

# public name -> module that defines it; matplotlib and arviz load on first use
_PUBLIC = {
    "describe_strength": "mixlogit.analysis.plots",
    "heterogeneity": "mixlogit.analysis.heterogeneity",
    "plot_strength": "mixlogit.analysis.plots",
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
