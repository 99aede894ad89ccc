import numpy as np
import pytest

from mixlogit.models.weighing import Fitted, weigh

ZERO = np.zeros(100)
NOISY = np.tile([1.0, -1.0], 50)  # a standard error of 10


def spread(total):
    """One gain of 100 respondents that adds up to `total`, with a standard error of 10."""
    return NOISY + total / 100


def fitted(name, *, own=None, evidence=None, left_out=ZERO, votes=None, classes=2):
    strength, taste = name in ("strength", "both"), name in ("taste", "both")
    tastes = (classes if taste else 1, None)
    return Fitted(name, strength, tastes, {"evidence": own}, evidence, left_out, votes)


def lapses(plain, lapsed, noise=0.0):
    return {
        "log_bayes_factor": plain,
        "log_bayes_factor_lapse": lapsed,
        "log_bayes_factor_noise": noise,
    }


HOMOGENEOUS = fitted("homogeneous", evidence=-100.0)
TASTE = fitted("taste", own={"log_bayes_factor_taste": 9.0}, evidence=-91.0)


@pytest.mark.parametrize(
    ("fits", "kind"),
    [
        # strength alone
        ([fitted("strength", own=lapses(9.0, 5.0)), HOMOGENEOUS], "strength"),
        ([fitted("strength", own=lapses(9.0, 1.0)), HOMOGENEOUS], "homogeneous"),
        ([fitted("strength", own=lapses(0.0, 0.0, 5.0)), HOMOGENEOUS], "homogeneous"),
        ([fitted("strength", own=lapses(-2.0, -1.0)), HOMOGENEOUS], "homogeneous"),
        ([fitted("strength", own=lapses(2.0, 1.0)), HOMOGENEOUS], "unknown"),
        ([fitted("strength", evidence=-90.0), HOMOGENEOUS], "strength"),
        ([fitted("strength", evidence=-101.5), HOMOGENEOUS], "homogeneous"),
        # held-out density
        ([fitted("strength", evidence=-99.0, left_out=spread(25.0)), HOMOGENEOUS], "strength"),
        ([fitted("strength", evidence=-99.0, left_out=spread(15.0)), HOMOGENEOUS], "unknown"),
        ([fitted("strength", evidence=-99.0, left_out=ZERO + 0.02), HOMOGENEOUS], "unknown"),
        ([fitted("strength", evidence=-102.0, left_out=spread(25.0)), HOMOGENEOUS], "unknown"),
        ([fitted("strength", evidence=-90.0, left_out=spread(-25.0)), HOMOGENEOUS], "unknown"),
        # one run that says itself what it is worth
        ([fitted("strength", own=lapses(9.0, 5.0))], "strength"),
        ([TASTE], "taste"),
        # strength that tastes explain, and the other way round
        ([fitted("both", evidence=-93.0), TASTE, HOMOGENEOUS], "taste"),
        ([fitted("both", evidence=-80.0), TASTE, HOMOGENEOUS], "strength"),
        # more tastes at once may be what the evidence is for
        ([fitted("both", evidence=-80.0, classes=3), TASTE, HOMOGENEOUS], "taste"),
        (
            [
                fitted("both", own={"log_bayes_factor_taste": -2.0}, evidence=-80.0),
                TASTE,
                fitted("strength", own=lapses(9.0, 8.0)),
            ],
            "strength",
        ),
        (
            [
                fitted("both", own={"log_bayes_factor_taste": 5.0}, evidence=-80.0),
                TASTE,
                fitted("strength", own=lapses(9.0, 8.0)),
            ],
            "both",
        ),
        ([fitted("both", own={"log_bayes_factor_strength": 5.0}), TASTE], "strength"),
        # either alone would do
        ([TASTE, fitted("strength", own=lapses(9.0, 8.0)), HOMOGENEOUS], "unknown"),
        (
            [
                TASTE,
                fitted("strength", own=lapses(9.0, 8.0), left_out=spread(25.0)),
                HOMOGENEOUS,
            ],
            "strength",
        ),
        (
            [
                TASTE,
                fitted("strength", own=lapses(9.0, 8.0), left_out=spread(-19.0), votes=ZERO),
                fitted("homogeneous", left_out=spread(-60.0), votes=ZERO),
            ],
            "unknown",
        ),
        # nothing to compare
        ([fitted("homogeneous"), fitted("homogeneous")], "unknown"),
    ],
)
def test_rules(fits, kind):
    assert weigh(fits, "respondent").heterogeneity == kind


