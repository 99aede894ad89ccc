"""The registry of families."""

import math
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit import analysis
from mixlogit.choice import FAMILIES, StrengthFamily
from mixlogit.errors import UsageError
from mixlogit.models.problem import Problem


def test_families_by_name() -> None:
    assert set(ml.families()) == {"fixed", "lognormal", "gamma", "normal", "classes"}
    assert ml.families() is not FAMILIES
    for name, family in FAMILIES.items():
        example = family.example()
        again = ml.strength(name, **example.parameters)
        assert type(again) is family
        assert torch.equal(again.mean, example.mean)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("gama", {}, "No strength family 'gama'. Did you mean 'gamma'?"),
        ("xyz", {}, "No strength family 'xyz'. Expected one of fixed, lognormal, gamma, "),
        ("gamma", {"mean": 1.0}, "Strength family 'gamma':"),
        ("gamma", {"mean": 1.0, "sd": 1.0}, "unexpected keyword argument 'sd'"),
    ],
)
def test_what_cannot_be_used(name: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        ml.strength(name, **parameters)


class InverseGamma(StrengthFamily):
    """A family of a user's own: 1 / b is gamma."""

    name = "inverse-gamma"

    def __init__(self, mean: Any, cv: Any, *, validate_args: bool | None = None) -> None:
        super().__init__(mean=mean, cv=cv, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.parameters["mean"].expand(self.batch_shape)

    @property
    def sd(self) -> Tensor:
        return self.mean * self.parameters["cv"]

    def _shape_rate(self) -> tuple[Tensor, Tensor]:
        shape = 2 + self.parameters["cv"] ** -2
        return shape, self.parameters["mean"] * (shape - 1)

    def log_density(self, u: Tensor) -> Tensor:
        shape, rate = self._shape_rate()
        return shape * (rate.log() - u) - torch.lgamma(shape) - rate * (-u).exp()

    def location_scale(self) -> tuple[Tensor, Tensor]:
        shape, rate = self._shape_rate()
        return rate.log() - torch.digamma(shape), torch.polygamma(1, shape).sqrt()

    def sample(
        self, shape: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> Tensor:
        alpha, rate = (part.detach().expand(self.batch_shape) for part in self._shape_rate())
        return rate / torch._standard_gamma(alpha.expand(shape + self.batch_shape), generator)


def test_a_family_of_ones_own_keeps_every_contract() -> None:
    assert "agrees_with_quadrature" in ml.check_strength_family(InverseGamma)


def test_a_family_of_ones_own_is_fitted_by_its_name(tmp_path: Path) -> None:
    votes = ml.simulate(1500, 80, "lognormal", mean=1.0, cv=0.6, seed=1).comparisons()
    with patch.dict(FAMILIES):
        ml.add_family(InverseGamma)
        posterior = ml.fit(votes, "inverse-gamma", evidence=False, draws=400)
        posterior.save(tmp_path / "run")
    found = posterior.summary()
    assert found.loc["mean", "q05"] < 1.0 < found.loc["mean", "q95"]
    # an independent oracle of the marginal likelihood: every respondent by dense quadrature
    at = {name: torch.tensor([[found.loc[name, "q50"]]]) for name in ("mean", "cv")}
    b = torch.linspace(-12.0, 8.0, 20001, dtype=torch.float64).exp()
    density = InverseGamma(**at).log_density(b.log()).squeeze(0)
    margin = (2 * votes.outcome - 1) * votes.margin
    curves = torch.zeros(80, len(b), dtype=torch.float64)
    curves.index_add_(0, votes.respondent.codes, logsigmoid(margin.unsqueeze(-1) * b))
    exact = torch.logsumexp(curves + density, -1) + math.log(20.0 / 20000)
    with patch.dict(FAMILIES, {"inverse-gamma": InverseGamma}):
        panel = Problem(votes).joint("inverse-gamma").likelihood.by_respondent(InverseGamma(**at))
    torch.testing.assert_close(panel[0], exact, atol=1e-4, rtol=0)
    # what the analysis does not know of such a family, it does not make up
    table = analysis.heterogeneity(tmp_path / "run").set_index("measure")
    assert table.loc["cv", "mean"] == pytest.approx(found.loc["cv", "mean"])
    assert math.isnan(table.loc["gini", "mean"])
    assert table.loc["gini", "note"] == "not known of a family of one's own"
    assert len(analysis.plot_choice_curve(tmp_path / "run").lines) == 2  # no curve
    assert analysis.report(tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "gamma"}, "There is a family 'gamma'. Choose another name."),
        (
            {"example": classmethod(lambda cls: ml.strength("normal", mean=1.0, sd=1.0))},
            "Expected the family 'mine' to have the parameters mean and cv.",
        ),
        (
            {"coordinate": "linear", "signed": True},
            "Expected positive strengths with coordinate 'log' of the family 'mine'.",
        ),
    ],
)
def test_families_that_a_fit_cannot_use(changes: dict[str, Any], message: str) -> None:
    family = type("Mine", (InverseGamma,), {"name": "mine", **changes})
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        ml.add_family(family)
    assert "mine" not in FAMILIES
