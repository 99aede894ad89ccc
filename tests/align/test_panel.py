"""The panel objective: what it must equal, and what it learns."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.align import AlignSettings, PanelObjective, make_objective
from mixlogit.choice import strength
from mixlogit.data import Comparisons, Labels

PEOPLE, EACH = 150, 20


def data_of(who: Tensor, **columns: object) -> Comparisons:
    names = tuple(f"r{k}" for k in range(int(who.max()) + 1))
    n = len(who)
    return Comparisons(
        outcome=torch.ones(n), margin=torch.zeros(n), respondent=Labels(who, names), **columns
    )  # type: ignore[arg-type]


def panel(data: Comparisons, **settings: object) -> PanelObjective:
    objective = make_objective(data, AlignSettings(**settings))  # type: ignore[arg-type]
    assert isinstance(objective, PanelObjective)
    return objective


def judged(
    log_sd: float, *, contrarians: float = 0.0, seed: int = 0, lapse: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Signed margins of votes with median strength 0.3, who voted, and the strengths."""
    generator = torch.Generator().manual_seed(seed)
    b = 0.3 * torch.exp(log_sd * torch.randn(PEOPLE, generator=generator, dtype=torch.float64))
    b[: round(contrarians * PEOPLE)] *= -1
    who = torch.arange(PEOPLE * EACH) % PEOPLE
    margin = 4 * torch.randn(len(who), generator=generator, dtype=torch.float64)
    p = lapse / 2 + (1 - lapse) * torch.sigmoid(b[who] * margin)
    agrees = torch.rand(len(who), generator=generator, dtype=torch.float64) < p
    return torch.where(agrees, margin, -margin), who, b


def learn(objective: PanelObjective, margin: Tensor, epochs: int = 10, size: int = 100) -> None:
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(epoch)
        for index in torch.randperm(len(margin), generator=generator).split(size):
            objective.step(margin[index], index)


@pytest.mark.parametrize("family", ["lognormal", "gamma", "normal", "classes"])
@pytest.mark.parametrize("anchor", ["mean", None])
def test_one_comparison_each_is_the_per_comparison_model(family: str, anchor: str | None) -> None:
    data = data_of(torch.arange(30))
    shared = {"family": family, "beta": 0.3, "anchor": anchor}
    with_panel = panel(data, **shared)
    without = make_objective(data, AlignSettings(panel=False, **shared))  # type: ignore[arg-type]
    margin = (5 * torch.randn(12, dtype=torch.float64)).requires_grad_()
    for _ in range(3):  # a vote once seen does not come back into its own weights
        index = torch.randperm(30)[:12]
        losses = [objective.loss(margin, index) for objective in (with_panel, without)]
        torch.testing.assert_close(*losses, rtol=0, atol=1e-5)
        gradients = [torch.autograd.grad(loss, margin)[0] for loss in losses]
        torch.testing.assert_close(*gradients, rtol=0, atol=1e-5)
        with_panel.table.update(index, margin.detach(), 0.0)


def test_one_node_is_dpo() -> None:
    """Groups of a fixed strength: one node for each respondent."""
    who = torch.arange(40) % 5
    data = data_of(who, groups={"g": Labels(torch.zeros(40, dtype=torch.long), ("all",))})
    objective = panel(data, family="fixed", beta=0.3, by=("g",))
    margin = torch.randn(40, dtype=torch.float64, requires_grad=True)
    objective.step(torch.randn(40), torch.arange(40))
    loss = objective.loss(margin, torch.arange(40))
    torch.testing.assert_close(loss, -logsigmoid(0.3 * margin).mean())


@pytest.mark.parametrize("contrarians", [False, True])
@pytest.mark.parametrize("lapse", [0.0, 0.1])
def test_the_gradient_is_the_posterior_weighted_one(contrarians: bool, lapse: float) -> None:
    """Fisher's identity, on a dense grid of strength of its own."""
    who = torch.arange(36) % 3
    objective = panel(data_of(who), beta=0.3, contrarians=contrarians, lapse=lapse)
    objective.step(3 * torch.randn(36), torch.arange(36))
    margin = (3 * torch.randn(4, dtype=torch.float64)).requires_grad_()
    index = torch.tensor([0, 7, 14, 35])
    (gradient,) = torch.autograd.grad(objective.loss(margin, index), margin)
    family, _, share = objective.population.draw()
    u = torch.linspace(math.log(0.3) - 9, math.log(0.3) + 6, 4001, dtype=torch.float64)
    b, log_f = u.exp(), family.log_density(u)
    if share is not None:
        b, log_f = (
            torch.cat([b, -b]),
            torch.cat([log_f + torch.log1p(-share), log_f + share.log()]),
        )
    for k, i in enumerate(index.tolist()):
        own = objective.table.margin.clone()
        own[i] = margin[k].detach()  # the vote counts once, at its present margin
        votes = own[who == who[i]].unsqueeze(-1) * b
        p = lapse / 2 + (1 - lapse) * torch.sigmoid(votes)
        weight = torch.softmax(log_f + p.log().sum(0), -1)
        now = torch.sigmoid(b * margin[k].detach())
        slope = (1 - lapse) * now * (1 - now) / (lapse / 2 + (1 - lapse) * now)
        expected = -(weight * b * slope).sum() / 4
        assert float(gradient[k]) == pytest.approx(float(expected), rel=1e-6)


