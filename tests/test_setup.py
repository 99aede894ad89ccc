"""dev.py: idempotent, recovers from an interrupted set-up, says what failed."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tree import ROOT


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """dev.py with an environment of its own; steps are recorded and nothing is installed."""
    monkeypatch.setenv("MIXLOGIT_VENV", str(tmp_path / "a venv"))
    monkeypatch.setenv("MIXLOGIT_TORCH_INDEX", "")
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.steps = []

    def create() -> None:
        module.steps.append("create")
        module.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        module.PYTHON.touch()

    monkeypatch.setattr(module, "create", create)
    monkeypatch.setattr(module, "pip", lambda what, *_: module.steps.append(what))
    return module


INSTALL = ["installing mixlogit and its tools", "checking dependencies"]


def test_second_time_nothing_is_done(dev: ModuleType) -> None:
    dev.main([])
    assert dev.steps[0] == "create"
    assert dev.steps[1].startswith("installing torch==")
    assert dev.steps[2:] == INSTALL
    dev.steps.clear()
    dev.main(["setup"])
    assert dev.steps == []


def test_changed_pins_are_installed_into_the_same_environment(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.setup()
    dev.steps.clear()
    pins = tmp_path / "constraints.txt"
    pins.write_text("torch==9.9\n")
    monkeypatch.setattr(dev, "CONSTRAINTS", pins)
    dev.setup()
    assert dev.steps == ["installing torch==9.9", *INSTALL]


def test_set_up_that_was_killed_starts_from_nothing(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dev, "pip", killed)
        with pytest.raises(KeyboardInterrupt):
            dev.setup()
    dev.steps.clear()
    dev.setup()
    assert dev.steps[0] == "create"
    # killed while the environment itself was made: Python is there, and nothing else
    dev.STATE.unlink()
    dev.steps.clear()
    dev.setup()
    assert dev.steps[0] == "create"


def test_the_index_of_torch_is_passed_on(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(dev, "pip", lambda what, *arguments: calls.append(arguments))
    monkeypatch.setattr(dev, "TORCH_INDEX", "file:wheels")
    dev.setup()
    assert calls[0][-3:-1] == ("--extra-index-url", "file:wheels")
    assert "file:wheels" not in calls[1]


def test_failed_installation_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXLOGIT_VENV", str(tmp_path))
    code = "import dev, pathlib, sys; dev.PYTHON = pathlib.Path(sys.executable); "
    code += "dev.pip('installing nothing', 'install', '--no-index', 'no-such-package==1')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == "  installing nothing ... failed\n"
    lines = done.stderr.splitlines()
    assert lines[0] == "mixlogit set-up: 'installing nothing' failed."
    assert lines[1].startswith("    ERROR: Could not find a version")
    assert lines[-1] == f"    full log: {tmp_path / 'setup.log'}"
    assert (tmp_path / ".mixlogit-state").read_text() == "created"


def test_unknown_command(dev: ModuleType) -> None:
    message = "mixlogit set-up: unknown command 'tests'. Commands: setup, quickstart, test, docs, "
    with pytest.raises(SystemExit) as caught:
        dev.main(["tests"])
    assert str(caught.value) == message + "benchmark, scoreboard, lock, clean"


def test_a_quickstart_ends_with_what_to_type_next(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "run", lambda *_: None)
    dev.main(["quickstart"])
    hint = capsys.readouterr().err.splitlines()[-1]
    words = 'then "mixlogit check votes.csv" on votes of your own'
    assert hint == f'mixlogit: next, "{dev.switch_on()}", {words}'
    assert "a venv" in dev.switch_on()
