"""Choice sets in `maximum` and `fit`: published estimates, held-out choices, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from judges import WEIGHTS, choice_sets, davidson, generator, graded, strengths

import mixlogit as ml
from mixlogit.errors import UsageError

ELECTRICITY = ["pf", "cl", "loc", "wk", "tod", "seas"]


@pytest.fixture(scope="module")
def references(shared_data):
    return json.loads((shared_data / "references.json").read_text())


def test_multinomial_logit_on_electricity(electricity, references) -> None:
    exact = references["electricity-panel"]["exact_multinomial_logit"]
    assert ml.maximum(electricity, "fixed").log_likelihood == pytest.approx(exact["ll"], abs=1e-6)


def test_scaled_logit_on_electricity(electricity, references) -> None:
    exact = references["electricity-panel"]["exact_scaled_logit"]
    found = ml.maximum(electricity, "lognormal")
    assert found.log_likelihood == pytest.approx(exact["ll"], abs=1e-4)
    for name in ELECTRICITY:
        estimate = found.table.loc[f"weight[{name}]", "estimate"]
        assert estimate == pytest.approx(exact[name], abs=5e-6)
    assert found.table.loc["log_sd", "estimate"] == pytest.approx(exact["tau"], abs=2e-6)
    assert found.table.loc["log_sd", "se"] == pytest.approx(exact["se_tau"], abs=2e-6)


def swissmetro(shared_data, **columns) -> ml.ChoiceSets:
    """The choices of the published models in long format."""
    table = pd.read_csv(shared_data / "swissmetro/swissmetro.csv.gz")
    table = table[table["PURPOSE"].isin([1, 3]) & (table["CHOICE"] != 0)].reset_index(drop=True)
    parts = []
    for code, name in enumerate(("TRAIN", "SM", "CAR"), 1):
        free = (table["GA"] == 1) & (name != "CAR")
        parts.append(
            pd.DataFrame(
                {
                    "row": table.index,
                    "id": table["ID"],
                    "mode": name,
                    "time": table[f"{name}_TT"] / 100,
                    "cost": table[f"{name}_CO"] * ~free / 100,
                    "open": table[f"{name}_AV"],
                    "took": (table["CHOICE"] == code).astype(int),
                }
            )
        )
    return ml.ChoiceSets.from_pandas(
        pd.concat(parts),
        choice_id="row",
        alternative="mode",
        chosen="took",
        available="open",
        constants="SM",
        features=["time", "cost"],
        **columns,
    )


def test_lognormal_time_on_swissmetro(shared_data, references) -> None:
    """Per choice, against the converged integral; published draws give -5231.27."""
    exact = references["swissmetro"]["exact_same_model"]["trapezoid128"]
    random = ml.RandomTastes("time:-lognormal", draws=64)
    found = ml.maximum(swissmetro(shared_data), random=random)
    assert found.log_likelihood == pytest.approx(exact["ll"], abs=0.5)
    estimate = found.table["estimate"]
    assert estimate["log_mean[time]"] == pytest.approx(exact["b_time"], abs=0.01)
    assert estimate["log_sd[time]"] == pytest.approx(exact["b_time_s"], abs=0.02)
    published = references["swissmetro"]["published_biogeme_b17b"]
    assert estimate["mean[cost]"] == pytest.approx(published["b_cost"], abs=0.02)
    assert estimate["mean[constant:CAR]"] == pytest.approx(published["asc_car"], abs=0.02)


@pytest.mark.slow
def test_normal_time_by_person_on_swissmetro(shared_data) -> None:
    """A hard integrand: 512 uniform nodes give -4359.41, -3.217 and 3.655."""
    random = ml.RandomTastes("time:normal", draws=512)
    found = ml.maximum(swissmetro(shared_data, respondent="id"), random=random)
    assert found.log_likelihood == pytest.approx(-4359.41, abs=1.0)
    assert found.table.loc["mean[time]", "estimate"] == pytest.approx(-3.217, abs=0.03)
    assert found.table.loc["sd[time]", "estimate"] == pytest.approx(3.655, abs=0.03)


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    rng = generator("people")
    return strengths("lognormal", 60, rng)[:, None] * WEIGHTS


def test_posterior_of_choice_sets(people, tmp_path) -> None:
    data = choice_sets(people[:40], generator("sets"), per=8)
    fitted, tested = data.split(0.2, seed=0)
    posterior = ml.fit(fitted, draws=400, evidence=False)
    assert all(check.ok for check in posterior.checks if check.name == "quadrature error")
    assert posterior.summary().loc["cv", "q05"] < 0.6 < posterior.summary().loc["cv", "q95"] + 0.2
    assert len(posterior.strengths()) == 40
    assert posterior.held_out(tested)["n"] == len(tested)
    posterior.save(tmp_path / "run")
    tree = ml.open_run(tmp_path / "run").to_datatree()
    assert tree["posterior"]["weight"].dims[-1] == "feature"


def test_rankings_of_items_give_each_a_utility() -> None:
    """Plackett-Luce: 200 rankings of four items."""
    rng, utility = generator("items"), np.array([1.0, 0.3, -0.3, -1.0])
    order = np.argsort(-(utility + rng.gumbel(size=(200, 4))), axis=1)
    rank = np.argsort(order, axis=1) + 1
    frame = pd.DataFrame(
        {
            "choice_id": np.repeat(np.arange(200), 4),
            "alternative": np.tile(list("abcd"), 200),
            "rank": rank.ravel(),
        }
    )
    data = ml.ChoiceSets.from_pandas(frame, ranking="rank")
    found = ml.maximum(data, "fixed").table
    for name, value in zip("abcd", utility, strict=True):
        row = found.loc[f"utility[{name}]"]
        assert abs(row["estimate"] - value) < 3.5 * row["se"]


@pytest.mark.parametrize("width", ["shared", "strength", "respondent"])
def test_held_out_ties_and_grades_are_scored(people, width) -> None:
    """Every vote has a probability, and the fit beats guessing one level in five."""
    data = graded(people[:25], [0.4, 1.5], generator("graded"), per=10)
    fitted, tested = data.split(0.2, seed=0)
    posterior = ml.fit(fitted, width=width, inference="laplace", evidence=False, draws=400)
    assert posterior.held_out(tested)["log_score"] > -np.log(5)
    assert ("log_width_sd" in posterior.summary().index) == (width == "respondent")
    assert ("width_exponent" in posterior.summary().index) == (width != "shared")


def test_a_width_of_each_respondent_is_recovered(people) -> None:
    rng = generator("widths")
    wide = np.exp(0.8 * rng.standard_normal(len(people)))
    data = graded(people, [0.5], rng, width=wide)
    found = ml.maximum(data, "fixed", ties="rao-kupper", width="respondent").table
    row = found.loc["log_width_sd"]
    assert abs(row["estimate"] - 0.8) < 3.5 * row["se"]


def test_counted_votes_are_the_votes_one_by_one() -> None:
    frame = pd.DataFrame({"item_a": ["x", "x", "y"], "item_b": ["y", "z", "z"]})
    frame = frame.assign(yes=[7, 9, 6], no=[3, 1, 4], same=[2, 0, 1])
    counted = ml.Comparisons.from_pandas(frame, votes_a="yes", votes_b="no", votes_tie="same")
    rows = [
        {"item_a": row.item_a, "item_b": row.item_b, "outcome": word}
        for row in frame.itertuples()
        for word, n in (("a", row.yes), ("b", row.no), ("tie", row.same))
        for _ in range(n)
    ]
    one_by_one = ml.Comparisons.from_pandas(pd.DataFrame(rows))
    for ties in ("half", "davidson"):
        first, second = (ml.maximum(data, "fixed", ties=ties) for data in (counted, one_by_one))
        assert first.log_likelihood == pytest.approx(second.log_likelihood, abs=1e-8)
        assert np.allclose(first.table["estimate"], second.table["estimate"], atol=1e-5)


def test_what_is_refused(people) -> None:
    sets = choice_sets(people, generator("refused"), per=3)
    rated = graded(people, [0.4, 1.5], generator("refused"), per=3)
    tied = davidson(people, 0.7, generator("refused"), per=3)
    plain = tied.take(tied.outcome != 0.5)
    cases = [
        (
            tied,
            {"ties": "drop"},
            'Expected ties "half", "davidson" or "rao-kupper" but got "drop".',
        ),
        (
            tied,
            {"ties": "davidson", "width": "own"},
            'Expected width "shared", "strength" or "respondent" but got "own".',
        ),
        (sets, {"ties": "davidson"}, "Choice sets have no ties: leave out --ties and --width."),
        (rated, {"ties": "davidson"}, "Grades say what is a tie: leave out --ties."),
        (
            tied,
            {"width": "respondent"},
            "A width needs modelled ties or grades: add --ties or --grade.",
        ),
        (
            plain,
            {"ties": "davidson"},
            "No comparison is a tie, so --ties davidson has nothing to learn from.",
        ),
        (
            tied,
            {"ties": "davidson", "width": "respondent", "panel": False},
            "Widths of respondents need a panel. Name --respondent.",
        ),
        (sets, {"by": ["age"]}, 'No group column "age". Group columns: none.'),
    ]
    for data, options, says in cases:
        with pytest.raises(UsageError) as caught:
            ml.fit(data, **options)
        assert str(caught.value) == says
