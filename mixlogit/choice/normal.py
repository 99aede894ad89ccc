"""Normal strength, which may be negative: choice probabilities by a closed form."""

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.alternating import TERMS, log_alternating_sum
from mixlogit.choice.family import StrengthFamily, check_parameter
from mixlogit.choice.lognormal import FLAT
from mixlogit.choice.quadrature import log_trapezoid
from mixlogit.choice.shapes import broadcast_tensors, fill
from mixlogit.choice.special import log1mexp, log_ndtr, mills, saturate
from mixlogit.errors import UsageError

__all__ = ["Normal"]

_LOG_ROOT = math.log(2 * math.pi) / 2


class Normal(StrengthFamily):
    r"""Normal strength of mean and standard deviation `sd`; a share of it is negative.

    For `sd |margin|` <= 1 by the trapezoidal rule; above, by a closed form:
    with `s = sd |margin|`, `r = |mean| / sd`, and x ~ Normal(-r s, s^2), the smaller choice
    probability is E[sigmoid(x)]. Expanding the sigmoid in powers of exp(x) where x < 0, and of
    exp(-x) where x > 0, and integrating term by term gives

    .. math::
        E[\sigma(x)] = \sum_{n \ge 0} (-1)^n B_n + \sum_{n \ge 1} (-1)^{n-1} A_n, \quad
        A_n = E[e^{nx}; x < 0] = \varphi(r) M(ns - r), \quad
        B_n = E[e^{-nx}; x > 0] = \varphi(r) M(ns + r),

    M the Mills ratio. Both are sequences of moments of positive measures on [0, 1], so 24 terms
    of the accelerated series are exact to rounding (the series without acceleration: Pirjol
    (2013), "The logistic-normal integral and its generalizations").

    Args:
        mean: Mean strength, any sign.
        sd: Standard deviation, at least 0; below 1e-12 of the mean it counts as 0, with a
            gradient of 0.
        validate_args: Whether to check the parameters.

    Example:
        >>> family = Normal(mean=1.0, sd=1.0)
        >>> family.log_choice_prob(torch.tensor([-2.0, 0.0, 2.0])).exp()
        tensor([0.2248, 0.5000, 0.7752])
        >>> family.log_tails(torch.zeros(()).double(), torch.zeros(()).double())[0].exp()
        tensor(0.1587, dtype=torch.float64)
    """

    name = "normal"
    coordinate = "linear"
    signed = True

    def __init__(
        self, mean: Tensor | float, sd: Tensor | float, *, validate_args: bool | None = None
    ) -> None:
        super().__init__(mean=mean, sd=sd, validate_args=validate_args)

    @property
    def _mean(self) -> Tensor:
        return saturate(self.parameters["mean"].clamp(min=-1e100, max=1e100))

    @property
    def _sd(self) -> Tensor:
        sd = self.parameters["sd"].clamp(max=1e100)
        flat = sd < FLAT * self.parameters["mean"].detach().abs().clamp(min=1e-80)
        return saturate(torch.where(flat, 0.0, sd))

    @classmethod
    def example(cls) -> Self:
        """A member of the family to run contracts on."""
        return cls(mean=1.0, sd=0.7)

    def _validate(self) -> None:
        check_parameter("mean", self.parameters["mean"], -1e100, 1e100)
        check_parameter("sd", self.parameters["sd"], 0.0, 1e100)

    @property
    def mean(self) -> Tensor:
        """Mean strength, a `batch` tensor."""
        return self._mean.expand(self.batch_shape)

    @property
    def sd(self) -> Tensor:
        """Standard deviation of strength, a `batch` tensor."""
        return self._sd.expand(self.batch_shape)

    def location_scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of strength, two `batch` tensors."""
        return self.mean, self.sd

    def _standardise(self, u: Tensor) -> Tensor:
        mean, sd = self._mean, self._sd
        if self._validating and bool((sd <= 0).any()):
            raise UsageError(
                'Expected sd > 0 for a density but got 0. Consider strength("fixed", mean=...).'
            )
        return (u - mean) / sd

    def log_density(self, u: Tensor) -> Tensor:
        """Log density of u = strength."""
        z = self._standardise(u)
        return -(z**2) / 2 - torch.log(self._sd) - _LOG_ROOT

    def log_tails(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities that strength is below `low` and above `high`."""
        return log_ndtr(self._standardise(low)), log_ndtr(-self._standardise(high))

    def quantile(self, q: Tensor) -> Tensor:
        """Strength that a share `q` of the population stays below."""
        z: Tensor = torch.special.ndtri(q)
        return self._mean + self._sd * z

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        """Strengths drawn at random, a `shape x batch` tensor."""
        with torch.no_grad():
            mean, sd = self._mean, self._sd
            size = (*shape, *self.batch_shape)
            z = torch.randn(size, generator=generator, dtype=sd.dtype, device=sd.device)
            return mean + sd * z

    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        if nodes is not None:
            return super()._log_choice_prob(margin, nodes)
        mean = self._mean
        away = torch.where(margin < 0, -margin, margin)
        size = torch.where(mean < 0, -mean, mean)
        low = _log_low(away, size, self._sd).clamp(max=-0.6)
        same = (margin < 0) == (mean < 0)
        return torch.where(same, log1mexp(low), low)


