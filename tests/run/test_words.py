"""Numbers as people read them, in the terminal and in reports alike."""

import math

import pytest

from mixlogit.run.words import figure


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.00"),
        (0.004, "0.004"),
        (-2.6e-7, "-3e-7"),
        (0.314, "0.31"),
        (65_340.4, "65,340"),
        (math.nan, "unknown"),
        (math.inf, "unknown"),
        (None, "unknown"),
    ],
)
def test_figures(value: float | None, words: str) -> None:
    assert figure(value) == words
