import numpy as np
import pandas as pd
import pytest
import torch

import mixlogit as ml
from mixlogit.errors import UsageError
from mixlogit.models.folds import assign_folds, fit_again, fold_scores

DATA = ml.simulate(300, 10, "lognormal", cv=0.8, ties=0.1, seed=2).comparisons()


def test_every_respondent_is_spread_evenly():
    fold = assign_folds(DATA, 4, seed=1)
    counts = torch.zeros(10, 4).index_put_(
        (DATA.respondent.codes, fold), torch.ones(300), accumulate=True
    )
    assert int((counts.max(1).values - counts.min(1).values).max()) <= 1
    assert torch.equal(fold, assign_folds(DATA, 4, seed=1))
    assert not torch.equal(fold, assign_folds(DATA, 4, seed=2))


def test_a_ranking_stays_in_one_fold(shared_data):
    frame = ml.simulate(60, 6, features=2, seed=1).frame
    long = np.repeat(np.arange(20), 3)
    rows = {"choice_id": long, "alternative": np.tile(list("abc"), 20)}
    rows |= {"ranking": np.tile([1, 2, 3], 20), "respondent": long // 2}
    rows |= {"x": frame["x1"].to_numpy()}
    sets = ml.load_choice_sets(
        type(frame)(rows), ranking="ranking", respondent="respondent", features=["x"]
    )
    fold = assign_folds(sets, 5)
    assert sets.n_sets > sets.n_occasions == 20
    for occasion in range(20):
        assert len(fold[sets.occasion == occasion].unique()) == 1


@pytest.mark.parametrize("folds", [1, 301])
def test_number_of_folds(folds):
    with pytest.raises(UsageError) as caught:
        assign_folds(DATA, folds)
    assert str(caught.value) == f"Expected 2 to 300 folds but got {folds}."


def test_scores_are_those_of_fits_to_the_other_folds():
    arguments = ml.fit(DATA, "gamma", evidence=False, draws=400).to_dict()["arguments"]
    steps = []
    found = fold_scores({"gamma": arguments}, DATA, 2, progress=lambda *step: steps.append(step))
    fold = assign_folds(DATA, 2)
    alone = ml.fit(DATA.take(fold == 1), "gamma", evidence=False, draws=400)
    score = found["gamma"][fold == 0]
    decided = DATA.outcome[fold == 0] != 0.5
    assert np.isnan(score).sum() == int((~decided).sum()) > 0
    expected = alone.held_out(DATA.take(fold == 0))["log_score"]
    assert np.nanmean(score) == pytest.approx(expected)
    assert steps == [("gamma", 1, 2), ("gamma", 2, 2)]


def test_a_fit_can_be_made_again_from_its_files(tmp_path):
    data = ml.simulate(300, 15, features=2, seed=5).comparisons()
    first = ml.fit(
        data,
        random=ml.RandomTastes("x1:normal", draws=64),
        priors=ml.Priors(utility_sd=1.0),
        inference="laplace",
        draws=400,
        evidence=False,
    )
    first.save(tmp_path / "run")
    again = fit_again(ml.open_run(tmp_path / "run").to_dict()["arguments"], data)
    assert again.summary().equals(first.summary())
    assert again.to_dict()["arguments"] == first.to_dict()["arguments"]


def test_folds_of_classes_of_strength_and_of_groups():
    """Groups of mean strength 0.3 and 2.4, each respondent in one: both models predict votes."""
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(40), 15)
    strong = who % 2 == 0
    margin = rng.normal(size=600)
    first = rng.random(600) < 1 / (1 + np.exp(-np.where(strong, 2.4, 0.3) * margin))
    columns = {"margin": margin, "outcome": np.where(first, "a", "b"), "respondent": who}
    frame = pd.DataFrame(columns).assign(side=np.where(strong, "s", "w"))
    data = ml.load(frame, groups=["side"])
    quick = {"evidence": False, "draws": 200, "inference": "laplace"}
    runs = {
        "fixed": ml.fit(data, "fixed", **quick),
        "classes": ml.fit(data, "classes", **quick),
        "sides": ml.fit(data, "fixed", by=["side"], **quick),
    }
    found = ml.compare(runs, folds=2, data=data)
    votes = found.table["votes"]
    assert votes["classes"] - votes["fixed"] > 3
    assert votes["sides"] - votes["classes"] > 0  # a group is known from the first vote
    assert np.isfinite(found.table["votes_difference"]).all()
    assert found.table["kind"].to_dict() == {
        "fixed": "homogeneous",
        "classes": "strength",
        "sides": "strength",
    }
