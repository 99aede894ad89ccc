"""Gamma strength: choice probabilities by a closed form."""

from functools import partial

import torch
from torch import Tensor

from mixlogit.choice.alternating import TERMS, log_alternating_sum
from mixlogit.choice.draws import Sampling
from mixlogit.choice.incomplete_gamma import log_gamma_density, log_gamma_quantile, log_gamma_tails
from mixlogit.choice.lognormal import MeanCV
from mixlogit.choice.quadrature import implicit_quantile
from mixlogit.choice.shapes import broadcast_tensors
from mixlogit.choice.special import log1mexp, log1p_over, saturate

__all__ = ["Gamma"]

_FLOOR = 1e-8  # smallest cv of draws: below, a draw equals the mean to rounding


class Gamma(MeanCV):
    r"""Gamma strength of shape k = 1 / cv^2 and scale s = mean cv^2.

    With `x = s |margin|`, the smaller of the two choice probabilities is

    .. math::
        P(-|margin|) = \sum_{n \ge 0} (-1)^n (1 + (n + 1) x)^{-k},

    the Lerch transcendent of MixDPO (mixed logit), arXiv 2601.06180, shifted by one term. Its
    terms are moments of a positive measure, so 24 terms of the accelerated series are exact to
    rounding for every shape and margin. It is written in `y = mean |margin|` and v = cv^2, with
    k log1p(x) = y log1p(v y) / (v y), so that cv = 0 is the fixed strength, with its gradient.

    Args:
        mean: Mean strength.
        cv: Coefficient of variation.
        validate_args: Whether to check the parameters.

    Example:
        >>> family = Gamma(mean=0.5, cv=0.8)
        >>> family.log_choice_prob(torch.tensor([-30.0, 0.0, 30.0], dtype=torch.float64))
        tensor([-3.9663, -0.6931, -0.0191], dtype=torch.float64)
    """

    name = "gamma"

    @property
    def _square(self) -> Tensor:
        return saturate(self._cv**2)

    @property
    def shape(self) -> Tensor:
        """Shape k = 1 / cv^2, a `batch` tensor; at most 1e16."""
        return 1 / self._square.clamp(min=_FLOOR**2).expand(self.batch_shape)

    def location_scale(self) -> tuple[Tensor, Tensor]:
        """Mean digamma(k) + log s and standard deviation sqrt(trigamma(k)) of log strength."""
        k = self.shape
        return (
            torch.log(self.mean) + torch.digamma(k) - torch.log(k),
            torch.sqrt(torch.polygamma(1, k)),
        )

    def log_density(self, u: Tensor) -> Tensor:
        """Log density of u = log strength."""
        self._needs_spread()
        return log_gamma_density(self.shape, u - torch.log(self.mean))

    def log_tails(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities that log strength is below `low` and above `high`."""
        self._needs_spread()
        k, log_mean = self.shape, torch.log(self.mean)
        return log_gamma_tails(k, low - log_mean)[0], log_gamma_tails(k, high - log_mean)[1]

    def quantile(self, q: Tensor) -> Tensor:
        """Strength that a share `q` stays below; its gradient is implicit."""
        k, log_mean = self.shape, torch.log(self.mean)
        w = log_gamma_quantile(k.detach(), q)
        w = implicit_quantile(partial(log_gamma_tails, k), partial(log_gamma_density, k), w)
        return torch.exp(w + log_mean)

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        """Strengths drawn at random, a `shape x batch` tensor."""
        with torch.no_grad():
            return self._rsample((*shape, *self.batch_shape), generator)

    def _rsample(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        k = self.shape.expand(size)
        return torch._standard_gamma(k, generator=generator) / k * self._mean

    def _draw(self, q: Tensor, sampling: Sampling, generator: torch.Generator | None) -> Tensor:
        if sampling == "plain":  # torch's own sampler: implicit gradient, ten times faster
            return self._rsample(tuple(q.shape), generator)
        return self.quantile(q)

    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        if nodes is not None:
            return super()._log_choice_prob(margin, nodes)
        away = torch.where(margin < 0, -margin, margin)
        low = _log_low(away, self._mean, self._square)
        return torch.where(margin < 0, low, log1mexp(low.clamp(max=-0.6)))


def _log_low(away: Tensor, mean: Tensor, v: Tensor) -> Tensor:
    """Log P(-|margin|) by the accelerated series, in y = mean x away and v = cv^2."""
    y = (away * mean).clamp(max=torch.finfo(away.dtype).max)
    y, v = broadcast_tensors(y, v)
    n = torch.arange(1, TERMS + 1, dtype=y.dtype, device=y.device).reshape(-1, *[1] * y.dim())
    # log a_(n-1) - log a_n = k log1p(x / (1 + n x)), which is log1p(v z) / v at this z:
    t = v * y
    far = t > 1e17
    z = y / (1 + n * t)
    if bool(far.any()):  # 1 + n t is n t there, and t may overflow
        z = torch.where(far, 1 / (n * torch.where(far, v, 1.0)), y / (1 + n * t.clamp(max=1e17)))
    return log_alternating_sum(log1p_over(z, v)) - log1p_over(y, v)
