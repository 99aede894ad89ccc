import json

import pytest

import mixlogit as ml

VOTES = ["--test-fraction", "0.2", "--posterior-draws", "400", "--no-report"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of the same votes, and the votes."""
    from mixlogit.cli import main

    folder = tmp_path_factory.mktemp("compare")
    data = folder / "votes.parquet"
    ml.simulate(1000, 40, "lognormal", cv=1.2, seed=3).write(data)
    for family in ("fixed", "lognormal"):
        command = ["fit", data, "--family", family, "--output", folder / family, *VOTES]
        assert main([*map(str, command), "--quiet"]) in (0, 4)
    return folder / "fixed", folder / "lognormal", data


def test_prints_table_and_verdict(runs, say):
    fixed, mixed, _ = runs
    code, out, _ = say("compare", fixed, mixed)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == [
        *["Leave", "one", "respondent", "out", "differ", "in", "elpd", "se"],
        *["difference", "se", "weight"],
    ]
    assert lines[1].split()[:2] == [str(mixed), "strength"]
    assert lines[2].split()[:2] == [str(fixed), "nothing"]
    assert lines[4] == "Strength: respondents differ in how strongly they prefer what all prefer."


def test_folds_read_the_votes_again(runs, say, tmp_path):
    fixed, mixed, _ = runs
    code, out, _ = say(
        "compare", fixed, mixed, "--folds", 2, "--json", "--output", tmp_path / "both"
    )
    assert code == 0
    result = json.loads(out)
    assert [row["run"] for row in result["models"]] == [str(mixed), str(fixed)]
    assert result["folds"] == 2
    assert result["models"][1]["votes_difference"] < 0
    assert result["verdict"]["heterogeneity"] == "strength"
    assert json.loads((tmp_path / "both" / "comparison.json").read_text()) == result
    assert "2 folds" in (tmp_path / "both" / "comparison.txt").read_text()
    page = (tmp_path / "both" / "report.html").read_text()
    assert "<title>both: comparison of fits</title>" in page
    assert "Strength: respondents differ in how strongly they prefer what all prefer." in page
    assert "Held-out votes of known respondents, 2 folds" in page
    assert (
        'aria-label="Elpd of 2 fits of these votes against the best, nats: lognormal 0.0' in page
    )
    code, out, _ = say("report", tmp_path / "both", "--json")
    assert (code, json.loads(out)["run"]) == (0, str(tmp_path / "both"))
    code, _, err = say("report", tmp_path / "both", "--show-text")
    assert (code, err.strip()) == (
        2,
        f"{tmp_path / 'both'} is a comparison, which has no texts; report one of its runs.",
    )


def test_votes_that_have_changed(runs, say, tmp_path):
    fixed, mixed, data = runs
    kept = data.read_bytes()
    ml.simulate(900, 40, seed=4).write(data)
    code, _, err = say("compare", fixed, mixed, "--folds", 2)
    data.write_bytes(kept)
    assert code == 2
    assert err.strip() == (f"{data} is not what the runs were fitted to (its checksum differs).")


def test_a_run_saved_from_python(runs, say, tmp_path):
    data = ml.load(runs[2])
    ml.fit(data, "fixed", draws=400).save(tmp_path / "x")
    code, _, err = say("compare", tmp_path / "x", runs[0], "--folds", 2)
    assert code == 2
    assert err.strip() == (
        f"{tmp_path / 'x'} was saved from Python and does not say where its data are: compare in "
        "Python, with data=."
    )


def test_one_run_is_too_few(runs, say):
    code, _, err = say("compare", runs[0])
    assert (code, err.strip()) == (2, "Expected at least two runs to compare but got 1.")


def test_a_grid_of_fits(runs, say, tmp_path):
    grid = tmp_path / "grid"
    options = ["--no-evidence", "--posterior-draws", "400", "--output", grid]
    code, out, _ = say("fit", runs[2], "--strength", "fixed, gamma", "--json", *options)
    assert code in (0, 4)
    result = json.loads(out)
    assert result["run"] == str(grid)
    assert {row["run"] for row in result["models"]} == {str(grid / "fixed"), str(grid / "gamma")}
    assert result["verdict"]["heterogeneity"] == "strength"
    assert json.loads((grid / "comparison.json").read_text()) == result
    assert "Strength: respondents differ" in (grid / "comparison.txt").read_text()
    page = (grid / "gamma" / "report.html").read_text()
    assert "Elpd of 2 fits of these votes against the best, nats: gamma 0.0" in page
    assert "comparison of fits</title>" in (grid / "report.html").read_text()
    config = grid / "gamma" / "config.yaml"
    again = ["--config", config, "--overwrite", "--quiet", "--no-report"]
    code, _, _ = say("fit", runs[2], *again)
    assert code in (0, 4)
    assert ml.open_run(grid / "gamma").family == "gamma"


def test_a_grid_of_one_or_with_a_family_twice(runs, say):
    code, _, err = say("fit", runs[2], "--strength", "gamma")
    assert (code, err.strip()) == (
        2,
        "--strength compares several families; for one use --family gamma.",
    )
    code, _, err = say("fit", runs[2], "--strength", "gamma,gamma")
    assert (code, err.strip()) == (
        2,
        "Expected different strength families but got gamma, gamma.",
    )


def test_a_grid_over_tastes_too(say, tmp_path):
    data = tmp_path / "votes.parquet"
    ml.simulate(800, 40, "fixed", tastes=2, items=4, seed=1).write(data)
    options = ["--no-evidence", "--inference", "laplace", "--posterior-draws", "400", "--json"]
    options += ["--no-report"]
    code, out, _ = say("fit", data, "--tastes", "1,2", "--output", tmp_path / "grid", *options)
    result = json.loads(out)
    assert code in (0, 4)
    assert [row["kind"] for row in result["models"]] == ["taste", "homogeneous"]
    assert result["models"][0]["run"] == str(tmp_path / "grid" / "2-tastes-fixed")
    assert result["verdict"]["heterogeneity"] == "taste"
    code, _, err = say("fit", data, "--tastes", "two")
    assert (code, err.strip()) == (
        2,
        '--tastes must be whole numbers such as 1,2,3, not "two".',
    )
