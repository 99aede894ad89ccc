"""Pyro programs of preference strength, their inference, and the posterior."""

from mixlogit.models.fit import fit
from mixlogit.models.maximum import Maximum, maximum
from mixlogit.models.posterior import Posterior, open_run
from mixlogit.models.priors import Priors

__all__ = ["Maximum", "Posterior", "Priors", "fit", "maximum", "open_run"]
