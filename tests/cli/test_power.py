import json

import pytest


def test_probability(say, tmp_path):
    options = ["--cv", 1.0, "--studies", 4, "--json", "--output", tmp_path / "plan"]
    code, out, err = say("power", "--respondents", 60, "--votes", 20, *options)
    assert code == 0
    result = json.loads(out)
    assert (result["respondents"], result["votes"], result["probability"]) == (60, 20, 1.0)
    assert (
        'power    60 respondents x 20 votes, cv 1: probability of "strength differs" 1.00 +- 0.00 '
        "(4 studies)"
    ) in err
    assert json.loads((tmp_path / "plan" / "summary.json").read_text()) == result


def test_false_alarms_in_words(say):
    code, out, _ = say("power", "--respondents", 20, "--votes", 5, "--cv", 0, "--studies", 2)
    assert code == 0
    assert out == (
        'power    20 respondents x 5 votes, cv 0: probability of "a false alarm" 0.00 +- 0.00 '
        "(2 studies)\n"
    )


@pytest.mark.parametrize("more", [[], ["--respondents", 60, "--target", 0.8]])
def test_one_question_at_a_time(say, more):
    code, _, err = say("power", "--votes", 20, *more)
    assert (code, err.strip()) == (2, "Name one of --respondents and --target.")
