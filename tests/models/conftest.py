"""Data that several tests of models use."""

import pytest

import mixlogit as ml

ELECTRICITY = ["pf", "cl", "loc", "wk", "tod", "seas"]


@pytest.fixture(scope="session")
def electricity(shared_data):
    """361 households, 4,308 choices of 4."""
    return ml.load_choice_sets(
        shared_data / "electricity-panel/electricity_long.csv.gz",
        choice_id="chid",
        alternative="alt",
        chosen="choice",
        respondent="id",
        features=ELECTRICITY,
    )
