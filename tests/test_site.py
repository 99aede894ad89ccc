"""The site of the documentation: built without a warning, whole, and without the network."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile
from tree import ROOT

PACKAGES = ["", "choice", "data", "models", "analysis", "lm", "align", "run", "errors"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with every warning an error."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    folders = ["-d", str(target / "doctrees"), str(ROOT / "docs"), str(target / "html")]
    # a proxy that is not there: whatever asks the network fails
    environment = {**os.environ, "http_proxy": "127.0.0.1:9", "https_proxy": "127.0.0.1:9"}
    done = subprocess.run([*command, *folders], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target / "html"


def test_every_public_name_has_its_place(site: Path) -> None:
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    documented = {name for kind, found in inventory.items() if kind[:2] == "py" for name in found}
    lacking = []
    for package in PACKAGES:
        name = f"mixlogit.{package}" if package else "mixlogit"
        for public in import_module(name).__all__:
            if documented.isdisjoint({f"{name}.{public}", f"mixlogit.{public}"}):
                lacking.append(f"{name}.{public}")
    assert lacking == ["mixlogit.__version__"]


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    made = {page.stem for page in site.glob("*.html")}
    assert made - {"genindex", "py-modindex", "search"} == pages


def test_pages_fetch_nothing(site: Path) -> None:
    fetched = re.compile(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?:https?:)?//[^"]*"')
    for page in site.rglob("*.html"):
        assert fetched.findall(page.read_text(encoding="utf-8")) == [], page.name


def test_equations_are_set_without_a_script(site: Path) -> None:
    page = (site / "api" / "choice.html").read_text(encoding="utf-8")
    assert page.count("<math ") >= 3
    assert "MathJax" not in page
