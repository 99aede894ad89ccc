import pytest

from mixlogit.models.evidence import Evidence
from mixlogit.models.verdict import Check, give_verdict

TASTE = "Taste was not examined: these models cannot tell whether people disagree about direction."


def evidence(plain, lapsed, noise=0.0):
    return Evidence(
        log_bayes_factor=plain,
        log_bayes_factor_lapse=lapsed,
        log_bayes_factor_noise=noise,
        likelihood_ratio=None,
        p_value=None,
        likelihood_ratio_lapse=None,
        p_value_lapse=None,
        log_sd_lapse=0.07,
        lapse=0.1,
        probabilities={},
        respondents=60,
        by="importance",
    )


@pytest.mark.parametrize(
    ("figures", "kind", "sentence"),
    [
        (
            (12.0, 5.0),
            "strength",
            "Strength differs between respondents (log Bayes factor +12.0, +5.0 with random "
            "labels allowed for).",
        ),
        (
            (12.0, 1.0),
            "homogeneous",
            "Noise, not strength: a share of 10% random labels explains what looks like differing "
            "strength (log Bayes factor +12.0, +1.0 with random labels allowed for); with it the "
            "spread falls to 0.07.",
        ),
        (
            (2.0, -1.0, 5.0),
            "homogeneous",
            "Noise, not strength: a share of 10% random labels explains what looks like differing "
            "strength (log Bayes factor +2.0, -1.0 with random labels allowed for); with it the "
            "spread falls to 0.07.",
        ),
        (
            (-1.5, -0.5),
            "homogeneous",
            "No sign that strength differs between respondents (log Bayes factor -1.5, -0.5 with "
            "random labels allowed for).",
        ),
        (
            (1.0, 0.5),
            "unknown",
            "These data cannot tell whether strength differs between respondents "
            "(log Bayes factor +1.0, +0.5 with random labels allowed for); "
            "more votes for each respondent would.",
        ),
        (
            (2.9, 9.0),
            "unknown",
            "These data cannot tell whether strength differs between respondents "
            "(log Bayes factor +2.9, +9.0 with random labels allowed for); "
            "more votes for each respondent would.",
        ),
    ],
)
def test_rules(figures, kind, sentence):
    verdict = give_verdict(evidence(*figures), panel=True, family="lognormal")
    assert verdict.heterogeneity == kind
    assert verdict.sentences == (sentence, TASTE)


def test_items_and_features_can_be_asked_for_tastes():
    verdict = give_verdict(None, panel=True, family="fixed", utilities=True)
    assert verdict.sentences[1] == (
        "Taste was not examined; run with --tastes 2,3 to see whether disagreement is about "
        "direction."
    )


def test_without_a_panel():
    verdict = give_verdict(None, panel=False, family="lognormal")
    assert verdict.heterogeneity == "unknown"
    assert verdict.sentences == (
        "Without respondents the spread of strength is a tail shape of the link and not a measure "
        "of people; no verdict on heterogeneity is given.",
        "Name the column of respondents with --respondent to measure how judges differ.",
    )


def test_fixed_and_not_weighed():
    fixed = give_verdict(None, panel=True, family="fixed")
    assert fixed.sentences == ("One strength for all was assumed, not examined.", TASTE)
    skipped = give_verdict(None, panel=True, family="gamma")
    assert skipped.sentences == (
        "Whether strength differs was not weighed; leave --evidence on to find out.",
        TASTE,
    )
    assert {fixed.heterogeneity, skipped.heterogeneity} == {"unknown"}


def test_to_dict():
    check = Check("Pareto k", 0.3, 0.7, True, "-")
    assert check.to_dict()["value"] == 0.3
    assert give_verdict(None, panel=False, family="x").to_dict()["heterogeneity"] == "unknown"
