"""Many groups: every group's effects integrated out, drawn again given the population's.

Given what groups have in common their effects are independent, and each group's votes depend on
its own effects alone. So the posterior of the few common parameters is found by itself, on the
marginal in which each group's log mean and log cv are integrated out (`surfaces.py`), and the
effects are then drawn exactly given each of its draws: the cost grows with the number of groups,
not with its square, and nothing of the inference has more than a handful of parameters.
"""

from collections.abc import Iterator
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from mixlogit.choice import FAMILIES
from mixlogit.choice.link import LinkLikelihood
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.rules import ORDER
from mixlogit.models import sites
from mixlogit.models.joint import LogJoint
from mixlogit.models.mode import Mode
from mixlogit.models.sites import CovariateDesign, Spec, family_at
from mixlogit.models.surfaces import Axis, Surfaces

__all__ = ["NestedJoint", "nested"]

_STEP, _MEANS = 0.25, 24  # of the grid; its steps of log mean to each side of the prior's centre
_SIZES = (128, 160)  # steps of 0.1 even where votes bound a group on no side
_OWN = PanelLikelihood, LinkLikelihood  # a group's votes depend on its own family alone
_SPREADS = Axis(-3.5, _STEP, 23)  # of log cv: a cv of 0.03 is as good as none
_HOPELESS = 40.0  # nats
_AT_ONCE = 6 * _SPREADS.size  # of similar log means, so that few need nodes of their own
_ELEMENTS = 4_000_000  # numbers worked on at once


def group_marginal(likelihood: Any, spec: Spec) -> None:
    """Pyro program: the common parameters of one group column, groups' own integrated out.

    Args:
        likelihood: `Surfaces`.
        spec: What to sample; one group column.
    """
    (group,) = spec.groups
    kinds = ("mean",) if spec.family == "fixed" else ("mean", "cv")
    scales = [sites.group_scale(spec, kind, group.column) for kind in kinds]
    centres = [sites.common_log_mean(spec)]
    if len(kinds) == 2:
        centres.append(sites.common_log_cv(spec))
    population = dist.Normal(torch.stack(centres, -1), torch.stack(scales, -1))
    pyro.factor("panels", likelihood(population).sum(-1))


