"""`mixlogit fit --random` with contexts, covariates of strength, groups, lapses and widths."""

import json

import numpy as np
import pandas as pd
import pytest

RANDOM = ["--features", "x", "--random", "x:normal", "--taste-draws", 32, "--family", "lognormal"]
QUICK = ["--inference", "laplace", "--posterior-draws", 100]


@pytest.fixture(scope="module")
def votes(tmp_path_factory):
    """Votes whose strength grows with the length of texts and the age of respondents."""
    rng = np.random.default_rng(1)
    n, who = 600, np.repeat(np.arange(40), 15)
    age, length, x = rng.normal(50, 10, size=40)[who], rng.normal(size=n), rng.normal(size=n)
    taste = (1.0 + 0.5 * rng.normal(size=40))[who]
    s = np.exp(0.05 * (age - 50) + 0.5 * length) * taste * x
    outcome = np.where(rng.random(n) < 1 / (1 + np.exp(-s)), "a", "b").astype("U3")
    outcome[::7] = "tie"
    columns = {"respondent": who, "x": x, "age": age, "length": length, "outcome": outcome}
    columns["stance"] = np.where(who % 2, "pro", "con")
    file = tmp_path_factory.mktemp("random") / "votes.csv"
    pd.DataFrame(columns).to_csv(file, index=False)
    return file


def test_everything_at_once(votes, say, tmp_path) -> None:
    run = tmp_path / "run"
    more = ["--context-formula", "~ length", "--strength-formula", "~ age", "--by", "stance"]
    more += ["--taste-formula", "~ age", "--lapse", "--ties", "davidson", "--width", "strength"]
    options = [*RANDOM, *more, *QUICK, "--no-evidence", "--output", run]
    code, out, err = say("fit", votes, *options, "--json")
    assert code in (0, 4)
    result = json.loads(out)
    names = {"context[length]", "strength_effect[age]", "effect[age,x]", "lapse", "width_exponent"}
    assert names <= set(result["parameters"])
    assert set(result["groups"]["stance"]) == {"pro", "con"}
    assert result["lapse"]
    assert "context[length]" in err
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "effect of length of comparisons on log strength" in report


def test_maximum(votes, say, tmp_path) -> None:
    options = ["--inference", "maximum", "--output", tmp_path / "run", "--json"]
    more = ["--context-formula", "~ length", "--strength-formula", "~ age"]
    code, out, _ = say("fit", votes, *RANDOM, *more, *options)
    assert code in (0, 4)
    found = json.loads(out)["parameters"]
    assert found["context[length]"]["estimate"] == pytest.approx(0.5, abs=0.3)
    assert found["strength_effect[age]"]["estimate"] == pytest.approx(0.05, abs=0.03)
    code, _, err = say("fit", votes, *RANDOM, "--by", "stance", *options[:-1])
    assert code == 2
    assert "--inference maximum cannot be joined with --by." in err


def test_a_width_by_strength_needs_strengths_that_differ(votes, say) -> None:
    options = [*RANDOM, "--family", "fixed", "--ties", "davidson", "--width", "strength"]
    code, _, err = say("fit", votes, *options)
    assert (code, err.strip().splitlines()[-1]) == (
        2,
        "--width strength needs a strength that differs and is positive: name --family "
        "lognormal, gamma or classes.",
    )
