"""Choice probabilities: against mpmath, finite everywhere, and the identities they obey."""

import json
import math
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from reference.choice_prob import log_prob
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice import FAMILIES, Classes, Fixed, Gamma, LogNormal, Normal, StrengthFamily
from mixlogit.errors import UsageError

F64 = torch.float64
TABLE = json.loads(Path(__file__).parents[1].joinpath("reference/choice_prob.json").read_text())
TOLERANCE = {"gamma": 2e-13, "lognormal": 1e-9, "normal": 1e-9}
DTYPES = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
POSITIVE = [Gamma, LogNormal]
MIXED = [Gamma, LogNormal, Normal]


def tensor(*values: float) -> Tensor:
    return torch.tensor(values if len(values) > 1 else values[0], dtype=F64)


def member(name: str, mean: Tensor, spread: Tensor) -> StrengthFamily:
    """A family from the spread that the reference table uses."""
    if name == "gamma":
        return Gamma(mean, spread**-0.5)
    if name == "lognormal":
        return LogNormal(mean, torch.expm1(spread**2).sqrt())
    return Normal(mean, mean * spread)


def rows(name: str) -> tuple[StrengthFamily, Tensor, Tensor]:
    chosen = [row[1:] for row in TABLE["rows"] if row[0] == name]
    mean, spread, margin, expected = torch.tensor(chosen, dtype=F64).unbind(1)
    return member(name, mean, spread), margin, expected


@pytest.mark.parametrize("name", TOLERANCE)
def test_agrees_with_mpmath(name: str) -> None:
    family, margin, expected = rows(name)
    actual = family.log_choice_prob(margin)
    ordinary = expected.abs() > 1e-300
    error = ((actual - expected) / expected).abs()[ordinary]
    assert error.max() <= TOLERANCE[name]
    assert (actual - expected)[~ordinary].abs().max() <= 1e-300
    assert len(expected) > 200


@pytest.mark.parametrize("name", TOLERANCE)
def test_lognormal_and_others_are_far_better_than_promised(name: str) -> None:
    """The defaults reach 1e-12 on the table; a change that loses that is noticed."""
    family, margin, expected = rows(name)
    ordinary = expected.abs() > 1e-300
    error = ((family.log_choice_prob(margin) - expected) / expected).abs()[ordinary]
    assert error.max() <= 1e-12


@pytest.mark.parametrize(
    "row", [TABLE["rows"][i] for i in (20, 221, 404, 440, 561, 747, 812, 935, 1079)]
)
def test_the_stored_table_is_what_its_script_makes(row: list[float]) -> None:
    assert log_prob(*row[:4]) == pytest.approx(row[4], rel=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TOLERANCE)
def test_other_types_are_cast_up_and_the_result_down(name: str, dtype: torch.dtype) -> None:
    family, margin, _ = rows(name)
    margin = margin.to(dtype)
    actual = family.log_choice_prob(margin)
    expected = family.log_choice_prob(margin.to(F64))
    inside = (expected.abs() > torch.finfo(dtype).tiny) & (expected > torch.finfo(dtype).min)
    assert actual.dtype == dtype
    assert actual.isfinite().all()
    error = ((actual.to(F64) - expected) / expected).abs()[inside]
    assert error.max() <= DTYPES[dtype]


def test_a_log_probability_out_of_range_is_the_lowest_finite_value() -> None:
    low = Fixed(100.0).log_choice_prob(torch.tensor([-60000.0], dtype=torch.float16))
    assert low.item() == -65504.0
    low = Fixed(100.0).log_choice_prob(tensor(-1.7e308))
    assert low.item() == torch.finfo(F64).min


@pytest.mark.parametrize("mean", [0.01, 1.0, 7.3, 100.0])
@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.1, 0.5, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("make", MIXED)
def test_slope_at_zero_is_half_the_mean(
    make: type[StrengthFamily], spread: float, mean: float
) -> None:
    margin = torch.zeros(4, dtype=F64)
    margin[1] = -0.0
    margin.requires_grad_()
    family = make(tensor(mean), tensor(spread * mean if make is Normal else spread))
    (slope,) = torch.autograd.grad(family.log_choice_prob(margin).sum(), margin)
    assert ((slope - mean / 2) / mean).abs().max() <= 1e-14


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("make", MIXED)
def test_bend_at_zero_is_minus_a_quarter_of_the_squared_mean(
    make: type[StrengthFamily], spread: float
) -> None:
    """(log p)'' = p'' / p - (p' / p)^2, and p'' = 0 at margin 0 by symmetry."""
    margin = tensor(0.0).requires_grad_()
    log_p = make(tensor(1.7), tensor(spread * (1.7 if make is Normal else 1))).log_choice_prob(
        margin
    )
    (slope,) = torch.autograd.grad(log_p, margin, create_graph=True)
    (bend,) = torch.autograd.grad(slope, margin)
    second = 1.7**2 * (1 + spread**2)  # E[strength^2], the scale of what cancels
    assert bend.item() == pytest.approx(-(1.7**2) / 4, abs=1e-11 * second)


def test_slope_at_zero_of_signed_families_with_negative_mean() -> None:
    for family in (Normal(-2.0, 1.0), Normal(-2.0, 0.0), Normal(0.0, 1.0)):
        margin = torch.zeros(2, dtype=F64, requires_grad=True)
        (slope,) = torch.autograd.grad(family.log_choice_prob(margin).sum(), margin)
        torch.testing.assert_close(slope, family.mean.expand(2) / 2, rtol=1e-14, atol=1e-16)


def finite_floats(dtype: torch.dtype) -> st.SearchStrategy[float]:
    width = {torch.float64: 64, torch.float32: 32}.get(dtype, 16)
    return st.floats(allow_nan=False, allow_infinity=False, width=width)


