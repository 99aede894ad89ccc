"""An environment for the peers: `python benchmarks/peers_env.py` prepares it.

They want an older pandas than the tests run with. The environment lies inside the main one and
goes away with it; what it holds are the pins of the extra `benchmark` in pyproject.toml.
"""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

__all__ = ["interpreter"]

HOME = Path(sys.prefix) / "benchmark"
_PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def interpreter() -> Path:
    """Python of the environment, which is prepared first where it is not ready."""
    project = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))["project"]
    pins = project["optional-dependencies"]["benchmark"]
    digest = hashlib.sha256("\n".join(pins).encode()).hexdigest()
    python, ready = HOME / "bin" / "python", HOME / "ready"
    if not (python.exists() and ready.is_file() and ready.read_text() == digest):
        shutil.rmtree(HOME, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *pins], check=True)
        ready.write_text(digest)
    return python


if __name__ == "__main__":
    print(interpreter())
