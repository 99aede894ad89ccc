"""What moves strength beside random tastes: contexts, covariates of respondents, groups."""

from dataclasses import dataclass
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from mixlogit.models.context import Context
from mixlogit.models.covariates import COLUMN, CovariateMatrix
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem
from mixlogit.models.quantile import half_normal_from_normal
from mixlogit.models.sites import CovariateDesign, covariate_designs

__all__ = ["StrengthShifts"]


@dataclass(frozen=True, eq=False)
class StrengthShifts:
    """The columns that log strength is linear in, one row a judgement.

    Attributes:
        context: Covariates of comparisons, or None.
        people: Covariates of respondents, or None.
        groups: Labels of each group column.

    Example:
        >>> StrengthShifts(None, None, {"stance": ("pro", "con")}).names
        ('effect of stance pro', 'effect of stance con')
    """

    context: Context | None
    people: CovariateMatrix | None
    groups: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, alone: Problem) -> "StrengthShifts":
        """What moves strength in a problem of one taste.

        Args:
            alone: The problem.
        """
        designs = covariate_designs(alone.spec)
        groups = [group for group in alone.spec.groups if not isinstance(group, CovariateDesign)]
        labels = {group.column: group.labels for group in groups}
        return cls(alone.context, alone.covariates if designs else None, labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the slopes."""
        out = [] if self.context is None else [f"slope of {name}" for name in self.context.names]
        if self.people is not None:
            out += [f"slope of {name} of respondents" for name in self.people.names]
        out += [f"effect of {name} {x}" for name, labels in self.groups.items() for x in labels]
        return tuple(out)

    def values(self, data: Any) -> Tensor | None:
        """The columns, `judgement x slope`; None where there are none.

        Args:
            data: Judgements with the columns of the fit; labels that it has not seen are average.

        Raises:
            DataError: For a respondent or comparison without covariates.
        """
        parts = [] if self.context is None else [self.context.values(data)]
        if self.people is not None:
            parts.append(self.people.values[self.people.join(data).groups[COLUMN].codes])
        for name, labels in self.groups.items():
            own = data.groups[name]
            known = torch.tensor([[x == label for label in labels] for x in own.labels])
            parts.append(known.to(torch.float64)[own.codes])
        return torch.cat(parts, -1) if parts else None

    def sample(self, priors: Priors) -> list[Tensor]:
        """Sample the slopes, `... x slope`.

        Sites: `z_context` and `z_covariates`, slopes ~ Normal(0, group_scale) a standard
        deviation; per group column `normal_scale_mean:COLUMN` of the effects' sd and
        `z_mean:COLUMN`, which sum to zero: tastes carry the scale.

        Args:
            priors: The priors.
        """
        out = []
        for name, part in (("z_context", self.context), ("z_covariates", self.people)):
            if part is not None:
                out.append(priors.group_scale * _normals(name, len(part.names)))
        for column, labels in self.groups.items():
            scale = _normals(f"normal_scale_mean:{column}", 1)
            z = _normals(f"z_mean:{column}", len(labels))
            z = z - z.mean(-1, keepdim=True)
            out.append(half_normal_from_normal(scale, priors.group_scale) * z)
        return out

    def named(self, slopes: Tensor) -> list[tuple[str, Tensor]]:
        """What is reported: slopes a unit of each covariate, mean strengths of groups.

        Args:
            slopes: `draw x slope`.
        """
        out, at = list[tuple[str, Tensor]](), 0
        for kind, part in (("context", self.context), ("strength_effect", self.people)):
            for k, name in enumerate(() if part is None else part.names):
                assert part is not None
                out.append((f"{kind}[{name}]", slopes[:, at] / part.scale[k]))
                at += 1
        for column, labels in self.groups.items():
            for label in labels:
                out.append((f"mean:{column}[{label}]", slopes[:, at].exp()))
                at += 1
        return out


def _normals(name: str, size: int) -> Tensor:
    zero = torch.zeros((), dtype=torch.float64)
    value: Tensor = pyro.sample(name, dist.Normal(zero, 1.0).expand((size,)).to_event(1))
    return value
