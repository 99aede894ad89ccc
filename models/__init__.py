"""Pyro programs of preference strength, their inference, and the posterior."""

from mixlogit.models.compare import ModelComparison, compare
from mixlogit.models.covariates import Covariates
from mixlogit.models.fit import fit
from mixlogit.models.grid import fit_grid
from mixlogit.models.maximum import Maximum, maximum
from mixlogit.models.posterior import Posterior, open_run
from mixlogit.models.power import Power, power
from mixlogit.models.priors import Priors
from mixlogit.models.sbc import sbc
from mixlogit.models.taste_problem import RandomTastes

__all__ = [
    "Covariates",
    "Maximum",
    "ModelComparison",
    "Posterior",
    "Power",
    "Priors",
    "RandomTastes",
    "compare",
    "fit",
    "fit_grid",
    "maximum",
    "open_run",
    "power",
    "sbc",
]
