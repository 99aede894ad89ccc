"""mypy --strict over the package as it is installed: all three folders, every file."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tree import FOLDERS, ROOT, modules


def test_mypy_strict_checks_every_file(tmp_path: Path) -> None:
    # mypy cannot follow the mapping of folders to packages, and says "no issues" all the same
    # about the files that it never saw: so lay the tree out as installed, and count.
    for package, folder in FOLDERS.items():
        target = tmp_path / package.replace(".", "/")
        shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns("__pycache__"))
    config = ["--strict", "--config-file", str(ROOT / "pyproject.toml")]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache")]
    command = [sys.executable, "-m", "mypy", *config, *cache, "-p", "mixlogit"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    checked = re.search(r"no issues found in (\d+) source files", done.stdout)
    assert checked is not None, done.stdout
    assert int(checked[1]) == len(modules())
