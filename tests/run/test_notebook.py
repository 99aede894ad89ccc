"""What notebooks show: figures, and names that stay text."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mixlogit as ml
from mixlogit.align.aligned import Aligned
from mixlogit.align.evaluate import Evaluation
from mixlogit.run.notebook import html_table

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"
FAST: dict[str, Any] = {"inference": "laplace", "draws": 200, "evidence": False}


def tags(text: str) -> set[str]:
    """The tags of a page."""
    found: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: found.add(tag)  # type: ignore[method-assign]  # a class would be longer
    parser.feed(text)
    return found


@pytest.fixture(scope="module")
def votes() -> ml.Comparisons:
    """Votes whose groups and columns are hostile."""
    made = ml.simulate(300, 20, groups=2, seed=1).frame.rename(columns={"group": HOSTILE})
    made[HOSTILE] = made[HOSTILE].astype(str) + HOSTILE
    return ml.Comparisons.from_pandas(made, groups=[HOSTILE])


def test_numbers_and_names() -> None:
    assert html_table("t", ["<a>"], [["<b>", 1234, 0.123456]], ["<c>"]) == (
        "<div><p><b>t</b></p><table><tr><th>&lt;a&gt;</th></tr>"
        "<tr><td>&lt;b&gt;</td><td>1,234</td><td>0.1235</td></tr></table><p>&lt;c&gt;</p></div>"
    )
    assert html_table("t", ["a"], []) == "<div><p><b>t</b></p></div>"


def test_results_are_shown_and_stay_text(votes: ml.Comparisons) -> None:
    posterior = ml.fit(votes, "fixed", **FAST)
    compared = ml.compare({HOSTILE: posterior, "b": ml.fit(votes, "gamma", **FAST)})
    aligned = Aligned(Path(HOSTILE), posterior, {"steps": 3})
    figures = {"accuracy": {HOSTILE: {"estimate": 0.5, "q05": 0.4, "q95": 0.6}}}
    for shown, words in (
        (votes, "<td>&lt;/td&gt;&lt;script"),
        (posterior, "One strength for all was assumed, not examined."),
        (compared, "Leave one respondent out"),
        (aligned, "Aligned in 3 steps"),
        (Evaluation(figures, pd.DataFrame()), "<td>0.4</td>"),
    ):
        text = shown._repr_html_()
        assert words in text
        assert tags(text) <= {"div", "p", "b", "table", "tr", "th", "td"}
    assert repr(compared).splitlines()[0] == "Leave one respondent out"
    assert repr(compared).endswith("\n".join(compared.verdict.sentences))


def test_choice_sets_are_shown() -> None:
    frame = pd.DataFrame({"id": [0, 0], "option": ["a", "b"], "took": [1, 0], "x": [0.1, 0.2]})
    columns = {"choice_id": "id", "alternative": "option", "chosen": "took", "features": ["x"]}
    sets = ml.ChoiceSets.from_pandas(frame, **columns)
    assert sets._repr_html_() == f"<div><p><b>{sets!r}</b></p></div>"
