"""The documentation runs: Python blocks as doctests, `mixlogit` lines through the command line."""

import doctest
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from tree import ROOT

import mixlogit as ml
from mixlogit.choice import FAMILIES
from mixlogit.cli import main

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# what is simulated is made smaller and what is fitted is fitted faster than the page says
SMALLER = {"--comparisons": 2000, "--respondents": 200, "--folds": 2, "--max-steps": 3}
FASTER = {
    "fit": ["--no-evidence", "--no-report", "--posterior-draws", "400"],
    "align": ["--no-report"],
    "evaluate": ["--replicates", "20"],
}
SHOWN = {"text", "python", ""}


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each fenced block."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield found[1], found[2]


def commands(page: Path) -> list[list[str]]:
    """Command lines of the blocks that start with `mixlogit`, as argument lists."""
    lines = [
        line
        for language, block in blocks(page)
        if language == "" and block.startswith("mixlogit ")
        for line in block.splitlines()
    ]
    return [shlex.split(line)[1:] for line in lines]


def quick(arguments: list[str]) -> list[str]:
    """The same command on less data."""
    pairs = zip(["", *arguments], arguments, strict=False)
    smaller = [
        str(min(int(argument), SMALLER[before])) if before in SMALLER else argument
        for before, argument in pairs
    ]
    plain = arguments[0] == "fit" and "--inference" not in arguments
    return smaller + FASTER.get(arguments[0], []) + ["--inference", "laplace"] * plain


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_python_blocks_run(page: Path) -> None:
    with patch.dict(FAMILIES):  # a page may add one
        assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Path) -> None:
    for language, block in blocks(page):
        assert language in SHOWN, language
        assert (">>>" in block) == (language == "python")
        if language == "python":
            assert block.endswith("\n\n"), "a blank line ends the last example"


def shown_files(page: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each file that a page shows, its name a comment in its first line."""
    for language, block in blocks(page):
        name = re.match(r"# ([\w-]+\.yaml)\n", block)
        if language == "text" and name is not None:
            yield name[1], block


def write_study(path: Path) -> None:
    """Votes with column names and words of their own (howto-votes.md)."""
    frame = ml.simulate(600, 40, cv=0.8, items=6, groups=2, ties=0.1, seed=7).frame
    frame["outcome"] = frame["outcome"].astype(str).map({"a": "left", "b": "right", "tie": "draw"})
    names = ["left", "right", "winner", "worker", "country"]
    frame.set_axis(names, axis=1).to_csv(path, index=False)


def write_votes(joined: pa.Table, folder: Path) -> None:
    """The same votes as two files of texts (howto-align.md)."""
    frame = joined.to_pandas()
    frame["topic"] = ["for", "against"] * (len(frame) // 2)
    frame = frame[["prompt", "chosen", "rejected", "worker", "topic"]]
    for name, votes in (("votes.jsonl", frame[:40]), ("new-votes.jsonl", frame[40:])):
        votes.to_json(folder / name, orient="records", lines=True)


@pytest.fixture
def files(shared_data: Path, tmp_path: Path) -> None:
    """What the pages' commands read: votes with texts, a policy and a reference, a study."""
    write_study(tmp_path / "study.csv")
    votes = pd.read_csv(shared_data / "ukpconvarg1" / "votes.csv.gz", nrows=60)
    joined = ml.join_texts(
        votes.assign(prompt=votes["topic"]),
        shared_data / "ukpconvarg1" / "arguments.csv.gz",
        item_a="arg1",
        item_b="arg2",
        outcome="value",
        labels="a=a1,b=a2,tie=equal",
        key="arg_id",
    )
    pq.write_table(joined, tmp_path / "debates.parquet")
    write_votes(joined, tmp_path)
    (tmp_path / "reference").symlink_to(shared_data / "tiny-lm" / "hf")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "reference")
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.99)
    model.save_pretrained(tmp_path / "policy")
    AutoTokenizer.from_pretrained(tmp_path / "reference").save_pretrained(tmp_path / "policy")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIXLOGIT_CACHE", str(tmp_path / "cache"))
    for name, text in shown_files(page):
        (tmp_path / name).write_text(text, encoding="utf-8")
    for arguments in commands(page):
        assert main([*quick(arguments), "--quiet"]) in (0, 4), arguments


def test_there_are_commands_to_run() -> None:
    assert len(commands(PAGES[0])) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_section_is_still_to_be_written(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^(?:- .*: )?[A-Z]{4,}$", text, re.MULTILINE) == []


def test_names_in_the_paper_index_exist() -> None:
    text = (ROOT / "docs" / "paper_index.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"`(mixlogit\.[\w.]+)`", text)):
        parts = name.split(".")
        tail, module = [], ""
        for count in range(len(parts), 0, -1):
            module, tail = ".".join(parts[:count]), parts[count:]
            try:
                found = import_module(module)
                break
            except ModuleNotFoundError:
                continue
        for part in tail:
            found = getattr(found, part)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    names = {re.match(r"[a-z0-9-]+", line.lower())[0] for line in lines}
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    rows = re.findall(r"^\| ([a-z0-9, -]+) \|", readme, re.MULTILINE)
    told = {name.strip() for row in rows for name in row.split(",")} - {"package", "---"}
    assert told == names


def test_every_family_has_its_row() -> None:
    import mixlogit as ml

    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Strength families")[2]
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` ", readme, re.MULTILINE)
    assert dict(rows) == {name: family.__name__ for name, family in ml.families().items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_exist(page: Path) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8")):
        assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_every_promise_names_its_tests() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promise |")]
    assert len(promises) > 20
    assert [row for row in promises if "`tests/" not in row] == []
