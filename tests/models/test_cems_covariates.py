"""Covariates of students on the utilities of schools, as in the published analysis (cems)."""

import runpy

import numpy as np
import pytest
from tree import ROOT

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks/cems_covariates.py"))
LANGUAGES = ["FRA good x Paris", "SPA good x Barcelona", "ITA good x Milano"]


@pytest.fixture(scope="module")
def data(shared_data):
    return BENCHMARK["load_with_covariates"](shared_data / "cems")


def test_students_prefer_the_school_whose_language_they_know(data):
    found = BENCHMARK["effects"](data)
    assert len(found) == 13
    assert (found.loc[LANGUAGES, "estimate"] > 3 * found.loc[LANGUAGES, "se_sandwich"]).all()
    assert 0 < found.loc["WOR yes x Paris", "estimate"] < 4


def test_half_votes_are_the_logistic_regression_that_reproduces_the_published_table(data):
    """Newton's method on the differences of features, ties as outcome 1/2."""
    found = BENCHMARK["effects"](data, ties="half")["estimate"]
    x, y = data.features.numpy(), data.outcome.numpy()
    beta = np.zeros(x.shape[1])
    for _ in range(20):
        p = 1 / (1 + np.exp(-x @ beta))
        beta += np.linalg.solve((x.T * (p * (1 - p))) @ x, x.T @ (y - p))
    np.testing.assert_allclose(found, beta[5:], atol=1e-6)
    davidson = BENCHMARK["effects"](data)["estimate"]
    assert (np.sign(davidson) == np.sign(found)).all()
