import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.optimize import minimize

import mixlogit as ml
from mixlogit.analysis import to_arviz
from mixlogit.errors import UsageError
from mixlogit.models.compare import stacking_weights

DATA = ml.simulate(800, 40, "lognormal", cv=1.0, ties=0.05, seed=1).comparisons()


@pytest.fixture(scope="module")
def runs():
    return {name: ml.fit(DATA, name, draws=800) for name in ("fixed", "gamma", "lognormal")}


def test_figures_are_those_of_arviz(runs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz

        loo = {
            name: arviz.loo(to_arviz(run), var_name="panel", pointwise=True)
            for name, run in runs.items()
        }
        theirs = arviz.compare(loo, ic="loo", method="stacking")
    ours = ml.compare(runs).table
    assert list(ours.index) == list(theirs.index)
    assert np.allclose(ours["elpd"], theirs["elpd_loo"].astype(float), atol=0.2)
    assert np.allclose(ours["se"], theirs["se"].astype(float), atol=0.05)
    assert np.allclose(-ours["difference"], theirs["elpd_diff"].astype(float), atol=0.3)
    assert np.allclose(ours["difference_se"], theirs["dse"].astype(float), atol=0.1)
    assert np.allclose(ours["weight"], theirs["weight"].astype(float), atol=0.1)


def test_stacking_weights_are_the_maximum():
    log_density = np.random.default_rng(0).normal(size=(60, 4)) - 30

    def loss(x):
        weight = np.exp(x) / np.exp(x).sum()
        return -np.log(np.exp(log_density) @ weight).sum()

    best = minimize(loss, np.zeros(4)).x
    expected = np.exp(best) / np.exp(best).sum()
    assert np.allclose(stacking_weights(log_density), expected, atol=1e-3)


def test_from_folders_with_folds(runs, tmp_path):
    for name in ("fixed", "lognormal"):
        runs[name].save(tmp_path / name)
    folders = {name: tmp_path / name for name in ("fixed", "lognormal")}
    found = ml.compare(folders, folds=2, data=DATA)
    assert list(found.table.index) == ["lognormal", "fixed"]
    assert list(found.table["kind"]) == ["strength", "homogeneous"]
    assert found.table.loc["fixed", "votes_difference"] < 0
    assert found.table.loc["fixed", "votes_difference_se"] > 0
    assert found.verdict.heterogeneity == "strength"
    record = found.to_dict()
    keys = {"run", "elpd", "se", "difference", "difference_se", "weight"}
    assert keys <= set(record["models"][0])
    assert record["models"][1]["high_k"] == []
    assert (record["by"], record["folds"]) == ("respondent", 2)
    assert record["verdict"]["heterogeneity"] == "strength"


def test_those_with_high_k_are_named(runs):
    tree = runs["fixed"].to_datatree().copy(deep=True)
    values = tree["log_likelihood"]["panel"].values
    noise = np.random.default_rng(0).normal(size=values[..., 3].shape)
    values[..., 3] -= 20 * noise**2
    known = tree["sample_stats"].to_dataset()
    tree["sample_stats"] = xr.DataTree(known.drop_vars(["loo_elpd", "loo_k_hat"]))
    odd = ml.Posterior(tree, runs["fixed"].to_dict(), pd.DataFrame())
    found = ml.compare({"odd": odd, "lognormal": runs["lognormal"]})
    name = str(tree["log_likelihood"]["unit"].values[3])
    assert found.high_k == {"odd": (name,), "lognormal": ()}
    assert found.table.loc["odd", "high_k"] == 1


def test_without_respondents():
    data = replace(DATA, respondent=None)
    runs = {name: ml.fit(data, name, draws=400) for name in ("fixed", "lognormal")}
    found = ml.compare(runs, by="comparison")
    assert found.verdict.heterogeneity == "unknown"
    assert len(found.table) == 2


def message(*arguments, **options):
    with pytest.raises(UsageError) as caught:
        ml.compare(*arguments, **options)
    return str(caught.value)


def test_runs_that_cannot_be_compared(runs):
    fixed = runs["fixed"]
    assert message({"a": fixed}) == "Expected at least two runs to compare but got 1."
    assert message({"a": fixed, "b": fixed}, by="item") == (
        'Expected by "respondent" or "comparison" but got "item".'
    )
    other = ml.fit(DATA.take(range(700)), "fixed", draws=400)
    assert message({"a": fixed, "b": other}) == (
        "a and b were fitted to different data (800 and 700 comparisons; their checksums differ). "
        "Fit both to the same votes."
    )
    single = ml.fit(DATA, "fixed", panel=False, draws=400)
    assert message({"a": fixed, "b": single}) == (
        "b was fitted to single comparisons, so it cannot be compared by respondent. Fit all runs "
        "with respondents, or all without (--no-panel) and compare by comparison."
    )
    ties = ml.fit(DATA, "fixed", ties="davidson", inference="laplace", draws=400)
    assert message({"a": fixed, "b": ties}) == (
        "a has ties half and b ties davidson: half votes give a tie no probability. Fit both with "
        "modelled ties, or both without."
    )
    assert message(runs, folds=3) == "Folds fit every model again: give the votes as data=."
    assert message(runs, folds=3, data=DATA.take(range(700))) == (
        "simulated data is not what the runs were fitted to (its checksum differs)."
    )


def test_too_many_single_comparisons(runs):
    tree = runs["fixed"].to_datatree().copy()
    del tree["log_likelihood"]
    bare = ml.Posterior(tree, runs["fixed"].to_dict(), pd.DataFrame())
    assert message({"a": bare, "b": runs["fixed"]}) == (
        "a keeps no log-likelihood by comparison (there are more than 40,000): fit with "
        "respondents to compare it."
    )
