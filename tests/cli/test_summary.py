"""The text of a run: counts, numbers and tables."""

import pandas as pd
import torch

from mixlogit.cli.summary import checks_line, data_line, strength_table
from mixlogit.data import Comparisons, Labels
from mixlogit.run.words import plural


def test_data_line_says_everything() -> None:
    data = Comparisons(
        outcome=torch.tensor([1.0, 0.5, 0.0, 1.0]),
        item_a=torch.tensor([0, 1, 0, 2]),
        item_b=torch.tensor([1, 0, 1, 3]),
        items=("a", "b", "c", "d"),
        respondent=Labels(torch.tensor([0, 0, 0, 1]), ("ann", "bob")),
        groups={"stance": Labels(torch.tensor([0, 0, 0, 1]), ("pro", "con"))},
    )
    assert data_line(data) == (
        "4 comparisons, 2 respondents (median 1, largest 3), "
        "4 items in 2 connected components, 2 groups; 1 tie used as half a vote each way"
    )


def test_data_line_of_the_least() -> None:
    data = Comparisons(outcome=torch.ones(1), features=torch.ones(1, 1), feature_names=("x",))
    assert data_line(data) == "1 comparison, 1 feature"


def test_counts() -> None:
    assert [plural(n, "tie") for n in (0, 1, 1000)] == ["0 ties", "1 tie", "1,000 ties"]


def test_checks_line() -> None:
    checks = [
        {"name": "Pareto k", "value": 0.31, "ok": True},
        {"name": "effective draws", "value": 12.0, "ok": False},
    ]
    assert checks_line(checks) == "Pareto k 0.31 ok   effective draws 12.00 FAILED"
    lines = checks_line(6 * checks).split("\n")
    assert len(lines) == 3
    assert lines[1].startswith("         Pareto k")


def test_table_shows_two_figures_of_the_sd() -> None:
    summary = pd.DataFrame(
        {"mean": [1.01653, 0.352], "sd": [0.0123, 0.0], "q05": [1.0, 0.3], "q95": [1.04, 0.4]},
        index=["mean", "cv"],
    )
    assert strength_table(summary, truth={"mean": 1.0}).splitlines() == [
        "Preference strength                   mean      sd      5%     95%   truth",
        "  mean                               1.017   0.012   1.000   1.040   1.000",
        "  coefficient of variation           0.352   0.000   0.300   0.400",
    ]
