"""Fits of votes that are not held are those of votes that are."""

from importlib import import_module
from typing import Any

import pandas as pd
import pytest
import torch

import mixlogit as ml
from mixlogit.data.fingerprint import judgements_sha256
from mixlogit.errors import UsageError
from mixlogit.models.outcome_problem import make_problem


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Votes with ties; people of two groups, some of whom are in both."""
    made = ml.simulate(1200, 40, cv=0.8, ties=0.1, groups=2, seed=1).frame
    made["w"] = 1.0 + (made.index % 3)
    made.loc[made.index % 50 == 0, "group"] = "g1"
    return made


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("lapse", [False, True])
@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("by", [(), ("group",)])
def test_the_table_is_that_of_votes_in_memory(
    frame: pd.DataFrame,
    signed: bool,
    lapse: bool,
    weight: str | None,
    by: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mixlogit.data.stream.Feed.block", 500)
    columns: Any = {"groups": ["group"], "weight": weight}
    held = make_problem(ml.load(frame, **columns), by=by)
    votes = make_problem(ml.streamed(frame, **columns), by=by)
    one = held.table(signed=signed, lapse=lapse)
    two = votes.table(signed=signed, lapse=lapse)
    assert two.grid.size == one.grid.size
    assert two.grid.low == pytest.approx(one.grid.low, abs=1e-13)
    assert torch.equal(two.block, one.block)
    torch.testing.assert_close(two.values, one.values, rtol=1e-10, atol=1e-10)
    assert votes.unit_labels() == held.unit_labels()
    assert torch.equal(votes.unit_sizes, held.unit_sizes)
    assert votes.n_rows == held.n_rows


def test_the_posterior_is_that_of_votes_in_memory(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence is weighed on a part of the votes, which is the same part."""
    monkeypatch.setattr(import_module("mixlogit.data.streamed"), "PART", 600)
    monkeypatch.setattr("mixlogit.models.evidence._MOST", 600)
    monkeypatch.setattr("mixlogit.models.identify._ROWS", 300)
    test = ml.simulate(200, 40, cv=0.8, groups=2, seed=2).frame
    found = []
    for of in (ml.load, ml.streamed):
        data = of(frame, groups=["group"])
        found.append(ml.fit(data, by=["group"], draws=200, seed=0))
    held, votes = found
    pd.testing.assert_frame_equal(votes.summary(), held.summary(), rtol=1e-6)
    pd.testing.assert_frame_equal(votes.group_summary(), held.group_summary(), rtol=1e-6)
    pd.testing.assert_frame_equal(votes.strengths(), held.strengths(), rtol=1e-6)
    one, two = held.to_dict(), votes.to_dict()
    assert two["n"] == one["n"]
    assert two["elpd"]["estimate"] == pytest.approx(one["elpd"]["estimate"], rel=1e-6)
    assert two["evidence"]["respondents"] == one["evidence"]["respondents"] < 40
    for name in ("log_bayes_factor", "log_bayes_factor_lapse", "log_sd_lapse"):
        assert two["evidence"][name] == pytest.approx(one["evidence"][name], rel=1e-5)
    assert two["verdict"] == one["verdict"]
    assert [check.name for check in votes.checks] == [check.name for check in held.checks]
    assert [check.ok for check in votes.checks] == [check.ok for check in held.checks]
    scored = ml.load(test, groups=["group"])
    assert votes.held_out(scored)["log_score"] == pytest.approx(
        held.held_out(scored)["log_score"], rel=1e-6
    )
    tree = votes.to_datatree()
    assert tree["constant_data"]["votes"].sum() == 1200
    assert tree["observed_data"].sizes["comparison"] <= 600


def test_the_maximum_is_that_of_votes_in_memory(frame: pd.DataFrame) -> None:
    held, votes = (ml.maximum(of(frame)) for of in (ml.load, ml.streamed))
    pd.testing.assert_frame_equal(votes.table, held.table, rtol=1e-6)
    assert votes.n_respondents == held.n_respondents


def test_the_fingerprint_tells_other_votes_and_other_judges(frame: pd.DataFrame) -> None:
    same = [judgements_sha256(ml.streamed(frame)) for _ in range(2)]
    assert same[0] == same[1]
    other = [
        judgements_sha256(ml.streamed(frame, **options))
        for options in ({"respondent": "group"}, {"weight": "w"}, {"labels": "a=b,b=a,tie=tie"})
    ]
    other.append(judgements_sha256(ml.streamed(frame[1:])))
    assert len({*same, *other}) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tastes": 2}, "--tastes needs the votes in memory: add --no-stream."),
        ({"random": {"margin": "normal"}}, "--random needs the votes in memory: add --no-stream."),
        ({"ties": "davidson"}, "--ties needs the votes in memory: add --no-stream."),
        (
            {"context": "~ group"},
            "--context-formula needs the votes in memory: add --no-stream.",
        ),
        ({"panel": False}, "Streamed votes are fitted as panels: leave out --no-panel."),
        ({"by": ["nobody"]}, 'No group column "nobody". Group columns: group.'),
    ],
)
def test_what_needs_all_votes(frame: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ml.fit(ml.streamed(frame, groups=["group"]), **options)
    assert str(caught.value) == message
