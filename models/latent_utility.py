"""Models with latent margins: Bradley-Terry item utilities, or weights of features."""

from mixlogit.choice.utility import UtilityLikelihood
from mixlogit.models import sites
from mixlogit.models.sites import Sampled, Spec

__all__ = ["latent_utility"]


def latent_utility(likelihood: UtilityLikelihood, spec: Spec) -> Sampled:
    """Pyro program: utilities, and strengths (mean 1) that multiply their differences.

    The mean strength is anchored at 1: the utilities carry the scale. Groups act as in the
    grouped model.

    Args:
        likelihood: Rows of items or features.
        spec: What to sample; anchored, with `n_utilities` > 0.
    """
    values = sites.utilities(spec)
    effects = sites.group_effects(spec) if spec.groups else None
    family = sites.strength(spec, effects, values.shape[:-1])
    return sites.score("panels", likelihood, spec, family, sites.lapse_rate(spec), values)
