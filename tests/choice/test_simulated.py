"""The simulated likelihood: derivatives, dense integrals, reproducibility."""

import pytest
import torch
from judges import double

from mixlogit.choice.panel_sets import ChoiceRows, make_blocks
from mixlogit.choice.simulated import SimulatedLikelihood, normal_points
from mixlogit.choice.taste_strength import taste_strength
from mixlogit.choice.tastes import TasteDesign
from mixlogit.errors import UsageError

FEATURES = ("a", "b", "c")
LOGNORMAL = taste_strength("lognormal")
CONTRARIANS = taste_strength("classes", 2, contrarians=True)
OUTCOME = ("threshold 1", "threshold 2")
NORMALS = dict.fromkeys(FEATURES, "normal")
DESIGNS = [
    TasteDesign(FEATURES, NORMALS),
    TasteDesign(FEATURES, {"a": "-lognormal", "b": "triangular"}, False, LOGNORMAL),
    TasteDesign(FEATURES, {"a": "lognormal", "c": "normal"}, True, LOGNORMAL),
    TasteDesign(FEATURES, NORMALS, correlated=2),
    TasteDesign(FEATURES, {}, False, LOGNORMAL),
    TasteDesign(FEATURES, {"b": "lognormal"}, False, taste_strength("gamma"), ("x", "y")),
    TasteDesign(FEATURES, NORMALS, True, taste_strength("normal"), (), OUTCOME),
    TasteDesign(FEATURES, {"a": "-lognormal"}, False, taste_strength("classes", 3), ("x",)),
    TasteDesign(FEATURES, NORMALS, False, CONTRARIANS, ("x", "y"), OUTCOME),
    TasteDesign(FEATURES, {"c": "triangular"}, False, None, ("x",), OUTCOME),
]


def blocks(n_sets: int = 30, people: int = 7, largest: int = 40, outcome: int = 0):
    """Unequal panels of sets of three to four; or of grades, with thresholds in their places."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_sets, 3, 3 + outcome, generator=generator, dtype=torch.float64)
    mask = torch.zeros(n_sets, 3, dtype=torch.float64)
    mask[::4, 2] = -torch.inf
    weight = torch.rand(n_sets, generator=generator, dtype=torch.float64) + 0.5
    who = torch.cat(
        [torch.arange(people), torch.randint(people, (n_sets - people,), generator=generator)]
    )
    gaps = None
    if outcome:
        counts = torch.zeros(n_sets, 2, dtype=torch.float64)
        counts[:people] = torch.randint(4, (people, 2), generator=generator)
        gaps = counts, double([[0, 0, 0, 2, 0], [0, 0, 0, -1, 1]])
    rows = ChoiceRows(x, mask, weight, torch.arange(n_sets), gaps)
    return make_blocks(rows, who, largest)


def likelihood_of(design: TasteDesign, **options) -> SimulatedLikelihood:
    made = blocks(outcome=len(design.outcome))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(7, len(design.covariates), generator=generator, dtype=torch.float64)
    covariates = x if design.covariates else None
    return SimulatedLikelihood(made, design, covariates=covariates, **options)


def psi_of(design: TasteDesign) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    psi = 0.4 * torch.randn(design.size, generator=generator, dtype=torch.float64)
    if design.outcome:
        psi[-2:] = double([0.5, 1.2])
    return psi


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: " ".join(design.names))
def test_derivatives_against_differences(design: TasteDesign) -> None:
    likelihood, psi, step = likelihood_of(design, draws=16), psi_of(design), 1e-5
    likelihood.adapt(psi)
    found = likelihood.evaluate(psi, 2)
    steps = step * torch.eye(design.size, dtype=torch.float64)
    around = [[likelihood.evaluate(psi + sign * each, 1) for sign in (1, -1)] for each in steps]
    slope = torch.stack([(up.value - down.value) / (2 * step) for up, down in around], -1)
    bend = torch.stack([(u.score - d.score).sum(0) / (2 * step) for u, d in around])
    assert torch.allclose(found.score, slope, atol=1e-7)
    assert torch.allclose(found.hessian, bend, atol=1e-6)


@pytest.mark.parametrize("family", ["normal", "-lognormal", "triangular"])
def test_one_random_coefficient_against_a_dense_grid(family: str) -> None:
    design = TasteDesign(FEATURES, {"b": family})
    psi, z = double([0.5, 0.2, -0.7, 1.3]), torch.linspace(-9, 9, 6001).double()
    likelihood = SimulatedLikelihood(blocks(), design, draws=512)
    likelihood.adapt(psi)
    log_phi = torch.distributions.Normal(0.0, 1.0).log_prob(z) + (z[1] - z[0]).log()
    exact = torch.empty(likelihood.n_respondents, dtype=torch.float64)
    for block in likelihood.blocks:
        at = design.at(psi, z.view(1, -1, 1).expand(len(block.respondent), -1, 1))
        exact[block.respondent] = torch.logsumexp(block.moments(at.value).value + log_phi, -1)
    assert torch.allclose(likelihood.evaluate(psi).value, exact, atol=2e-3)


def test_adaptive_draws_err_less_than_draws_from_the_population() -> None:
    """Panels of 30 choices made by tastes of sd 1.5."""
    generator = torch.Generator().manual_seed(4)
    taste = 1.5 * torch.randn(10, 3, generator=generator, dtype=torch.float64)
    who = torch.arange(10).repeat_interleave(30)
    x = torch.randn(300, 4, 3, generator=generator, dtype=torch.float64)
    noise = -torch.rand(300, 4, generator=generator, dtype=torch.float64).log().neg().log()
    best = ((x * taste[who].unsqueeze(1)).sum(-1) + noise).argmax(-1)
    rows = torch.arange(300)
    x[rows, best], x[:, 0] = x[:, 0].clone(), x[rows, best]
    ones = torch.ones(300, dtype=torch.float64)
    sets = ChoiceRows(x[:, :1] - x[:, 1:], torch.zeros(300, 3).double(), ones, rows)
    made = make_blocks(sets, who, 10_000)
    psi = double([0.0, 0.0, 0.0, 1.5, 1.5, 1.5])
    spread = {}
    for sampling in ("adaptive", "sobol"):
        values = []
        for seed in range(8):
            likelihood = SimulatedLikelihood(
                made, DESIGNS[0], draws=64, sampling=sampling, seed=seed
            )
            likelihood.adapt(psi)
            values.append(likelihood.evaluate(psi).value.sum())
        spread[sampling] = float(torch.stack(values).std())
    assert spread["adaptive"] < 0.1 * spread["sobol"]


def test_blocks_change_nothing() -> None:
    psi = psi_of(DESIGNS[1])
    values = [
        SimulatedLikelihood(blocks(largest=size), DESIGNS[1], draws=32).evaluate(psi).value
        for size in (1, 40, 10_000)
    ]
    assert torch.allclose(values[0], values[1], atol=1e-12)
    assert torch.allclose(values[0], values[2], atol=1e-12)


def test_points_are_the_same_for_the_same_seed() -> None:
    first, again, other = (normal_points(3, 8, 2, "sobol", seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"draws": 1}, "Expected at least 2 draws of each respondent but got 1."),
        (
            {"sampling": "uniform"},
            'Expected sampling "adaptive", "sobol" or "halton" but got "uniform".',
        ),
    ],
)
def test_what_is_refused(options, says) -> None:
    with pytest.raises(UsageError) as caught:
        SimulatedLikelihood(blocks(), DESIGNS[0], **options)
    assert str(caught.value) == says
