"""Leaving out respondents: against exact densities, ArviZ, and fits without them."""

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats
from torch.nn.functional import logsigmoid

import mixlogit as ml
from mixlogit.analysis import az
from mixlogit.models.loo import elpd, k_limit, leave_one_out, left_out, units_left_out
from mixlogit.models.problem import Problem

arviz = az._arviz()


def log_p_on_a_grid(problem, log_means, cvs):
    """Log-likelihood of each respondent at each mean and cv: `cell x respondent`."""
    z = torch.linspace(-7, 7, 141).double()
    weight = torch.softmax(-0.5 * z.square(), 0).log().unsqueeze(-1)
    out = []
    for log_mean in log_means:
        for cv in cvs:
            sigma = torch.log1p(cv.square()).sqrt()
            b = (log_mean - 0.5 * sigma.square() + sigma * z).exp()
            panels = torch.zeros(len(z), len(problem.units.block)).double()
            panels.index_add_(1, problem.unit_of_row, logsigmoid(b.unsqueeze(-1) * problem.margin))
            out.append(torch.logsumexp(panels + weight, 0))
    return torch.stack(out)


def test_against_fits_without_each_respondent():
    """The predictive density of a respondent is a ratio of exact marginal likelihoods."""
    data = ml.simulate(240, 16, "lognormal", mean=1.0, cv=1.0, seed=7).comparisons()
    problem = Problem(data)
    shifts, cvs = torch.linspace(-2, 2, 41).double(), torch.linspace(0.01, 3.5, 60).double()
    each = log_p_on_a_grid(problem, shifts + np.log(problem.spec.centre), cvs)
    log_prior = torch.as_tensor(stats.norm.logpdf(shifts)).unsqueeze(-1) + torch.as_tensor(
        stats.halfnorm.logpdf(cvs)
    )
    joint = log_prior.flatten() + each.sum(1)
    without = torch.logsumexp(joint.unsqueeze(-1) - each, 0)  # refitted without the respondent
    exact = torch.logsumexp(joint, 0) - without
    posterior = ml.fit(data, evidence=False)
    found = left_out(posterior.to_datatree())
    assert found.labels == tuple(sorted(data.respondent.labels))
    place = [data.respondent.labels.index(name) for name in found.labels]
    assert torch.allclose(found.log_density, exact[place], atol=0.06)
    assert bool((found.k_hat < 0.7).all())
    total = elpd(posterior.to_datatree(), panel=True)
    assert total["estimate"] == pytest.approx(float(exact.sum()), abs=0.1)
    assert total["se"] == pytest.approx(4 * float(exact.std(correction=0)), abs=0.1)
    assert posterior.to_dict()["elpd"] == total


def test_a_respondent_in_two_groups_is_left_out_whole():
    frame = ml.simulate(300, 12, seed=3).frame
    frame["half"] = np.where(np.arange(300) % 2, "x", "y")
    posterior = ml.fit(ml.load(frame, groups=["half"]), by=["half"], evidence=False, draws=400)
    kept = posterior.to_datatree()["log_likelihood"]["panel"]
    assert kept.sizes["unit"] == 24
    assert str(kept["unit"].values[0]) == "r00001 | y"
    found = left_out(posterior.to_datatree())
    assert len(found.labels) == 12
    sums = kept.groupby("respondent").sum().to_numpy().reshape(-1, 12)
    assert torch.allclose(found.log_density, leave_one_out(torch.from_numpy(sums).double())[0])


def test_a_respondent_who_moves_the_posterior_has_a_high_k():
    generator = torch.Generator().manual_seed(0)
    log_likelihood = torch.randn(1000, 3, generator=generator).double()
    log_likelihood[:, 1] = -0.5 * (5 * log_likelihood[:, 1]).square()
    k = leave_one_out(log_likelihood)[1]
    assert bool(k[1] > 0.7)
    assert bool((k[[0, 2]] < 0.7).all())


def test_random_tastes_have_one_too():
    data = ml.simulate(400, 20, "fixed", features=2, seed=5).comparisons()
    posterior = ml.fit(data, random="x1:normal", inference="laplace", draws=400)
    found = posterior.to_dict()["elpd"]
    assert found["per"] == "respondent"
    one_taste = ml.fit(data, "fixed", draws=400).to_dict()["elpd"]
    assert found["estimate"] == pytest.approx(one_taste["estimate"], abs=5)


def test_agrees_with_arviz():
    rng = np.random.default_rng(0)
    x = rng.normal(-2.0, rng.uniform(0.1, 1.0, size=30), size=(4, 500, 30))
    elpd, k_hat, limit = units_left_out(x.astype(np.float32))
    like = xr.Dataset({"a": (("chain", "draw", "unit"), x)})
    draws = xr.Dataset({"x": (("chain", "draw"), rng.normal(size=(4, 500)))})
    tree = xr.DataTree.from_dict({"posterior": draws, "log_likelihood": like})
    theirs = arviz.loo(arviz.from_datatree(tree), pointwise=True, reff=1.0)
    assert elpd == pytest.approx(theirs.loo_i.to_numpy(), abs=2e-3)
    assert limit == pytest.approx(1 - 1 / np.log10(2000))
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
