"""Reports of runs that are no plain fit of margins: random tastes, choice sets, modelled ties."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from judges import choice_sets, generator

import mixlogit as ml
from mixlogit.analysis.material import read_material
from mixlogit.analysis.page import render_report
from mixlogit.analysis.report_sections import strength
from mixlogit.analysis.report_tastes import examined, tastes
from mixlogit.cli import main

MEAN = [1.0, -0.6]
FAST: dict[str, Any] = {"inference": "laplace", "draws": 200, "evidence": False}


@pytest.fixture(scope="module")
def sets() -> ml.ChoiceSets:
    """Choices of 30 respondents who differ in two tastes."""
    rng = generator("report")
    return choice_sets(rng.standard_normal((30, 2)) + MEAN, rng, per=6)


def test_random_tastes(sets: ml.ChoiceSets, tmp_path: Path) -> None:
    random = ml.RandomTastes("x0:normal", draws=32)
    posterior = ml.fit(sets, "lognormal", random=random, **FAST)
    posterior.save(tmp_path / "run")
    for run in (posterior, tmp_path / "run"):
        section = tastes(read_material(run))
        assert section.text == [
            "Strength may differ between respondents here (lognormal).",
            "Tastes may differ in x0 (normal).",
        ]
        population, people, measures = section.tables
        assert [row[0] for row in measures.rows][:3] == [
            "relative disagreement over the comparisons",
            "share of disagreement that is taste",
            "share that prefers what most do not",
        ]
        named = posterior.summary()
        assert [row[0] for row in population.rows] == ["mean of x0", "sd of x0", "mean of x1"]
        assert float(population.rows[1][1]) == pytest.approx(named.loc["sd[x0]", "mean"], 0.01)
        median = posterior.tastes()["mean[x0]"].median()
        assert [row[0] for row in people.rows] == ["x0"]  # x1 is the same for all
        assert float(people.rows[0][2]) == pytest.approx(median, abs=0.005)
        text = render_report(read_material(run))
        assert "coefficient of variation" in text
        assert "sd[x0]" not in text


def test_choice_sets_of_one_taste(sets: ml.ChoiceSets) -> None:
    material = read_material(ml.fit(sets, "fixed", **FAST))
    assert tastes(material).text[:2] == [
        "One strength for all was assumed.",
        "Taste was not examined; --tastes 2,3 says whether disagreement is about direction.",
    ]
    assert "<td>180</td>" in render_report(material)


def test_latent_tastes_of_choice_sets(sets: ml.ChoiceSets) -> None:
    material = read_material(ml.fit(sets, "fixed", tastes=2, **FAST))
    section = tastes(material)
    assert section.text[1] == "Tastes may differ between 2 classes of respondents."
    assert [row[0] for row in section.tables[0].rows] == ["class 1", "class 2"]
    assert len(section.pictures) == 2
    assert 'id="tastes"' in render_report(material)


@pytest.mark.parametrize("panel", [True, False])
def test_modelled_ties(panel: bool) -> None:
    data = ml.simulate(300, 20, "fixed", ties=0.2, seed=1).comparisons()
    text = render_report(
        read_material(ml.fit(data, "fixed", panel=panel, ties="davidson", **FAST))
    )
    assert "odds of a tie (nu)" in text
    assert "count as half a vote" not in text


def test_what_margins_and_residuals_say_of_taste() -> None:
    check = {"name": "taste in residuals", "ok": False, "value": 1e-4}
    summary = {"panel": True, "family": "gamma", "n": {}, "checks": [check]}
    assert examined(summary) == [
        "Strength may differ between respondents here (gamma).",
        "Taste was not examined: margins are given, and fix one direction for everybody. Items or "
        "features in their place, with --tastes 2,3, would tell.",
        "The residuals of respondents point to shared taste beyond this fit (p = 1e-4).",
    ]
    assert examined({**summary, "panel": False}) == [
        "Neither was examined: without respondents nothing tells who disagrees with whom."
    ]


def test_a_maximum_has_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    votes, run = tmp_path / "votes.csv", tmp_path / "run"
    ml.simulate(300, 20, seed=1).write(votes)
    line = ["fit", str(votes), "--inference", "maximum", "--family", "fixed", "--quiet"]
    assert main([*line, "--output", str(run)]) == 0
    assert main(["report", str(run)]) == 2
    assert capsys.readouterr().err == (
        f"{run} holds a maximum of the likelihood and no posterior, which a report is about. Its "
        "estimates are in summary.txt; fit without --inference maximum.\n"
    )


def test_numbered_parameters_that_are_no_coefficients() -> None:
    values = {"mean": 0.5, "sd": 0.1, "q05": 0.3, "q95": 0.7}
    names = ("mean[x]", "log_sd[x]", "effect[age,x]", "cv", "class_share[2]", "threshold[1]")
    run: Any = SimpleNamespace(
        summary={"random": {"x": "lognormal"}, "parameters": dict.fromkeys(names, values)}
    )
    section = strength(run)
    assert section is not None
    words = ["coefficient of variation", "class_share[2]", "threshold[1]"]
    assert [row[0] for row in section.tables[0].rows] == words