@pytest.mark.parametrize("dtype", [F64, *DTYPES])
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(data=st.data())
def test_value_and_gradients_are_finite(dtype: torch.dtype, data: st.DataObject) -> None:
    limits = torch.finfo(dtype)
    found = data.draw(st.lists(finite_floats(dtype), min_size=1, max_size=20))
    extremes = [0.0, -0.0, limits.max, limits.min, limits.tiny, -limits.tiny / 4]
    margin = torch.tensor([*found, *extremes], dtype=F64).to(dtype)
    margin = margin[margin.isfinite()].requires_grad_()
    mean = tensor(data.draw(st.floats(1e-100, 1e100))).requires_grad_()
    cv = tensor(data.draw(st.floats(0, 1e6) | st.floats(0, 1e-6) | st.floats(0, 3)))
    cv = cv.requires_grad_()
    shares = tensor(0.2, 0.8).requires_grad_()
    strengths = torch.stack([-mean, mean])
    members = [
        Fixed(mean), LogNormal(mean, cv), Gamma(mean, cv), Normal(mean, cv), Normal(-mean, cv),
        Classes(strengths, shares),
    ]  # fmt: skip
    for family in members:
        log_p = family.log_choice_prob(margin)
        assert log_p.dtype == dtype
        assert log_p.isfinite().all(), family
        assert (log_p <= 0).all(), family
        inputs = [margin, mean, cv, shares]
        for gradient in torch.autograd.grad(log_p.sum(), inputs, allow_unused=True):
            assert gradient is None or gradient.isfinite().all(), family


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(
    mean=st.floats(0.01, 100),
    cv=st.floats(0, 5),
    margins=st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=30),
    scale=st.floats(1e-3, 1e3),
)
def test_identities(mean: float, cv: float, margins: list[float], scale: float) -> None:
    margin = torch.tensor(sorted(margins), dtype=F64)
    for make in POSITIVE:
        family = make(tensor(mean), tensor(cv))
        log_p = family.log_choice_prob(margin)
        total = log_p.exp() + family.log_choice_prob(-margin).exp()
        torch.testing.assert_close(total, torch.ones_like(total), rtol=1e-12, atol=1e-12)
        assert (log_p.diff() >= -1e-13 * log_p[1:].abs()).all()
        scaled = make(tensor(mean * scale), tensor(cv)).log_choice_prob(margin / scale)
        torch.testing.assert_close(scaled, log_p, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("cv", [0.0, 1e-13, 1e-9, 1e-6])
@pytest.mark.parametrize("make", MIXED)
def test_without_spread_it_is_the_fixed_strength(make: type[StrengthFamily], cv: float) -> None:
    margin = torch.linspace(-40, 40, 33, dtype=F64)
    spread = tensor(cv).requires_grad_()
    mean = tensor(1.3).requires_grad_()
    log_p = make(mean, spread).log_choice_prob(margin)
    expected = logsigmoid(1.3 * margin)
    torch.testing.assert_close(log_p, expected, rtol=3e-9 if cv > 1e-8 else 1e-13, atol=1e-300)
    slopes = torch.autograd.grad(log_p.sum(), [mean, spread])
    assert torch.stack(slopes).isfinite().all()
    assert slopes[1].abs() <= 1e5 * cv


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_fixed_is_dpo_to_the_last_bit(dtype: torch.dtype) -> None:
    margin = torch.randn(10_000, dtype=dtype) * 30
    for beta in (0.1, 0.05, 1.0, 0.3):
        assert torch.equal(Fixed(beta).log_choice_prob(margin), logsigmoid(beta * margin))


@pytest.mark.parametrize("sampling", ["plain", "antithetic", "sobol"])
@pytest.mark.parametrize("name", FAMILIES)
def test_draws_bring_gradients_to_the_parameters(name: str, sampling: str) -> None:
    """The mean over many draws has the gradient of the exact value."""
    example = FAMILIES[name].example()
    leaves = {k: v.clone().requires_grad_() for k, v in example.parameters.items()}
    if name == "classes":  # a draw is one of the strengths: no gradient in the shares
        leaves = {**leaves, "shares": example.parameters["shares"]}
    family = type(example)(**leaves)
    inputs = [v for v in leaves.values() if v.requires_grad]
    margin = tensor(-1.2)
    generator = torch.Generator().manual_seed(3)
    rough = family.log_choice_prob(margin, draws=20_000, sampling=sampling, generator=generator)
    exact = torch.autograd.grad(family.log_choice_prob(margin), inputs)
    for a, b in zip(torch.autograd.grad(rough, inputs), exact, strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.02)


def test_nodes_of_ones_own_choice() -> None:
    margin = torch.linspace(-8, 8, 9, dtype=F64)
    for family in (LogNormal(1.0, 0.9), Gamma(1.0, 0.9), Normal(1.0, 0.9)):
        exact = family.log_choice_prob(margin)
        for nodes, tolerance in ((8, 0.02), (64, 1e-6), (256, 1e-10)):
            rule = family.log_choice_prob(margin, nodes=nodes)
            torch.testing.assert_close(rule, exact, rtol=tolerance, atol=0)


def test_eight_nodes_are_enough_for_the_lognormal() -> None:
    margin = torch.linspace(-8, 8, 33, dtype=F64)
    family = LogNormal(1.0, 0.9)
    error = family.log_choice_prob(margin, nodes=8) - family.log_choice_prob(margin)
    assert error.abs().max() < 2e-3


def test_parameters_broadcast_with_margins() -> None:
    mean, cv, margin = torch.rand(5, 1, dtype=F64) + 1, tensor(0.4), torch.randn(7, dtype=F64)
    for make in MIXED:
        log_p = make(mean, cv).log_choice_prob(margin)
        assert log_p.shape == (5, 7)
        row = make(mean[2, 0], cv).log_choice_prob(margin)
        torch.testing.assert_close(log_p[2], row, rtol=1e-12, atol=0)
        assert make(mean, cv).log_choice_prob(margin[:0]).shape == (5, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": 8, "draws": 8}, "Expected nodes or draws but got both."),
        ({"nodes": 1}, "Expected nodes of at least 2 but got 1."),
        ({"draws": 0}, "Expected draws of at least 1 but got 0."),
        ({"draws": 3, "sampling": "antithetic"}, "Expected an even number of antithetic draws"),
        ({"draws": 4, "sampling": "halton"}, "Expected sampling of 'plain', 'antithetic' or"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LogNormal(1.0, 0.5).log_choice_prob(torch.zeros(2), **options)


def test_integer_margins_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Expected margins of a float type but got torch.int64"):
        Gamma(1.0, 0.5).log_choice_prob(torch.tensor([1, 2]))


def test_nan_margins_stay_nan() -> None:
    for family in (Fixed(1.0), Gamma(1.0, 0.5), LogNormal(1.0, 0.5), Normal(1.0, 0.5)):
        assert math.isnan(family.log_choice_prob(tensor(math.nan)))