def _log_low(away: Tensor, size: Tensor, sd: Tensor) -> Tensor:
    """Log of E[sigmoid(-away x strength)], strength ~ Normal(size, sd), away and size >= 0."""
    away, size, sd = broadcast_tensors(away, size, sd)
    s = (away * sd).clamp(max=1e300)
    narrow = s.detach() <= 1.0
    value = fill(torch.zeros_like(s), narrow, _log_low_narrow, away, size, s)
    return fill(value, ~narrow, _log_low_wide, s, size, sd)


def _log_low_narrow(away: Tensor, size: Tensor, s: Tensor) -> Tensor:
    """The same for s <= 1 by the trapezoidal rule: the poles are pi / s off the real axis."""
    z = torch.linspace(-9.5, 9.5, 39, dtype=s.dtype, device=s.device).unsqueeze(-1)
    limit = torch.finfo(s.dtype).max
    reward = ((away * size).clamp(max=limit) + s * z).clamp(max=limit)
    return log_trapezoid(logsigmoid(-reward) - z**2 / 2, z[1] - z[0]) - _LOG_ROOT


def _log_low_wide(s: Tensor, size: Tensor, sd: Tensor) -> Tensor:
    """The same for s > 1 by the two accelerated series."""
    r = size / sd.clamp(min=1e-100)
    n = torch.arange(TERMS + 2, dtype=s.dtype, device=s.device).unsqueeze(-1)
    ns = n * s
    square = (r**2 / 2).clamp(max=1e300)
    log_b = torch.log(mills(ns[:-1] + r))
    t = ns[1:] - r
    beyond = t > 0
    distance = torch.where(beyond, t, -t)
    far = torch.log(mills(distance))
    # Below r, A_n = exp(-n s (r - n s / 2)) P(z < r - n s); above, as B_n.
    inside = torch.where(beyond, 0.0, ns[1:])
    above = torch.where(beyond, -1.0, far - _LOG_ROOT - distance**2 / 2)
    log_a = torch.where(
        beyond, far - square - _LOG_ROOT, -inside * (r - inside / 2) + torch.log1p(-above.exp())
    )
    below = log_a[0] + log_alternating_sum(-log_a.diff(dim=0))
    over = log_b[0] - square - _LOG_ROOT + log_alternating_sum(-log_b.diff(dim=0))
    # Not torch.logaddexp: its second derivative overflows where the two are far apart.
    return torch.logsumexp(torch.stack([below, over]), 0)
