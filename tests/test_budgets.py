"""Modules stay under 400 lines and functions under 60; the library does not print."""

import ast
from pathlib import Path

import pytest
from tree import ROOT, functions, parse, python_files

MODULE_LINES = 400
FUNCTION_LINES = 60
FOLDERS = ("mixlogit", "models", "analysis", "tests", "benchmarks", "examples")
FILES = [*python_files(*FOLDERS), ROOT / "dev.py"]


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", FILES, ids=name)
def test_module_and_function_budget(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES
    lengths = {node.name: node.end_lineno - node.lineno + 1 for node in functions(parse(file))}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}


@pytest.mark.parametrize("file", python_files("mixlogit", "models", "analysis"), ids=name)
def test_library_does_not_print(file: Path) -> None:
    calls = [node for node in ast.walk(parse(file)) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if ast.unparse(call.func) == "print"] == []
