"""Panel integrals of outcome models against dense grids."""

import pytest
import torch
from judges import double

from mixlogit.choice import strength
from mixlogit.choice.outcome_likelihood import OutcomeLikelihood, OutcomeRows
from mixlogit.choice.outcomes import Choice, Davidson, Ordered

FAMILIES = {
    "lognormal": {"mean": 1.0, "cv": 0.9},
    "gamma": {"mean": 1.0, "cv": 0.9},
    "normal": {"mean": 1.0, "sd": 0.8},
}
VOTES = 40
N = torch.Generator().manual_seed(3)
MARGIN = torch.randn(2 * VOTES, generator=N, dtype=torch.float64)
LEVEL = (torch.rand(2 * VOTES, generator=N) > 0.25).long()
SETS = torch.randn(2 * VOTES, 3, 2, generator=N, dtype=torch.float64)
SETS[:, 0] = 0.0  # the chosen alternative over itself


def rows(**of: object) -> OutcomeRows:
    """Two respondents, one of 3 and one of 77 judgements."""
    who = (torch.arange(2 * VOTES) >= 3).long()
    block = torch.zeros(2, dtype=torch.long)
    parts = {"margin": None, "item": None, "features": None, **of}
    weight = torch.ones(2 * VOTES, dtype=torch.float64)
    return OutcomeRows(**parts, weight=weight, respondent=who, block=block, n_blocks=1)


def member(name: str, size: tuple[int, ...]):
    """A family with all parameters in one shape."""
    return strength(name, **{k: torch.full(size, v) for k, v in FAMILIES[name].items()})


def dense(likelihood: OutcomeLikelihood, name: str, utilities, outcome, lapse, sd=None):
    """The same integral on 2,000 points of strength (and 81 of log width)."""
    family, n = member(name, (1, 1)), 2000
    linear = family.coordinate == "linear"
    u = torch.linspace(-6.0, 8.0, n) if linear else torch.linspace(-16.0, 4.0, n)
    u = u.double()
    b = (u if linear else u.exp()).expand(1, 2, -1)
    eta = double([0.0]) if sd is None else torch.linspace(-5 * sd, 5 * sd, 81).double()
    widths = eta.expand(1, 2, -1)
    margin = likelihood.judged.margins(utilities, likelihood.pairs)
    log_f = likelihood._curves_at(b, widths, margin, outcome, lapse)
    if sd is not None:
        log_f = log_f + torch.distributions.Normal(0.0, sd).log_prob(eta)
        log_f = log_f + (eta[1] - eta[0]).log()
    log_f = torch.logsumexp(log_f, -1)[0] + family.log_density(u) + (u[1] - u[0]).log()
    return torch.logsumexp(log_f, -1)


@pytest.mark.parametrize("lapse", [None, 0.1])
@pytest.mark.parametrize("name", FAMILIES)
def test_ties_and_sets_against_a_dense_grid(name: str, lapse: float | None) -> None:
    rate = None if lapse is None else double([[lapse]])
    mask = torch.zeros(2 * VOTES, 3, dtype=torch.float64)
    mask[::3, 2] = -torch.inf
    cases = [
        (OutcomeLikelihood(rows(margin=MARGIN), Davidson(LEVEL), pairs=True), None, [[-0.5]]),
        (OutcomeLikelihood(rows(margin=MARGIN), Ordered(LEVEL), pairs=True), None, [[0.5]]),
        (OutcomeLikelihood(rows(features=SETS), Choice(mask), pairs=False), [[0.8, -0.5]], None),
    ]
    for likelihood, utilities, outcome in cases:
        utilities = None if utilities is None else double(utilities)
        outcome = None if outcome is None else double(outcome)
        found = likelihood.by_respondent(member(name, (1, 1)), rate, utilities, outcome)[0]
        exact = dense(likelihood, name, utilities, outcome, rate)
        assert torch.allclose(found, exact, atol=2e-4), likelihood.model


@pytest.mark.parametrize("model_of", [Davidson, Ordered])
def test_widths_of_respondents_against_a_dense_grid(model_of) -> None:
    model = model_of(LEVEL, exponent=True, widths=True)
    likelihood = OutcomeLikelihood(rows(margin=MARGIN), model, pairs=True)
    outcome = double([[0.4, 0.7, 0.9]])
    found = likelihood.by_respondent(member("lognormal", (1, 1)), None, None, outcome)[0]
    exact = dense(likelihood, "lognormal", None, outcome, None, sd=0.9)
    assert torch.allclose(found, exact, atol=2e-3)


def test_two_alternatives_are_a_logit_of_the_difference() -> None:
    pair = torch.stack([torch.zeros_like(MARGIN), -MARGIN], -1).unsqueeze(-1)
    mask = torch.zeros(2 * VOTES, 2, dtype=torch.float64)
    both = OutcomeLikelihood(rows(features=-pair), Choice(mask), pairs=False)
    family = member("lognormal", (1, 1))
    found = both.by_respondent(family, None, double([[1.0]]))
    from mixlogit.choice.utility import Rows, UtilityLikelihood

    own = rows(margin=MARGIN)
    signed = Rows(None, None, MARGIN[:, None], own.weight, own.respondent, own.block, 1)
    expected = UtilityLikelihood(signed)
    assert torch.allclose(found, expected.by_respondent(family, None, double([[1.0]])), atol=1e-6)


def test_a_random_answer_has_one_chance_in_as_many_as_there_are_options() -> None:
    """With a lapse rate of 1 every level has 1 in 2 levels + 1, every alternative 1 in 3."""
    certain, family = double([[1.0 - 1e-12]]), member("lognormal", (1, 1))
    graded = Ordered(LEVEL, n_thresholds=2)
    likelihood = OutcomeLikelihood(rows(margin=MARGIN), graded, pairs=True)
    found = likelihood.by_respondent(family, certain, None, double([[0.4, 1.0]]))[0]
    assert torch.allclose(found, -double([3, 77]) * double(5.0).log(), atol=1e-6)
