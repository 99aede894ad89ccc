"""Utilities that the judgements do not bound are said to be so."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from judges import choice_sets, generator

import mixlogit as ml
from mixlogit.models.outcome_problem import make_problem
from mixlogit.models.separation import separation_check

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


def test_few_judgements_that_no_other_bounds_do_not_fail_a_fit() -> None:
    """A fifth item that won its four of 404: said, with its share, and no alarm."""
    rare = pd.DataFrame({"item_a": "e", "item_b": list("abcd"), "outcome": "a", "respondent": 3})
    check = check_of(ml.load(pd.concat([votes(), rare])))
    assert check.ok
    assert check.value == pytest.approx(4 / 404)
    assert check.advice == SAYS.format("e")


def test_random_tastes_that_no_judgement_bounds() -> None:
    data = choice_sets(np.tile([400.0, 0.0], (30, 1)), generator("feature"), per=6)
    check = check_of(data, "fixed", random=ml.RandomTastes("x1:normal", draws=32))
    assert not check.ok
    assert check.advice == SAYS.format("x0")
    bounded = choice_sets(np.tile([1.0, -0.5], (30, 1)), generator("bounded"), per=6)
    check = check_of(bounded, "fixed", random=ml.RandomTastes("x1:normal", draws=32))
    assert check.ok
    assert check.advice == "Every utility is bounded by judgements for it and against it."


def test_more_items_than_a_linear_program_takes() -> None:
    """It is known from the counts: no matrix of 2,000 columns is made."""
    rng = generator("many items")
    pairs = np.argsort(rng.random((3000, 2000)), 1)[:, :2].astype(str)
    frame = pd.DataFrame(pairs, columns=["item_a", "item_b"]).assign(outcome="a")
    problem = make_problem(ml.load(frame.assign(respondent=np.arange(3000) % 50)))
    assert separation_check(problem.joint("lognormal"), list(problem.data.items)) is None


@pytest.mark.parametrize("random", [None, ml.RandomTastes("x0:normal", draws=32)])
def test_scale_of_strength_and_utilities_is_one(random) -> None:
    """Both cannot be free: the mean strength is 1, and the result says so."""
    tastes = np.tile([1.0, -0.5], (40, 1))
    data = choice_sets(tastes, generator("scale"), per=5)
    wide = replace(data, features=data.features * 4)
    one, other = (ml.fit(each, "lognormal", random=random, **QUICK) for each in (data, wide))
    summary, scaled = one.summary()["mean"], other.summary()["mean"]
    assert "mean" not in summary.index
    assert scaled["cv"] == pytest.approx(summary["cv"], rel=0.02)
    name = "mean[x0]" if random else "weight[x0]"
    if name in summary.index:
        assert 4 * scaled[name] == pytest.approx(summary[name], rel=0.02)
    assert one.to_dict()["identified"]["sentences"][-1] == (
        "Strength and utilities are known up to a common factor alone: mean strength is 1 by "
        "convention, and utilities carry the scale."
    )
