"""The grouped model: groups differ in the mean and the spread of strength."""

from mixlogit.models import sites
from mixlogit.models.per_comparison import Likelihood
from mixlogit.models.sites import Sampled, Spec

__all__ = ["grouped"]


def grouped(likelihood: Likelihood, spec: Spec) -> Sampled:
    """Pyro program: hierarchical effects of group columns on log mean and log cv.

    A respondent whose group changes between comparisons has one strength in each group.

    Args:
        likelihood: A `PanelLikelihood` or `LinkLikelihood` with a block for each combination of
            group labels.
        spec: What to sample; `spec.groups` is not empty.
    """
    effects = sites.group_effects(spec)
    family = sites.strength(spec, effects)
    return sites.score("panels", likelihood, spec, family, sites.lapse_rate(spec))
