"""Lognormal strength: log strength is normal over the population."""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.family import StrengthFamily, check_parameter
from mixlogit.choice.quadrature import log_trapezoid
from mixlogit.choice.special import log1mexp, log1p_over, log_ndtr, saturate
from mixlogit.errors import UsageError

__all__ = ["FLAT", "LogNormal", "MeanCV", "default_nodes"]

FLAT = 1e-12  # a cv below this is the same strength for all: no double can tell


class MeanCV(StrengthFamily):
    """A positive family by its mean and coefficient of variation.

    Args:
        mean: Mean strength, above 0.
        cv: Coefficient of variation, sd / mean, at least 0; 0 (and whatever is below 1e-12) is
            the same strength for all, with a gradient of 0.
        validate_args: Whether to check the parameters; as Pyro's validation by default.
    """

    def __init__(
        self, mean: Tensor | float, cv: Tensor | float, *, validate_args: bool | None = None
    ) -> None:
        super().__init__(mean=mean, cv=cv, validate_args=validate_args)

    def _validate(self) -> None:
        check_parameter("mean", self.parameters["mean"], 1e-100, 1e100)
        check_parameter("cv", self.parameters["cv"], 0.0, 1e6)

    # Computed at each use, so that a family can be used in more than one backward pass.
    @property
    def _mean(self) -> Tensor:
        return saturate(self.parameters["mean"].clamp(min=1e-100, max=1e100))

    @property
    def _cv(self) -> Tensor:
        cv = self.parameters["cv"].clamp(max=1e6)
        return saturate(torch.where(cv < FLAT, 0.0, cv))

    @property
    def mean(self) -> Tensor:
        """Mean strength, a `batch` tensor."""
        return self._mean.expand(self.batch_shape)

    @property
    def cv(self) -> Tensor:
        """Coefficient of variation, a `batch` tensor."""
        return self._cv.expand(self.batch_shape)

    @property
    def sd(self) -> Tensor:
        """Standard deviation of strength, a `batch` tensor."""
        return self.mean * self.cv

    def _needs_spread(self) -> None:
        if self._validating and bool((self._cv <= 0).any()):
            raise UsageError(
                'Expected cv > 0 for a density but got 0. Consider strength("fixed", mean=...).'
            )


