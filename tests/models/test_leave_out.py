"""Leaving out respondents, against ArviZ and against a normal model without them."""

import numpy as np
import pytest
import xarray as xr

import mixlogit as ml
from mixlogit.analysis import az
from mixlogit.models.leave_out import k_limit, units_left_out

arviz = az._arviz()


def test_agrees_with_arviz():
    rng = np.random.default_rng(0)
    x = rng.normal(-2.0, rng.uniform(0.1, 1.0, size=30), size=(4, 500, 30))
    elpd, k_hat = units_left_out(x.astype(np.float32))
    like = xr.Dataset({"a": (("chain", "draw", "unit"), x)})
    draws = xr.Dataset({"x": (("chain", "draw"), rng.normal(size=(4, 500)))})
    tree = xr.DataTree.from_dict({"posterior": draws, "log_likelihood": like})
    theirs = arviz.loo(arviz.from_datatree(tree), pointwise=True, reff=1.0)
    assert elpd == pytest.approx(theirs.loo_i.to_numpy(), abs=2e-3)
    assert k_hat == pytest.approx(theirs.pareto_k.to_numpy(), abs=2e-3)


def test_fewer_draws_deserve_less_trust():
    assert k_limit(10_000) == 0.7
    assert k_limit(100) == 0.5


def test_against_fits_without_a_respondent():
    data = ml.simulate(400, 8, cv=0.8, seed=2).comparisons()
    posterior = ml.fit(data, evidence=False, draws=2000)
    stats = posterior.to_datatree()["sample_stats"]
    for unit in (0, 5):
        kept = data.respondent.codes != unit
        without = ml.fit(data.take(kept), evidence=False, draws=2000)
        other = without.to_datatree()["posterior"]
        draws = {k: other[k].to_numpy().reshape(-1)[::20] for k in ("mean", "cv")}
        z = np.linspace(-6, 6, 400)
        sd = np.sqrt(np.log1p(draws["cv"] ** 2))[:, None]
        b = np.exp(np.log(draws["mean"])[:, None] - sd**2 / 2 + sd * z)
        margin = (2 * data.outcome - 1)[~kept].numpy() * data.margin[~kept].numpy()
        curve = -np.logaddexp(0, -b[..., None] * margin).sum(-1)
        weight = np.exp(-0.5 * z**2)
        expected = np.log((np.exp(curve) * weight / weight.sum()).sum(-1).mean())
        assert float(stats["loo_elpd"][unit]) == pytest.approx(expected, abs=0.15)
