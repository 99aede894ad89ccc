#!/usr/bin/env python3
"""Set up and check mixlogit on a fresh machine: python dev.py COMMAND.

Commands: setup (the default), quickstart, test, docs, benchmark, scoreboard, lock, clean.

Standard library only, for Linux, macOS and Windows with Python 3.11 or newer. Two environment
variables change what it does:

    MIXLOGIT_VENV         where the virtual environment lies (default: .venv)
    MIXLOGIT_TORCH_INDEX  an extra package index that holds the wanted build of torch, for
                          instance PyTorch's index of CPU wheels on Linux without a GPU
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / os.environ.get("MIXLOGIT_VENV", ".venv")
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STATE = VENV / ".mixlogit-state"  # absent, INSTALLING, CREATED or the fingerprint
CREATED, INSTALLING = "created", "installing"
LOG = VENV / "setup.log"
CONSTRAINTS = ROOT / "constraints.txt"
TORCH_INDEX = os.environ.get("MIXLOGIT_TORCH_INDEX", "")
COMMANDS = ("setup", "quickstart", "test", "docs", "benchmark", "scoreboard", "lock", "clean")


def stop(message: str) -> NoReturn:
    """End with one message and exit code 1."""
    sys.exit(f"mixlogit set-up: {message}")


def switch_on() -> str:
    """The command that makes `mixlogit` known to a terminal."""
    if os.name == "nt":
        return f"{VENV}\\Scripts\\activate"
    return f"source {shlex.quote(str(VENV / 'bin' / 'activate'))}"


def fingerprint() -> str:
    """What an environment depends on: it is prepared again when this changes."""
    text = f"{sys.version_info[:2]} {platform.machine()} {ROOT} {TORCH_INDEX}"
    digest = hashlib.sha256(text.encode())
    for file in (ROOT / "pyproject.toml", CONSTRAINTS):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def pip(what: str, *arguments: str) -> None:
    """Run pip with its output in the log; on failure show the first errors."""
    start = time.monotonic()
    print(f"  {what} ...", end="", flush=True)
    before = LOG.stat().st_size if LOG.exists() else 0
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments]
    with LOG.open("ab") as log:
        code = subprocess.run(command, stdout=log, stderr=log, cwd=ROOT).returncode
    print(f" {time.monotonic() - start:.0f} s" if code == 0 else " failed", flush=True)
    if code:
        STATE.write_text(CREATED)  # pip ended by itself: what it installed is whole
        lines = LOG.read_bytes()[before:].decode(errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR")][:3] or lines[-5:]
        stop("\n    ".join([f"'{what}' failed.", *errors, f"full log: {LOG}"]))


def state() -> str:
    """How far the environment got: nothing, INSTALLING, CREATED or a fingerprint."""
    return STATE.read_text() if PYTHON.exists() and STATE.exists() else ""


def create() -> None:
    """Make the virtual environment from nothing."""
    try:
        venv.EnvBuilder(with_pip=True, clear=VENV.exists()).create(VENV)
    except (subprocess.CalledProcessError, OSError) as error:
        shutil.rmtree(VENV, ignore_errors=True)
        stop(f"no virtual environment ({error}). On Debian or Ubuntu: apt install python3-venv")


def setup() -> None:
    """Make the environment ready; costs nothing where it is."""
    if sys.version_info < (3, 11):  # noqa: UP036 - a plain message for an older Python
        stop(f"needs Python 3.11 or newer, this is {platform.python_version()}")
    if state() == fingerprint():
        return
    print(f"mixlogit: preparing {VENV}", flush=True)
    if state() in ("", INSTALLING):  # new, or cut off: half-installed packages are not trusted
        create()
    STATE.write_text(INSTALLING)
    index = ["--extra-index-url", TORCH_INDEX] if TORCH_INDEX else []
    constraints = ["-c", str(CONSTRAINTS)]
    pins = CONSTRAINTS.read_text().splitlines()
    torch = next(pin for pin in pins if pin.startswith("torch=="))
    pip(f"installing {torch}", "install", *constraints, *index, torch)
    pip("installing mixlogit and its tools", "install", *constraints, "-e", ".[dev]")
    pip("checking dependencies", "check")
    STATE.write_text(fingerprint())


def run(*arguments: str) -> None:
    """Run the environment's Python in the root; stop with its exit code if it fails."""
    environment = {"OMP_NUM_THREADS": "1", **os.environ} if "pytest" in arguments else None
    code = subprocess.run([PYTHON, *arguments], cwd=ROOT, env=environment).returncode
    if code:
        sys.exit(code)


def test(arguments: Sequence[str]) -> None:
    """Lint, format check, then the tests (type checks are one of them)."""
    run("-m", "ruff", "check", ".")
    run("-m", "ruff", "format", "--check", ".")
    workers = str(min(4, os.cpu_count() or 1))
    run("-m", "pytest", "-q", "-n", workers, *arguments)


def lock() -> None:
    """Write the environment's versions to constraints.txt, without local parts as in +cpu."""
    command = [PYTHON, "-m", "pip", "freeze", "--all", "--exclude-editable", "--exclude", "pip"]
    frozen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pins = [line.split("+")[0].strip() for line in frozen.splitlines() if "==" in line]
    CONSTRAINTS.write_text("".join(f"{pin}\n" for pin in pins))
    STATE.write_text(fingerprint())


def main(arguments: Sequence[str]) -> None:
    """Run one command."""
    command, rest = (arguments or ["setup"])[0], arguments[1:]
    if command not in COMMANDS:
        stop(f"unknown command '{command}'. Commands: {', '.join(COMMANDS)}")
    if command == "clean":
        shutil.rmtree(VENV, ignore_errors=True)
        return
    setup()
    if command == "test":
        test(rest)
    elif command == "quickstart":
        run("-m", "mixlogit", "quickstart", *rest)
        hint = f'next, "{switch_on()}", then "mixlogit check votes.csv" on votes of your own'
        print(f"mixlogit: {hint}", file=sys.stderr)  # standard output may be JSON
    elif command == "docs":
        run("-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", "docs/_build", *rest)
        print("mixlogit: wrote docs/_build/index.html")
    elif command == "benchmark":
        run("benchmarks/peers.py", *rest)
        run("benchmarks/growth.py")
    elif command == "scoreboard":
        run("benchmarks/scoreboard.py", *rest)
    elif command == "lock":
        lock()


if __name__ == "__main__":
    main(sys.argv[1:])
