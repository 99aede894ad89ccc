"""Measures of heterogeneity: closed forms, hand-made groups, averages, and what cannot be said."""

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, optimize, special, stats

import mixlogit as ml
from mixlogit.analysis import heterogeneity
from mixlogit.analysis.measures import MEASURES

MARGIN = np.random.default_rng(0).normal(0, 1.5, size=400)


def run(tree, family, margin=MARGIN, extra=None, **values):
    made = tree(family, **{name: np.full((2, 50), value) for name, value in values.items()})
    constants = {} if margin is None else {"margin": ("comparison", margin)}
    made["constant_data"] = xr.Dataset({**constants, **(extra or {})})
    return made


def only(table, measure, column="", label="all"):
    rows = table[
        (table["measure"] == measure) & (table["column"] == column) & (table["label"] == label)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_measure_has_a_row(tree):
    table = heterogeneity(run(tree, "lognormal", mean=1.0, cv=0.6))
    assert set(table["measure"]) == set(MEASURES) - {"between_groups"}
    assert list(table.columns[:4]) == ["measure", "column", "label", "mean"]


def test_lognormal_against_dense_quadrature(tree):
    cv = 0.8
    table = heterogeneity(run(tree, "lognormal", mean=1.3, cv=cv))
    sd = np.sqrt(np.log1p(cv**2))
    centre = np.log(1.3) - sd**2 / 2
    assert only(table, "ratio_90_10")["mean"] == pytest.approx(np.exp(2 * 1.2815515655 * sd))

    def mean_of(f):
        return integrate.quad(lambda z: f(np.exp(centre + sd * z)) * stats.norm.pdf(z), -9, 9)[0]

    for name, share in (("disagreement_median", 0.5), ("disagreement_90", 0.9)):
        m = np.quantile(np.abs(MARGIN), share)
        p = mean_of(lambda b, m=m: special.expit(b * m))
        square = mean_of(lambda b, m=m: special.expit(b * m) ** 2)
        rho = (square - p**2) / (p * (1 - p))
        assert only(table, name)["mean"] == pytest.approx(rho, rel=1e-8)
    near = special.logit(0.55) / np.median(np.abs(MARGIN))
    share = stats.norm.cdf((np.log(near) - centre) / sd)
    assert only(table, "near_indifferent")["mean"] == pytest.approx(share)


def test_cost_against_every_margin(tree):
    """Means of a hundred parts of the margins stand for all of them."""
    table = heterogeneity(run(tree, "gamma", mean=1.0, cv=0.9))
    q = (np.arange(4000) + 0.5) / 4000
    b = stats.gamma(0.9**-2, scale=0.9**2).ppf(q)
    p = special.expit(b * np.abs(MARGIN)[:, None])
    mixed = p.mean(1)

    def divergence(share, other):
        return special.rel_entr(share, other) + special.rel_entr(1 - share, 1 - other)

    def new(strength):
        return divergence(mixed, special.expit(strength * np.abs(MARGIN))).mean()

    best = optimize.minimize_scalar(new, bounds=(0.1, 2), method="bounded")
    bits = best.fun / np.log(2)
    assert only(table, "cost_new")["mean"] == pytest.approx(bits, rel=0.05)
    known = divergence(p, special.expit(best.x * np.abs(MARGIN))[:, None]).mean() / np.log(2)
    assert only(table, "cost_known")["mean"] == pytest.approx(known, rel=0.02)


def test_rescaled_margins_change_no_measure(tree):
    one = heterogeneity(run(tree, "lognormal", mean=1.0, cv=0.6))
    other = heterogeneity(run(tree, "lognormal", margin=10 * MARGIN, mean=0.1, cv=0.6))
    assert other["mean"].to_numpy() == pytest.approx(one["mean"].to_numpy(), nan_ok=True)


def test_signed_family(tree):
    table = heterogeneity(run(tree, "normal", mean=1.0, cv=2.0))
    assert only(table, "reversed")["mean"] == pytest.approx(stats.norm.cdf(-0.5))
    assert np.isnan(only(table, "log_sd")["mean"])
    assert only(table, "log_sd")["note"] == "strength can be negative"
    assert only(table, "ratio_90_10")["note"] == "a tenth or more is not above 0"


def test_one_strength_costs_nothing(tree):
    table = heterogeneity(run(tree, "fixed", mean=1.0))
    for measure in ("cv", "gini", "disagreement_90", "cost_new", "cost_known"):
        assert only(table, measure)["mean"] == pytest.approx(0, abs=1e-9)
    assert only(table, "ratio_90_10")["mean"] == pytest.approx(1)


def test_without_margins_and_respondents(tree):
    table = heterogeneity(run(tree, "lognormal", margin=None, mean=1.0, cv=0.6))
    assert only(table, "disagreement_90")["note"] == "the run keeps no margins of pairs"
    note = "needs respondents that share a spread of strength"
    assert only(table, "reliability")["note"] == note
    made = tree("lognormal", panel=False, mean=np.ones((2, 5)), cv=np.ones((2, 5)))
    note = "a tail shape of the link, not a measure of people"
    assert only(heterogeneity(made), "cv")["note"] == note


def test_what_one_margin_needs_makes_no_sense_where_tastes_differ(tree):
    made = tree("tastes", cv=np.full((2, 5), 0.5))
    made["sample_stats"] = xr.Dataset({"taste_share": ("kept", np.full(10, 0.8))})
    table = heterogeneity(made)
    assert only(table, "taste_share")["mean"] == pytest.approx(0.8)
    assert only(table, "cv")["mean"] == pytest.approx(0.5)
    note = "tastes differ: a comparison has no one margin"
    assert only(table, "disagreement_median")["note"] == note
    assert only(table, "minority")["note"] == "the run keeps none; fit it again"
    assert only(table, "gini")["note"] == "beside random tastes see cv"


@pytest.mark.parametrize("family", ["fixed", "gamma"])
def test_strength_within_latent_tastes(tree, family):
    made = tree(family, **({} if family == "fixed" else {"cv": np.full((2, 5), 0.5)}))
    made["posterior"]["share"] = (("chain", "draw", "class_"), np.full((2, 5, 2), 0.5))
    made.attrs["tastes"] = 1
    gini = only(heterogeneity(made), "gini")
    assert gini["note"] == ("one strength for all" if family == "fixed" else "")
    assert np.isnan(gini["mean"]) == (family == "fixed")


def test_low_reliability_names_nobody(tree):
    made = run(tree, "lognormal", mean=1.0, cv=0.6)
    made["sample_stats"] = xr.Dataset({"reliability": ("kept", np.full(10, 0.3))})
    row = only(heterogeneity(made), "reliability")
    assert row["note"] == "below 0.5: name no respondent"
    assert row["mean"] == pytest.approx(0.3)


@pytest.fixture
def grouped(tree):
    """Two groups, three respondents in the first and one in the second."""
    made = run(
        tree,
        "lognormal",
        margin=np.ones(8),
        extra={
            "votes": ("panel", np.array([1, 1, 1, 5])),
            "panel_group:side": ("panel", np.array([0, 0, 0, 1])),
        },
        mean=1.0,
        cv=0.5,
    )
    posterior = made["posterior"].to_dataset()
    for name, values in (("mean", [1.0, 2.0]), ("cv", [0.4, 0.8])):
        posterior[f"{name}:side"] = (("chain", "draw", "side"), np.full((2, 50, 2), values))
    made["posterior"] = posterior.assign_coords(side=["left", "right"])
    return made


def test_groups_with_macro_and_micro_average(grouped):
    table = heterogeneity(grouped)
    assert only(table, "cv", "side", "left")["mean"] == pytest.approx(0.4)
    assert only(table, "cv", "side", "macro")["mean"] == pytest.approx(0.6)
    assert only(table, "cv", "side", "micro")["mean"] == pytest.approx((3 * 0.4 + 5 * 0.8) / 8)
    variance = np.log1p(np.array([0.4, 0.8]) ** 2)
    centre = np.log([1.0, 2.0]) - variance / 2
    weight = np.array([0.75, 0.25])
    between = weight @ (centre - weight @ centre) ** 2
    expected = between / (between + weight @ variance)
    assert only(table, "between_groups", "side")["mean"] == pytest.approx(expected)


def test_several_runs_by_name(grouped, tree):
    table = heterogeneity({"a": grouped, "b": run(tree, "lognormal", mean=1.0, cv=0.6)})
    assert table.columns[0] == "run"
    assert list(dict.fromkeys(table["run"])) == ["a", "b"]
    assert len(table) == len(heterogeneity(grouped)) + len(MEASURES) - 1


def test_the_posterior_of_a_fit_covers_the_truth():
    data = ml.simulate(4000, 200, cv=0.8, seed=5).comparisons()
    table = heterogeneity(ml.fit(data, evidence=False, draws=400))
    truth = np.sqrt(np.log1p(0.8**2))
    row = only(table, "log_sd")
    assert row["q05"] - 0.1 < truth < row["q95"] + 0.1
