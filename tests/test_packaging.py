"""The wheel holds `mixlogit/`, all of it, and nothing else."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib import import_module
from pathlib import Path

import pytest
from tree import FOLDERS, ROOT, modules

import mixlogit


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from a copy of the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in [*FOLDERS.values(), "tests"]:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignore)
    for file in ("pyproject.toml", "README.md", "LICENSE", "dev.py"):
        shutil.copy(ROOT / file, source / file)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "-w", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_wheel_holds_every_module_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    expected = {"mixlogit/py.typed"}
    for package, folder in FOLDERS.items():
        kinds = ("*.py", "*.j2", "*.css")
        for file in (file for kind in kinds for file in (ROOT / folder).rglob(kind)):
            expected.add(
                f"{package.replace('.', '/')}/{file.relative_to(ROOT / folder).as_posix()}"
            )
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == expected


def test_wheel_metadata(wheel: zipfile.ZipFile) -> None:
    name = f"mixlogit-{mixlogit.__version__}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{name}/METADATA").decode())
    assert metadata["Version"] == mixlogit.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "mixlogit = mixlogit.cli:main" in wheel.read(f"{name}/entry_points.txt").decode()
    assert wheel.read(f"{name}/top_level.txt").decode().split() == ["mixlogit"]


def test_packages_are_the_folders() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {name for name, file in modules().items() if file.name == "__init__.py"}
    assert set(settings["packages"]) == folders
    assert settings["package-dir"] == FOLDERS


def test_every_folder_with_code_is_a_package() -> None:
    for file in modules().values():
        assert (file.parent / "__init__.py").exists(), f"{file.parent} lacks __init__.py"


def test_constraints_cover_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {line.split(">")[0].strip().lower() for line in wanted}
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert names <= {pin.split("==")[0].lower() for pin in pins}
    assert not [pin for pin in pins if "+" in pin], "a local version binds one machine only"


def test_top_level_names_do_not_leak(tmp_path: Path) -> None:
    for name in ("models", "analysis", "tests"):
        code = (
            f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{name}') is not None)"
        )
        assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0, name


@pytest.mark.parametrize("name", modules())
def test_every_module_imports_and_keeps_its_promises(name: str) -> None:
    module = import_module(name)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []
