"""An environment with ArviZ 1.x and without torch: `python tests/arviz1.py` prepares it.

ArviZ 1.x needs Python 3.12 or newer, so it cannot stand beside ArviZ 0.23 in an environment of
Python 3.11. The second environment lies inside the first and goes away with it.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["interpreter"]

HOME = Path(sys.prefix) / "arviz1"
PACKAGES = (
    *("arviz>=1,<2", "xarray", "h5netcdf", "h5py", "numpy", "scipy", "pandas", "pyarrow"),
    *("matplotlib", "filelock", "pyyaml", "jinja2"),
)
_READY = "ready"


def interpreter() -> Path | None:
    """Python of the environment; None where it was not prepared."""
    python = HOME / "bin" / "python"
    return python if (HOME / _READY).is_file() and python.exists() else None


def candidates() -> Iterator[str]:
    """Interpreters that may be 3.12 or newer: on the path, or installed by pyenv."""
    for minor in (12, 13, 14):
        found = shutil.which(f"python3.{minor}")
        if found:
            yield found
        for folder in sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin")):
            yield str(folder / "python")


def works(python: str) -> bool:
    """Whether an interpreter runs and is new enough (a pyenv shim may exist and not run)."""
    code = "import sys, venv; sys.exit(sys.version_info < (3, 12))"
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def main() -> None:
    """Prepare the environment, unless it is ready."""
    if interpreter() is not None:
        return
    python = next((each for each in candidates() if works(each)), None)
    if python is None:
        sys.exit("ArviZ 1.x needs Python 3.12 or newer, and none was found on this machine.")
    shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(HOME)], check=True)
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", *PACKAGES], check=True)
    (HOME / _READY).touch()


if __name__ == "__main__":
    main()
