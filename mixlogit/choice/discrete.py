"""Families with a finite number of strengths: one for all, or a few classes."""

from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.draws import Sampling
from mixlogit.choice.family import StrengthFamily, check_parameter
from mixlogit.choice.shapes import broadcast_shapes, broadcast_tensors
from mixlogit.choice.special import downcast, log1mexp, saturate
from mixlogit.errors import UsageError

__all__ = ["Classes", "Fixed", "class_strengths"]

_SMALLEST = 1e-300  # a share of 0 is computed as this


class Fixed(StrengthFamily):
    """The same strength for everybody: the model of DPO.

    Args:
        mean: The strength, above 0.
        validate_args: Whether to check the parameter.

    Example:
        >>> Fixed(mean=0.1).log_choice_prob(torch.tensor([-10.0, 0.0])).exp()
        tensor([0.2689, 0.5000])
    """

    name = "fixed"

    def __init__(self, mean: Tensor | float, *, validate_args: bool | None = None) -> None:
        super().__init__(mean=mean, validate_args=validate_args)

    @property
    def _mean(self) -> Tensor:
        return saturate(self.parameters["mean"])

    @classmethod
    def example(cls) -> Self:
        """A member of the family to run contracts on."""
        return cls(mean=1.5)

    def _validate(self) -> None:
        check_parameter("mean", self.parameters["mean"], 1e-100, 1e100)

    @property
    def mean(self) -> Tensor:
        """The strength, a `batch` tensor."""
        return self._mean

    @property
    def sd(self) -> Tensor:
        """Zero, a `batch` tensor."""
        return torch.zeros_like(self._mean)

    @property
    def log_sd(self) -> Tensor:
        """Zero, a `batch` tensor."""
        return self.sd

    @property
    def atoms(self) -> tuple[Tensor, Tensor]:
        """The strength and the log of its share, which is 0; two `batch x class_` tensors."""
        strengths = self._mean.unsqueeze(-1)
        return strengths, torch.zeros_like(strengths)

    def quantile(self, q: Tensor) -> Tensor:
        """The strength, whatever the share."""
        return self._mean.expand(broadcast_shapes(self.batch_shape, q.shape))

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        """The strength, a `shape x batch` tensor."""
        return self._mean.detach().expand(*shape, *self.batch_shape)

    def log_choice_prob(
        self,
        margin: Tensor,
        *,
        nodes: int | None = None,
        draws: int | None = None,
        sampling: Sampling = "plain",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Log sigmoid(mean x margin); in float32 bit for bit the loss of DPO, with its sign."""
        if draws is not None or margin.dtype != torch.float32:
            return super().log_choice_prob(
                margin, nodes=nodes, draws=draws, sampling=sampling, generator=generator
            )
        mean = downcast(self.to(margin.device)._mean, margin.dtype)
        return _log_sigmoid(mean * margin)

    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        return _log_sigmoid(self._mean * margin)


def _log_sigmoid(reward: Tensor) -> Tensor:
    limit = torch.finfo(reward.dtype).max
    return logsigmoid(reward.clamp(min=-limit, max=limit))


def _root(variance: Tensor) -> Tensor:
    """Square root, with gradient 0 (not NaN) at 0."""
    positive = variance > 0
    return torch.where(positive, torch.sqrt(torch.where(positive, variance, 1.0)), variance)


class Classes(StrengthFamily):
    """A finite mixture: C classes of people, each with a strength.

    Args:
        strengths: Strengths in ascending order along the last axis, `batch x class_`, C >= 2;
            only the first may be negative (people who prefer the opposite).
        shares: Shares of the classes, `batch x class_`, that sum to 1 within 1e-6 (and are
            divided by their sum).
        validate_args: Whether to check the parameters.

    Example:
        >>> family = Classes(strengths=torch.tensor([-1.0, 2.0]), shares=torch.tensor([0.1, 0.9]))
        >>> family.mean, family.signed
        (tensor(1.7000, dtype=torch.float64), True)
        >>> family.log_choice_prob(torch.tensor([0.0, 100.0])).exp()
        tensor([0.5000, 0.9000])
    """

    name = "classes"
    coordinate = "linear"
    event_dims = 1

    def __init__(
        self, strengths: Tensor, shares: Tensor, *, validate_args: bool | None = None
    ) -> None:
        super().__init__(strengths=strengths, shares=shares, validate_args=validate_args)
        self.signed = bool((self.parameters["strengths"].detach() < 0).any())

    @property
    def _strengths(self) -> Tensor:
        return saturate(broadcast_tensors(*self.parameters.values())[0])

    @property
    def _shares(self) -> Tensor:
        shares = broadcast_tensors(*self.parameters.values())[1]
        return saturate(shares / shares.sum(-1, keepdim=True))

    def _shape(self) -> torch.Size:
        return super()._shape()[:-1]

    @classmethod
    def example(cls) -> Self:
        """A member of the family to run contracts on."""
        return cls(strengths=torch.tensor([0.3, 2.0]), shares=torch.tensor([0.4, 0.6]))

    def _validate(self) -> None:
        strengths, shares = self.parameters["strengths"].detach(), self.parameters["shares"]
        if strengths.dim() == 0 or strengths.shape[-1] < 2:
            raise UsageError(f"Expected two or more strengths but got {strengths.numel()}.")
        check_parameter("strengths", strengths, -1e100, 1e100)
        check_parameter("shares", shares, 0.0, 1.0)
        if bool((strengths.diff(dim=-1) < 0).any()):
            raise UsageError("Expected strengths in ascending order. Consider sorting them.")
        if bool((strengths[..., 1:] < 0).any()):
            raise UsageError("Expected at most the first strength to be negative.")
        total = shares.detach().sum(-1)
        if bool(((total - 1).abs() > 1e-6).any()):
            worst = float(total.flatten()[(total - 1).abs().argmax()])
            raise UsageError(f"Expected shares that sum to 1 but got a sum of {worst:g}.")

    @property
    def atoms(self) -> tuple[Tensor, Tensor]:
        """Strengths and log shares, two `batch x class_` tensors."""
        return self._strengths, torch.log(self._shares.clamp(min=_SMALLEST))

    @property
    def mean(self) -> Tensor:
        """Mean strength, a `batch` tensor."""
        return (self._shares * self._strengths).sum(-1)

    @property
    def sd(self) -> Tensor:
        """Standard deviation of strength, a `batch` tensor."""
        away = self._strengths - self.mean.unsqueeze(-1)
        return _root((self._shares * away**2).sum(-1))

    @property
    def log_sd(self) -> Tensor:
        """Standard deviation of log strength, a `batch` tensor; NaN where one is negative."""
        log_b = torch.log(self._strengths)
        away = log_b - (self._shares * log_b).sum(-1, keepdim=True)
        return _root((self._shares * away**2).sum(-1))

    def quantile(self, q: Tensor) -> Tensor:
        """Strength that a share `q` stays below; the gradient reaches the strengths only."""
        below = self._shares.detach().cumsum(-1)[..., :-1]
        index = (q.unsqueeze(-1) > below).sum(-1, keepdim=True)
        size = (*index.shape[:-1], self._strengths.shape[-1])
        return self._strengths.expand(size).gather(-1, index).squeeze(-1)

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        """Strengths drawn at random, a `shape x batch` tensor."""
        device = self._shares.device
        size = (*shape, *self.batch_shape)
        q = torch.rand(size, generator=generator, dtype=torch.float64, device=device)
        return self.quantile(q).detach()

    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        strengths, log_shares = self.atoms
        limit = torch.finfo(margin.dtype).max
        reward = (strengths * margin.unsqueeze(-1)).clamp(min=-limit, max=limit)
        high = torch.logsumexp(log_shares + logsigmoid(reward), -1)
        low = torch.logsumexp(log_shares + logsigmoid(-reward), -1)
        return torch.where(low < high, log1mexp(low.clamp(max=-0.5)), high)


def class_strengths(
    levels: Tensor,
    shares: Tensor,
    log_reversal: Tensor | None = None,
    log_mean: Tensor | float = 0.0,
) -> Tensor:
    """Strengths of classes whose mean absolute strength is `exp(log_mean)`.

    Args:
        levels: Logs of the positive strengths up to a constant, `... x class_`.
        shares: Shares of all classes, `... x class_`.
        log_reversal: Log size of a negative strength before them relative to the first of them,
            `... x 1`; None without.
        log_mean: Log of the mean, `... x 1`.

    Example:
        >>> class_strengths(torch.tensor([0.0, 1.0986]), torch.tensor([0.5, 0.5]))
        tensor([0.5000, 1.5000])
    """
    size = levels.exp()
    if log_reversal is not None:
        size = torch.cat([-log_reversal.exp().expand(*size.shape[:-1], 1), size], -1)
    scale = torch.as_tensor(log_mean).exp() / (shares * size.abs()).sum(-1, keepdim=True)
    return size * scale
