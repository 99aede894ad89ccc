"""A family of one's own: only a density, moments and a sampler are given."""

import math
from typing import ClassVar

import pytest
import scipy.stats
import torch
from torch import Tensor

from mixlogit.choice import (
    FAMILIES,
    Classes,
    Gamma,
    LogNormal,
    Normal,
    StrengthFamily,
    check_strength_family,
)

F64 = torch.float64


class Weibull(StrengthFamily):
    """Strength scale x E^(1/shape), E exponential; what a user would write."""

    name = "weibull"

    def __init__(self, scale: Tensor | float, shape: Tensor | float) -> None:
        super().__init__(scale=scale, shape=shape)

    @classmethod
    def example(cls) -> "Weibull":
        return cls(scale=1.2, shape=1.7)

    def _moment(self, n: int) -> Tensor:
        scale, shape = self.parameters["scale"], self.parameters["shape"]
        return scale**n * torch.exp(torch.lgamma(1 + n / shape))

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def sd(self) -> Tensor:
        return torch.sqrt(self._moment(2) - self._moment(1) ** 2)

    def log_density(self, u: Tensor) -> Tensor:
        scale, shape = self.parameters["scale"], self.parameters["shape"]
        z = shape * (u - torch.log(scale))
        return torch.log(shape) + z - torch.exp(z)

    def location_scale(self) -> tuple[Tensor, Tensor]:
        scale, shape = self.parameters["scale"], self.parameters["shape"]
        euler = 0.5772156649015329
        return torch.log(scale) - euler / shape, math.pi / math.sqrt(6) / shape

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        u = torch.rand((*shape, *self.batch_shape), generator=generator, dtype=F64)
        scale, power = self.parameters["scale"], self.parameters["shape"]
        return (scale * (-torch.log1p(-u)) ** (1 / power)).detach()


class Logistic(StrengthFamily):
    """A signed family: logistic strength."""

    name = "logistic"
    coordinate: ClassVar[str] = "linear"
    signed = True

    @classmethod
    def example(cls) -> "Logistic":
        return cls(place=0.5, width=0.4)

    @property
    def mean(self) -> Tensor:
        return self.parameters["place"].expand(self.batch_shape)

    @property
    def sd(self) -> Tensor:
        return (self.parameters["width"] * math.pi / math.sqrt(3)).expand(self.batch_shape)

    def log_density(self, u: Tensor) -> Tensor:
        z = (u - self.parameters["place"]) / self.parameters["width"]
        log_sigmoid = torch.nn.functional.logsigmoid
        return log_sigmoid(z) + log_sigmoid(-z) - torch.log(self.parameters["width"])

    def location_scale(self) -> tuple[Tensor, Tensor]:
        return self.mean, self.sd

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        u = torch.rand((*shape, *self.batch_shape), generator=generator, dtype=F64)
        return (self.mean + self.parameters["width"] * torch.logit(u)).detach()


@pytest.mark.parametrize("family", [*FAMILIES.values(), Weibull, Logistic])
def test_every_contract_holds(family: type[StrengthFamily]) -> None:
    assert len(check_strength_family(family)) == 14


BATCHES = [
    LogNormal(torch.tensor([[0.1], [3.0]]), torch.tensor([0.05, 0.8, 2.0])),
    Gamma(torch.tensor([[0.1], [3.0]]), torch.tensor([0.05, 0.8, 2.0])),
    Normal(torch.tensor([[-1.0], [3.0]]), torch.tensor([0.05, 0.8])),
    Classes(torch.tensor([[-1.0, 2.0], [0.5, 1.0]]), torch.tensor([0.3, 0.7])),
    Weibull(torch.tensor([0.5, 2.0]), 1.3),
]


@pytest.mark.parametrize("family", BATCHES, ids=lambda family: family.name)
def test_every_contract_holds_for_batches(family: StrengthFamily) -> None:
    check_strength_family(family)


def test_the_base_class_answers_for_a_density_alone() -> None:
    family = Weibull(scale=1.2, shape=1.7)
    twin = scipy.stats.weibull_min(1.7, scale=1.2)
    b = torch.tensor([0.01, 0.9, 4.0], dtype=F64)
    low, high = family.log_tails(b.log(), b.log())
    torch.testing.assert_close(low, torch.tensor(twin.logcdf(b)), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(high, torch.tensor(twin.logsf(b)), rtol=1e-8, atol=1e-12)
    q = torch.tensor([1e-6, 0.3, 0.99], dtype=F64)
    torch.testing.assert_close(family.quantile(q), torch.tensor(twin.ppf(q)), rtol=1e-7, atol=0)
    assert family.log_sd.item() == pytest.approx(math.pi / math.sqrt(6) / 1.7)
    assert family.cv.item() == pytest.approx(twin.std() / twin.mean())
    assert family.atoms is None


def test_weibull_of_shape_1_is_the_gamma_of_cv_1() -> None:
    margin = torch.tensor([-1e4, -30.0, -1.0, 0.0, 2.0, 1e4], dtype=F64)
    exact = Gamma(1.5, 1.0).log_choice_prob(margin)
    numeric = Weibull(scale=1.5, shape=1.0).log_choice_prob(margin)
    torch.testing.assert_close(numeric, exact, rtol=1e-10, atol=0)


@pytest.mark.parametrize("cv", [0.02, 0.5, 1.0, 3.0, 20.0])
def test_generic_quadrature_agrees_with_the_closed_form(cv: float) -> None:
    margin = torch.tensor([-1e300, -1e4, -30.0, -1.0, 0.0, 2.0, 1e4], dtype=F64)
    for family in (Gamma(1.5, cv), LogNormal(1.5, cv)):
        numeric = StrengthFamily._log_choice_prob(family, margin, 513)
        torch.testing.assert_close(numeric, family.log_choice_prob(margin), rtol=1e-8, atol=1e-300)


def test_quantiles_of_the_base_class_have_gradients() -> None:
    scale = torch.tensor(1.2, dtype=F64, requires_grad=True)
    q = torch.tensor(0.3, dtype=F64)
    b = Weibull(scale, 1.7).quantile(q)
    assert torch.autograd.grad(b, scale)[0].item() == pytest.approx(b.item() / 1.2, rel=1e-6)


def test_repr_names_the_parameters() -> None:
    assert repr(LogNormal(1.0, 0.5)) == "LogNormal(mean=1.0, cv=0.5)"


def test_to_the_same_device_is_the_same_family() -> None:
    family = LogNormal(1.0, 0.5)
    assert family.to("cpu") is family
    moved = Classes(torch.tensor([0.5, 1.0]), torch.tensor([0.5, 0.5])).to("meta")
    assert moved.parameters["strengths"].device.type == "meta"
