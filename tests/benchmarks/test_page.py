"""docs/benchmarks.md is what the kept results say, and says what cannot be compared."""

import json

import pytest
from tree import ROOT

RUN = {"mu": -0.25, "log_sd": 0.8, "se": 0.01, "note": "exact integral", "memory_mb": 30.0}


@pytest.fixture(scope="module")
def page(benchmark_module):
    return benchmark_module("page")


def entry(label, *seconds, **found):
    runs = [{**RUN, **found, "seconds": one, "versions": {label: "1.0"}} for one in seconds]
    return {"label": label, "ours": label == "mixlogit", "task": "maximum-small", "runs": runs}


def kept(found):
    return {"date": "2026-01-02", "machine": "a machine", "found": found}


def row(text, label):
    return next(line for line in text.splitlines() if line.startswith(f"| {label} |"))


def test_a_ratio_is_given_where_the_answers_agree(page):
    entries = [
        entry("mixlogit", 0.5, 0.4, 0.6),
        entry("slow", 20.0),
        entry("off", 9.0, log_sd=0.7),
    ]
    text = page.make_page({"maximum-small": kept(entries)}, {})
    assert row(text, "mixlogit") == (
        "| mixlogit | 0.5 (0.4 to 0.6) | 30 | -0.2500 | 0.8000 (0.0100) | exact integral | 1 |"
    )
    assert row(text, "slow").endswith("| **40 (33.3 to 50)** |")
    assert row(text, "off").endswith("| sd of log strength off by 10.0 standard errors |")
    assert "mixlogit 1.0, off 1.0, slow 1.0. a machine. Measured 2026-01-02." in text


def test_a_stopped_program_has_no_figures(page):
    stopped = {"label": "slow", "ours": False, "task": "maximum-small"}
    entries = [entry("mixlogit", 0.5), stopped | {"runs": [{"stopped": "stopped at 900 CPU s"}]}]
    text = page.make_page({"maximum-small": kept(entries)}, {})
    assert row(text, "slow") == "| slow | stopped at 900 CPU s | - | - | - | - | - |"


def test_growth_has_exponents(page):
    line = {"what": "fit", "over": "votes", "sizes": [10, 1000], "seconds": [0.1, 10.0]}
    found = {"votes": line | {"memory_mb": [5.0, 5.0]}}
    text = page.make_page({}, {"found": found, "date": "2026-01-02", "machine": "a machine"})
    assert row(text, "fit").endswith("| 10 1,000 | 0.1 10 | 5 5 | **1.00** | 0.00 |")


def test_page_is_of_the_kept_results(page):
    results = ROOT / "benchmarks" / "results"
    peers, growth = (json.loads((results / f"{n}.json").read_text()) for n in ("peers", "growth"))
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == page.make_page(
        peers, growth
    )
