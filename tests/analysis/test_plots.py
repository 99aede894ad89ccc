"""What a picture holds: lines, bands, labels and words, family by family."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixlogit.analysis import describe_strength, plot_strength, save_plot
from mixlogit.analysis.plots import _population
from mixlogit.analysis.saved import Saved
from mixlogit.errors import StorageError, UsageError

Tree = Callable[..., xr.DataTree]
Around = Callable[..., np.ndarray]


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def line(ax: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    (found,) = [each for each in ax.lines if each.get_label() == label]
    x, y = found.get_data()
    return np.asarray(x), np.asarray(y)


def test_a_saved_run_shows_posterior_prior_mean_and_respondents(saved_run: Path) -> None:
    ax = plot_strength(saved_run)
    labels = legend(ax)
    assert labels[:2] == ["posterior median, 90 % band", "prior"]
    assert labels[2].startswith("mean ")
    assert labels[3] == "posterior means of 80 respondents"
    assert ax.get_title(loc="left") == "Mixing distribution of strength (lognormal)"
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "strength (logarithmic axis)"
    assert ax.get_ylabel() == "density (per unit of log strength)"
    assert ax.get_ylim()[0] < 0 <= min(ax.get_yticks())


@pytest.mark.parametrize("family", ["lognormal", "gamma"])
def test_the_median_of_a_positive_family_is_a_density(
    family: str, tree: Tree, around: Around
) -> None:
    ax = plot_strength(tree(family, mean=around(1.2), cv=around(0.5, seed=1)))
    x, y = line(ax, "posterior median")
    assert np.trapezoid(y, np.log(x)) == pytest.approx(0.98, abs=0.02)
    band = ax.collections[0].get_paths()[0].vertices
    assert np.asarray(band)[:, 1].max() > y.max()
    (mean,) = [each for each in ax.lines if str(each.get_label()).startswith("mean ")]
    assert np.asarray(mean.get_xdata())[0] == pytest.approx(1.2, abs=0.02)


def test_without_respondents_nothing_hangs_below(tree: Tree, around: Around) -> None:
    ax = plot_strength(tree("gamma", mean=around(1.2), cv=around(0.5)))
    assert ax.get_ylim()[0] == 0
    assert not [text for text in legend(ax) if "respondents" in text]


def test_the_title_of_a_per_comparison_fit_warns(tree: Tree, around: Around) -> None:
    made = tree("lognormal", panel=False, mean=around(1.0), cv=around(0.5))
    title = plot_strength(made).get_title(loc="left")
    assert title == "Tail shape of the link, not a measure of people\n(lognormal, per comparison)"
    assert "of comparisons from" in describe_strength(made)


def test_a_signed_family_has_a_linear_axis_and_a_reversed_share(
    tree: Tree, around: Around
) -> None:
    made = tree("normal", mean=around(0.5), cv=around(1.0), p_negative=around(0.16))
    ax = plot_strength(made)
    assert ax.get_xscale() == "linear"
    assert ax.get_ylabel() == "density (per unit of strength)"
    (note,) = [text.get_text() for text in ax.texts]
    assert note == "reversed: 16 %\n(90 %: 15 to 17 %)"
    x, y = line(ax, "posterior median")
    assert np.trapezoid(y, x) == pytest.approx(0.98, abs=0.02)


def classes(around: Around, values: list[float]) -> np.ndarray:
    return np.stack([around(value, seed=c) for c, value in enumerate(values)], -1)


def test_classes_are_stems(tree: Tree, around: Around) -> None:
    made = tree(
        "classes",
        cv=around(0.5),
        class_strength=classes(around, [0.3, 1.5]),
        class_share=classes(around, [0.4, 0.6]),
    )
    ax = plot_strength(made)
    stems = np.asarray([path.vertices for path in ax.collections[0].get_paths()])
    np.testing.assert_allclose(stems[:, 0, 0], [0.3, 1.5], rtol=0.02)
    np.testing.assert_allclose(stems[:, 1, 1], [0.4, 0.6], rtol=0.02)
    assert ax.get_xscale() == "log"
    assert ax.get_ylabel() == "share of respondents"
    assert legend(ax) == ["posterior median, 90 % intervals", "prior of each strength (90 %)"]
    words = describe_strength(made)
    assert words.startswith("Mixing distribution of strength (classes): 40 % at strength 0.300 (")


def test_contrarians_stand_left_of_zero(tree: Tree, around: Around) -> None:
    made = tree(
        "classes",
        cv=around(1.0),
        p_negative=around(0.1),
        class_strength=classes(around, [-0.6, 1.5]),
        class_share=classes(around, [0.1, 0.9]),
    )
    ax = plot_strength(made)
    assert ax.get_xscale() == "linear"
    assert ax.get_xlim()[0] < -0.6
    assert ax.texts[0].get_text().startswith("reversed: 10 %")


def test_fixed_is_an_interval(tree: Tree, around: Around) -> None:
    made = tree("fixed", mean=around(0.8))
    ax = plot_strength(made)
    assert ax.get_title(loc="left") == "One strength for all"
    assert legend(ax) == ["mean 0.80 (90 %: 0.74 to 0.87)", "prior (90 %)"]
    assert list(ax.get_yticks()) == []
    assert describe_strength(made) == "One strength for all: mean 0.80 (90 %: 0.74 to 0.87)."


def test_fixed_with_utilities_is_one_by_convention(tree: Tree, around: Around) -> None:
    made = tree("fixed", utility=around(0.3))
    assert legend(plot_strength(made)) == ["1 by convention: utilities carry the scale"]
    assert describe_strength(made) == "One strength for all: mean 1 (by convention)."


def test_with_utilities_the_mean_is_one(tree: Tree, around: Around) -> None:
    ax = plot_strength(tree("lognormal", cv=around(0.5)))
    assert "mean 1 (by convention)" in legend(ax)


def test_groups_are_said_in_the_title(tree: Tree, around: Around) -> None:
    made = tree("gamma", mean=around(1.0), cv=around(0.5), mean__stance=around(1.0))
    title = plot_strength(made).get_title(loc="left")
    assert title == "Mixing distribution of strength (gamma, average group)"


def test_a_family_of_ones_own_is_an_interval(tree: Tree, around: Around) -> None:
    made = tree("cauchy", mean=around(1.0), cv=around(0.5))
    assert plot_strength(made).get_title(loc="left") == "Mixing distribution of strength (cauchy)"


def test_a_spread_near_zero_keeps_the_median_in_sight(tree: Tree, around: Around) -> None:
    ax = plot_strength(tree("lognormal", mean=around(1.0, 0.02), cv=around(0.05, 1.5)))
    _, y = line(ax, "posterior median")
    assert 0.4 * ax.get_ylim()[1] < y.max() < ax.get_ylim()[1]


def test_axes_of_ones_own_are_drawn_on(tree: Tree, around: Around) -> None:
    figure = Figure()
    axes = figure.subplots(1, 2)
    made = tree("gamma", mean=around(1.0), cv=around(0.5))
    assert plot_strength(made, ax=axes[1]) is axes[1]
    assert not axes[0].lines


def test_draws_are_thinned_evenly(tree: Tree) -> None:
    many = np.arange(1.0, 10_001.0).reshape(2, -1)
    mean, cv = _population(Saved(tree("gamma", mean=many, cv=many), np.empty(0)), "posterior")
    assert (len(mean), len(cv), mean[0], mean[-1]) == (2000, 2000, 1.0, 10_000.0)


def test_a_png_carries_the_picture_in_words(saved_run: Path, tmp_path: Path) -> None:
    save_plot(saved_run, tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        chunks[data[at + 4 : at + 8] + data[at + 8 : at + 20]] = data[at + 8 : at + 8 + size]
        assert (
            zlib.crc32(data[at + 4 : at + 8 + size])
            == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0]
        )
        at += size + 12
    words = describe_strength(saved_run)
    assert any(words.encode() in content for content in chunks.values())
    assert "80 posterior means of respondents" in words
    assert list(tmp_path.iterdir()) == [tmp_path / "x.png"]


def test_an_svg_is_the_same_each_time(saved_run: Path, tmp_path: Path) -> None:
    for name in ("x.svg", "y.svg"):
        save_plot(saved_run, tmp_path / name)
    text = (tmp_path / "x.svg").read_text()
    assert text == (tmp_path / "y.svg").read_text()
    assert describe_strength(saved_run) in text
    assert "<script" not in text


def test_other_suffixes_and_folders_are_refused(saved_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.pdf: write pictures to \.png or \.svg\.$"):
        save_plot(saved_run, tmp_path / "x.pdf")
    with pytest.raises(StorageError, match="is not a run folder"):
        save_plot(tmp_path, tmp_path / "x.png")
    with pytest.raises(StorageError, match="cannot be written"):
        save_plot(saved_run, tmp_path / "no" / "x.png")
    assert list(tmp_path.iterdir()) == []
