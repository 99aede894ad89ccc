"""Figures of a policy and their intervals, against plain ways to the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from mixlogit.align.evaluation import Judged, evaluate_judged, share_with_interval

Array = NDArray[np.float64]


def judged(n: int = 600, people: int = 40, seed: int = 0, confidence: float = 1.0) -> Judged:
    """Votes by a policy whose log odds are right, up to a factor, and that likes length."""
    draw = np.random.default_rng(seed)
    who = draw.integers(0, people, n)
    longer = draw.normal(0, 20, n).round()
    odds = np.abs(draw.normal(0, 1.5, n) + 0.02 * longer + draw.normal(0, 0.5, people)[who])
    agrees = draw.random(n) < expit(odds)
    margin = np.where(agrees, odds, -odds)
    return Judged(
        margin=margin,
        log_score=np.log(expit(confidence * margin)),
        longer=np.where(agrees, longer, -longer),
        respondent=who,
        known=who < people // 2,
        groups={"side": (who % 3, ("left", "middle", "right", "nobody"))},
    )


def frame(data: Judged) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "right": data.right,
            "who": data.respondent,
            "side": data.groups["side"][0],
            "score": data.log_score,
            "longer": data.longer,
            "margin": data.margin,
        }
    )


def test_averages_are_those_of_data_frames() -> None:
    data = judged()
    rows, found = frame(data), evaluate_judged(data, replicates=20)
    accuracy, score = found["accuracy"], found["log_score"]
    by_side = rows.groupby("side")["right"].mean()
    by_who = rows.groupby("who")[["right", "score"]].mean().mean()
    assert accuracy["micro"]["estimate"] == pytest.approx(rows["right"].mean())
    assert accuracy["macro_respondent"]["estimate"] == pytest.approx(by_who["right"])
    assert accuracy["macro_group"]["side"]["estimate"] == pytest.approx(by_side.mean())
    assert accuracy["worst_group"]["estimate"] == pytest.approx(by_side.min())
    assert accuracy["worst_group"]["label"] == ("left", "middle", "right")[int(by_side.idxmin())]
    assert accuracy["groups"]["side"].keys() == {"left", "middle", "right"}
    assert accuracy["groups"]["side"]["left"]["n"] == (rows["side"] == 0).sum()
    assert score["micro"]["estimate"] == pytest.approx(rows["score"].mean())
    assert score["macro_respondent"]["estimate"] == pytest.approx(by_who["score"])
    known = rows["score"][data.known]
    assert score["known"]["estimate"] == pytest.approx(known.mean())
    assert score["known"]["n"] + score["new"]["n"] == len(rows)
    halves = [rows["right"][sign * rows["longer"] > 0].mean() for sign in (1, -1)]
    balanced = accuracy["length_controlled"]["length_balanced"]["estimate"]
    assert balanced == pytest.approx(np.mean(halves))


def dense(rows: pd.DataFrame, figure: Callable[[pd.DataFrame], float], times: int) -> Array:
    """A figure of data frames made of whole respondents, drawn with replacement."""
    parts = [part for _, part in rows.groupby("who")]
    draw = np.random.default_rng(99)
    return np.array(
        [
            figure(pd.concat([parts[k] for k in draw.integers(0, len(parts), len(parts))]))
            for _ in range(times)
        ]
    )


def _length_controlled(rows: pd.DataFrame) -> float:
    """The same regression by a general optimiser."""
    d = np.sign(rows["margin"]) * rows["longer"]
    x = np.stack([np.ones(len(d)), np.tanh(d / np.sqrt((d**2).mean()))])
    y = rows["right"].to_numpy()

    def loss(theta: Array) -> float:
        odds = theta @ x
        log_p = -np.logaddexp(0, np.where(y > 0.5, -odds, odds))
        return float(-log_p.sum() + (theta**2).sum() / 50)

    return float(expit(minimize(loss, np.zeros(2)).x[0]))


def _slope(rows: pd.DataFrame) -> float:
    odds = logit(np.exp(rows["score"].to_numpy()))
    loss: Any = lambda b: np.logaddexp(0, -b[0] * odds).sum() + b[0] ** 2 / 50  # noqa: E731
    return float(minimize(loss, np.ones(1)).x[0])


@pytest.mark.parametrize(
    ("path", "figure", "times", "tolerance"),
    [
        (("accuracy", "micro"), lambda rows: rows["right"].mean(), 400, 0.006),
        (
            ("accuracy", "macro_group", "side"),
            lambda rows: rows.groupby("side")["right"].mean().mean(),
            400,
            0.006,
        ),
        (
            ("log_score", "macro_respondent"),
            # a respondent drawn twice counts twice
            lambda rows: np.average(rows["score"], weights=1 / rows["n"]),
            400,
            0.006,
        ),
        (("accuracy", "length_controlled"), _length_controlled, 150, 0.012),
        (("calibration", "slope"), _slope, 150, 0.06),
    ],
    ids=["micro", "group", "respondent", "length", "slope"],
)
def test_intervals_are_those_of_the_dense_bootstrap(
    path: tuple[str, ...], figure: Any, times: int, tolerance: float
) -> None:
    data = judged()
    rows = frame(data)
    rows["n"] = rows.groupby("who")["who"].transform("size")
    found: Any = evaluate_judged(data, replicates=2000, seed=3)
    for key in path:
        found = found[key]
    drawn = dense(rows, figure, times)
    assert found["estimate"] == pytest.approx(figure(rows), abs=1e-5)
    for key, q in (("q05", 0.05), ("q95", 0.95)):
        assert found[key] == pytest.approx(np.quantile(drawn, q), abs=tolerance)


def test_a_policy_that_only_likes_length_is_found_out() -> None:
    """People choose the longer answer the more often the longer it is; so it looks right."""
    draw = np.random.default_rng(1)
    difference = draw.normal(0, 20, 20_000)
    likes = expit(1.5 * np.tanh(difference / 20))
    longer = np.where(draw.random(20_000) < likes, difference, -difference)
    data = replace(judged(20_000), margin=longer, longer=longer)
    found = evaluate_judged(data, replicates=50)["accuracy"]
    assert found["micro"]["estimate"] > 0.65
    controlled = found["length_controlled"]
    assert controlled["estimate"] == pytest.approx(0.5, abs=0.03)
    assert controlled["length_effect"]["q05"] > 1
    assert controlled["length_balanced"]["estimate"] == pytest.approx(0.5)


def test_a_policy_that_length_has_nothing_to_do_with() -> None:
    draw = np.random.default_rng(1)
    right = np.where(draw.random(20_000) < 0.7, 1.0, -1.0)
    data = replace(judged(20_000), margin=right, longer=draw.normal(0, 20, 20_000))
    controlled = evaluate_judged(data, replicates=50)["accuracy"]["length_controlled"]
    assert controlled["estimate"] == pytest.approx(0.7, abs=0.015)
    assert controlled["length_balanced"]["estimate"] == pytest.approx(0.7, abs=0.015)
    assert controlled["length_effect"]["estimate"] == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(("confidence", "slope"), [(1.0, 1.0), (2.0, 0.5)])
def test_calibration_finds_overconfidence(confidence: float, slope: float) -> None:
    found = evaluate_judged(judged(6000, 2000, confidence=confidence), replicates=200)
    calibration = found["calibration"]
    assert calibration["slope"]["estimate"] == pytest.approx(slope, rel=0.06)
    assert (calibration["error"]["estimate"] > 0.06) == (confidence == 2.0)
    bins = calibration["bins"]
    assert sum(one["weight"] for one in bins) == pytest.approx(6000)
    observed = [one["observed"] for one in bins]
    assert observed == sorted(observed)


def test_the_isotonic_fit_is_the_max_min_formula() -> None:
    """`fit_i = max_{a <= i} min_{b >= i} mean(y_a .. y_b)`, with equal confidences as one."""
    draw = np.random.default_rng(2)
    odds = draw.choice([0.2, 0.7, 1.1, 1.6, 2.5], 60)
    sign = np.where(draw.random(60) < expit(odds), 1.0, -1.0)
    data = Judged(sign * odds, np.log(expit(sign * odds)), odds, None, np.zeros(60, bool))
    levels = np.unique(odds)
    groups = [sign[odds == level] > 0 for level in levels]

    def mean(a: int, b: int) -> float:
        return float(np.concatenate(groups[a : b + 1]).mean())

    fitted = [
        max(min(mean(a, b) for b in range(i, len(levels))) for a in range(i + 1))
        for i in range(len(levels))
    ]
    sizes = [len(group) for group in groups]
    expected = np.average(np.abs(np.array(fitted) - expit(levels)), weights=sizes)
    found = evaluate_judged(data, replicates=5)["calibration"]
    assert found["error"]["estimate"] == pytest.approx(expected)


def test_a_weight_of_two_is_a_vote_twice() -> None:
    data = judged(200, 20)
    twice = np.concatenate([np.arange(200), np.arange(50)])
    repeated = Judged(
        data.margin[twice],
        data.log_score[twice],
        data.longer[twice],
        None if data.respondent is None else data.respondent[twice],
        data.known[twice],
        {"side": (data.groups["side"][0][twice], data.groups["side"][1])},
    )
    weighted = replace(data, weight=np.where(np.arange(200) < 50, 2.0, 1.0))
    one, other = (evaluate_judged(x, seed=1, replicates=30) for x in (weighted, repeated))
    for name in ("accuracy", "log_score", "calibration"):
        assert estimates(one[name]) == pytest.approx(estimates(other[name]), abs=1e-9)


def estimates(found: Any) -> list[float]:
    if not isinstance(found, dict):
        return []
    own = [found["estimate"]] if "estimate" in found else []
    return own + [value for part in found.values() for value in estimates(part)]


def test_what_the_data_cannot_give_is_none() -> None:
    data = replace(judged(50), respondent=None, groups={}, known=np.zeros(50, bool))
    found = evaluate_judged(data, replicates=20)
    assert found["accuracy"]["macro_respondent"] is None
    assert found["accuracy"]["macro_group"] is None
    assert found["accuracy"]["worst_group"] is None
    assert found["log_score"]["known"] is None
    assert found["log_score"]["new"]["n"] == 50


def test_a_policy_that_is_always_right_or_has_no_order() -> None:
    data = judged(50)
    right = evaluate_judged(replace(data, margin=np.ones(50)), replicates=20)["accuracy"]
    assert right["micro"] == {"estimate": 1.0, "q05": 1.0, "q95": 1.0}
    assert 0.9 < right["length_controlled"]["estimate"] < 1.0
    none = evaluate_judged(replace(data, margin=np.zeros(50)), replicates=20)["accuracy"]
    assert none["micro"]["estimate"] == 0.5


def test_the_interval_of_a_share() -> None:
    wins = np.repeat([1.0, 0.5, 0.0], [50, 20, 30])
    found = share_with_interval(wins, replicates=4000)
    se = wins.std() / 10
    assert found["estimate"] == pytest.approx(0.6)
    assert found["q05"] == pytest.approx(0.6 - 1.645 * se, abs=0.01)
    assert found["q95"] == pytest.approx(0.6 + 1.645 * se, abs=0.01)
