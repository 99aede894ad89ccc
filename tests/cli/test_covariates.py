import json

import numpy as np
import pandas as pd
import pytest

import mixlogit as ml


@pytest.fixture(scope="module")
def votes(tmp_path_factory):
    """Votes with the age of each respondent."""
    frame = ml.simulate(300, 20, seed=3).frame
    frame["age"] = 30 + frame["respondent"].astype(str).str[1:].astype(int)
    file = tmp_path_factory.mktemp("covariates") / "votes.csv"
    frame.to_csv(file, index=False)
    return file


def test_from_the_data(votes, say, tmp_path):
    run = tmp_path / "run"
    options = ["--no-evidence", "--posterior-draws", 400, "--output", run, "--json", "--no-report"]
    code, out, err = say("fit", votes, "--strength-formula", "~ age", *options)
    assert code in (0, 4)
    assert "effect[age]" in json.loads(out)["parameters"]
    assert "effect[age]" in err
    assert "strength_formula: ~ age" in (run / "config.yaml").read_text().replace("'", "")
    again = say("fit", votes, "--config", run / "config.yaml", "--overwrite", "--quiet")
    assert again[0] in (0, 4)
    assert np.isfinite(ml.open_run(run).summary().loc["effect[age]", "mean"])


def test_shares_of_tastes(say, tmp_path):
    frame = ml.simulate(600, 40, "fixed", tastes=2, items=4, seed=1).frame
    frame["age"] = 30 + frame["respondent"].astype(str).str[1:].astype(int)
    file, run = tmp_path / "votes.csv", tmp_path / "run"
    frame.to_csv(file, index=False)
    options = ["--tastes", 2, "--inference", "laplace", "--no-evidence", "--output", run]
    code, out, _ = say("fit", file, "--share-formula", "~ age", *options, "--json")
    assert code in (0, 4)
    assert "effect[age, 2]" in json.loads(out)["parameters"]
    code, _, err = say("fit", file, "--share-formula", "~ agee", *options)
    assert code == 3
    assert 'no column "agee" for --share-formula.' in err


def test_from_another_file(votes, say, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("respondent,age\nr00001,31\nr00002,32\n")
    options = ["--covariates", people, "--output", tmp_path / "run"]
    code, _, err = say("fit", votes, "--strength-formula", "~ age", *options)
    assert (code, err.strip()) == (
        3,
        f"{votes}: respondent r00003 has no row of covariates (18 of 20 have none). Write "
        'respondents as the covariates do: the first is "r00001" there.',
    )


def test_options_that_do_not_fit_together(votes, say):
    code, _, err = say("fit", votes, "--covariates", votes)
    assert (code, err.strip()) == (
        2,
        "--covariates needs --strength-formula, --share-formula or --taste-formula, which says "
        "what they do.",
    )
    code, _, err = say("fit", votes, "--strength-formula", "~ age", "--tastes", 2)
    assert (code, err.strip()) == (
        2,
        "--strength-formula is for one taste; with --tastes use --share-formula.",
    )
    code, _, err = say("fit", votes, "--share-formula", "~ age")
    assert (code, err.strip()) == (
        2,
        "--share-formula says who is in which class: add --tastes 2, or more.",
    )
    code, _, err = say("fit", votes, "--taste-formula", "~ age")
    assert (code, err.strip()) == (
        2,
        "--taste-formula moves random coefficients: name some by --random.",
    )
    options = ["--inference", "maximum", "--strength-formula", "~ age"]
    code, _, err = say("fit", votes, *options)
    assert (code, err.strip()) == (
        2,
        "--inference maximum cannot be joined with --strength-formula.",
    )


def test_means_of_random_tastes(say, tmp_path):
    rng = np.random.default_rng(1)
    age, x = np.repeat(rng.normal(50, 10, size=60), 15), rng.normal(size=900)
    won = rng.random(900) < 1 / (1 + np.exp(-x * (1.0 + 0.1 * (age - 50))))
    who = np.repeat(np.arange(60), 15)
    columns = {"respondent": who, "x": x, "age": age, "outcome": np.where(won, "a", "b")}
    file, run = tmp_path / "votes.csv", tmp_path / "run"
    pd.DataFrame(columns).to_csv(file, index=False)
    options = ["--features", "x", "--random", "x:normal", "--taste-draws", 32, "--output", run]
    options += ["--test-fraction", 0.2, "--inference", "laplace", "--posterior-draws", 200]
    options += ["--overwrite", "--no-report"]
    code, out, err = say("fit", file, "--taste-formula", "~ age", *options, "--json")
    assert code in (0, 4)
    result = json.loads(out)
    assert result["parameters"]["effect[age,x]"]["mean"] == pytest.approx(0.1, abs=0.05)
    assert result["held_out"]["gain_millinats"] > 0
    assert "effect[age,x]" in err
    code, _, err = say("fit", file, "--taste-formula", "~ agee", *options)
    assert code == 3
    assert 'no column "agee" for --taste-formula.' in err
    options[6:] = ["--output", run, "--overwrite", "--inference", "maximum"]
    code, out, _ = say("fit", file, "--taste-formula", "~ age", *options)
    assert code in (0, 4)
    assert "effect[age,x]" in out
