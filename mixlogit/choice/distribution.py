"""The choice of the first response over the second as a Pyro distribution."""

from typing import Any, ClassVar, Self

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints

from mixlogit.choice.draws import Sampling
from mixlogit.choice.family import StrengthFamily
from mixlogit.choice.shapes import broadcast_shapes
from mixlogit.errors import UsageError

__all__ = ["MixedLogit"]


class MixedLogit(TorchDistribution):  # type: ignore[misc]
    """Outcome of a comparison, 1 if the first response is preferred: a mixed logit.

    `P(1) = E[sigmoid(strength x margin)]`, each comparison with a strength of its own drawn from
    the family. Gradients reach the margins and the family's parameters.

    Args:
        strength: The mixing distribution, a strength family.
        margin: Margins, first minus second, a `comparison` tensor of a float type.
        nodes: Quadrature points; by default the family's own choice.
        draws: Monte Carlo points for each comparison, fresh at every `log_prob`, in place of
            quadrature (biased; see docs/monte-carlo-bias.md).
        sampling: "plain", "antithetic" or "sobol"; only with `draws`.
        generator: Source of randomness; only with `draws`.
        validate_args: Whether to check arguments and values; as Pyro's validation by default.

    Example:
        >>> from mixlogit.choice import strength
        >>> family = strength("gamma", mean=1.0, cv=0.5)
        >>> votes = MixedLogit(family, torch.tensor([-1.0, 0.0, 1.0]))
        >>> votes.mean
        tensor([0.2799, 0.5000, 0.7201])
        >>> votes.log_prob(torch.tensor([0.0, 1.0, 1.0])).exp()
        tensor([0.7201, 0.5000, 0.7201])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {"margin": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(
        self,
        strength: StrengthFamily,
        margin: Tensor,
        *,
        nodes: int | None = None,
        draws: int | None = None,
        sampling: Sampling = "plain",
        generator: torch.Generator | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not margin.is_floating_point():
            raise UsageError(f"Expected margins of a float type but got {margin.dtype}.")
        shape = broadcast_shapes(margin.shape, strength.batch_shape)
        self.strength = strength
        self.margin = margin.expand(shape)
        self._options: dict[str, Any] = {
            "nodes": nodes,
            "draws": draws,
            "sampling": sampling,
            "generator": generator,
        }
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: tuple[int, ...], _instance: Self | None = None) -> Self:
        """The same distribution with its batch expanded to `batch_shape`."""
        new: Self = self._get_checked_instance(MixedLogit, _instance)
        new.strength, new._options = self.strength, self._options
        new.margin = self.margin.expand(batch_shape)
        super(MixedLogit, new).__init__(torch.Size(batch_shape), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability of outcomes 0 or 1, a tensor that broadcasts with the batch."""
        if self._validate_args:
            self._validate_sample(value)
        sign = 2 * value.to(self.margin.dtype) - 1
        return self.strength.log_choice_prob(sign * self.margin, **self._options)

    @property
    def mean(self) -> Tensor:
        """Probability that the first response is preferred."""
        return self.strength.log_choice_prob(self.margin, **self._options).exp()

    @property
    def variance(self) -> Tensor:
        """Variance of the outcome, p (1 - p)."""
        p = self.mean
        return p * (1 - p)

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """Outcomes drawn at random, a `sample_shape x batch` tensor of 0 and 1."""
        with torch.no_grad():
            p = self.mean
            return torch.bernoulli(p.expand(self._extended_shape(torch.Size(sample_shape))))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """The outcomes 0 and 1 along a new first axis."""
        values = self.margin.new_tensor([0.0, 1.0]).reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values
