"""The contract kit notices families that break a contract."""

import pytest
import torch
from torch import Tensor

from mixlogit.choice import Gamma, LogNormal, StrengthFamily, check_strength_family


class Broken(LogNormal):
    """A correct family to break one thing of."""


class InAbsoluteMargin(Broken):
    """The classic mistake: a formula in |margin| has no gradient at margin 0."""

    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        low = self._log_low(margin.abs(), nodes)
        return torch.where(margin < 0, low, torch.log1p(-low.exp()))


class WrongMean(Broken):
    @property
    def mean(self) -> Tensor:
        return 1.01 * super().mean


class WrongTails(Broken):
    def log_tails(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return super().log_tails(low + 0.01, high)


class WrongScale(Broken):
    def location_scale(self) -> tuple[Tensor, Tensor]:
        location, scale = super().location_scale()
        return location, 1.001 * scale


class NotReproducible(Broken):
    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        return super().sample(shape)


class Overflows(Broken):
    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        return torch.nn.functional.logsigmoid(margin * 1.5 * (1 + 0 * self._cv))


class NotSymmetric(Broken):
    def _log_choice_prob(self, margin: Tensor, nodes: int | None) -> Tensor:
        return super()._log_choice_prob(margin + 1e-6, nodes)


class TooNarrowDraws(Broken):
    def _draw(self, q: Tensor, sampling: str, generator: torch.Generator | None) -> Tensor:
        return super()._draw(0.5 + 0.8 * (q - 0.5), sampling, generator)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (InAbsoluteMargin, "fails has_slope_at_zero: Expected slope of log p at margin 0 within"),
        (WrongMean, "fails has_slope_at_zero"),
        (WrongTails, "fails has_tails: Expected sum of the two tails within"),
        (WrongScale, "fails agrees_with_draws|fails has_density"),
        (NotReproducible, "fails samples: Expected the same draws from the same generator"),
        (Overflows, "fails is_finite|fails agrees_with_draws"),
        (NotSymmetric, "fails sums_to_one: Expected p.margin. . p.-margin. within 1e-12"),
        (TooNarrowDraws, "fails agrees_with_draws: Expected plain draws within 4.5 standard"),
    ],
)
def test_a_broken_family_is_named(family: type[StrengthFamily], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_strength_family(family)


def test_a_factory_or_an_instance_will_do() -> None:
    names = check_strength_family(lambda: Gamma(0.3, 1.1))
    assert names == check_strength_family(Gamma(0.3, 1.1))
    assert "has_slope_at_zero" in names


def test_validation_is_as_before_after_a_check() -> None:
    before = torch.distributions.Distribution._validate_args
    check_strength_family(LogNormal(1.0, 0.3))
    assert torch.distributions.Distribution._validate_args == before
