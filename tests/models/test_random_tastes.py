"""Random tastes: published estimates, recovery, the Pyro program, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from judges import choice_sets, double, generator, pairs, z_scores

import mixlogit as ml
from mixlogit.errors import UsageError
from mixlogit.models.random_tastes import _lkj_root
from mixlogit.models.taste_fit import TasteJoint, find_taste_mode
from mixlogit.models.taste_maximum import start_values
from mixlogit.models.taste_problem import TasteProblem

ELECTRICITY = ["pf", "cl", "loc", "wk", "tod", "seas"]


@pytest.fixture(scope="module")
def published(shared_data):
    every = json.loads((shared_data / "references.json").read_text())["electricity-panel"]
    estimates = every["published_6_normals"]["xlogit notebook, 600 Halton"]
    return estimates, every["exact_se_at_600_draws"]


def test_published_estimates_with_600_halton_draws(electricity, published) -> None:
    estimates, errors = published
    random = ml.RandomTastes(dict.fromkeys(ELECTRICITY, "normal"), draws=600, sampling="halton")
    found = ml.maximum(electricity, random=random)
    assert found.log_likelihood == pytest.approx(-3888.465, abs=1e-3)
    for k, name in enumerate(ELECTRICITY):
        row = found.table.loc[f"mean[{name}]"]
        assert row["estimate"] == pytest.approx(estimates[name], abs=1e-3)
        assert row["se"] == pytest.approx(errors["hessian"][k], abs=2e-5)
        assert row["se_sandwich"] == pytest.approx(errors["sandwich_by_person"][k], abs=2e-5)
        row = found.table.loc[f"sd[{name}]"]
        assert row["estimate"] == pytest.approx(estimates["sd"][k], abs=1e-3)
        assert row["se"] == pytest.approx(errors["hessian"][6 + k], abs=6e-5)


def test_default_draws_on_electricity(electricity, published) -> None:
    """Within two standard errors of what is published; the integral itself is 9 nats higher."""
    estimates, errors = published
    found = ml.maximum(electricity, random=dict.fromkeys(ELECTRICITY, "normal"))
    assert found.log_likelihood == pytest.approx(-3879.1, abs=1.0)
    assert all(check.ok for check in found.checks)
    for k, name in enumerate(ELECTRICITY):
        mean, sd = found.table.loc[[f"mean[{name}]", f"sd[{name}]"], "estimate"]
        assert abs(mean - estimates[name]) < 2 * errors["hessian"][k]
        assert abs(sd - estimates["sd"][k]) < 2 * errors["hessian"][6 + k]
    assert found.tastes is not None
    assert len(found.tastes) == 361
    assert np.corrcoef(found.tastes["mean[pf]"], found.tastes["mean[cl]"])[0, 1] < 0.9


CASES = {
    "normal": ({"x0": "normal", "x1": "normal"}, False, "fixed"),
    "correlated": ({"x0": "normal", "x1": "normal"}, True, "fixed"),
    "lognormal": ({"x0": "lognormal", "x1": "normal"}, False, "fixed"),
    "triangular": ({"x0": "triangular"}, False, "fixed"),
    "strength": ({"x0": "normal", "x1": "normal"}, False, "lognormal"),
}


def truth_of(case: str, people: int, rng) -> tuple[np.ndarray, dict[str, float]]:
    """Coefficients of each respondent, and the population they are from."""
    z = rng.standard_normal((people, 2))
    means = {"mean[x0]": 1.0, "mean[x1]": -0.5}
    both = {**means, "sd[x0]": 0.8, "sd[x1]": 0.6}
    if case == "triangular":
        draw = rng.triangular(-1, 0, 1, people)
        value = np.stack([1.0 + 2.0 * draw, np.full(people, -0.5)], -1)
        return value, {**means, "sd[x0]": 2.0 / 6**0.5}
    if case == "lognormal":
        value = np.stack([np.exp(0.2 + 0.6 * z[:, 0]), -0.5 + 0.6 * z[:, 1]], -1)
        return value, {"log_mean[x0]": 0.2, "log_sd[x0]": 0.6, "sd[x1]": 0.6}
    if case == "correlated":
        z[:, 1] = 0.7 * z[:, 0] + np.sqrt(0.51) * z[:, 1]
        both = {**both, "correlation[x0,x1]": 0.7}
    value = np.stack([1.0 + 0.8 * z[:, 0], -0.5 + 0.6 * z[:, 1]], -1)
    if case == "strength":
        value *= np.exp(0.6 * rng.standard_normal(people) - 0.18)[:, None]
        both = {**both, "log_sd": 0.6}
    return value, both


@pytest.mark.parametrize("outcome", ["choice", "ranking", "pairs"])
@pytest.mark.parametrize("case", CASES)
def test_recovers_the_truth(case: str, outcome: str) -> None:
    rng = generator(case, outcome, 0)
    people = 400 if case == "strength" else 200
    coefficients, truth = truth_of(case, people, rng)
    if outcome == "pairs":
        frame, margin = pairs(coefficients, rng, per=20)
        won = rng.random(margin.size) < 1 / (1 + np.exp(-margin))
        frame = frame.assign(outcome=np.where(won, "a", "b"))
        data = ml.Comparisons.from_pandas(frame, features=["x0", "x1"])
    else:
        ranked = 3 if outcome == "ranking" else 0
        data = choice_sets(coefficients, rng, per=10, size=3 if ranked else 4, ranked=ranked)
    random, correlated, family = CASES[case]
    asked = ml.RandomTastes(random, correlated, draws=128)
    scores = z_scores(ml.maximum(data, family, random=asked), truth)
    assert max(map(abs, scores.values())) < 3.5, scores


@pytest.fixture(scope="module")
def small() -> ml.ChoiceSets:
    rng = generator("small")
    coefficients, _ = truth_of("normal", 60, rng)
    return choice_sets(coefficients, rng, per=8)


RANDOM = {"x0": "normal", "x1": "normal"}


@pytest.mark.parametrize("correlated", [False, True])
def test_the_program_has_the_derivatives_of_its_density(small, correlated) -> None:
    asked = ml.RandomTastes(RANDOM, correlated, draws=16)
    problem = TasteProblem.of(small, asked, "lognormal", 0)
    joint = TasteJoint(problem)
    find_taste_mode(joint, start_values(problem))
    theta = (joint.mode + 0.1).clone().requires_grad_()
    (slope,) = torch.autograd.grad(joint(theta.unsqueeze(0)).sum(), theta, create_graph=True)
    (bend,) = torch.autograd.grad(slope[0, 1], theta)
    for k in range(joint.size):
        step = torch.zeros(1, joint.size, dtype=torch.float64)
        step[0, k] = 1e-5
        with torch.no_grad():
            up, down = (joint((theta + sign * step).unsqueeze(0)) for sign in (1, -1))
        assert float(slope[0, k].detach()) == pytest.approx(float(up - down) / 2e-5, abs=1e-4)
        moved = (theta.detach() + step).requires_grad_()
        (after,) = torch.autograd.grad(joint(moved.unsqueeze(0)).sum(), moved)
        difference = float((after[0, 1] - slope[0, 1]).detach()) / 1e-5
        assert float(bend[0, k]) == pytest.approx(difference, abs=2e-2)


def test_correlations_are_uniform_over_two_and_lkj_over_four() -> None:
    """Each correlation of an LKJ(1) matrix of n has sd 1 / sqrt(n + 1)."""
    x = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(0)).double()
    for n, size in ((2, 1), (4, 6)):
        root = _lkj_root(x[:, :size], n)
        matrix = root @ root.mT
        assert torch.allclose(matrix.diagonal(dim1=-2, dim2=-1), double(1.0), atol=1e-9)
        for i in range(1, n):
            assert float(matrix[:, i, 0].std()) == pytest.approx((n + 1) ** -0.5, abs=0.01)


def test_posterior(small, tmp_path) -> None:
    fitted, tested = small.split(0.2, seed=1)
    posterior = ml.fit(fitted, random=ml.RandomTastes(RANDOM, draws=64), draws=400)
    best = ml.maximum(fitted, random=ml.RandomTastes(RANDOM, draws=64)).table
    summary = posterior.summary()
    assert list(summary.index) == list(best.index)
    assert ((summary["mean"] - best["estimate"]).abs() < 1.0 * best["se"]).all()
    assert posterior.verdict.heterogeneity == "taste"
    assert {check.name for check in posterior.checks} >= {"Pareto k", "simulation error (nats)"}
    scores = posterior.held_out(tested)
    assert scores["gain_millinats"] > 0
    posterior.save(tmp_path / "run")
    again = ml.open_run(tmp_path / "run")
    pd.testing.assert_frame_equal(again.tastes(), posterior.tastes())
    assert again.to_datatree()["posterior"]["taste_mean"].dims[-1] == "mean_of"


def test_minibatches_say_that_intervals_are_not_calibrated(small) -> None:
    asked = ml.RandomTastes(RANDOM, draws=64)
    posterior = ml.fit(small, random=asked, inference="svi", draws=400)
    best = ml.maximum(small, random=asked).table
    means = ["mean[x0]", "mean[x1]"]
    found = posterior.summary().loc[means, "mean"]
    assert ((found - best.loc[means, "estimate"]).abs() < 2.0 * best.loc[means, "se"]).all()
    (check,) = [check for check in posterior.checks if check.name == "interval calibrated"]
    assert not check.ok
    assert check.advice == (
        "A guide over individuals is too narrow: trust no interval; use --inference auto."
    )
    with pytest.raises(UsageError):
        ml.fit(small, inference="svi")


def test_no_spread_is_not_called_taste() -> None:
    rng = generator("homogeneous")
    data = choice_sets(np.tile([1.0, -0.5], (60, 1)), rng, per=8)
    posterior = ml.fit(data, random=ml.RandomTastes(RANDOM, draws=64), inference="laplace")
    assert posterior.verdict.heterogeneity in ("homogeneous", "unknown")


def test_too_many_correlations_for_the_data_are_a_clear_statement() -> None:
    rng = generator("few")
    data = choice_sets(rng.standard_normal((12, 4)) + 0.5, rng, per=6)
    random = ml.RandomTastes({f"x{k}": "normal" for k in range(4)}, correlated=True, draws=64)
    with pytest.raises(UsageError) as caught:
        ml.maximum(data, random=random)
    assert "root x3, 4 cannot be told apart or run off. " in str(caught.value)
    posterior = ml.fit(data, random=random, draws=400, inference="laplace")
    failed = {check.name: check.advice for check in posterior.checks if not check.ok}
    assert failed["parameters per respondent"] == (
        "Too many parameters for so few respondents: make fewer coefficients random or drop "
        "correlations."
    )
    assert failed["prior weight"].startswith("The data say little about ")


def test_one_choice_of_each_respondent_is_a_clear_statement() -> None:
    """Strength and tastes both free, and no panel to tell them apart."""
    rng = generator("single")
    data = choice_sets(np.tile([1.0, -0.5], (150, 1)), rng, per=1)
    found = ml.maximum(data, "lognormal", random=ml.RandomTastes(RANDOM, draws=64))
    failed = {check.name: check.advice for check in found.checks if not check.ok}
    assert failed["choices per respondent"] == (
        "With fewer than two choices each, spreads are a shape of the choice probabilities and "
        "not a measure of people."
    )
    assert failed["least spread (standard errors)"].endswith(
        " is not told from 0 by these data; make it fixed, drop correlations, or fit with priors."
    )


def test_a_feature_that_never_differs_is_named() -> None:
    rng = generator("constant")
    data = choice_sets(rng.standard_normal((40, 2)) + 0.5, rng, per=6)
    assert data.features is not None
    data.features[:, 1] = 1.0
    with pytest.raises(UsageError) as caught:
        ml.maximum(data, random=RANDOM)
    assert str(caught.value) == (
        "The likelihood has no regular maximum on these data: x1, sd x1 cannot be told apart or "
        "run off. Make fewer coefficients random, drop correlations, or fit with priors instead."
    )


def test_choices_that_utility_decides_are_refused() -> None:
    rng = generator("separable")
    data = choice_sets(np.tile([400.0, -200.0], (40, 1)), rng, per=6)
    with pytest.raises(UsageError) as caught:
        ml.maximum(data, "fixed", random="x0:normal")
    assert str(caught.value) == (
        "The likelihood has no regular maximum on these data: the features explain every choice, "
        "so that coefficients run off. Fit with priors instead."
    )
    with pytest.raises(UsageError) as caught:
        ml.maximum(data, "fixed")
    assert "has no regular maximum on these data" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"panel": False}, "--random cannot be joined with --no-panel."),
        ({"ties": "davidson"}, "Choice sets have no ties: leave out --ties and --width."),
        ({"context": "~ x"}, "Covariates of choice sets cannot act on strength: use comparisons."),
        (
            {"family": "gama"},
            "No strength family 'gama'. Did you mean 'gamma'?",
        ),
    ],
)
def test_what_is_refused(small, options, says) -> None:
    for function in (ml.fit, ml.maximum):
        with pytest.raises(UsageError) as caught:
            function(small, random=RANDOM, **options)
        assert str(caught.value) == says


def test_tastes_need_features() -> None:
    frame = pd.DataFrame({"item_a": ["a", "b"], "item_b": ["b", "a"], "outcome": ["a", "a"]})
    with pytest.raises(UsageError) as caught:
        ml.fit(ml.Comparisons.from_pandas(frame), random="a:normal")
    assert str(caught.value) == (
        "Random tastes need features: name their columns with --features."
    )
