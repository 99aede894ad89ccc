"""`mixlogit fit --tastes`: latent classes of taste from the command line."""

import json

import pandas as pd
import pytest

TASTES = [
    *("--tastes", "2", "--inference", "laplace", "--posterior-draws", "400"),
    "--no-report",
]


@pytest.fixture(scope="module")
def votes(tmp_path_factory):
    """Two tastes among five items, with ties."""
    import mixlogit as ml

    path = tmp_path_factory.mktemp("tastes") / "votes.csv"
    ml.simulate(1200, 60, "fixed", tastes=2, items=5, ties=0.15, groups=2, seed=2).write(path)
    return path


@pytest.fixture
def fit(say, votes, tmp_path):
    """Run `mixlogit fit` on them; exit code, standard output, standard error and the folder."""

    def run(*options: str):
        folder = tmp_path / "run"
        return *say("fit", votes, *options, "--output", folder, "--overwrite"), folder

    return run


def test_what_is_printed_and_written(fit) -> None:
    code, out, _, folder = fit(*TASTES)
    assert code == 0
    assert "\nfit      2 tastes, panel, " in out
    assert "\n  share of class 1  " in out
    assert "\nUtilities                           class 1  class 2\n  i" in out
    assert "\nRespondents differ in taste (log Bayes factor +" in out
    table = pd.read_parquet(folder / "tastes.parquet")
    assert list(table.columns) == ["respondent", "n", "class_", "p[1]", "p[2]"]
    assert len(table) == 60
    assert (folder / "summary.txt").read_text(encoding="utf-8").count("class 2") == 2


def test_json_with_groups_strength_and_ties_held_out(fit) -> None:
    code, out, _, _ = fit(
        *TASTES, "--ties", "davidson", "--family", "lognormal", "--test-fraction", "0.2", "--json"
    )
    assert code in (0, 4)  # of so few votes a check of strength may fail
    result = json.loads(out)
    assert result["family"] == "lognormal"
    assert {"share[1]", "share[2]", "cv", "tie_odds"} <= set(result["parameters"])
    assert set(result["tastes"]["classes"]) == {"1", "2"}
    assert result["held_out"]["n"] == 240
    assert result["held_out"]["gain_millinats"] > 0
    assert result["elpd"]["per"] == "respondent"


def test_compared_with_one_taste(fit, say, votes, tmp_path) -> None:
    _, _, _, folder = fit(*TASTES, "--no-evidence")
    one = tmp_path / "one"
    quick = ["--family", "fixed", "--inference", "laplace", "--no-evidence", "--no-report"]
    say("fit", votes, *quick, "--output", one)
    code, out, _ = say("compare", folder, one, "--json")
    assert code == 0
    assert json.loads(out)["verdict"]["heterogeneity"] == "taste"


def test_groups_have_shares(fit) -> None:
    _, out, _, folder = fit(*TASTES, "--by", "group", "--no-evidence")
    assert "\nBy group " in out
    assert "\n  g1 (group): share of class 1 " in out
    assert "Whether tastes differ was not weighed; leave --evidence on to find out." in out
    assert list(pd.read_parquet(folder / "tastes.parquet").columns)[:2] == ["respondent", "group"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tastes", "9"], "Expected 1 to 6 tastes but got 9."),
        (
            [*TASTES, "--random", "x:normal"],
            "--tastes and --random are two models of taste. Name one of them.",
        ),
        (
            ["--tastes", "2", "--inference", "maximum"],
            "--inference maximum cannot be joined with --tastes.",
        ),
        ([*TASTES, "--contrarians"], "--tastes cannot be joined with --contrarians."),
    ],
)
def test_what_is_refused(fit, options, says) -> None:
    code, _, err, _ = fit(*options)
    assert code == 2
    assert says in err
