"""Simulation-based calibration at a user's own design."""

import importlib
import json
import re

import numpy as np
import pytest
from scipy import stats

import mixlogit as ml
from mixlogit.errors import UsageError
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.sbc import Calibration, uniformity

module = importlib.import_module("mixlogit.models.sbc")


def design(**options):
    return ml.simulate(300, 30, seed=1, **options).comparisons()


def test_a_panel_in_batches(monkeypatch):
    """Of 40 intervals at 90 %, 30 to 40 cover with probability 0.998."""
    monkeypatch.setattr(module, "_ELEMENTS", 60_000)
    seen = []
    found = ml.sbc(design(), replicates=40, draws=300, progress=lambda *at: seen.append(at))
    assert set(found.ranks) == {"mean", "cv"}
    assert all(len(ranks) == 40 for ranks in found.ranks.values())
    assert all(30 / 40 <= share <= 1.0 for share in found.coverage.values())
    assert found.check().ok
    assert len(seen) > 1
    assert seen[-1] == ("sbc", 40, 40)
    assert json.loads(json.dumps(found.to_dict()))["replicates"] == 40


def test_batches_simulate_what_the_model_says():
    """With a prior that fixes mean and cv, the batch's votes have the model's frequencies."""
    priors = ml.Priors(mean=1.0, log_mean_sd=1e-3, cv_scale=1e-3)
    data = ml.simulate(500, 20, seed=3).comparisons()
    simulated = module._Simulated(make_problem(data, priors=priors), "lognormal", False, 100, 0)
    signed = simulated.votes(simulated.prior.prior_draws(200, 0).unsqueeze(1))
    first = (signed == data.margin).double().mean(0).numpy()
    expected = 1 / (1 + np.exp(-data.margin.numpy()))
    z = (first - expected) / np.sqrt(expected * (1 - expected) / 200)
    assert stats.kstest(z, "norm").pvalue > 0.001


@pytest.mark.parametrize(
    ("data", "options", "parameters"),
    [
        (design(groups=2), {"family": "fixed", "by": ["group"]}, {"mean"}),
        (design(ties=0.2), {"family": "fixed", "ties": "davidson"}, {"mean"}),
        (design(), {"family": "gamma", "panel": False}, {"mean", "cv"}),
    ],
)
def test_other_designs(data, options, parameters):
    found = ml.sbc(data, replicates=10, draws=100, **options)
    assert set(found.ranks) == parameters
    assert all(0 <= rank <= 1 for ranks in found.ranks.values() for rank in ranks)


def test_intervals_that_are_too_narrow_fail():
    ranks = np.random.default_rng(0).beta(0.3, 0.3, size=100)
    found = Calibration(
        "gamma", 100, {"cv": ranks.tolist()}, {"cv": 0.6}, {"cv": uniformity(ranks)}, 0, 1.0
    )
    assert not found.check().ok
    assert found.check().advice == (
        "Intervals of cv are not right at this design: use --inference nuts."
    )


def test_uniform_p_values():
    rng = np.random.default_rng(2)
    p = [uniformity(rng.random(50), simulations=500) for _ in range(100)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_what_cannot_be_calibrated():
    with pytest.raises(
        UsageError, match=r"^Expected at least 10 data sets for --sbc but got 3\.$"
    ):
        ml.sbc(design(), replicates=3)
    message = "One strength with latent utilities leaves nothing to calibrate."
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        ml.sbc(design(items=5), "fixed", replicates=10)


def test_it_is_stored_with_a_posterior(tmp_path):
    data = design()
    posterior = ml.fit(data, "fixed", draws=400, inference="laplace")
    posterior.add_sbc(ml.sbc(data, "fixed", replicates=12, draws=100))
    posterior.save(tmp_path / "run")
    again = ml.open_run(tmp_path / "run")
    assert again.to_dict()["sbc"]["replicates"] == 12
    assert again.checks[-1].name == "calibrated intervals (SBC)"
