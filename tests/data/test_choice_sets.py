"""Choice sets: reading long data, what is refused, taking and splitting."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

import mixlogit as ml
from mixlogit.data import Labels
from mixlogit.data.explode import explode
from mixlogit.errors import DataError, UsageError

FLAGS = pd.DataFrame(
    {
        "choice_id": [1, 1, 1, 2, 2, 2],
        "alternative": list("abcabc"),
        "chosen": [1, 0, 0, 0, 0, 1],
        "price": [1.0, 2.0, 3.0, 2.0, 2.0, 1.0],
        "respondent": ["w1"] * 3 + ["w2"] * 3,
    }
)


def read(frame: pd.DataFrame = FLAGS, **columns) -> ml.ChoiceSets:
    return ml.ChoiceSets.from_pandas(frame, **columns)


def test_the_chosen_one_by_flags_words_or_name() -> None:
    expected = [True, False, False, False, False, True]
    words = FLAGS.assign(chosen=["yes", "no", "no", "No", "no", "YES"])
    names = FLAGS.assign(chosen=list("aaaccc"))
    truths = FLAGS.assign(chosen=[True, False, False, False, False, True])
    for frame in (FLAGS, words, names, truths):
        assert read(frame).chosen.tolist() == expected


def test_rows_of_a_set_need_not_lie_together() -> None:
    shuffled = FLAGS.sample(frac=1.0, random_state=3)
    data = read(shuffled, features="price")
    assert sorted(data.features[data.chosen].flatten().tolist()) == [1.0, 1.0]
    assert data.sizes.tolist() == [3, 3]


def test_a_choice_id_may_repeat_between_respondents() -> None:
    frame = FLAGS.assign(choice_id=1)
    assert read(frame).n_sets == 2
    assert read(frame).respondent.labels == ("w1", "w2")


def test_csv_and_parquet(tmp_path) -> None:
    FLAGS.to_csv(tmp_path / "sets.csv", index=False)
    FLAGS.to_parquet(tmp_path / "sets.parquet")
    for name in ("sets.csv", "sets.parquet"):
        data = ml.load_choice_sets(tmp_path / name, features=["price"])
        assert torch.equal(data.chosen, read().chosen)
        assert torch.equal(data.features, read(features=["price"]).features)


def test_alternatives_that_are_not_available_are_left_out() -> None:
    data = read(FLAGS.assign(open=[1, 1, 0, 1, 0, 1]), available="open")
    assert data.sizes.tolist() == [2, 2]
    single = read(FLAGS.assign(open=[1, 0, 0, 1, 1, 1]), available="open")
    assert single.n_sets == 1
    assert [finding.message for finding in single.warnings] == [
        "1 choice set has one available alternative and say nothing."
    ]


def test_constants_of_alternatives() -> None:
    data = read(features="price", constants="b")
    assert data.feature_names == ("price", "constant:a", "constant:c")
    assert data.features[:, 1].tolist() == [1, 0, 0, 1, 0, 0]


def test_a_ranking_is_the_choices_it_consists_of() -> None:
    frame = FLAGS.assign(rank=[2, 1, 3, None, 1, None]).drop(columns="chosen")
    data = read(frame, ranking="rank")
    assert (data.n_sets, data.n_occasions) == (3, 2)
    names = np.array(data.alternative.labels)[data.alternative.codes]
    sets = [names[(data.choice == k).numpy()].tolist() for k in range(3)]
    assert sets == [["a", "b", "c"], ["a", "c"], ["a", "b", "c"]]
    assert names[data.chosen.numpy()].tolist() == ["b", "a", "b"]
    assert data.occasion.tolist() == [0, 0, 1]


def test_stages_of_complete_rankings_have_the_probability_of_plackett_and_luce() -> None:
    utility, total = np.array([0.7, -0.2, 0.1]), 0.0
    for order in itertools.permutations(range(3)):
        rank = np.empty(3, dtype=np.int64)
        rank[list(order)] = [1, 2, 3]
        choice, chosen, row, _ = explode(np.zeros(3, dtype=np.int64), rank)
        weight = np.exp(utility[row])
        sums = np.bincount(choice, weights=weight)
        total += np.prod(weight[chosen] / sums)
    assert total == pytest.approx(1.0)


def test_take_and_split_keep_rankings_whole() -> None:
    rng = np.random.default_rng(0)
    rank = np.concatenate([rng.permutation(4) + 1 for _ in range(50)])
    frame = pd.DataFrame({"choice_id": np.repeat(np.arange(50), 4), "rank": rank})
    data = read(frame.assign(alternative=list("abcd") * 50), ranking="rank")
    fitted, tested = data.split(0.3, seed=1)
    assert (fitted.n_occasions, tested.n_occasions) == (35, 15)
    assert (fitted.n_sets, tested.n_sets) == (105, 45)
    assert data.take([2, 0]).n_sets == 2


MESSAGES = {
    "no chosen": (
        {"chosen": [1, 0, 0, 0, 0, 0]},
        'DataFrame, row 4: choice_id "2" has no chosen alternative. Each choice_id needs one '
        "chosen alternative. 1 row is like this; --bad-rows drop skips it.",
    ),
    "two chosen": (
        {"chosen": [1, 0, 0, 0, 1, 1]},
        'DataFrame, row 4: choice_id "2" has 2 chosen alternatives. Each choice_id needs one '
        "chosen alternative. 1 row is like this; --bad-rows drop skips it.",
    ),
    "a word": (
        {"chosen": ["x", "0", "0", "0", "0", "1"]},
        'DataFrame, row 1: chosen is "x". Write 1 or 0, true or false, yes or no. 1 row is like '
        "this; --bad-rows drop skips it.",
    ),
    "twice": (
        {"alternative": list("aacabc")},
        'DataFrame, row 2: "a" is twice in choice_id "1". Alternatives of a choice set must '
        "differ. 1 row is like this; --bad-rows drop skips it.",
    ),
    "nan": (
        {"price": [1.0, np.nan, 1.0, 2.0, 3.0, 4.0]},
        "DataFrame, row 2: price is NaN. Features must be finite. 1 row is like this; "
        "--bad-rows drop skips it.",
    ),
    "no name": (
        {"alternative": ["a", None, "c", "a", "b", "c"]},
        'DataFrame, row 2: "alternative" is missing. A row needs choice_id, alternative, chosen, '
        "respondent, price; this one has choice_id, chosen, respondent, price. 1 row is like "
        "this; --bad-rows drop skips it.",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_malformed_rows(case: str) -> None:
    change, says = MESSAGES[case]
    frame = FLAGS.assign(**change)
    with pytest.raises(DataError) as caught:
        read(frame, features="price")
    assert str(caught.value) == says
    kept = read(frame, features="price", bad_rows="drop")
    assert kept.n_sets == 1
    assert len(kept.dropped) == 1


@pytest.mark.parametrize(
    ("rank", "says"),
    [
        ([1, 1, 2], "1, 1, 2"),
        ([1, 3, None], "1, 3"),
        ([None, None, None], "all empty"),
    ],
)
def test_ranks_with_ties_or_gaps(rank, says) -> None:
    frame = FLAGS.iloc[:3].assign(rank=rank)
    with pytest.raises(DataError) as caught:
        read(frame, ranking="rank")
    assert str(caught.value) == (
        f'DataFrame, row 1: the ranks of choice_id "1" are {says}. Each choice_id needs ranks '
        "1, 2, 3, ... without ties or gaps. 1 row is like this; --bad-rows drop skips it."
    )


def test_a_rank_that_is_no_rank() -> None:
    with pytest.raises(DataError) as caught:
        read(FLAGS.iloc[:3].assign(rank=[1, 1.5, None]), ranking="rank")
    assert "rank is 1.5. Ranks are 1, 2, 3, ..., 1 the best, or empty." in str(caught.value)


def test_chosen_but_not_available() -> None:
    with pytest.raises(DataError) as caught:
        read(FLAGS.assign(open=[0, 1, 1, 1, 1, 1]), available="open")
    assert str(caught.value) == (
        'DataFrame, row 1: "a" was chosen but is not available. Correct chosen or open. 1 row '
        "is like this; --bad-rows drop skips it."
    )


def test_weights_and_groups_are_those_of_a_set() -> None:
    with pytest.raises(DataError) as caught:
        read(FLAGS.assign(age=[1, 1, 2, 1, 1, 1]), groups="age")
    assert str(caught.value) == (
        "DataFrame, row 3: age differs within a choice set. Rows of one choice_id need one age. "
        "1 row is like this; --bad-rows drop skips it."
    )


def test_columns_that_do_not_fit() -> None:
    with pytest.raises(DataError) as caught:
        read(choice_id="choise_id")
    assert str(caught.value).startswith(
        'DataFrame: no column "choise_id" for --choice-id. Did you mean "choice_id"?'
    )
    with pytest.raises(UsageError) as found:
        read(FLAGS.drop(columns="chosen"))
    assert str(found.value) == (
        "Choice sets need one of --chosen and --ranking. Neither is given."
    )
    with pytest.raises(UsageError) as found:
        read(constants="z")
    assert str(found.value) == 'No alternative "z" for --constants. There are a, b, c.'


def test_a_feature_that_says_nothing_is_told() -> None:
    data = read(FLAGS.assign(flat=[1, 1, 1, 2, 2, 2]), features=["price", "flat"])
    assert [finding.message for finding in data.warnings] == [
        'Feature "flat" never differs within a choice set: its weight cannot be estimated.'
    ]


def test_what_the_class_promises() -> None:
    names, choice = Labels(torch.tensor([0, 1]), ("a", "b")), torch.tensor([0, 0])
    first = torch.tensor([True, False])
    cases = [
        ((choice, torch.tensor([True, True]), names), "one chosen alternative in each"),
        ((choice + 1, first, names), "numbered 0, 1, 2, ..."),
        ((choice, first, Labels(torch.tensor([0, 0]), ("a",))), "different alternatives"),
        ((choice, first, names, torch.ones(2, 1)), "row x feature with 0 names"),
    ]
    for arguments, says in cases:
        with pytest.raises(UsageError, match=says):
            ml.ChoiceSets(*arguments)
