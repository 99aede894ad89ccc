"""Imports point one way, `import mixlogit` is light, and nothing dangerous is called."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import ROOT, imports, modules, parse, python_files

# package -> packages of ours that it may import; everyone may import itself and BOTTOM
BOTTOM = {"errors", "__version__"}
MAY_IMPORT = {
    "errors": set(),
    "run": set(),
    "choice": set(),
    "data": {"choice", "run"},
    "models": {"run", "choice", "data"},
    "lm": {"run", "choice", "data"},
    "align": {"run", "choice", "data", "lm", "models"},
    "analysis": {"run"},
    "cli": {"", "run", "choice", "data", "models", "analysis", "lm", "align"},
    "__main__": {"cli"},
}
HEAVY = {"arviz", "datasets", "matplotlib", "pandas", "pyro", "torch", "transformers"}
# third-party packages that only some packages may import, wherever in a file
ONLY = {
    "arviz": {"analysis"},
    "matplotlib": {"analysis"},
    "transformers": {"lm", "align"},
    "datasets": {"data"},
    "typer": {"cli"},
    "rich": {"cli"},
}
NEVER = {"analysis": {"torch", "pyro"}, "run": {"torch", "pyro"}, "data": {"pyro"}}
CLI_TOP = {
    "typer",
    "rich",
    "mixlogit.cli",
    "mixlogit.errors",
    "mixlogit.run",
    "mixlogit.__version__",
}
BANNED_MODULES = {"pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
BANNED_CALLS = {
    *("torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "torch.package"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"),
    *("pd.read_pickle", "pandas.read_pickle", "os.system", "os.popen"),
}
BANNED_METHODS = {"read_pickle", "to_pickle", "to_hdf", "read_hdf"}
STORES = ("param_store", "paramstore", "optim")  # Pyro's load and save are pickle
BANNED_NAMES = {"eval", "exec", "__import__"}
# tests too, but for those that make hostile files
HOSTILE = {"test_hostile_checkpoints.py"}
EVERYTHING = [ROOT / "dev.py", *python_files("mixlogit", "models", "analysis", "benchmarks")]
EVERYTHING += python_files("examples")
EVERYTHING += [file for file in python_files("tests") if file.name not in HOSTILE]
BANNED_KEYWORDS = {"allow_pickle", "trust_remote_code", "weights_only", "shell"}


def package(name: str) -> str:
    """The part of a dotted name below mixlogit: `mixlogit.data.load` -> data."""
    return name.split(".")[1] if "." in name else ""


def top_level(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Imports that run when the module is imported (not those under TYPE_CHECKING)."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield from imports(ast.Module([node], []))


def under(name: str, allowed: set[str]) -> bool:
    """Whether a dotted name is one of these names or lies below one."""
    return any(name == root or name.startswith(f"{root}.") for root in allowed)


def dotted(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""


def upward(name: str, tree: ast.Module) -> list[str]:
    """Imports of ours that point the wrong way."""
    own = package(name)
    allowed = BOTTOM | {own} | MAY_IMPORT.get(own, set())
    names = [(line, found) for line, found in imports(tree) if under(found, {"mixlogit"})]
    return [f"line {line}: {found}" for line, found in names if package(found) not in allowed]


def third_party(name: str, tree: ast.Module) -> list[str]:
    """Third-party packages that this package must not import."""
    own = package(name)
    found = []
    for line, imported in imports(tree):
        root = imported.split(".")[0]
        if own not in ONLY.get(root, {own}) or root in NEVER.get(own, set()):
            found.append(f"line {line}: {imported}")
    return found


def dangers(tree: ast.Module) -> list[str]:
    """Calls that can run code from a file or a string, and imports of pickle and its kin."""
    banned = BANNED_MODULES | BANNED_CALLS
    found = [f"line {line}: {name}" for line, name in imports(tree) if under(name, banned)]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = dotted(call.func)
        *owner, method = ast.unparse(call.func).split(".")
        store = any(word in ".".join(owner).lower() for word in STORES)
        banned_store = store and method in {"save", "load", "set_state"}
        if name in BANNED_CALLS | BANNED_NAMES or method in BANNED_METHODS or banned_store:
            found.append(f"line {call.lineno}: {ast.unparse(call.func)}")
        keywords = {word.arg for word in call.keywords} & BANNED_KEYWORDS
        found += [f"line {call.lineno}: {word}=" for word in sorted(keywords)]
    return found


@pytest.mark.parametrize("name", modules())
def test_imports_point_one_way(name: str) -> None:
    assert upward(name, parse(modules()[name])) == []


@pytest.mark.parametrize("name", modules())
def test_third_party_imports_stay_in_their_place(name: str) -> None:
    assert third_party(name, parse(modules()[name])) == []


@pytest.mark.parametrize("name", [name for name in modules() if package(name) == "cli"])
def test_commands_import_heavy_packages_inside_functions(name: str) -> None:
    allowed = CLI_TOP | set(sys.stdlib_module_names)
    found = {imported for _, imported in top_level(parse(modules()[name]))} - {"mixlogit"}
    assert [imported for imported in found if not under(imported, allowed)] == []


@pytest.mark.parametrize("file", EVERYTHING, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_nothing_dangerous_is_called(file: Path) -> None:
    assert dangers(parse(file)) == []


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from pickle import loads", "import dill", "import joblib.memory"),
        *("import marshal", "import shelve", "import cloudpickle", "from torch import load"),
        *("torch.load(f)", "torch.save(x, f)", "torch.jit.load(f)", "torch.hub.load(a, b)"),
        *("torch.load(f, weights_only=False)", "np.load(f, allow_pickle=True)"),
        *("numpy.load(f, allow_pickle=flag)", "pd.read_pickle(f)", "frame.to_pickle(f)"),
        *("pyro.get_param_store().load(f)", "pyro.get_param_store().save(f)"),
        *("ParamStoreDict().load(f)", "param_store.load(f)", "store.param_store.set_state(s)"),
        *("optimiser.load(f)", "pyro.optim.Adam({}).load(f)", "self.optim.save(f)"),
        *("eval(text)", "exec(text)", "__import__(name)", "os.system(line)", "os.popen(line)"),
        *("subprocess.run(line, shell=True)", "Popen(line, shell=flag)"),
        *("yaml.load(text, Loader)", "yaml.unsafe_load(t)", "yaml.full_load(t)"),
        *("yaml.load_all(t, L)", "from yaml import load", "from os import system"),
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)
def test_planted_dangers_are_found(code: str) -> None:
    assert dangers(ast.parse(f"def inner():\n    {code}")) != []


@pytest.mark.parametrize("code", ["yaml.safe_load(t)", "np.load(f)", "model.eval()", "ml.load(f)"])
def test_what_is_harmless_is_let_pass(code: str) -> None:
    assert dangers(ast.parse(code)) == []


@pytest.mark.parametrize("name", modules())
def test_modules_open_with_a_docstring_and_all(name: str) -> None:
    body = [
        node
        for node in parse(modules()[name]).body
        if not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert ast.get_docstring(parse(modules()[name]))
    names = [ast.unparse(node).split(" ")[0].rstrip(":") for node in body[1:]]
    assert "__all__" in names, "a module names what is public in __all__"


def test_every_package_has_its_place_in_the_table() -> None:
    assert {package(name) for name in modules()} - {""} == set(MAY_IMPORT)


def loaded_after(*arguments: str) -> set[str]:
    """Top-level modules in sys.modules after running Python with these arguments."""
    report = "import atexit, json, sys; atexit.register(lambda: sys.stderr.write("
    report += "json.dumps(sorted({name.split('.')[0] for name in sys.modules}))))\n"
    command = [sys.executable, "-c", report + arguments[0], *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.home())
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_import_mixlogit_is_light() -> None:
    assert loaded_after("import mixlogit") & (HEAVY | {"scipy", "typer", "rich"}) == set()


@pytest.mark.parametrize("command", [[], ["fit"], ["simulate"], ["align"], ["doctor"]])
def test_help_is_light(command: list[str]) -> None:
    code = "import sys; from mixlogit.cli import main; main(sys.argv[1:])"
    loaded = loaded_after(code, *command, "--help")
    assert "typer" in loaded
    assert loaded & (HEAVY | {"numpy", "scipy", "pyarrow"}) == set()


def test_set_up_names_no_package_index() -> None:
    for file in ("pyproject.toml", "constraints.txt", "dev.py", "Makefile", ".ci/run"):
        assert "://" not in (ROOT / file).read_text(encoding="utf-8"), file
