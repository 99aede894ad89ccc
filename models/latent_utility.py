"""Models with latent margins, or with strength that depends on the context of a comparison."""

from mixlogit.choice.utility import UtilityLikelihood
from mixlogit.models import sites
from mixlogit.models.sites import Sampled, Spec

__all__ = ["latent_utility"]


def latent_utility(likelihood: UtilityLikelihood, spec: Spec) -> Sampled:
    """Pyro program: utilities, and strengths (mean 1) that multiply their differences.

    The mean strength is anchored at 1: the utilities carry the scale. Groups act as in the
    grouped model. With a context z of comparisons, strength b becomes `b exp(z' slope)`; given
    margins are then taken as they are, and mean strength is free.

    Args:
        likelihood: Rows of items or features, or of given margins with a context.
        spec: What to sample; with `n_utilities` > 0 and anchored, or with `n_context` > 0.
    """
    values = sites.utilities(spec)
    assert values is not None
    effects = sites.group_effects(spec) if spec.groups else None
    family = sites.strength(spec, effects, values.shape[:-1])
    return sites.score("panels", likelihood, spec, family, sites.lapse_rate(spec), values)
