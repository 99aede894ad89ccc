"""The panel model: every respondent has one strength for all their comparisons."""

from mixlogit.models import sites
from mixlogit.models.per_comparison import Likelihood
from mixlogit.models.sites import Sampled, Spec

__all__ = ["panel"]


def panel(likelihood: Likelihood, spec: Spec) -> Sampled:
    """Pyro program: `p(panel a) = E_F[prod_i sigmoid(b d_ai)]`, each respondent its own b ~ F.

    In discrete choice this is the scale-heterogeneity (S-MNL) logit, Fiebig et al. (2010).

    Args:
        likelihood: A `PanelLikelihood`.
        spec: What to sample.
    """
    with sites.replicates(spec):
        family = sites.strength(spec)
        return sites.score("panels", likelihood, spec, family, sites.lapse_rate(spec))
