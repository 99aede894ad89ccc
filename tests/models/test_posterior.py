"""The posterior, its tree and its files, of one grouped fit with latent utilities and lapse."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest

import mixlogit as ml
from mixlogit.errors import StorageError, UsageError
from mixlogit.models.posterior import summarise
from mixlogit.run import write_manifest

FILES = ["posterior.nc", "strength.json", "strength.safetensors", "strengths.parquet"]


@pytest.fixture(scope="module")
def posterior():
    data = ml.simulate(240, 15, "lognormal", groups=2, items=4, ties=0.1, seed=1).comparisons()
    return ml.fit(data, by=["group"], lapse=True, draws=400, evidence=False, inference="laplace")


@pytest.fixture(scope="module")
def margins():
    data = ml.simulate(240, 15, "lognormal", mean=1.0, cv=0.6, seed=1).comparisons()
    return ml.fit(data, draws=400)


@pytest.fixture
def folder(posterior, tmp_path):
    posterior.save(tmp_path / "run")
    return tmp_path / "run"


def test_dimensions_have_names(posterior):
    tree = posterior.to_datatree()
    assert set(tree.children) == {
        "posterior",
        "unconstrained_posterior",
        "prior",
        "log_prior",
        "sample_stats",
        "log_likelihood",
        "posterior_predictive",
        "observed_data",
        "constant_data",
    }
    drawn = tree["posterior"]
    assert drawn["utility"].dims == ("chain", "draw", "item")
    assert list(drawn["item"].values) == list(posterior.utilities().index)
    assert drawn["mean:group"].dims == ("chain", "draw", "group")
    assert sorted(drawn["group"].values) == ["g1", "g2"]
    assert tree["prior"]["cv"].shape == (1, 1000)
    assert tree["log_likelihood"]["panel"].dims == ("chain", "draw", "unit")
    assert tree["observed_data"]["outcome"].shape == (240,)
    assert tree["constant_data"]["item_a"].dims == ("comparison",)
    assert tree.attrs["family"] == "lognormal"


def test_round_trip(posterior, folder):
    again = ml.open_run(folder)
    assert again.summary().equals(posterior.summary())
    assert again.group_summary().equals(posterior.group_summary())
    assert again.utilities().equals(posterior.utilities())
    pd.testing.assert_frame_equal(again.strengths(), posterior.strengths())
    assert again.checks == posterior.checks
    assert again.verdict == posterior.verdict
    assert again.to_dict() == json.loads(json.dumps(posterior.to_dict()))
    one, two = posterior.to_datatree(), again.to_datatree()
    assert set(one.children) == set(two.children)
    for name, node in one.children.items():
        assert node.to_dataset().identical(two[name].to_dataset()), name
    assert repr(again) == repr(posterior)


def test_files(folder):
    assert set(FILES) <= {file.name for file in folder.iterdir()}
    from safetensors.numpy import load_file

    tensors = load_file(folder / "strength.safetensors")
    assert set(tensors) >= {"cv", "lapse", "utility", "mean:group"}
    for file in folder.iterdir():  # no pickle
        if file.is_file():
            assert not file.read_bytes().startswith((b"\x80\x04", b"\x80\x05", b"PK")), file


@pytest.mark.parametrize("name", FILES)
def test_damage_is_named(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    write_manifest(folder)  # as somebody might who means it
    with pytest.raises(StorageError, match=f"^{re.escape(str(folder / name))} is damaged: ") as e:
        ml.open_run(folder)
    assert e.value.file == str(folder / name)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    write_manifest(folder)
    message = f"{folder} is not a run folder: {name} is missing."
    with pytest.raises(StorageError, match=f"^{re.escape(message)}$"):
        ml.open_run(folder)


def test_tensors_of_another_run_are_refused(folder, margins, tmp_path):
    margins.save(tmp_path / "other")
    other = (tmp_path / "other" / "strength.safetensors").read_bytes()
    (folder / "strength.safetensors").write_bytes(other)
    write_manifest(folder)
    with pytest.raises(StorageError, match=r"do not match strength\.json"):
        ml.open_run(folder)


def test_folder_is_not_overwritten_unasked(posterior, folder):
    with pytest.raises(StorageError):
        posterior.save(folder)
    posterior.save(folder, overwrite=True)


def test_a_saved_posterior_cannot_score_votes(folder):
    message = (
        "A posterior read from a folder cannot score votes. Fit with the test votes at hand: "
        "mixlogit fit --test FILE."
    )
    test = ml.simulate(50, 5, items=4, seed=1).comparisons()
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        ml.open_run(folder).held_out(test)


def test_held_out_votes():
    data = ml.simulate(1500, 50, "lognormal", mean=1.0, cv=1.2, seed=1).comparisons()
    train, test = data.split(0.2, seed=0)
    scored = ml.fit(train, evidence=False, draws=400).held_out(test)
    assert scored["n"] == test.n_comparisons
    assert scored["log_score"] > scored["fixed_strength"] > -np.log(2)
    gain = 1000 * (scored["log_score"] - scored["fixed_strength"])
    assert scored["gain_millinats"] == pytest.approx(gain)
    assert 0.6 < scored["accuracy"] < 1
    assert 0 < scored["se"] < 30


def test_arviz_takes_it(margins):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz as az
    data = az.from_datatree(margins.to_datatree())
    summary = az.summary(data, var_names=["mean", "cv"])
    assert summary.loc["cv", "mean"] == pytest.approx(
        margins.summary().loc["cv", "mean"], abs=2e-3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # k of a single respondent
        loo = az.loo(data, var_name="panel", pointwise=True)
    assert loo.elpd_loo == pytest.approx(margins.to_dict()["elpd"]["estimate"], abs=1.0)
    assert loo.loo_i.dims == ("unit",)
    assert len(loo.loo_i) == 15


def test_summary_and_record(margins):
    summary = margins.summary()
    assert list(summary.columns) == ["mean", "sd", "q05", "q25", "q50", "q75", "q95"]
    assert summary.index.name == "parameter"
    record = margins.to_dict()
    assert set(record) == {
        "family",
        "panel",
        "lapse",
        "n",
        "parameters",
        "groups",
        "tastes",
        "arguments",
        "data_sha256",
        "elpd",
        "elpd_vote",
        "evidence",
        "identified",
        "log_evidence",
        "checks",
        "verdict",
        "inference",
        "priors",
        "seed",
        "seconds",
        "peak_memory_mb",
    }
    assert record["n"]["respondents"] == 15
    assert margins.group_summary().empty
    assert margins.utilities().empty
    assert repr(margins).startswith("Posterior(lognormal, 240 comparisons, cv ")
    json.dumps(record)


def test_summarise():
    draws = np.arange(101.0).reshape(1, 101)
    assert summarise(draws)["q05"] == 5.0
    assert summarise(draws)["sd"] == pytest.approx(draws.std(ddof=1))
