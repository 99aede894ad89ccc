"""What pictures of votes, respondents, groups, inference, tastes and training hold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes

import mixlogit as ml
from mixlogit import analysis
from mixlogit.analysis.plots_groups import plot_forest
from mixlogit.analysis.plots_people import raw_strengths
from mixlogit.analysis.saved import read_run
from mixlogit.errors import UsageError

ROW = {"mean": 1.0, "q05": 0.5, "q25": 0.8, "q75": 1.2, "q95": 1.5}


@pytest.fixture(scope="module")
def grouped() -> ml.Posterior:
    data = ml.simulate(900, 60, groups=3, cv=0.8, seed=1).comparisons()
    return ml.fit(data, by=["group"], evidence=False, draws=200, inference="laplace")


def names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.mark.parametrize(
    "plot",
    [
        analysis.plot_choice_curve,
        analysis.plot_calibration,
        analysis.plot_shrinkage,
        analysis.plot_k_hat,
        analysis.plot_elbo,
        analysis.plot_trace,
    ],
)
def test_every_picture_takes_a_folder_and_given_axes(
    plot: Callable[..., Axes], saved_run: Path
) -> None:
    from matplotlib.figure import Figure

    own = plot(saved_run)
    assert own.get_xlabel()
    assert own.get_ylabel()
    assert own.get_title(loc="left")
    figure = Figure(layout="constrained")
    assert plot(saved_run, ax=figure.add_subplot()).figure is figure


def test_strength_alone_is_the_maximum_of_its_own_likelihood(saved_run: Path) -> None:
    saved = read_run(saved_run)
    raw = raw_strengths(saved)
    constant = saved.tree["constant_data"]
    unit, margin = constant["unit"].to_numpy(), constant["margin"].to_numpy()
    outcome = saved.tree["observed_data"]["outcome"].to_numpy()
    grid = np.linspace(-60, 60, 24001)
    checked = 0
    for k in np.flatnonzero(np.isfinite(raw))[:5]:
        own = unit == k
        signed = margin[own] * (2 * outcome[own] - 1)
        curve = -np.logaddexp(0, -np.outer(grid, signed)).sum(-1)
        assert raw[k] == pytest.approx(grid[curve.argmax()], abs=0.006)
        checked += 1
    assert checked == 5
    for k in np.flatnonzero(raw == np.inf):
        own = (unit == k) & (margin != 0)
        assert ((margin[own] > 0) == (outcome[own] == 1)).all()


def test_the_points_of_the_choice_curve_are_the_observed_shares(saved_run: Path) -> None:
    saved = read_run(saved_run)
    ax = analysis.plot_choice_curve(saved_run)
    (points,) = [line for line in ax.lines if line.get_label() == "observed"]
    x, y = map(np.asarray, points.get_data())
    margin = saved.tree["constant_data"]["margin"].to_numpy()
    outcome = saved.tree["observed_data"]["outcome"].to_numpy()
    agree = np.where(margin > 0, outcome, 1 - outcome)
    used = margin != 0
    assert (y * np.diff(np.linspace(0, used.sum(), len(y) + 1))).sum() == pytest.approx(
        agree[used].sum(), rel=0.02
    )
    assert (np.diff(x) > 0).all()


def test_forests_stand_from_the_largest_mean_down_with_averages_last() -> None:
    rows = pd.DataFrame(
        [
            {"label": label, **ROW, "mean": mean}
            for label, mean in zip("abc", (1, 3, 2), strict=True)
        ]
        + [{"label": "macro", **ROW}]
    )
    assert names(plot_forest(rows, "x", "By group")) == ["b", "c", "a", "macro"]


def test_a_hundred_groups_are_cut_and_counted() -> None:
    rows = pd.DataFrame([{"label": f"g{k}", **ROW} for k in range(100)])
    ax = plot_forest(rows, "x", "By group")
    assert len(names(ax)) == 24
    assert ax.get_title(loc="left") == "By group (76 groups more)"


def test_groups_and_their_averages(grouped: ml.Posterior) -> None:
    ax = analysis.plot_groups(grouped)
    assert sorted(names(ax)) == ["g1", "g2", "g3", "macro", "micro"]
    assert names(ax)[-2:] == ["macro", "micro"]
    assert sorted(names(analysis.plot_ridge(grouped))) == ["g1", "g2", "g3"]


@pytest.mark.parametrize(
    ("column", "measure", "message"),
    [
        ("age", "mean", 'No group column "age". Group columns: group.'),
        (None, "height", 'This run has no measure "height" by group.'),
    ],
)
def test_groups_and_measures_that_are_not_there(
    grouped: ml.Posterior, column: str | None, measure: str, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        analysis.plot_groups(grouped, column, measure)
    assert str(error.value) == message


def test_a_run_without_groups(saved_run: Path) -> None:
    with pytest.raises(UsageError, match="fit with --by COLUMN"):
        analysis.plot_groups(saved_run)


def test_several_runs_stand_under_each_other(saved_run: Path, grouped: ml.Posterior) -> None:
    ax = analysis.plot_measure({"small": saved_run, "grouped": grouped})
    assert sorted(names(ax)) == ["grouped", "small"]
    assert ax.get_xlabel() == "relative disagreement at the median margin"


def test_a_level_elbo_looks_level(
    tree: Callable[..., xr.DataTree], around: Callable[..., np.ndarray]
) -> None:
    made = tree("lognormal", mean=around(1.0), cv=around(0.5))
    made["sample_stats"] = xr.Dataset({"elbo": ("step", 100 + np.array([0.0, 0.1, -0.1]))})
    low, high = analysis.plot_elbo(made).get_ylim()
    assert high - low >= 4.0


def test_models_stand_in_the_order_of_the_table() -> None:
    table = pd.DataFrame(
        {"difference": [0.0, -9.0], "difference_se": [0.0, 3.0]}, ["lognormal", "fixed $x$"]
    )
    assert names(analysis.plot_elpd(table)) == ["lognormal", "fixed \\$x\\$"]


def test_training_shows_what_was_logged_and_refuses_what_was_not() -> None:
    logs = [{"step": 1, "loss": 0.7, "margins": 0.0}, {"step": 2, "eval_log_score": -0.6}]
    ax = analysis.plot_training(logs)
    assert [line.get_label() for line in ax.lines] == [
        "training loss",
        "minus log score, held out",
    ]
    assert np.asarray(ax.lines[1].get_ydata()).tolist() == [0.6]
    with pytest.raises(UsageError) as error:
        analysis.plot_training(logs, "strength")
    assert str(error.value) == ("No strength was logged: none of strength/cv, eval_strength_cv.")


def test_without_latent_tastes_there_are_no_profiles(saved_run: Path) -> None:
    for plot in (analysis.plot_profiles, analysis.plot_memberships):
        with pytest.raises(UsageError, match="fit with --tastes 2"):
            plot(saved_run)
