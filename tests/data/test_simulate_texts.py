"""Simulated texts: the votes follow the true reward, as strongly as they say."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from mixlogit.data.simulate_texts import TextWorld, simulate_texts
from mixlogit.errors import UsageError


def test_votes_follow_strength_and_reward() -> None:
    made = simulate_texts(40_000, 200, "lognormal", mean=1.5, cv=1.0, seed=1)
    difference = made.world.reward(made.prompt, made.chosen)
    difference = difference - made.world.reward(made.prompt, made.rejected)
    assert difference.std() == pytest.approx(1.0, abs=0.1)  # of the pair; the vote keeps its size
    b = made.respondents["strength"].to_numpy()[made.respondent]
    size = np.abs(difference)
    agrees = difference > 0
    expected = expit(b * size)
    assert agrees.mean() == pytest.approx(expected.mean(), abs=0.01)
    weak, strong = b < np.quantile(b, 0.2), b > np.quantile(b, 0.8)
    assert agrees[strong].mean() > agrees[weak].mean() + 0.15


def test_respondents_take_turns() -> None:
    made = simulate_texts(60, 20, seed=1)
    assert made.respondent.tolist() == [*range(20)] * 3


def test_contrarians_prefer_the_opposite() -> None:
    made = simulate_texts(20_000, 100, mean=3.0, cv=0.2, contrarians=0.1, seed=2)
    b = made.respondents["strength"].to_numpy()
    assert (b < 0).sum() == 10
    difference = made.world.reward(made.prompt, made.chosen)
    difference = difference - made.world.reward(made.prompt, made.rejected)
    assert (difference[b[made.respondent] < 0] > 0).mean() < 0.3


def test_fixed_strength_and_no_spread_are_the_same() -> None:
    for family, cv in (("fixed", 1.0), ("gamma", 0.0)):
        made = simulate_texts(100, 10, family, mean=2.0, cv=cv)
        assert set(made.respondents["strength"].to_pylist()) == {2.0}


def test_texts_are_the_tokens_and_the_truth_is_written(tmp_path: Path) -> None:
    made = simulate_texts(50, 5, seed=3)
    files = made.write(tmp_path / "texts.parquet")
    table = pq.read_table(files[0])
    for name in ("prompt", "chosen", "rejected"):
        tokens = [[int(word[1:]) for word in text.split()] for text in table[name].to_pylist()]
        assert tokens == getattr(made, name).tolist()
    truth = json.loads(files[1].read_text())
    world = TextWorld(np.array(truth["token_weight"]), np.array(truth["topic_weight"]), 2, 6)
    assert np.array_equal(
        world.reward(made.prompt, made.chosen), made.world.reward(made.prompt, made.chosen)
    )
    assert truth["respondents"]["strength"] == made.respondents["strength"].to_pylist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"comparisons": 5, "respondents": 6}, "Expected 1 to 5 respondents but got 6."),
        (
            {"topics": 17},
            "Expected 1 to `vocabulary` topics, and at least one token in each text.",
        ),
        ({"contrarians": 1.0}, "Expected contrarians as a share from 0 to below 1."),
        (
            {"family": "normal"},
            "Texts are judged with fixed, lognormal or gamma strength, not normal.",
        ),
    ],
)
def test_what_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        simulate_texts(**arguments)  # type: ignore[arg-type]
    assert str(error.value) == message
