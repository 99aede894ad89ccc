"""Covariates of respondents on the means of random tastes."""

import numpy as np
import pandas as pd
import pytest
from judges import choice_sets, davidson, generator, strengths, z_scores

import mixlogit as ml
from mixlogit.errors import DataError, UsageError

RANDOM = ml.RandomTastes("x0:normal,x1:-lognormal", draws=64)
PER_UNIT = {"effect[age,x0]": 0.05, "effect[sex[T.m],x0]": -0.6, "effect[age,x1]": 0.02}


def people(n: int, rng) -> pd.DataFrame:
    """Age and sex of respondents."""
    age, sex = 40 + 10 * rng.standard_normal(n), rng.choice(["f", "m"], n)
    return pd.DataFrame({"respondent": [str(k) for k in range(n)], "age": age, "sex": sex})


def coefficients(table: pd.DataFrame, rng) -> np.ndarray:
    """Tastes whose means move with age and sex as `PER_UNIT` says."""
    z, away = rng.standard_normal((len(table), 2)), table["age"].to_numpy() - 40
    x0 = 1.0 + 0.05 * away - 0.6 * (table["sex"] == "m").to_numpy() + 0.7 * z[:, 0]
    x1 = -np.exp(-0.3 + 0.02 * away + 0.5 * z[:, 1])
    return np.stack([x0, x1], -1)


def about(table: pd.DataFrame) -> ml.Covariates:
    return ml.Covariates.read("~ age + sex", table)


@pytest.mark.parametrize("outcome", ["choice", "davidson"])
@pytest.mark.parametrize("family", ["fixed", "gamma"])
def test_slopes_are_recovered(family: str, outcome: str) -> None:
    rng = generator(family, outcome, "covariates")
    table = people(200, rng)
    c = strengths(family, 200, rng)[:, None] * coefficients(table, rng)
    data = choice_sets(c, rng, per=12) if outcome == "choice" else davidson(c, 0.7, rng, per=20)
    options = {"ties": "davidson"} if outcome == "davidson" else {}
    asked = {"random": RANDOM, **options}
    found = ml.maximum(data, family, covariates=about(table), **asked)
    effects = {"effect[sex[T.m],x1]": 0.0, **PER_UNIT}
    names = ["effect[age,x0]", "effect[sex[T.m],x0]", "effect[age,x1]", "effect[sex[T.m],x1]"]
    assert [name for name in found.table.index if name.startswith("effect")] == names
    scores = z_scores(found, {"sd[x0]": 0.7, "log_sd[x1]": 0.5, **effects})
    assert max(map(abs, scores.values())) < 3.5, scores
    alone = ml.maximum(data, family, **asked)
    assert found.log_likelihood > alone.log_likelihood + 10
    assert found.table.loc["sd[x0]", "estimate"] < alone.table.loc["sd[x0]", "estimate"]


@pytest.fixture(scope="module")
def judged() -> tuple[pd.DataFrame, ml.ChoiceSets]:
    rng = generator("few", "covariates")
    table = people(60, rng)
    return table, choice_sets(coefficients(table, rng), rng, per=8)


def test_posterior_predicts_new_respondents_by_their_covariates(judged, tmp_path) -> None:
    table, data = judged
    new = data.respondent.codes < 12
    options = {"random": RANDOM, "inference": "laplace", "draws": 200, "evidence": False}
    fitted, alone = (
        ml.fit(data.take(~new), covariates=covariates, **options)
        for covariates in (about(table), None)
    )
    test = data.take(new)
    scores = fitted.log_scores(test).mean(), alone.log_scores(test).mean()
    assert scores[0] > scores[1]
    assert fitted.summary().loc["effect[age,x0]", "q05"] > 0
    assert list(fitted.to_datatree()["posterior"]["effect_of"].values) == [
        "age,x0",
        "sex[T.m],x0",
        "age,x1",
        "sex[T.m],x1",
    ]
    fitted.save(tmp_path / "run")
    record = ml.open_run(tmp_path / "run").to_dict()
    assert record["arguments"]["covariates"]["formula"] == "~ age + sex"


def test_what_is_refused(judged) -> None:
    table, data = judged
    with pytest.raises(UsageError) as caught:
        ml.maximum(data, "fixed", covariates=about(table))
    assert str(caught.value) == (
        "Covariates at a maximum move random tastes. Name some as random."
    )
    with pytest.raises(UsageError) as caught:
        ml.fit(data, "lognormal", random={"x0": "fixed"}, covariates=about(table))
    assert str(caught.value) == (
        "A taste formula moves random coefficients. Name some by --random."
    )
    with pytest.raises(UsageError) as caught:
        ml.fit(data, random=RANDOM, covariates=about(table.assign(age=30.0)))
    assert str(caught.value) == 'Formula "~ age + sex": age is constant over respondents.'
    with pytest.raises(DataError) as caught:
        ml.fit(data, random=RANDOM, covariates=about(table.iloc[1:]))
    assert str(caught.value).startswith(
        "DataFrame: respondent 0 has no row of covariates (1 of 60 have none)."
    )
    with pytest.raises(DataError) as caught:
        about(pd.concat([table, table.assign(age=30.0)]))
    assert str(caught.value).endswith(
        " and 30.0 for respondent 0. A covariate of respondents has one value for each."
    )
