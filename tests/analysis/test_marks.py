"""Numbers in words, ticks, and the strip of respondents."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from scipy.special import ndtri

from mixlogit.analysis.marks import draw_respondents, finish, text_of_interval
from mixlogit.analysis.saved import Saved, read_run


@pytest.mark.parametrize(
    ("centre", "sd", "words"),
    [
        (1234.0, 30.0, "1234 (90 %: 1185 to 1283)"),
        (0.9, 0.1, "0.90 (90 %: 0.74 to 1.06)"),
        (0.0312, 0.001, "0.0312 (90 %: 0.0296 to 0.0328)"),
        (2.0, 0.0, "2.000 (90 %: 2.000 to 2.000)"),
    ],
)
def test_intervals_show_as_many_decimals_as_are_certain(
    centre: float, sd: float, words: str
) -> None:
    normal = ndtri((np.arange(20_000) + 0.5) / 20_000)
    assert text_of_interval(centre + sd * normal) == words


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0.6, 1.5), ["0.6", "0.8", "1", "1.2", "1.4"]),
        ((0.3, 6.0), ["0.5", "1", "2", "5"]),
        ((0.004, 20.0), ["0.01", "0.1", "1", "10"]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_plain(
    ends: tuple[float, float], ticks: list[str]
) -> None:
    ax = Figure().add_subplot()
    ax.plot(ends, [0, 1], label="x")
    ax.set_xlim(*ends)
    finish(ax, 1.0, log_axis=True)
    ax.figure.draw_without_rendering()
    assert [label.get_text() for label in ax.get_xticklabels()] == ticks
    assert len(ax.get_xticks(minor=True)) == 0


@pytest.fixture
def saved(saved_run: Path) -> Saved:
    return read_run(saved_run)


def test_few_respondents_are_ticks_and_many_a_histogram(saved: Saved) -> None:
    few, many = Figure().subplots(1, 2)
    for ax, count in ((few, 20), (many, 5000)):
        ax.set_xlim(0.1, 10.0)
        means = np.geomspace(0.2, 5.0, count)
        draw_respondents(Saved(saved.tree, means), ax, 1.0, log_axis=True)
    assert len(few.collections[0].get_paths()) == 20
    (stairs,) = [patch for patch in many.patches if isinstance(patch, StepPatch)]
    assert stairs.get_data().values.min() == pytest.approx(-0.22)
    assert stairs.get_label() == "posterior means of 5,000 respondents"


def test_respondents_without_spread_are_not_drawn(saved: Saved) -> None:
    ax = Figure().add_subplot()
    draw_respondents(Saved(saved.tree, np.ones(30)), ax, 1.0, log_axis=True)
    assert not ax.collections
    assert not ax.patches
