from importlib import import_module

import pytest

import mixlogit as ml
from mixlogit.errors import UsageError
from mixlogit.models.power import Power, least_respondents, log_bayes_factors


def test_side_by_side_as_alone():
    """Marginal likelihoods of many studies at once are those of `ml.fit`."""
    data = [
        ml.simulate(300, 25, "lognormal", cv=cv, seed=seed).comparisons()
        for seed, cv in enumerate((0.3, 0.9))
    ]
    plain = log_bayes_factors(data, "lognormal", lapse=False).tolist()
    lapsed = log_bayes_factors(data, "lognormal", lapse=True).tolist()
    for k, one in enumerate(data):
        alone = ml.fit(one, draws=400).to_dict()["evidence"]
        assert plain[k] == pytest.approx(alone["log_bayes_factor"], abs=0.25)
        assert lapsed[k] == pytest.approx(alone["log_bayes_factor_lapse"], abs=0.25)


def test_rises_with_everything_that_helps():
    few = ml.power(20, 5, 0.5, studies=8)
    steps = []
    many = ml.power(60, 20, 0.9, studies=5, progress=lambda *step: steps.append(step))
    assert few.probability < 0.5 < 0.9 <= many.probability
    assert steps[-1] == ("60 respondents", 5, 5)
    assert ml.power(30, 10, 0.0, "gamma", studies=10).probability <= 0.1
    assert few.to_dict()["respondents"] == 20


@pytest.mark.parametrize("threshold", [7, 10, 37, 160, 4999])
def test_the_least_number_of_respondents(threshold):
    """By an oracle in place of simulation: enough from `threshold` respondents on."""
    asked = []

    def at(n):
        asked.append(n)
        return Power(n, 20, 0.6, "lognormal", float(n >= threshold), 0.0, 100)

    found = least_respondents(at, 0.8)
    assert threshold <= found.respondents <= max(10, 1.1 * threshold + 1)
    assert len(asked) < 20


def test_a_plan():
    found = ml.power(None, 20, 0.9, target=0.5, studies=4)
    assert 10 <= found.respondents <= 60
    assert found.probability >= 0.5


def message(*arguments, **options):
    with pytest.raises(UsageError) as caught:
        ml.power(*arguments, **options)
    return str(caught.value)


def test_designs_that_cannot_be(monkeypatch):
    words = "Expected a family with a spread, at least one vote and one study, and cv >= 0."
    assert message(60, 0, 0.6) == words
    assert message(60, 20, 0.6, "fixed") == words
    assert message(60, 20, -0.6) == words
    assert message(None, 20, 0.6, target=1.0) == "Expected a target between 0 and 1 but got 1.0."
    assert message(60, 20, 0.6, "x").startswith("No strength family 'x'.")
    monkeypatch.setattr(import_module("mixlogit.models.power"), "_MOST", 10)
    assert message(None, 2, 0.1, studies=2) == (
        "10 respondents reach a probability of 0.00 only. Ask for more votes of each, or look for "
        "a larger cv."
    )
