"""The fit after training, and the warning about a spread that grows with overfitting."""

import math
from pathlib import Path

import torch

import mixlogit as ml
from mixlogit.align import AlignSettings, refit, spread_warning
from mixlogit.align.refit import log_predictive


def test_the_spread_is_fitted_freely_on_new_margins() -> None:
    made = ml.simulate(4000, 200, "lognormal", mean=0.3, cv=1.3, seed=2).comparisons()
    assert made.margin is not None
    data = ml.Comparisons(
        outcome=made.outcome, margin=torch.zeros(len(made)), respondent=made.respondent
    )
    posterior = refit(
        data, made.margin.float(), AlignSettings(beta=0.2), evidence=False, draws=400
    )
    found = posterior.summary()["mean"]
    assert abs(found["log_sd"] - math.sqrt(math.log1p(1.3**2))) < 0.2
    assert abs(found["mean"] - 0.3) < 0.1  # and not the beta that anchored it


def test_contrarians_are_refitted_as_reversed_strength() -> None:
    data = ml.simulate(1000, 50, "normal", mean=1.0, cv=0.8, seed=2).comparisons()
    settings = AlignSettings(beta=1.0, contrarians=True)
    assert data.margin is not None
    posterior = refit(data, data.margin, settings, evidence=False, draws=400)
    assert posterior.family == "normal"


def test_a_lapse_rate_is_refitted_too() -> None:
    data = ml.simulate(1000, 50, mean=1.0, cv=0.5, lapse=0.2, seed=2).comparisons()
    assert data.margin is not None
    posterior = refit(data, data.margin, AlignSettings(lapse="learned"), evidence=False, draws=400)
    assert "lapse" in posterior.summary().index


def test_the_warning_needs_both() -> None:
    rising, steady = [0.4, 0.5, 0.8], [0.5, 0.5, 0.5]
    falling, better = [-0.50, -0.49, -0.52], [-0.52, -0.50, -0.49]
    assert spread_warning(rising, falling) == (
        "The spread of strength rose from 0.50 to 0.80 while the validation score fell from "
        "-0.4900 to -0.5200: the policy overfits, and the spread with it. Stop at evaluation 2."
    )
    assert spread_warning(steady, falling) is None
    assert spread_warning(rising, better) is None


def test_the_predictive_of_a_saved_posterior_is_that_of_the_refitted(tmp_path: Path) -> None:
    made = ml.simulate(400, 20, "lognormal", mean=1.0, cv=1.0, seed=4).comparisons()
    train, test = made.split(0.25, seed=1)
    settings = AlignSettings(beta=1.0, seed=7)
    assert train.margin is not None
    refit(train, train.margin, settings, evidence=False).save(tmp_path / "run")
    posterior = refit(train, train.margin, settings, evidence=False)
    scores = log_predictive(train, settings, test, ml.open_run(tmp_path / "run"))
    assert len(scores) == len(test)
    assert float(scores.mean()) == posterior.held_out(test)["log_score"]
