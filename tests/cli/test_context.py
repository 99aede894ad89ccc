import json

import numpy as np
import pytest

import mixlogit as ml


@pytest.fixture(scope="module")
def votes(tmp_path_factory):
    """Votes on comparisons of different length."""
    frame = ml.simulate(300, 20, seed=3).frame
    frame["length"] = np.random.default_rng(0).integers(10, 90, len(frame))
    file = tmp_path_factory.mktemp("context") / "votes.csv"
    frame.to_csv(file, index=False)
    return file


def test_a_formula_of_columns_of_the_data(votes, say, tmp_path):
    run = tmp_path / "run"
    options = ["--no-evidence", "--inference", "laplace", "--output", run]
    given = ["--context-formula", "~ length", "--test-fraction", 0.2]
    code, out, err = say("fit", votes, *given, *options, "--json")
    assert code in (0, 4)
    result = json.loads(out)
    assert "context[length]" in result["parameters"]
    assert result["groups"] == {}
    assert result["held_out"]["n"] == 60
    assert "context[length]" in err
    again = say("fit", votes, "--config", run / "config.yaml", "--overwrite", "--quiet")
    assert again[0] in (0, 4)
    saved = ml.open_run(run)
    assert np.isfinite(saved.summary().loc["context[length]", "mean"])


def test_columns_and_options_that_do_not_fit(votes, say):
    code, _, err = say("fit", votes, "--context-formula", "~ lenght")
    assert (code, err.strip()) == (
        3,
        f'{votes}: no column "lenght" for --context-formula. Did you mean "length"? Columns: '
        "margin, outcome, respondent, length.",
    )
    for option, value in (("--sbc", 20), ("--inference", "maximum")):
        said = "--sbc" if option == "--sbc" else "--inference maximum"
        code, _, err = say("fit", votes, "--context-formula", "~ length", option, value)
        assert (code, err.strip()) == (2, f"{said} cannot be joined with --context-formula.")
