"""Real data: the counts that are published with them."""

from pathlib import Path
from typing import Any

import pytest

import mixlogit as ml

SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "ukpconvarg1": (
        "votes.csv.gz",
        {
            "item_a": "arg1",
            "item_b": "arg2",
            "outcome": "value",
            "labels": "a=a1,b=a2,tie=equal",
            "respondent": "worker",
            "groups": "worker_stance",
        },
    ),
    "sound-quality": (
        "comparisons.csv.gz",
        {
            "item_a": "item1",
            "item_b": "item2",
            "outcome": "winner",
            "labels": "a=1,b=2",
            "respondent": "listener",
        },
    ),
    "cems": (
        "comparisons.csv",
        {
            "item_a": "school1",
            "item_b": "school2",
            "labels": "a=1,b=2,tie=tie",
            "respondent": "student",
            "bad_rows": "drop",
        },
    ),
    "mtbench-human": (
        "human.csv.gz",
        {
            "item_a": "model_a",
            "item_b": "model_b",
            "outcome": "winner",
            "labels": "a=model_a,b=model_b,tie=tie",
            "respondent": "judge",
            "groups": "category",
        },
    ),
}
# comparisons, respondents, ties, dropped, items, components; first and second preferred
COUNTS = {
    "ukpconvarg1": ((84_445, 3_815, 19_105, 0, 1_052, 32), (32_849, 32_491)),
    "sound-quality": ((21_924, 40, 0, 0, 8, 1), None),
    "cems": ((4_454, 303, 487, 91, 6, 1), (2_595, 1_372)),
    "mtbench-human": ((3_355, 65, 780, 0, 6, 1), (1_293, 1_282)),
}
FOUND = {
    "ukpconvarg1": ["components", "group_varies", "empty_group", "ties"],
    "sound-quality": [],
    "cems": ["ties"],
    "mtbench-human": ["group_varies", "ties"],
}


@pytest.mark.parametrize("name", SETS)
def test_counts(name: str, shared_data: Path) -> None:
    file, columns = SETS[name]
    data = ml.load(shared_data / name / file, **columns)
    counts, votes = COUNTS[name]
    n = ml.data_card(data)["n"]
    keys = ("comparisons", "respondents", "ties", "dropped", "items", "components")
    assert tuple(n[key] for key in keys) == counts
    if votes:
        assert tuple(int((data.outcome == vote).sum()) for vote in (1, 0)) == votes
    assert [finding.name for finding in data.warnings] == FOUND[name]
    assert data.respondent is not None
    sizes = data.respondent.counts()
    if name == "ukpconvarg1":
        assert (int(sizes.max()), int((sizes >= 20).sum())) == (4_218, 567)
    if name == "mtbench-human":
        assert (int(sizes.min()), int(sizes.max()), int(sizes.median())) == (4, 205, 44)
    if name == "cems":
        assert {drop.reason for drop in data.dropped} == {'outcome is "missing"'}


def test_labels_keep_their_leading_zero(shared_data: Path) -> None:
    file, columns = SETS["sound-quality"]
    data = ml.load(shared_data / "sound-quality" / file, **columns)
    assert data.respondent is not None
    assert data.respondent.labels[0] == "04"
