"""Latent tastes of 303 students (cems), ties after Davidson: held-out gains over one taste."""

import pytest

import mixlogit as ml


@pytest.fixture(scope="module")
def cems(shared_data) -> ml.Comparisons:
    return ml.load(
        shared_data / "cems/comparisons.csv",
        respondent="student",
        item_a="school1",
        item_b="school2",
        outcome="outcome",
        labels="a=1,b=2,tie=tie",
        bad_rows="drop",
    )


def gain(data: ml.Comparisons, seed: int, **options: str) -> float:
    """Milli-nats a vote over one taste and one strength, a fifth of the votes held out."""
    train, test = data.split(0.2, seed=seed)
    shared = {"ties": "davidson", "inference": "laplace", "evidence": False, "draws": 400}
    scores = ml.fit(train, tastes=2, **shared, **options).held_out(test)
    return scores["gain_millinats"]


def test_two_tastes_predict_better(cems: ml.Comparisons) -> None:
    assert len(cems.respondent.labels) == 303
    assert gain(cems, 0) > 40


@pytest.mark.slow
def test_two_tastes_and_strength_predict_better_still(cems: ml.Comparisons) -> None:
    tastes = sum(gain(cems, seed) for seed in range(3)) / 3
    both = sum(gain(cems, seed, family="lognormal") for seed in range(3)) / 3
    assert tastes >= 60
    assert both >= 65
    assert both > tastes