def test_strong_respondents_pull_more_and_a_vote_never_weighs_itself() -> None:
    who = torch.arange(40) % 2
    objective = panel(data_of(who), beta=0.3)
    margin = torch.where(who == 0, 6.0, torch.where(torch.arange(40) % 4 == 1, 6.0, -6.0))
    objective.step(margin, torch.arange(40))
    probe = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(objective.loss(probe, torch.tensor([0, 1])), probe)
    assert abs(float(gradient[0])) > 4 * abs(float(gradient[1]))
    before = objective.table.without(torch.tensor([0]))
    objective.table.update(torch.tensor([0]), torch.tensor([-50.0], dtype=torch.float64), 0.0)
    torch.testing.assert_close(objective.table.without(torch.tensor([0])), before)


@pytest.mark.parametrize("log_sd", [0.5, 1.0])
def test_the_spread_is_found_on_margins_that_stand_still(log_sd: float) -> None:
    margin, who, _ = judged(log_sd)
    objective = panel(data_of(who), beta=0.3 * math.exp(log_sd**2 / 2))
    learn(objective, margin)
    found = math.sqrt(math.log1p(objective.describe()["cv"] ** 2))
    assert found == pytest.approx(log_sd, abs=0.2)
    assert objective.describe()["mean"] == pytest.approx(0.3 * math.exp(log_sd**2 / 2))


def test_contrarians_are_counted() -> None:
    margin, who, _ = judged(0.5, contrarians=0.1)
    objective = panel(data_of(who), beta=0.3, contrarians=True)
    learn(objective, margin, size=200)
    assert 0.05 < objective.describe()["contrarians"] < 0.15
    margin, who, _ = judged(0.5)
    objective = panel(data_of(who), beta=0.3, contrarians=True)
    learn(objective, margin, size=200)
    assert objective.describe()["contrarians"] < 0.03


def test_a_lapse_rate_is_learned() -> None:
    margin, who, _ = judged(0.0, lapse=0.2)
    objective = panel(data_of(who), beta=0.3, lapse="learned")
    learn(objective, margin, epochs=20, size=300)
    assert objective.describe()["lapse"] == pytest.approx(0.2, abs=0.08)


def test_groups_differ_in_strength() -> None:
    margin, who, _ = judged(0.3)
    half = who % 2
    margin = torch.where(half == 0, margin * 2.5, margin)  # as if their strength were larger
    groups = {"stance": Labels(half, ("pro", "con"))}
    agrees = torch.rand(len(who), dtype=torch.float64) < torch.sigmoid(
        torch.where(half == 0, 0.5, 0.2) * margin.abs()
    )
    margin = torch.where(agrees, margin.abs(), -margin.abs())
    objective = panel(data_of(who, groups=groups), beta=0.35, by=("stance",))
    learn(objective, margin, size=200)
    told = objective.describe()
    assert told["mean"] == pytest.approx(0.35, rel=1e-6)
    assert told["mean/stance=pro"] / told["mean/stance=con"] == pytest.approx(2.5, rel=0.3)


def test_new_respondents_are_the_population_and_one_vote_moves_little() -> None:
    margin, who, b = judged(1.0)
    objective = panel(data_of(who), beta=0.45)
    learn(objective, margin, epochs=3)
    zero = torch.zeros(3, dtype=torch.long)
    probe = torch.full((3,), 2.0, dtype=torch.float64)
    strongest, weakest = int(b.argmax()), int(b.argmin())
    known = objective.log_predictive(probe, torch.tensor([strongest, -1, weakest]), zero).exp()
    told = objective.describe()
    family = strength("lognormal", mean=told["mean"], cv=told["cv"])
    assert float(known[1]) == pytest.approx(
        float(family.log_choice_prob(probe[:1]).exp()), abs=1e-5
    )
    assert known[0] > known[1] + 0.1 > known[2] + 0.2


def test_burn_in_is_dpo_while_the_table_fills() -> None:
    margin, who, _ = judged(1.0)
    objective = panel(data_of(who), beta=0.3, burn_in=1)
    probe, index = torch.linspace(-3, 3, 50), torch.arange(50)
    learn(objective, margin, epochs=1, size=1000)
    assert objective.visits == len(who)
    assert not torch.equal(objective.loss(probe, index), -logsigmoid(0.3 * probe).mean())
    objective.visits -= 1
    assert torch.equal(objective.loss(probe, index), -logsigmoid(0.3 * probe).mean())


@pytest.mark.parametrize(
    "settings", [{}, {"contrarians": True}, {"lapse": "learned"}, {"family": "normal"}]
)
def test_a_saved_state_continues_bit_for_bit(settings: dict[str, object]) -> None:
    margin, who, _ = judged(1.0)
    index = torch.arange(100)
    whole, cut = (panel(data_of(who), **settings) for _ in range(2))
    for step in range(6):
        whole.step(margin[index + step], index + step)
        if step < 3:
            cut.step(margin[index + step], index + step)
    resumed = panel(data_of(who), **settings)
    resumed.load_state_dict(cut.state_dict())
    for step in range(3, 6):
        resumed.step(margin[index + step], index + step)
    wanted, found = whole.state_dict(), resumed.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    probe = torch.randn(100)
    assert torch.equal(whole.loss(probe, index), resumed.loss(probe, index))


def test_many_respondents_are_stepped_in_parts_of_the_right_size() -> None:
    who = torch.arange(5000)
    objective = panel(data_of(who), beta=0.3)
    rows = objective._some_respondents()
    assert len(rows) == 4096
    objective.step(torch.randn(5000), who)
    strength = objective.population.centre()
    whole = objective._log_marginal(strength, torch.arange(5000))
    part = objective._log_marginal(strength, rows)
    assert float(part) == pytest.approx(float(whole), rel=0.02)
