"""Agreement with NUTS run on the Pyro programs (tests/reference/nuts_posteriors.py)."""

import json

import pytest
from tree import ROOT

import mixlogit as ml

RECORD = json.loads((ROOT / "tests/reference/nuts_posteriors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", RECORD["problems"])
def test_agrees_with_nuts(name):
    case = RECORD["problems"][name]
    data = ml.simulate(**case["simulate"]).comparisons()
    posterior = ml.fit(data, **case["fit"], evidence=False, draws=8000)
    drawn = posterior.to_datatree()["posterior"]
    assert posterior.to_dict()["inference"] == "importance"
    for label, reference in case["parameters"].items():
        base, _, place = label.partition("[")
        values = drawn[base].to_numpy()
        values = values[..., int(place[:-1])] if place else values
        assert reference["r_hat"] < 1.01, label
        assert abs(values.mean() - reference["mean"]) < 0.1 * reference["sd"], label
        assert values.std() == pytest.approx(reference["sd"], rel=0.1), label