class NestedJoint(LogJoint):
    """The marginal of the common parameters, and the way back to those of the groups.

    Args:
        whole: The joint with effects of one group column.
        surfaces: Its groups' log-likelihoods.
    """

    def __init__(self, whole: LogJoint, surfaces: Surfaces) -> None:
        at_once = max(1, _ELEMENTS // surfaces.elements)
        super().__init__(group_marginal, surfaces, whole.spec, at_once)
        self.whole, self.surfaces = whole, surfaces

    def completed(self, theta: Tensor, generator: torch.Generator) -> Tensor:
        """Draws of the whole: effects drawn given the common parameters.

        Args:
            theta: `chain x draw x 1 x parameter` of this joint.
            generator: Source of randomness.

        Returns:
            `chain x draw x 1 x parameter` of the whole.
        """
        flat = theta.flatten(0, 1)
        with torch.no_grad():
            population = self._population(flat)
            effects = self.surfaces.draw(population, generator)
        out = flat.new_empty(*flat.shape[:2], self.whole.size)
        for mine, place in self._places():
            out[..., place] = flat[..., mine]
        for kind, z in zip(("mean", "cv"), effects, strict=False):
            out[:, 0, self._effects(kind)] = z
        return out.view(*theta.shape[:-1], self.whole.size)

    def mode_of_whole(self, mode: Mode, theta: Tensor) -> Mode:
        """The marginal's mode among the whole's parameters, effects at their means.

        Its Hessian has the marginal's own for the common parameters, others integrated out, and
        the inverse variances of the effects.

        Args:
            mode: Of this joint.
            theta: Draws of the whole, `chain x draw x 1 x parameter`.
        """
        draws = theta.flatten(0, 2)
        place, gradient = draws.mean(0, keepdim=True), torch.zeros(1, self.whole.size).double()
        hessian = torch.diag_embed(-draws.var(0).clamp_min(1e-12).reciprocal()).unsqueeze(0)
        index = torch.cat([torch.arange(p.start, p.stop) for _, p in self._places()])
        own = torch.cat([torch.arange(p.start, p.stop) for p, _ in self._places()])
        hessian[:, index] = 0.0
        hessian[0, index.unsqueeze(-1), index] = mode.hessian[0][own][:, own]
        place[:, index], gradient[:, index] = mode.theta[:, own], mode.gradient[:, own]
        return Mode(place, mode.value, hessian, gradient, mode.evaluations)

    def _places(self) -> Iterator[tuple[slice, slice]]:
        """Where each common parameter lies here, and in the whole."""
        where = {site.name: slice(site.start, site.stop) for site in self.whole.sites}
        return ((slice(site.start, site.stop), where[site.name]) for site in self.sites)

    def _effects(self, kind: str) -> slice:
        (group,) = self.spec.groups
        name = f"z_{kind}:{group.column}"
        site = next(site for site in self.whole.sites if site.name == name)
        return slice(site.start, site.stop)

    def _population(self, theta: Tensor) -> torch.distributions.Normal:
        """The normal distribution of groups at `draw x 1 x parameter` values."""
        kept: list[torch.distributions.Normal] = []

        def keep(population: torch.distributions.Normal) -> Tensor:
            kept.append(population)
            return torch.zeros(population.batch_shape, dtype=torch.float64)

        conditioned = pyro.poutine.condition(group_marginal, data=self.unpack(theta))
        with pyro.validation_enabled(False):
            conditioned(keep, self.spec)
        return kept[0]


def nested(joint: LogJoint) -> NestedJoint | None:
    """The marginal of a joint's common parameters, where its groups are independent given them.

    Args:
        joint: A program of given margins with effects of one group column, without a lapse rate.

    Returns:
        None for any other program.
    """
    spec = joint.spec
    if len(spec.groups) != 1 or isinstance(spec.groups[0], CovariateDesign):
        return None
    likelihood: Any = joint.likelihood
    if not isinstance(likelihood, _OWN) or spec.lapse or spec.family == "classes":
        return None
    level = spec.groups[0].level
    n_labels = len(spec.groups[0].labels)

    def log_likelihood(log_mean: Tensor, log_cv: Tensor) -> Tensor:
        limit = 0.5 * torch.log1p((2 * log_cv).exp()).unsqueeze(-1) + reach
        at = torch.minimum(log_mean.unsqueeze(-1), limit)
        parts = [
            likelihood(family_at(spec, mean, cv.unsqueeze(-1).expand_as(mean)))
            for mean, cv in zip(at.split(at_once), log_cv.split(at_once), strict=True)
        ]
        each = torch.cat(parts)
        return each.new_zeros(len(each), n_labels).index_add(-1, level, each)

    centre = float(joint.start()[0, next(s.start for s in joint.sites if s.name == "log_mean")])
    at_once = min(joint.draws_at_once, _AT_ONCE)
    axes = [Axis(centre - _STEP * _MEANS, _STEP, 2 * _MEANS + 1)]
    reach = _reach(joint, axes[0])
    if spec.family != "fixed":
        axes.append(_SPREADS)
    return NestedJoint(joint, Surfaces(log_likelihood, axes, list(_SIZES[: len(axes)])))


def _reach(joint: LogJoint, axis: Axis) -> Tensor:
    """Log means beyond which one strength for all is out of the question, a `block`-vector.

    There the votes pull every respondent far off any narrow population, and each would have to be
    integrated by itself. Without a panel that costs nothing: no limit, the same for all blocks.
    """
    likelihood: Any = joint.likelihood
    if isinstance(likelihood, LinkLikelihood):
        return torch.full((1,), torch.inf, dtype=torch.float64)
    log_mean = axis.low + axis.step * torch.arange(axis.size, dtype=torch.float64)
    n_blocks = len(joint.spec.groups[0].level)
    mean = log_mean.exp().unsqueeze(-1).expand(-1, n_blocks)
    family = FAMILIES["fixed"](mean=mean, validate_args=False)
    with torch.no_grad():
        fixed = likelihood(family)
    last = axis.size - 1 - (fixed > fixed.amax(0) - _HOPELESS).flip(0).to(torch.uint8).argmax(0)
    return log_mean[last] + ORDER // 2 * axis.step
