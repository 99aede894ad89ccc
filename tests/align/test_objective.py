"""The per-comparison objective: DPO, its limit, ties, and the two steps against the joint one."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.align import AlignSettings, ComparisonObjective, Objective, make_objective
from mixlogit.choice import strength
from mixlogit.data import Comparisons, Labels
from mixlogit.errors import UsageError

FAMILIES = ("lognormal", "gamma", "normal", "classes")


def comparisons(n: int = 40, **columns: object) -> Comparisons:
    return Comparisons(outcome=torch.ones(n), margin=torch.zeros(n), **columns)  # type: ignore[arg-type]


def batch(
    n: int = 40, size: int = 16, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    index = torch.randperm(n, generator=generator)[:size]
    return (4 * torch.randn(size, generator=generator, dtype=dtype)).requires_grad_(), index


@pytest.mark.parametrize("beta", [0.1, 0.3, 1.0, 0.07])
def test_fixed_strength_is_dpo_to_the_last_bit(beta: float) -> None:
    objective = make_objective(comparisons(), AlignSettings(family="fixed", beta=beta))
    margin, index = batch()
    loss = objective.loss(margin, index)
    expected = -logsigmoid(beta * margin).mean()
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)
    gradients = [torch.autograd.grad(value, margin)[0] for value in (loss, expected)]
    assert torch.equal(*gradients)


def test_fixed_strength_is_dpo_with_respondents_too() -> None:
    who = Labels(torch.arange(40) % 7, tuple("abcdefg"))
    objective = make_objective(comparisons(respondent=who), AlignSettings(family="fixed"))
    assert isinstance(objective, ComparisonObjective)


@pytest.mark.parametrize("family", ["lognormal", "gamma", "normal"])
def test_a_vanishing_spread_tends_to_dpo(family: str) -> None:
    margin, index = batch(dtype=torch.float64)
    expected = -logsigmoid(0.3 * margin).mean()
    gaps = []
    for cv in (0.04, 0.02, 0.01):
        objective = make_objective(comparisons(), AlignSettings(family=family, beta=0.3))
        _hold_cv(objective, cv)
        gaps.append(float((objective.loss(margin, index) - expected).detach().abs()))
    assert gaps[-1] < 1e-4
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.05)  # second order in cv
    assert gaps[1] / gaps[2] == pytest.approx(4, rel=0.05)


def _hold_cv(objective: Objective, cv: float) -> None:
    """Put the guide on one value of cv."""
    population = objective.population
    half_normal = torch.special.ndtri(
        torch.tensor(math.erf(cv / math.sqrt(2)), dtype=torch.float64)
    )
    with torch.no_grad():
        population.guide.shift[0, 0] = half_normal
        population.guide.log_scale.fill_(-40.0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("anchor", ["mean", None])
def test_two_steps_are_one_step_along_the_joint_gradient(family: str, anchor: str | None) -> None:
    settings = AlignSettings(family=family, beta=0.3, anchor=anchor, lapse="learned")  # type: ignore[arg-type]
    margin, index = batch(dtype=torch.float64)
    joint, apart = (make_objective(comparisons(), settings) for _ in range(2))
    assert isinstance(joint, ComparisonObjective)
    assert joint.population.module is not None
    loss = joint.population.loss(joint.likelihood(margin, index))
    guide = list(joint.population.module.parameters())
    wanted = torch.autograd.grad(loss, [margin, *guide], allow_unused=True)
    policy = torch.autograd.grad(apart.loss(margin, index), margin)[0]
    torch.testing.assert_close(policy, wanted[0], rtol=1e-12, atol=1e-14)
    apart.step(margin, index)  # leaves the gradients where its optimiser took them
    for parameter, gradient in zip(apart.population.module.parameters(), wanted[1:], strict=True):  # type: ignore[union-attr]
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-14)


def test_two_steps_share_the_monte_carlo_points() -> None:
    settings = AlignSettings.recipe("mixdpo", beta=0.3)
    margin, index = batch(dtype=torch.float64)
    objective = make_objective(comparisons(), settings)
    assert isinstance(objective, ComparisonObjective)
    joint = objective.population.loss(objective.likelihood(margin, index))
    wanted = torch.autograd.grad(joint, margin)[0]
    policy = torch.autograd.grad(objective.loss(margin, index), margin)[0]
    torch.testing.assert_close(policy, wanted, rtol=1e-12, atol=1e-14)


def test_the_batch_is_scaled_to_the_data_and_the_prior_is_not() -> None:
    """Minus the ELBO over N, from its parts."""
    objective = make_objective(comparisons(), AlignSettings(beta=0.3))
    assert isinstance(objective, ComparisonObjective)
    margin, index = batch(dtype=torch.float64)
    population = objective.population
    family = population.draw().family
    fit = family.log_choice_prob(margin).sum() * 40 / 16
    guide = population.guide
    torch.manual_seed(population.noise_seed())
    eps = torch.randn(1, dtype=torch.float64)
    theta = guide.shift[0] + guide.log_scale[0].exp() * eps
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(theta).sum()
    entropy = torch.distributions.Normal(guide.shift[0], guide.log_scale[0].exp())
    elbo = fit + prior - entropy.log_prob(theta).sum()
    loss = population.loss(objective.likelihood(margin, index))
    assert float(loss.detach()) == pytest.approx(-float(elbo.detach()) / 40, rel=1e-9)


def test_the_gradient_at_zero_margins_is_that_of_dpo() -> None:
    margin = torch.zeros(8, requires_grad=True)
    for settings in (
        AlignSettings(),
        AlignSettings(family="gamma"),
        AlignSettings(family="fixed"),
    ):
        objective = make_objective(comparisons(), settings)
        (gradient,) = torch.autograd.grad(objective.loss(margin, torch.arange(8)), margin)
        torch.testing.assert_close(gradient, torch.full((8,), -0.1 / 2 / 8))


def test_ties_are_half_votes_and_weights_count() -> None:
    data = Comparisons(
        outcome=torch.tensor([1.0, 0.0, 0.5]),
        margin=torch.zeros(3),
        weight=torch.tensor([1, 1, 3.0]),
    )
    objective = make_objective(data, AlignSettings(family="fixed", beta=0.5))
    margin = torch.tensor([0.4, -0.3, 2.0], dtype=torch.float64)
    votes = [
        logsigmoid(0.5 * margin[0]),
        logsigmoid(-0.5 * margin[1]),
        3 * (logsigmoid(0.5 * margin[2]) + logsigmoid(-0.5 * margin[2])) / 2,
    ]
    loss = objective.loss(margin, torch.arange(3))
    assert float(loss) == pytest.approx(-float(sum(votes)) / 3, rel=1e-12)


def test_a_given_lapse_is_conservative_dpo() -> None:
    """With flips of a share e: e + (1 - 2e) sigmoid, e = lapse / 2."""
    objective = make_objective(comparisons(), AlignSettings(family="fixed", lapse=0.2))
    margin, index = batch(dtype=torch.float64)
    p = 0.1 + 0.8 * torch.sigmoid(0.1 * margin)
    torch.testing.assert_close(objective.loss(margin, index), -p.log().mean())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_anchor_holds_while_the_strength_learns(family: str) -> None:
    groups = {"g": Labels(torch.arange(40) % 2, ("a", "b"))}
    data = comparisons(groups=groups)
    objective = make_objective(data, AlignSettings(family=family, beta=0.3, by=("g",)))
    margin, index = batch()
    for _ in range(5):
        objective.step(margin.detach().abs() * (1 + index % 2), index)
    told = objective.describe()
    assert told["mean"] == pytest.approx(0.3, rel=1e-9)
    assert told["mean/g=a"] != pytest.approx(told["mean/g=b"], rel=1e-3)


def test_without_an_anchor_the_mean_follows_the_data() -> None:
    generator = torch.Generator().manual_seed(0)
    margin = 2 * torch.randn(4000, generator=generator, dtype=torch.float64)
    agrees = torch.rand(4000, generator=generator, dtype=torch.float64) < torch.sigmoid(
        0.8 * margin
    )
    margin = torch.where(agrees, margin, -margin)
    objective = make_objective(
        comparisons(4000), AlignSettings(beta=0.3, family="fixed", anchor=None, rate=0.05)
    )
    for _ in range(120):
        objective.step(margin, torch.arange(4000))
    assert objective.describe()["mean"] == pytest.approx(0.8, abs=0.06)


def test_steps_repeat_bit_for_bit_and_leave_the_generator_alone() -> None:
    margin, index = batch()
    told = []
    before = torch.get_rng_state()
    for _ in range(2):
        objective = make_objective(comparisons(), AlignSettings.recipe("mixdpo", seed=4))
        for _ in range(3):
            objective.step(margin, index)
        told.append(objective.describe())
    assert told[0] == told[1]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("settings", [AlignSettings(), AlignSettings(family="fixed")])
def test_a_saved_state_continues_bit_for_bit(settings: AlignSettings) -> None:
    margin, index = batch()
    whole, cut = (make_objective(comparisons(), settings) for _ in range(2))
    for step in range(6):
        whole.step(margin, index)
        if step < 3:
            cut.step(margin, index)
    resumed = make_objective(comparisons(), settings)
    resumed.load_state_dict(cut.state_dict())
    for _ in range(3):
        resumed.step(margin, index)
    wanted = whole.state_dict()
    found = resumed.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_predictions_are_the_family_s() -> None:
    objective = make_objective(comparisons(), AlignSettings.recipe("mixdpo", beta=0.3))
    margin = torch.tensor([-1.0, 2.0], dtype=torch.float64)
    told = objective.describe()
    zero = torch.zeros(2, dtype=torch.long)
    expected = strength("lognormal", mean=told["mean"], cv=told["cv"]).log_choice_prob(margin)
    torch.testing.assert_close(objective.log_predictive(margin, zero - 1, zero), expected)


def test_messages() -> None:
    margin = torch.tensor([0.0, torch.inf])
    objective = make_objective(comparisons(), AlignSettings())
    with pytest.raises(UsageError) as error:
        objective.step(margin, torch.tensor([3, 9]))
    assert str(error.value) == (
        "The margin of comparison 9 is inf: the policy has diverged. Lower the learning rate."
    )
    with pytest.raises(UsageError) as error:
        make_objective(comparisons(), AlignSettings(contrarians=True))
    assert str(error.value) == (
        "Contrarians need a panel: single votes cannot tell them from random ones. Name the "
        "column of respondents with --respondent, or use --lapse."
    )
    with pytest.raises(UsageError) as error:
        make_objective(comparisons(), AlignSettings(panel=True))
    assert str(error.value) == ("A panel needs respondents. Name their column with --respondent.")
    with pytest.raises(UsageError) as error:
        make_objective(comparisons(), AlignSettings(by=("stance",)))
    assert str(error.value) == 'No group column "stance". Group columns: none.'
    who = Labels(torch.zeros(40, dtype=torch.long), ("a",))
    with pytest.raises(UsageError) as error:
        make_objective(comparisons(respondent=who), AlignSettings(draws=16))
    assert str(error.value) == (
        "Monte Carlo draws are for strength per comparison, not for a panel."
    )
