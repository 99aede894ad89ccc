"""Preference strength as a random variable: mixed logit for preference data and DPO.

Everything public is loaded on first use, so that `import mixlogit` stays light.

Example:
    >>> import mixlogit as ml
    >>> sorted(ml.families())
    ['classes', 'fixed', 'gamma', 'lognormal', 'normal']
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> module that defines it
_PUBLIC = {
    "ChoiceSets": "mixlogit.data",
    "Comparisons": "mixlogit.data",
    "Covariates": "mixlogit.models",
    "MixDPOConfig": "mixlogit.align.config",
    "MixDPOTrainer": "mixlogit.align.trainer",
    "MixedLogit": "mixlogit.choice",
    "Posterior": "mixlogit.models",
    "Priors": "mixlogit.models",
    "RandomTastes": "mixlogit.models",
    "add_family": "mixlogit.choice",
    "check_strength_family": "mixlogit.choice",
    "compare": "mixlogit.models",
    "data_card": "mixlogit.data",
    "doctor": "mixlogit.cli.doctor",
    "encode": "mixlogit.lm",
    "evaluate": "mixlogit.align.evaluate",
    "families": "mixlogit.choice",
    "fit": "mixlogit.models",
    "fit_grid": "mixlogit.models",
    "join_texts": "mixlogit.data",
    "load": "mixlogit.data",
    "load_choice_sets": "mixlogit.data",
    "margins": "mixlogit.lm",
    "maximum": "mixlogit.models",
    "open_run": "mixlogit.models",
    "power": "mixlogit.models",
    "sbc": "mixlogit.models",
    "schemas": "mixlogit.data",
    "simulate": "mixlogit.data",
    "simulate_texts": "mixlogit.data",
    "streamed": "mixlogit.data",
    "strength": "mixlogit.choice",
    "texts": "mixlogit.data",
}

__all__ = ["__version__", "align", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name == "align":  # a package that can be called
        return import_module("mixlogit.align")
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'mixlogit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted(__all__)