class LogNormal(MeanCV):
    r"""Lognormal strength, `log b ~ Normal(mu, sigma^2)`.

    .. math::
        \sigma^2 = \log(1 + cv^2), \quad \mu = \log(mean) - \sigma^2 / 2

    The choice probability is the trapezoidal rule in z = (log b - mu) / sigma, between the
    points where the integrand, which is log-concave, has fallen to exp(-32) of its peak.

    Args:
        mean: Mean strength.
        cv: Coefficient of variation.
        validate_args: Whether to check the parameters.

    Example:
        >>> family = LogNormal(mean=1.0, cv=0.8)
        >>> family.log_choice_prob(torch.tensor([-2.0, 0.0, 2.0])).exp()
        tensor([0.1795, 0.5000, 0.8205])
        >>> family.log_sd
        tensor(0.7033, dtype=torch.float64)
    """

    name = "lognormal"

    @property
    def _sigma(self) -> Tensor:
        cv = self._cv
        return cv * torch.sqrt(log1p_over(torch.ones_like(cv), cv**2))

    @property
    def log_sd(self) -> Tensor:
        """Standard deviation of log strength, sigma, a `batch` tensor."""
        return self._sigma.expand(self.batch_shape)

    def location_scale(self) -> tuple[Tensor, Tensor]:
        """Mean mu and standard deviation sigma of log strength, two `batch` tensors."""
        sigma = self.log_sd
        return torch.log(self.mean) - sigma**2 / 2, sigma

    def log_density(self, u: Tensor) -> Tensor:
        """Log density of u = log strength."""
        self._needs_spread()
        mu, sigma = self.location_scale()
        return -(((u - mu) / sigma) ** 2) / 2 - torch.log(sigma) - math.log(2 * math.pi) / 2

    def log_tails(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities that log strength is below `low` and above `high`."""
        self._needs_spread()
        mu, sigma = self.location_scale()
        return log_ndtr((low - mu) / sigma), log_ndtr((mu - high) / sigma)

    def quantile(self, q: Tensor) -> Tensor:
        """Strength that a share `q` of the population stays below."""
        mu, sigma = self.location_scale()
        return torch.exp(mu + sigma * torch.special.ndtri(q))

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        """Strengths drawn at random, a `shape x batch` tensor."""
        with torch.no_grad():
            mu, sigma = self.location_scale()
            size = (*shape, *self.batch_shape)
            z = torch.randn(size, generator=generator, dtype=mu.dtype, device=mu.device)
            return torch.exp(mu + sigma * z)

    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        away = torch.where(margin < 0, -margin, margin)
        low = self._log_low(away, nodes).clamp(max=-0.6)  # at most log(1/2)
        return torch.where(margin < 0, low, log1mexp(low))

    def _log_low(self, away: Tensor, nodes: int | None) -> Tensor:
        """Log of E[sigmoid(-strength x away)], away >= 0."""
        mean, sigma, flat = self._mean, self._sigma, self._cv == 0
        if not bool(flat.any()):
            return _log_low(away, mean, sigma, nodes)
        value = _log_low(away, mean, torch.where(flat, 1.0, sigma), nodes)
        reward = (away * mean).clamp(max=torch.finfo(away.dtype).max)
        return torch.where(flat, logsigmoid(-reward), value)


def _log_low(away: Tensor, mean: Tensor, sigma: Tensor, nodes: int | None) -> Tensor:
    """The trapezoidal rule, sigma > 0."""
    with torch.no_grad():
        count = nodes or default_nodes(sigma)
        first, last = _limits(away, mean, sigma, min(32.0, math.pi / 2 * count))
        step = (last - first) / (count - 1)
        index = torch.arange(count, dtype=away.dtype, device=away.device)
        z = first + step * index.reshape(-1, *[1] * step.dim())
    # The mean inside the exponent: the products of the gradient then cannot overflow.
    reward = away * torch.exp(sigma * z + (torch.log(mean) - sigma**2 / 2))
    log_f = logsigmoid(-reward.clamp(max=torch.finfo(reward.dtype).max)) - z**2 / 2
    return log_trapezoid(log_f, step) - math.log(2 * math.pi) / 2


def default_nodes(sigma: Tensor) -> int:
    """Quadrature points that give 1e-13 for every margin, from the sd of log strength.

    The nearest pole of the integrand lies pi / (2 sigma) off the real axis, so the points that
    a given error needs grow in proportion to sigma; the constants were measured.

    Example:
        >>> default_nodes(torch.tensor(0.5)), default_nodes(torch.tensor(3.0))
        (30, 100)
    """
    widest = float(sigma.max()) if sigma.numel() else 0.0
    return max(26, math.ceil(16 + 28 * widest))


def _limits(away: Tensor, mean: Tensor, sigma: Tensor, drop: float) -> tuple[Tensor, Tensor]:
    """Ends in z beyond which the integrand is below exp(-drop) of its peak.

    With the mode at z* and B = r sigmoid(r), r = reward at the mode, the log integrand at
    z* + d lies below the peak by at least d^2/2 + B (exp(x) - 1 - x), x = sigma d.
    """
    slope = _slope_at_mode(away, mean, sigma)  # B
    centre = -sigma * slope
    # On the right there is room for the strength squared that second derivatives bring in.
    half, room = math.sqrt(2 * drop), 2 * drop / 32
    ratio = drop / (0.368 * slope)
    left = torch.where(ratio < 1, ratio.sqrt(), ratio) / sigma
    ratio = (drop + 22 * room) / slope
    right = torch.minimum((2 * ratio).sqrt(), torch.log(1.7 * ratio).clamp(min=2.0)) / sigma
    left = _tighten(left.clamp(max=half), -sigma, slope, drop, 0.0)
    right = _tighten(torch.minimum(right, half + room * sigma), sigma, slope, drop, room)
    return centre - left, centre + right


def _tighten(d: Tensor, sigma: Tensor, slope: Tensor, drop: float, room: float) -> Tensor:
    """Newton steps from above on d^2/2 + B (exp(x) - 1 - x) - room |x| = drop, convex in d."""
    for _ in range(2):
        x = sigma * d
        growth = torch.expm1(x)
        excess = d**2 / 2 + slope * (growth - x) - room * x - drop
        gradient = d + sigma * (slope * growth - room)
        d = torch.where((excess > 0) & (gradient > 0), d - excess / gradient, d)
    return d


def _slope_at_mode(away: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """B = r sigmoid(r) at the mode, where x = sigma^2 B, r = exp(c - x): Newton in x."""
    c = torch.log(away) + torch.log(mean) - sigma**2 / 2
    variance = sigma**2
    level = c + torch.log(variance)  # without the sigmoid, x = W(exp(level)), Lambert's function
    big = level.clamp(min=1.0)
    x = torch.where(level > 1, big - big.log() + big.log() / big, level.clamp(max=1.0).exp())
    for _ in range(3):
        reward = torch.exp((c - x).clamp(max=705.0))
        p = torch.sigmoid(reward)
        value, derivative = reward * p, reward * p * (1 + reward * (1 - p))
        x = (x - (x - variance * value) / (1 + variance * derivative)).clamp(min=0.0)
    return x / variance
