"""The source tree as the guards see it: which file is which module, what it imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["FOLDERS", "ROOT", "functions", "imports", "modules", "parse", "python_files"]

ROOT = Path(__file__).resolve().parents[1]
# installed package -> folder
FOLDERS = {"mixlogit": "mixlogit", "mixlogit.models": "models", "mixlogit.analysis": "analysis"}


def python_files(*folders: str) -> list[Path]:
    """Every Python file under the named top-level folders."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


@cache
def modules() -> dict[str, Path]:
    """Importable name -> file, over the three folders of the package."""
    found = {}
    for package, folder in FOLDERS.items():
        for file in python_files(folder):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *parts]).removesuffix(".__init__")
            found[name] = file
    return found


@cache
def parse(file: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import below a node; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function below a node, methods and inner functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
