import itertools
import math
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

import mixlogit as ml
from mixlogit.errors import UsageError
from mixlogit.models.fit import fit
from mixlogit.run import peak_memory_mb

SHAPES = {
    "panel": {"respondents": 20},
    "per comparison": {},
    "grouped": {"respondents": 20, "groups": 3},
    "items": {"respondents": 20, "items": 6},
    "features": {"respondents": 20, "features": 2},
}
CASES = list(itertools.product(SHAPES, (False, True), ml.families()))


def simulated(shape, family="lognormal", *, n=300, lapse=0.0, seed=3, **more):
    design = SHAPES[shape] | more
    return ml.simulate(n, family=family, mean=1.0, cv=0.6, lapse=lapse, seed=seed, **design)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Two restarts, a short search for the guide and never NUTS are enough here."""
    from mixlogit.models import infer

    monkeypatch.setitem(fit.__globals__, "CHAINS", 2)
    monkeypatch.setattr(infer, "K_LIMIT", math.inf)
    monkeypatch.setattr(infer, "_FEW", 0.0)
    monkeypatch.setattr(infer, "fit_guide", partial(infer.fit_guide, steps=12))


@pytest.mark.parametrize(("shape", "lapse", "family"), CASES)
def test_contract(shape, lapse, family):
    made = simulated(shape, family, lapse=0.1 if lapse else 0.0)
    data = made.comparisons()
    by = ["group"] if shape == "grouped" else []
    posterior = fit(data, family, lapse=lapse, by=by, evidence=False, draws=200)

    summary = posterior.summary()
    expected = [] if data.kind != "margin" else ["mean"]
    if family != "fixed":
        expected += ["cv", *(["sd", "p_negative"] if family == "normal" else ["log_sd"])]
    expected += ["lapse"] if lapse else []
    assert list(summary.index) == expected
    assert np.isfinite(summary.to_numpy(dtype=float)).all()
    assert (summary["sd"] > 0).all()
    assert (summary["q05"] <= summary["q95"]).all()

    tree = posterior.to_datatree()
    drawn = tree["posterior"]
    for name in expected:
        assert drawn[name].dims == ("chain", "draw")
        assert drawn[name].shape == (2, 100)
    truth = {"mean": 1.0, "cv": 0.6, "lapse": 0.1}
    for name in set(expected) & set(truth) - ({"cv", "mean"} if shape == "grouped" else set()):
        row = summary.loc[name]
        assert abs(row["mean"] - truth[name]) < 4 * row["sd"] + 0.02, (name, row)

    if shape == "items":
        assert drawn["utility"].dims == ("chain", "draw", "item")
        assert float(abs(drawn["utility"].sum("item")).max()) < 1e-9
        assert list(posterior.utilities().index) == list(data.items)
    if shape == "features":
        assert drawn["weight"].dims == ("chain", "draw", "feature")
        assert list(posterior.utilities().index) == ["x1", "x2"]
    if shape == "grouped":
        names = {"mean"} if family in ("fixed", "classes") else {"mean", "cv"}
        assert set(posterior.group_summary().loc["group"].index.levels[1]) >= names
        assert set(posterior.group_summary().loc["group"].index.get_level_values(0)) == {
            "g1",
            "g2",
            "g3",
        }
    people = posterior.strengths()
    if data.respondent is None:
        assert people.empty
        assert not posterior.panel
    else:
        assert len(people) == 20
        assert people["n"].sum() == data.n_comparisons
        columns = people[["mean", "sd", "q05", "q95", "p_negative"]].to_numpy()
        assert np.isfinite(columns).all()
        assert (people["q05"] <= people["q95"]).all()
        assert posterior.to_dict()["elpd"]["estimate"] < 0
    if family == "classes":
        assert np.allclose(drawn["class_share"].sum("class_"), 1.0)
        assert (np.diff(drawn["class_strength"].to_numpy(), axis=-1) >= 0).all()


def test_contrarians_are_found():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(60), 20)
    b = np.where(np.arange(60) < 12, -1.0, 1.5)[who]
    margin = 1.5 * rng.standard_normal(1200)
    outcome = np.where(rng.random(1200) < 1 / (1 + np.exp(-b * margin)), "a", "b")
    frame = pd.DataFrame({"margin": margin, "outcome": outcome, "respondent": who})
    posterior = fit(ml.load(frame), "classes", contrarians=True, draws=400)
    summary = posterior.summary()
    assert abs(summary.loc["p_negative", "mean"] - 0.2) < 0.12
    assert "sd" in summary.index
    assert posterior.strengths()["p_negative"].iloc[:12].mean() > 0.9
    assert posterior.strengths()["p_negative"].iloc[12:].mean() < 0.05
    assert posterior.verdict.heterogeneity == "strength"
    assert "nan" not in " ".join(posterior.verdict.sentences)
    assert math.isfinite(posterior.to_dict()["evidence"]["log_sd_lapse"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "Expected at least 2 classes but got 1."),
        ({"draws": 0}, "Expected at least 1 draw but got 0."),
        ({"by": ["stance"]}, 'No group column "stance". Group columns: none.'),
        ({"by": "stance"}, 'Expected `by` to be a list of group columns but got "stance".'),
        ({"inference": "vi"}, 'Expected inference "auto", "nuts" or "laplace" but got "vi".'),
    ],
)
def test_arguments_that_cannot_be_used(arguments, message):
    data = simulated("panel", n=60).comparisons()
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        fit(data, "lognormal", **arguments)


def test_a_column_that_numbers_comparisons_is_no_group(tmp_path):
    n = 300_000
    rng = np.random.default_rng(0)
    columns = {"margin": rng.normal(size=n), "outcome": rng.choice(["a", "b"], n)}
    columns |= {"respondent": rng.integers(0, 5000, n), "id": np.arange(n)}
    pd.DataFrame(columns).to_parquet(tmp_path / "votes.parquet")
    message = (
        'Group column "id" has 300,000 labels in 300,000 comparisons; a fit takes at most 1,000 '
        "groups. Name a column with fewer labels. One that numbers comparisons is no group, "
        "one that numbers people is for --respondent."
    )
    data = ml.load(tmp_path / "votes.parquet", groups=["id"])
    before = peak_memory_mb()
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        fit(data, by=["id"])
    assert peak_memory_mb() - before < 100
    with pytest.raises(UsageError, match=r'^Group column "id" has .* at most 1,000 groups'):
        ml.streamed(tmp_path / "votes.parquet", groups=["id"])


def test_unknown_family():
    with pytest.raises(UsageError, match="Did you mean 'lognormal'"):
        fit(simulated("panel", n=60).comparisons(), "lognormale")


def test_panel_without_respondents():
    message = "A panel needs respondents. Name their column with --respondent."
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        fit(simulated("per comparison", n=60).comparisons(), panel=True)


def test_same_seed_same_draws_and_global_state_is_left_alone():
    data = simulated("panel", n=200).comparisons()
    state = torch.random.get_rng_state()
    one, two, three = (fit(data, evidence=False, draws=400, seed=s) for s in (5, 5, 6))
    assert torch.equal(state, torch.random.get_rng_state())
    draws = [p.to_datatree()["posterior"]["cv"].to_numpy() for p in (one, two, three)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_order_of_rows_does_not_matter():
    frame = simulated("panel", n=300).frame
    shuffled = frame.sample(frac=1.0, random_state=1)
    one, two = (fit(ml.load(f), evidence=False, draws=400) for f in (frame, shuffled))
    assert np.allclose(one.summary(), two.summary(), rtol=1e-5, atol=1e-7)
    ordered = [p.strengths().set_index("respondent").sort_index() for p in (one, two)]
    assert np.allclose(ordered[0], ordered[1], rtol=1e-5, atol=1e-7)


def test_panel_of_single_comparisons_is_the_per_comparison_model():
    frame = simulated("per comparison", n=300).frame
    frame["respondent"] = [f"r{k}" for k in range(len(frame))]
    panel, single = (
        fit(ml.load(frame), "gamma", panel=flag, evidence=False, draws=400)
        for flag in (True, False)
    )
    assert panel.panel
    assert not single.panel
    assert np.allclose(panel.summary(), single.summary(), rtol=0.01, atol=1e-3)


def test_without_respondents_no_verdict():
    posterior = fit(simulated("per comparison", n=200).comparisons(), draws=400)
    assert posterior.verdict.heterogeneity == "unknown"
    assert "a tail shape of the link and not a measure of people" in posterior.verdict.sentences[0]


def test_noise_is_not_strength():
    made = ml.simulate(6000, 200, "fixed", mean=1.0, lapse=0.1, margin_sd=2.0, seed=1)
    posterior = fit(made.comparisons(), "lognormal", lapse=True, draws=1000)
    assert posterior.summary().loc["log_sd", "mean"] < 0.15
    assert posterior.verdict.heterogeneity == "homogeneous"
    assert posterior.verdict.sentences[0].startswith("Noise, not strength: a share of ")


def test_strength_is_found():
    made = ml.simulate(3000, 100, "lognormal", mean=1.0, cv=1.0, seed=1)
    posterior = fit(made.comparisons(), "lognormal", draws=1000)
    assert posterior.verdict.heterogeneity == "strength"
    assert all(check.ok for check in posterior.checks), posterior.checks


def test_rescaled_margins_give_rescaled_strengths():
    frame = simulated("panel", n=300).frame
    scaled = frame.assign(margin=frame["margin"] * 1000.0)
    one, two = (fit(ml.load(f), evidence=False, draws=400).summary() for f in (frame, scaled))
    assert np.allclose(one.loc["cv"], two.loc["cv"], rtol=1e-4)
    assert np.allclose(one.loc["mean"], 1000 * two.loc["mean"], rtol=1e-4)


def test_ties_are_half_votes_each_way():
    made = simulated("panel", n=200, ties=0.2)
    data = made.comparisons()
    twice = made.frame.loc[lambda f: f["outcome"] == "tie"]
    rest = made.frame.loc[lambda f: f["outcome"] != "tie"].assign(w=1.0)
    halves = [twice.assign(outcome=side, w=0.5) for side in ("a", "b")]
    split = ml.load(pd.concat([rest, *halves]), weight="w")
    one, two = (fit(d, evidence=False, draws=400) for d in (data, split))
    assert one.to_dict()["n"]["ties"] == data.n_ties > 0
    assert np.allclose(one.summary(), two.summary(), rtol=1e-5, atol=1e-7)


def test_items_with_groups_of_respondents():
    data = simulated("items", groups=3).comparisons()
    posterior = fit(data, by=["group"], evidence=False, draws=40, inference="laplace")
    spreads = posterior.group_summary().xs("cv", level=2)
    assert sorted(label for _, label in spreads.index) == ["g1", "g2", "g3"]
    means = posterior.to_datatree()["posterior"]["mean:group"].to_numpy()
    assert np.log(means).mean(-1) == pytest.approx(0.0, abs=1e-12)  # utilities carry the scale
    assert np.log(means).std() > 0.01


def test_a_group_column_that_cannot_be_kept_is_refused_before_the_work():
    made = simulated("grouped").frame.rename(columns={"group": "age/sex"})
    data = ml.Comparisons.from_pandas(made, groups=["age/sex"])
    message = 'Group column "age/sex" has a "/", which NetCDF reads as a path. Rename the column.'
    with pytest.raises(UsageError, match=re.escape(message)):
        fit(data, by=["age/sex"])


def test_what_is_no_data_and_what_are_no_priors() -> None:
    made = ml.simulate(200, 20, seed=1)
    message = (
        "Expected Comparisons or ChoiceSets but got DataFrame. Make them by mixlogit.load(data, "
        "...), which takes paths, data frames and data sets."
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        ml.fit(made.frame)  # type: ignore[arg-type]  # what is refused
    message = (
        "Expected Priors but got dict. Write Priors(cv_scale=0.5); the others are mean, "
        "log_mean_sd, lapse, group_scale, utility_sd."
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        ml.fit(made.comparisons(), priors={"cv": 0.5})  # type: ignore[arg-type]  # what is refused