def test_words():
    strength = fitted("strength", own=lapses(9.0, 5.0), left_out=spread(25.0), votes=ZERO)
    found = weigh([strength, fitted("homogeneous", votes=ZERO)], "respondent")
    assert found.sentences == (
        "Strength: respondents differ in how strongly they prefer what all prefer.",
        "Strength differs between respondents (strength against homogeneous: log Bayes factor "
        "+9.0, +5.0 with random labels allowed for; respondents left out +25.0 +- 10.0; votes "
        "held out +0.0 +- 0.0). This rests on the log Bayes factor and respondents left out.",
        "Taste was not examined: no run lets it differ.",
    )


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("strength", "strength"), "every run lets it differ, add one that does not"),
        (("taste", "taste"), "no run lets it differ"),
        (("strength", "taste"), "no two runs differ in that alone"),
    ],
)
def test_why_strength_was_not_examined(names, says):
    found = weigh([fitted(name) for name in names], "respondent")
    assert f"Strength was not examined: {says}." in found.sentences


def test_words_where_no_two_runs_can_be_weighed():
    found = weigh([fitted("both", left_out=spread(60.0)), fitted("homogeneous")], "respondent")
    assert found.heterogeneity == "unknown"
    assert found.sentences == (
        "Cannot be told: no two of these runs can be weighed against each other.",
        "Strength was not examined: no two runs differ in that alone.",
        "Taste was not examined: no two runs differ in that alone.",
    )


def test_words_of_noise_and_of_disagreement():
    noise = weigh([fitted("strength", own=lapses(9.0, 1.0)), HOMOGENEOUS], "respondent")
    assert noise.sentences[:2] == (
        "Homogeneous: no sign that respondents differ.",
        "Noise: random labels explain what looks as if strength differs (strength against "
        "homogeneous: log Bayes factor +9.0, +1.0 with random labels allowed for; respondents "
        "left out +0.0 +- 0.0).",
    )
    split = fitted("strength", evidence=-102.0, left_out=spread(25.0))
    assert weigh([split, HOMOGENEOUS], "respondent").sentences[:2] == (
        "Cannot be told: the evidence is too weak, or it disagrees.",
        "These data cannot tell whether strength differs between respondents (strength against "
        "homogeneous: log Bayes factor -2.0; respondents left out +25.0 +- 10.0). The evidence "
        "disagrees.",
    )


def test_words_where_either_would_do():
    strength = fitted("strength", own=lapses(9.0, 8.0))
    found = weigh([TASTE, strength, HOMOGENEOUS], "respondent").sentences
    assert found == (
        "Cannot be told: respondents differ, but these data do not say whether in strength or "
        "taste.",
        "Strength differs between respondents (strength against homogeneous: log Bayes factor "
        "+9.0, +8.0 with random labels allowed for; respondents left out +0.0 +- 0.0). This "
        "rests on the log Bayes factor.",
        "Tastes differ between respondents (taste against homogeneous: log Bayes factor +9.0; "
        "respondents left out +0.0 +- 0.0). This rests on the log Bayes factor.",
    )


def test_without_respondents():
    found = weigh([fitted("strength", evidence=-90.0), HOMOGENEOUS], "comparison")
    assert (found.heterogeneity, found.sentences) == (
        "unknown",
        (
            "Without respondents the spread of strength is a tail shape of the link and not a "
            "measure of people; no verdict on heterogeneity is given.",
        ),
    )
