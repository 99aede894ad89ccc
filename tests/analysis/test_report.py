"""The page of a report: sections by rule, escaped names, self-contained, small."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import mixlogit as ml
from mixlogit.analysis import report
from mixlogit.analysis.material import Material, read_material
from mixlogit.analysis.page import render_report
from mixlogit.analysis.report_comparison import comparison_sections
from mixlogit.analysis.report_sections import alerts, alignment, respondents, verdict
from mixlogit.cli import main
from mixlogit.errors import StorageError, UsageError

HOSTILE = "<img src=x onerror=alert(1)>\u202e$\\frac{"


class Page(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def hostile() -> ml.Posterior:
    """A fit whose respondents, groups and columns are hostile."""
    made = ml.simulate(900, 60, groups=2, cv=0.8, seed=1).frame
    made["respondent"] = made["respondent"].astype(str) + HOSTILE
    made["group"] = made["group"].astype(str) + HOSTILE
    data = ml.Comparisons.from_pandas(made.rename(columns={"group": HOSTILE}), groups=[HOSTILE])
    return ml.fit(data, by=[HOSTILE], evidence=False, draws=200, inference="laplace")


def test_the_page_of_a_saved_run(saved_run: Path, tmp_path: Path) -> None:
    written = report(saved_run, tmp_path / "page.html")
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert written.stat().st_size < 2_000_000
    keys = [each["id"] for each in page.all("section")]
    assert keys[:4] == ["verdict", "alerts", "data", "strength"]
    assert keys[-1] == "limits"
    assert [link["href"] for link in page.all("a")] == [f"#{key}" for key in keys]
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    pictures = page.all("svg")
    assert len(pictures) >= 6
    assert all(svg["role"] == "img" and len(str(svg["aria-label"])) > 20 for svg in pictures)


def test_nothing_is_fetched_and_nothing_runs(saved_run: Path, tmp_path: Path) -> None:
    text = report(saved_run, tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not [
        tag for tag, _ in page.tags if tag in ("script", "iframe", "object", "embed", "link")
    ]
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action"):
                assert str(value).startswith(("#", "data:")), (tag, value)
    assert not re.findall(r"url\((?!#|&quot;#|\"#)", text)
    assert "@import" not in text


def test_ids_are_unique(saved_run: Path, tmp_path: Path) -> None:
    text = report(saved_run, tmp_path / "page.html").read_text(encoding="utf-8")
    ids = [str(attributes["id"]) for _, attributes in Page(text).tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_names_stay_text(hostile: ml.Posterior, tmp_path: Path) -> None:
    text = report(hostile, tmp_path / "page.html").read_text(encoding="utf-8")
    assert not Page(text).all("img")
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<img" not in text


def test_failed_checks_come_first_and_say_what_to_do(saved_run: Path) -> None:
    material = read_material(saved_run)
    fine = Material("run", material.saved, {**material.summary, "checks": []})
    assert alerts(fine).text == ["Every check holds, and nothing in the data was odd."]
    failed = {"name": "Pareto k", "value": 0.91, "threshold": 0.7, "ok": False, "advice": "Do."}
    summary = {**material.summary, "checks": [failed]}
    card = {"warnings": [{"name": "x", "count": 1, "message": "3 rows are copies."}]}
    section = alerts(Material("run", material.saved, summary, card))
    assert section.alerts == ["Pareto k: 0.91 (limit 0.70). Do."]
    assert section.points == ["3 rows are copies."]
    assert section.text == []


def test_ties_that_are_modelled_are_no_alert(saved_run: Path) -> None:
    material = read_material(saved_run)
    card = {"warnings": [{"name": "ties", "count": 9, "message": "9 ties are kept."}]}
    summary = {**material.summary, "checks": []}
    assert alerts(Material("run", material.saved, summary, card)).points == ["9 ties are kept."]
    summary["parameters"] = {"tie_odds": {}}
    assert alerts(Material("run", material.saved, summary, card)).points == []


def test_the_verdict_is_three_sentences_with_a_figure_free_of_scale(saved_run: Path) -> None:
    said = verdict(read_material(saved_run)).text
    assert len(said) <= 3
    assert said[1].startswith("Relative disagreement at the median margin is 0.")


def test_nobody_is_named_where_individual_strengths_are_not_reliable(saved_run: Path) -> None:
    run = read_material(saved_run)

    def with_reliability(mean: float) -> Material:
        return replace(run, measures={**run.measures, "reliability": {"mean": mean}})

    named, unnamed = (respondents(with_reliability(mean)) for mean in (0.5, 0.4))
    assert named is not None
    assert named.text == []
    assert len(named.tables[0].rows) == 10
    assert unnamed is not None
    assert unnamed.tables == []
    assert unnamed.text == [
        "Nobody is named: the reliability of individual strengths is 0.40, and below 0.5 their "
        "order is mostly chance."
    ]
    assert len(unnamed.pictures) == len(named.pictures) == 1


def test_options_are_not_parted_at_the_end_of_a_line(hostile: ml.Posterior) -> None:
    run = read_material(hostile)
    check = {"name": "x", "value": 1.0, "threshold": 0.0, "ok": False}
    run.summary["checks"] = [{**check, "advice": "Use --inference nuts, not a--b <i>."}]
    text = render_report(run)
    assert 'Use <span class="option">--inference</span> nuts, not a--b &lt;i&gt;.' in text


def test_a_training_without_held_out_votes_speaks_of_none(saved_run: Path) -> None:
    run = read_material(saved_run)
    logs = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6}]
    for more, word in (({}, "Of training only"), ({"eval_log_score": -0.6}, "Where the held-out")):
        section = alignment(replace(run, training=[logs[0], {**logs[1], **more}]))
        assert section is not None
        assert section.pictures[0].caption.startswith(word)


def test_a_comparison_says_what_each_fit_lets_differ() -> None:
    figures = {"elpd": -9.0, "se": 1.0, "difference": 0.0, "difference_se": 0.0, "weight": 0.5}
    models = [
        {"run": name, "kind": kind, "high_k": [], **figures}
        for name, kind in (("a", "taste"), ("b", "homogeneous"))
    ]
    result = {"models": models, "verdict": {"sentences": ["So."]}, "by": "respondent", "folds": 0}
    (table,) = comparison_sections(result)[1].tables
    assert [row[:2] for row in table.rows] == [["a", "taste"], ["b", "nothing"]]


def test_without_respondents_no_people_are_shown(tmp_path: Path) -> None:
    made = ml.simulate(400, seed=2).frame.drop(columns="respondent", errors="ignore")
    posterior = ml.fit(ml.Comparisons.from_pandas(made), draws=200, inference="laplace")
    text = render_report(read_material(posterior))
    assert 'id="respondents"' not in text
    assert "Relative disagreement" not in text
    assert "nothing here measures people" in text


def test_the_command_writes_beside_the_run(
    saved_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(saved_run)]) == 0
    assert capsys.readouterr().out.startswith(f"Wrote {saved_run / 'report.html'} (")
    assert (saved_run / "report.html").is_file()


def test_the_command_overwrites_nothing_elsewhere(
    saved_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "mine.html"
    other.write_text("mine")
    assert main(["report", str(saved_run), "--output", str(other)]) == 5
    assert capsys.readouterr().err == (
        f"{other} exists. Choose another --output, or add --overwrite.\n"
    )
    assert other.read_text() == "mine"


def test_what_is_no_run(tmp_path: Path, hostile: ml.Posterior) -> None:
    with pytest.raises(StorageError, match=r"is not a run folder: manifest\.json is missing"):
        report(tmp_path)
    with pytest.raises(UsageError, match="A posterior in memory has no folder"):
        report(hostile)
