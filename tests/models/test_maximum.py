"""Maxima of the likelihood against exact reference estimates and dense grids."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.errors import UsageError

ATTRIBUTES = ["price", "time", "change", "comfort"]


@pytest.fixture(scope="module")
def trips(shared_data):
    """Train trips as feature differences, scaled as the reference estimates were."""
    table = pd.read_csv(shared_data / "train-trips/train.csv.gz")
    scale = {"price": 100 * 2.20371, "time": 60.0, "change": 1.0, "comfort": 1.0}
    frame = pd.DataFrame({"id": table["id"]})
    frame["outcome"] = table["choice"].map({"choice1": "a", "choice2": "b"})
    for name in ATTRIBUTES:
        frame[name] = -(table[f"{name}1"] - table[f"{name}2"]) / scale[name]
    columns = {"features": ATTRIBUTES, "outcome": "outcome", "respondent": "id"}
    return ml.Comparisons.from_pandas(frame, **columns)


@pytest.fixture(scope="module")
def reference(shared_data):
    return json.loads((shared_data / "references.json").read_text())["train-trips"]


def test_multinomial_logit(trips, reference):
    found = ml.maximum(trips, "fixed")
    exact = reference["exact_multinomial_logit"]
    assert found.log_likelihood == pytest.approx(exact["ll"], abs=1e-5)
    for name in ATTRIBUTES:
        assert found.table.loc[f"weight[{name}]", "estimate"] == pytest.approx(
            exact[name], abs=2e-6
        )


def test_scaled_logit(trips, reference):
    found = ml.maximum(trips, "lognormal")
    exact = reference["exact_scaled_logit"]
    assert found.log_likelihood == pytest.approx(exact["ll"], abs=1e-5)
    for name in ATTRIBUTES:
        assert found.table.loc[f"weight[{name}]", "estimate"] == pytest.approx(
            exact[name], abs=2e-6
        )
    assert found.table.loc["log_sd", "estimate"] == pytest.approx(exact["tau"], abs=2e-6)
    assert found.table.loc["log_sd", "se"] == pytest.approx(exact["se_tau"], abs=2e-6)
    assert found.n_respondents == reference["people"]


def dense_log_likelihood(margins, mean, cv):
    """Panel log-likelihood by 1,200 equally spaced nodes of log strength."""
    variance = math.log1p(cv**2)
    u = torch.linspace(-6.0, 5.0, 1200, dtype=torch.float64)
    density = torch.distributions.Normal(math.log(mean) - variance / 2, math.sqrt(variance))
    total = 0.0
    for row in margins:
        curve = sum(logsigmoid(u.exp().unsqueeze(-1) * part).sum(-1) for part in row.split(250))
        total += float(torch.logsumexp(curve + density.log_prob(u), 0) + (u[1] - u[0]).log())
    return total


@pytest.mark.parametrize("votes", [50, 250, 1500])
def test_long_panels_agree_with_a_dense_grid(votes):
    """40 respondents; neighbours of the maximum on the dense grid are lower, the value equal."""
    torch.manual_seed(votes)
    strength = torch.exp(-0.25 + 0.8 * torch.randn(40, 1, dtype=torch.float64))
    margin = 2.0 * torch.randn(40, votes, dtype=torch.float64)
    agreed = torch.rand(40, votes) < torch.sigmoid(strength * margin)
    signed = torch.where(agreed, margin, -margin)
    who = torch.arange(40).repeat_interleave(votes).numpy()
    frame = pd.DataFrame({"margin": signed.reshape(-1).numpy(), "respondent": who})
    found = ml.maximum(ml.Comparisons.from_pandas(frame, respondent="respondent"))
    mean, cv = found.table.loc[["mean", "cv"], "estimate"]
    top = dense_log_likelihood(signed, mean, cv)
    assert found.log_likelihood == pytest.approx(top, abs=1e-3)
    for other in ((mean * 1.01, cv), (mean / 1.01, cv), (mean, cv * 1.02), (mean, cv / 1.02)):
        assert dense_log_likelihood(signed, *other) < top


def test_sandwich_equals_hessian_where_the_model_is_right():
    """Information equality: with 2,000 respondents the two standard errors agree to 10 %."""
    data = ml.simulate(30_000, 2000, "lognormal", mean=1.0, cv=0.8, seed=2).comparisons()
    table = ml.maximum(data).table
    assert np.allclose(table["se_sandwich"], table["se"], rtol=0.1)


def test_no_sandwich_without_a_panel():
    data = ml.simulate(20_000, 500, "lognormal", mean=1.0, cv=1.5, margin_sd=4.0, seed=2)
    found = ml.maximum(data.comparisons(), panel=False)
    assert found.table["se_sandwich"].isna().all()
    assert found.to_dict()["parameters"]["cv"]["estimate"] > 0


def test_a_spread_that_runs_to_zero_is_refused():
    """Everybody agrees in exactly seven votes of ten: less spread than one strength gives."""
    frame = pd.DataFrame(
        {"margin": ([1.0] * 7 + [-1.0] * 3) * 100, "respondent": np.repeat(np.arange(100), 10)}
    )
    with pytest.raises(UsageError, match="has no regular maximum on these data"):
        ml.maximum(ml.Comparisons.from_pandas(frame, respondent="respondent"))
