"""Write the list in docs/errors.md: every error and warning, read from the source.

python tests/error_index.py
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tree import ROOT, functions, modules, parse

__all__ = ["PAGE", "messages", "page"]

PAGE = ROOT / "docs" / "errors.md"
MARK = "<!-- from here on written by tests/error_index.py -->\n"
# what makes a message: its name in the source -> the kind shown, and where the text stands
MAKERS = {
    "UsageError": ("usage", 0),
    "DataError": ("data", 0),
    "StorageError": ("storage", 0),
    "Interrupted": ("interrupted", 0),
    "warnings.warn": ("warning", 0),
    "Finding": ("finding", 2),
}
PARTS = {
    "data": "Reading data: files, columns, rows; `check`, and whatever else takes DATA.",
    "choice": "Strength families and likelihoods, mostly for who calls them from Python.",
    "models": "Fitting, comparing, planning: `fit`, `compare`, `power`, and opening a run.",
    "lm": "Texts, tokenizers, language models: `margins`, and the beginning of `align`.",
    "align": "Training and evaluation of policies: `align` and `evaluate`.",
    "analysis": "Pictures, measures and the report, from a saved run.",
    "run": "Run folders, locks, disks and configuration files: every command with `--output`.",
    "cli": "Options that exclude or need each other.",
}


def messages(file: Path) -> Iterator[tuple[str, str]]:
    """Kind and pattern of each message that a file makes; `…` stands for what is filled in."""
    tree = parse(file)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if ast.unparse(call.func) in MAKERS]
    inside = {node: at for at in functions(tree) if made for node in ast.walk(at)}
    for call in made:
        kind, place = MAKERS[ast.unparse(call.func)]
        if len(call.args) > place:
            for found in patterns(call.args[place], inside.get(call, tree), tree):
                yield kind, re.sub("…(?:…| …)*", "…", found)


def patterns(node: ast.expr, scope: ast.AST, tree: ast.Module) -> list[str]:
    """What an expression can say: one pattern for each value of the names in it."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            parts = [v.value if isinstance(v, ast.Constant) else "…" for v in values]
            return ["".join(parts)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            ends = patterns(right, scope, tree) or ["…"]
            return [a + b for a in patterns(left, scope, tree) or ["…"] for b in ends]
        case ast.IfExp(body=body, orelse=orelse):
            return patterns(body, scope, tree) + patterns(orelse, scope, tree)
        case ast.Name(id=name):
            places = [at for where in (scope, tree) for at in ast.walk(where)]
            values = dict.fromkeys(at.value for at in places if assigns(at, name))
            return [text for value in values for text in patterns(value, scope, tree)]
        case ast.Call(func=ast.Name(id=name)):
            called = [at for at in functions(tree) if at.name == name]
            out = [at for f in called for at in ast.walk(f) if isinstance(at, ast.Return)]
            return [text for at in out if at.value for text in patterns(at.value, called[0], tree)]
    return []


def assigns(node: ast.AST, name: str) -> bool:
    """Whether a statement gives a name its value."""
    if isinstance(node, ast.Assign):
        return any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
    return False


def page() -> str:
    """The page: what stands before the mark, and the list."""
    out = [PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK]
    for part, about in PARTS.items():
        out.append(f"## `mixlogit.{part}`\n\n{about}\n")
        for name, file in modules().items():
            found = [m for m in dict.fromkeys(messages(file)) if m[1].strip(" …:;.")]
            if found and name.startswith(f"mixlogit.{part}."):
                lines = [f"- {kind}: {quoted(text)}\n" for kind, text in found]
                doc = (ast.get_docstring(parse(file)) or "").partition("\n")[0]
                out.append(f"*{doc.rstrip('.')}*\n\n{''.join(lines)}")
    return "\n".join(out)


def quoted(text: str) -> str:
    """A message as code in Markdown."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
