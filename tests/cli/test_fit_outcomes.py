"""`mixlogit fit` with choice sets, random tastes, ties, grades and rankings."""

import json

import pandas as pd
import pytest
from judges import choice_sets, generator, graded, pairs

WEIGHTS = [[1.0, -0.6]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same judges in three kinds of data."""
    path, rng = tmp_path_factory.mktemp("data"), generator("cli")
    tastes = rng.standard_normal((40, 2)) * 0.8 + WEIGHTS
    sets = choice_sets(tastes, rng, per=8)
    frame = pd.DataFrame(sets.features.numpy(), columns=["x0", "x1"])
    frame["id"] = sets.choice.numpy()
    frame["option"] = sets.alternative.codes.numpy()
    frame["took"] = sets.chosen.numpy().astype(int)
    frame["who"] = sets.respondent.codes[sets.choice].numpy()
    frame.to_csv(path / "sets.csv", index=False)
    rated = graded(tastes, [0.4, 1.2], rng, per=10)
    votes, _ = pairs(tastes, rng, per=10)
    votes[["x0", "x1"]] = rated.features.numpy()
    votes["grade"] = rated.grade.numpy()
    votes["outcome"] = votes["grade"].map(lambda g: "a" if g > 0 else "b" if g < 0 else "tie")
    votes["age"] = 20 + votes["respondent"]
    votes.to_csv(path / "votes.csv", index=False)
    return path


SETS = ["--choice-id", "id", "--alternative", "option", "--chosen", "took", "--respondent", "who"]
FEATURES = ["--features", "x0,x1"]


def test_random_tastes_at_the_maximum(say, folder, tmp_path) -> None:
    run = tmp_path / "run"
    random = ["--random", "x0:normal,x1:normal", "--inference", "maximum", "--taste-draws", "64"]
    code, out, _ = say("fit", folder / "sets.csv", *SETS, *FEATURES, *random, "--output", run)
    assert code == 0
    assert "data     320 choice sets, 40 respondents" in out
    assert "checks   simulation error (nats)" in out
    assert "  mean[x0] " in out
    assert len(pd.read_parquet(run / "tastes.parquet")) == 40
    assert json.loads((run / "summary.json").read_text())["parameters"]["sd[x0]"]["estimate"] > 0


def test_posterior_of_random_tastes(say, folder, tmp_path) -> None:
    run = tmp_path / "run"
    asked = ["--random", "x0:normal", "--inference", "laplace", "--taste-draws", "64"]
    asked += ["--test-fraction", "0.2", "--json", "--output", run]
    code, out, _ = say("fit", folder / "sets.csv", *SETS, *FEATURES, *asked)
    assert code == 0
    result = json.loads(out)
    assert result["random"] == {"x0": "normal"}
    assert result["held_out"]["n"] == 64
    assert result["verdict"]["heterogeneity"] in ("taste", "unknown", "homogeneous")
    assert (run / "tastes.parquet").is_file()
    assert not (run / "strength.svg").exists()


def test_random_tastes_with_strength_ties_and_covariates(say, folder, tmp_path) -> None:
    run = tmp_path / "run"
    asked = ["--outcome", "outcome", "--ties", "davidson", "--family", "gamma"]
    asked += ["--random", "x0:normal", "--taste-formula", "~ age", "--taste-draws", "32"]
    asked += ["--inference", "laplace", "--posterior-draws", "200", "--output", run]
    code, out, _ = say("fit", folder / "votes.csv", *FEATURES, *asked)
    assert code in (0, 4)  # of so few votes a check may fail
    for name in ("mean[x0]", "sd[x0]", "effect[age,x0]", "odds of a tie (nu)"):
        assert f"\n  {name} " in out
    report = (run / "report.html").read_text(encoding="utf-8")
    for words in ("mean of x0", "effect of age on x0", "sd of log strength", "odds of a tie (nu)"):
        assert f'<th scope="row">{words}</th>' in report
    checks = {check["name"] for check in json.loads((run / "checks.json").read_text())}
    assert {"calibration", "taste in residuals", "ties by margin"} <= checks


def test_modelled_ties_and_grades(say, folder, tmp_path) -> None:
    common = ["--respondent", "respondent", *FEATURES, "--family", "fixed", "--quiet"]
    for asked, name in (
        (["--ties", "davidson"], "tie_odds"),
        (["--ties", "rao-kupper"], "threshold"),
        (["--grade", "grade"], "threshold[1]"),
    ):
        options = [*common, *asked, "--inference", "maximum", "--overwrite"]
        run = tmp_path / "run"
        code, _, _ = say("fit", folder / "votes.csv", *options, "--output", run)
        assert code == 0
        assert name in json.loads((run / "summary.json").read_text())["parameters"]
        assert ("modelled" in (run / "summary.txt").read_text()) is True


def test_check_of_choice_sets(say, folder) -> None:
    code, out, _ = say("check", folder / "sets.csv", *SETS, *FEATURES)
    assert code == 0
    assert "40 respondents with two choices or more identify the spread" in out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ["--available", "took"],
            "--available is for choice sets: name their column by --choice-id.",
        ),
        (
            [*SETS, "--outcome", "took"],
            "--outcome is for pairs and cannot be joined with --choice-id.",
        ),
        (
            [*SETS, *FEATURES, "--random", "x0"],
            'Expected random coefficients as price:normal,time:lognormal but got "x0".',
        ),
        (
            [*SETS, *FEATURES, "--random", "x0:normal", "--no-panel"],
            "--random cannot be joined with --no-panel.",
        ),
    ],
)
def test_what_is_refused(say, folder, tmp_path, options, says) -> None:
    code, _, err = say("fit", folder / "sets.csv", *options, "--output", tmp_path / "run")
    assert code == 2
    assert says in err
