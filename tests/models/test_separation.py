"""Utilities that the judgements do not bound are said to be so."""

import numpy as np
import pandas as pd
import pytest
from judges import choice_sets, generator

import mixlogit as ml

SAYS = (
    "No judgement bounds {}: it explains all that it bears on, and only the prior keeps it from "
    "growing without end. Trust its sign, not its size."
)
QUICK = {"inference": "laplace", "draws": 100, "evidence": False}


def votes(outcome: str = "") -> pd.DataFrame:
    """Votes on four items; the outcome of all that c was in can be given."""
    rng = generator("separation")
    items = np.array(list("abcd"))[np.argsort(rng.random((400, 4)), 1)[:, :2]]
    frame = pd.DataFrame(items, columns=["item_a", "item_b"])
    frame["outcome"] = rng.choice(["a", "b"], 400)
    frame["respondent"] = np.arange(400) % 20
    if outcome == "c wins":
        frame.loc[frame["item_a"] == "c", "outcome"] = "a"
        frame.loc[frame["item_b"] == "c", "outcome"] = "b"
    return frame


def check_of(data, family="lognormal", **options):
    posterior = ml.fit(data, family, **options, **QUICK)
    return {check.name: check for check in posterior.checks}.get("separable utilities")


def test_an_item_that_always_wins_is_named() -> None:
    check = check_of(ml.load(votes("c wins")))
    assert not check.ok
    assert check.advice == SAYS.format("c")


@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_a_tie_is_a_bound(ties: str) -> None:
    frame = votes("c wins")
    of_c = np.flatnonzero((frame[["item_a", "item_b"]] == "c").any(axis=1))
    frame.loc[of_c[:3], "outcome"] = "tie"
    assert check_of(ml.load(frame), ties=ties).ok


def test_items_that_wins_connect_are_bounded() -> None:
    assert check_of(ml.load(votes())).ok


def test_a_feature_that_explains_every_choice_is_named() -> None:
    data = choice_sets(np.tile([400.0, 0.0], (30, 1)), generator("feature"), per=6)
    check = check_of(data, "fixed")
    assert not check.ok
    assert check.advice == SAYS.format("x0")


def test_strengths_of_either_sign_are_bounded_otherwise() -> None:
    assert check_of(ml.load(votes("c wins")), "normal") is None
