"""The per-comparison model: every comparison has a strength of its own."""

from typing import Protocol

from torch import Tensor

from mixlogit.choice import StrengthFamily
from mixlogit.models import sites
from mixlogit.models.sites import Sampled, Spec

__all__ = ["Likelihood", "per_comparison"]


class Likelihood(Protocol):
    """Log-likelihood of each block of comparisons, `draw x block`, with strengths integrated."""

    def __call__(self, family: StrengthFamily, lapse: Tensor | None) -> Tensor:
        """Of each block: `draw x block`, nats."""
        ...


def per_comparison(likelihood: Likelihood, spec: Spec) -> Sampled:
    """Pyro program: `p(d) = E_F[sigmoid(b d)]`, each comparison its own b ~ F.

    This is what MixDPO (mixed logit, arXiv 2601.06180) assumes. Without respondents its spread
    is a tail shape of the link, not a measure of people.

    Args:
        likelihood: A `LinkLikelihood`.
        spec: What to sample.
    """
    with sites.replicates(spec):
        family = sites.strength(spec)
        return sites.score("comparisons", likelihood, spec, family, sites.lapse_rate(spec))
