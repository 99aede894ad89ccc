"""What a strength family is: the interface, with numerical answers for all that is not given."""

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from mixlogit.choice.draws import Sampling, log_mean_choice_prob, uniforms
from mixlogit.choice.quadrature import (
    log_choice_integral,
    log_tail_integrals,
    solve_quantile,
)
from mixlogit.choice.shapes import broadcast_shapes
from mixlogit.choice.special import downcast, log1mexp, upcast
from mixlogit.errors import UsageError

__all__ = ["StrengthFamily", "check_parameter"]


def check_parameter(name: str, value: Tensor, low: float, high: float) -> None:
    """Raise a `UsageError` unless every entry of `value` lies between `low` and `high`.

    Example:
        >>> check_parameter("cv", torch.tensor(-1.0), 0.0, 1e6)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: Expected cv between 0 and 1e+06 but got -1.
    """
    with torch.no_grad():
        good = (value >= low) & (value <= high)
        if not bool(good.all()):
            worst = float(value[~good].flatten()[0])
            raise UsageError(f"Expected {name} between {low:g} and {high:g} but got {worst:g}.")


class StrengthFamily(ABC):
    """A mixing distribution of strength over the population.

    A family of one's own needs `log_density`, `location_scale`, `sample`, `mean` and `sd`;
    everything else is then computed by quadrature. Our families override with closed forms.
    `mixlogit.choice.check_strength_family` runs every contract on it.

    Attributes:
        name: The key in the registry.
        signed: Whether strength may be negative.
        coordinate: Where the family is integrated: "log" (u = log strength) or "linear"
            (u = strength). A signed family is "linear".
        parameters: The constructor's arguments as float64 tensors.
        batch_shape: The shape of the parameters, broadcast against each other.
        event_dims: Axes of the parameters that are not batch axes: 1 for classes, else 0.
        atoms: `(strengths, log_shares)`, each a `batch x class_` tensor, for a discrete family;
            None for a continuous one.

    Example:
        >>> import mixlogit as ml
        >>> family = ml.strength("gamma", mean=2.0, cv=0.5)
        >>> family.log_choice_prob(torch.tensor([-1.0, 0.0, 1.0])).exp()
        tensor([0.1525, 0.5000, 0.8475])
    """

    name: ClassVar[str]
    coordinate: ClassVar[str] = "log"
    signed: bool = False
    event_dims: ClassVar[int] = 0

    def __init__(self, *, validate_args: Any = None, **parameters: Any) -> None:
        self.parameters: dict[str, Tensor] = {
            key: torch.as_tensor(value, dtype=torch.float64) for key, value in parameters.items()
        }
        self.batch_shape = self._shape()
        default = Distribution._validate_args  # the switch that pyro.enable_validation sets
        self._validating = default if validate_args is None else validate_args
        if self._validating:
            self._validate()

    def _shape(self) -> torch.Size:
        return broadcast_shapes(*(x.shape for x in self.parameters.values()))

    def _validate(self) -> None:  # noqa: B027
        """Raise a `UsageError` for parameters outside the family's domain; nothing by default."""

    @classmethod
    def example(cls) -> Self:
        """A member of the family to run contracts on; override it for other parameters."""
        return cls(mean=1.5, cv=0.6)

    def to(self, device: torch.device | str) -> Self:
        """The same family with its parameters on another device."""
        device = torch.device(device)
        if all(value.device == device for value in self.parameters.values()):
            return self
        moved = copy.copy(self)
        moved.parameters = {key: value.to(device) for key, value in self.parameters.items()}
        return moved

    def __repr__(self) -> str:
        """The name and the parameters."""
        inside = ", ".join(f"{k}={v.detach().tolist()}" for k, v in self.parameters.items())
        return f"{type(self).__name__}({inside})"

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Mean strength, a `batch` tensor."""

    @property
    @abstractmethod
    def sd(self) -> Tensor:
        """Standard deviation of strength, a `batch` tensor."""

    @property
    def cv(self) -> Tensor:
        """Coefficient of variation of strength, sd / mean, a `batch` tensor."""
        return self.sd / self.mean

    @property
    def log_sd(self) -> Tensor:
        """Standard deviation of log strength, a `batch` tensor; NaN where strength is signed."""
        if self.coordinate == "log":
            return self.location_scale()[1].expand(self.batch_shape)
        return torch.full(self.batch_shape, torch.nan, dtype=torch.float64)

    @property
    def atoms(self) -> tuple[Tensor, Tensor] | None:
        """Strengths and log shares of a discrete family; None for a continuous one."""
        return None

    @abstractmethod
    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        """Strengths drawn at random, a `shape x batch` tensor, without gradient."""

    def log_density(self, u: Tensor) -> Tensor:
        """Log density of the coordinate at `u`, with respect to du, broadcast with the batch."""
        raise UsageError(f"The {self.name} family has no density.")

    def location_scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the coordinate, two `batch` tensors."""
        raise UsageError(f"The {self.name} family has no density.")

    def log_tails(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities of the coordinate below `low` and above `high`."""
        family = self.to(low.device)
        return (
            log_tail_integrals(family.log_density, *family.location_scale(), low)[0],
            log_tail_integrals(family.log_density, *family.location_scale(), high)[1],
        )

    def quantile(self, q: Tensor) -> Tensor:
        """Strength that a share `q` of the population stays below; differentiable."""
        u = solve_quantile(self.log_density, *self.location_scale(), q)
        return u.exp() if self.coordinate == "log" else u

    def log_choice_prob(
        self,
        margin: Tensor,
        *,
        nodes: int | None = None,
        draws: int | None = None,
        sampling: Sampling = "plain",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Log of E[sigmoid(strength x margin)] over the family.

        Computed in float64 whatever the type of `margin`, exact to rounding by default, and
        differentiable in `margin` and in the parameters; the gradient at margin 0 is half the
        mean strength. A log probability below the range of the type of `margin` is its lowest
        finite value.

        Args:
            margin: Margins, free of strength; a float tensor that broadcasts with the batch.
            nodes: Quadrature points; by default the closed form, or as many as the family needs.
            draws: Monte Carlo points for each comparison, fresh at every call, in place of the
                quadrature. Draws inside the log bias the spread down.
            sampling: "plain", "antithetic" or "sobol"; only with `draws`.
            generator: Source of randomness; only with `draws`.

        Returns:
            The log probability that the first response is preferred, in the type of `margin`.

        Raises:
            UsageError: For integer margins, or `nodes` and `draws` that cannot be used.
        """
        if not margin.is_floating_point():
            raise UsageError(f"Expected margins of a float type but got {margin.dtype}.")
        if nodes is not None and draws is not None:
            raise UsageError("Expected nodes or draws but got both.")
        if nodes is not None and nodes < 2:
            raise UsageError(f"Expected nodes of at least 2 but got {nodes}.")
        family = self.to(margin.device)
        if draws is None:
            return downcast(family._log_choice_prob(upcast(margin), nodes), margin.dtype)
        shape = broadcast_shapes(margin.shape, self.batch_shape)
        q = uniforms(draws, shape, sampling, generator, margin.device)
        value = log_mean_choice_prob(family._draw(q, sampling, generator), upcast(margin))
        return downcast(value, margin.dtype)

    def _draw(self, q: Tensor, sampling: Sampling, generator: torch.Generator | None) -> Tensor:
        """Strengths at the uniforms `q`, differentiable in the parameters."""
        return self.quantile(q)

    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        """Log choice probability of float64 margins, by quadrature over the density."""
        linear = self.coordinate == "linear"
        away = torch.where(margin < 0, -margin, margin)

        def log_low(sign: int) -> Tensor:
            return log_choice_integral(
                self.log_density, *self.location_scale(), sign * away, linear=linear, nodes=nodes
            )

        low = log_low(-1).clamp(max=-0.0)
        high = log1mexp(low)
        if self.signed:  # the small one of the two need not be at the negative margin
            direct = log_low(1).clamp(max=-0.0)
            use = direct < low
            low, high = torch.where(use, log1mexp(direct), low), torch.where(use, direct, high)
        return torch.where(margin < 0, low, high)
