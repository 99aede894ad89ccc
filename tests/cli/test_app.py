"""Exit codes, errors in one line, and the configuration file, through the real program."""

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer

import mixlogit
from mixlogit.cli import app as program
from mixlogit.cli.invocation import Invocation, command
from mixlogit.errors import DataWarning, StorageError


def try_out(
    call: Invocation, *, beta: float = 0.1, by: list[str] | None = None, fail: str = ""
) -> int | None:
    """Try everything that a command can do."""
    call.terminal.say(f"beta {beta}")
    call.terminal.result({"beta": beta, "by": by, "seed": call.seed, "options": call.options})
    if fail == "warn":
        warnings.warn(DataWarning("only one respondent"), stacklevel=1)
        warnings.warn(DeprecationWarning("of no use to anyone"), stacklevel=1)
        return 4
    problems = {
        "interrupt": KeyboardInterrupt(),
        "storage": StorageError("runs/x is in use."),
        "full": OSError(28, "No space left on device"),
        "bug": ZeroDivisionError("division\nby zero"),
    }
    if fail in problems:
        raise problems[fail]
    return None


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program with one more command."""
    app = typer.Typer(add_completion=False)
    app.callback()(lambda: None)
    command(app, "trial", try_out)
    monkeypatch.setattr(program, "app", app)


def test_help_and_version(say) -> None:
    assert say("--version") == (0, f"mixlogit {mixlogit.__version__}\n", "")
    code, out, err = say()
    assert (code, err) == (0, "")
    for name in ("quickstart", "check", "simulate", "fit", "doctor"):
        assert name in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chek votes.csv", "No such command 'chek'. Did you mean 'check'?"),
        ("check --resondent x", "No such option --resondent. Did you mean --respondent?"),
        ("check --respon x", "No such option --respon. Did you mean --respondent?"),
        ("check --zzz x", "No such option --zzz."),
        ("check", "Missing argument 'DATA'."),
        ("check --seed", "Option '--seed' requires an argument."),
        ("fit v.csv --random --output x", "--random needs a value, but --output follows."),
        ("align v.jsonl --model --lora 8", "--model needs a value, but --lora follows."),
        ("fit v.csv --no-panel --quiet --seed -1", "--seed must be 0 or more, not -1."),
        ("check --seed -1 votes.csv", "--seed must be 0 or more, not -1."),
        ("check --bad-rows keep v.csv", "Invalid value for '--bad-rows': 'keep' is not one of"),
        ("check --config no.yaml", "no.yaml: cannot be read (No such file or directory)."),
    ],
)
def test_usage_errors(say, line: str, message: str) -> None:
    code, out, err = say(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_told_of_before_torch_is_loaded() -> None:
    code = "import sys; from mixlogit.cli import main; print(main(['check', 'no.csv']))"
    code += "; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "3\nFalse\n"
    assert run.stderr == "no.csv: no such file or folder.\n"


def test_usage_errors_as_json(say) -> None:
    code, out, err = say("chek", "--json")
    assert (code, err) == (2, "")
    message = "No such command 'chek'. Did you mean 'check'?"
    expected = {"code": "usage", "message": message, "file": None, "row": None, "column": None}
    assert json.loads(out) == {"error": expected}


BUG = "This is a bug in mixlogit: please report it with the output of --debug."


@pytest.mark.usefixtures("trial")
@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("", 0, ""),
        ("warn", 4, "warning: only one respondent\n"),
        ("interrupt", 130, "Interrupted; nothing was written.\n"),
        ("storage", 5, "runs/x is in use.\n"),
        ("full", 5, "No space left on device. Free space and run the same command again.\n"),
        ("bug", 1, f"ZeroDivisionError: division by zero. {BUG}\n"),
    ],
)
def test_exit_codes(say, how: str, code: int, message: str) -> None:
    assert say("trial", "--fail", how) == (code, "beta 0.1\n", message)


@pytest.mark.usefixtures("trial")
def test_traceback_only_with_debug(say) -> None:
    code, _, err = say("trial", "--fail", "bug", "--debug")
    assert code == 1
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith(f"ZeroDivisionError: division by zero. {BUG}\n")


@pytest.mark.usefixtures("trial")
def test_configuration_file(say, tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text("beta: 1e-3\nby: [a, b]\nseed: 7\njson: true\n")
    code, out, _ = say("trial", "--config", str(file))
    assert code == 0
    options = {"beta": 0.001, "by": ["a", "b"], "seed": 7, "fail": ""}
    assert json.loads(out) == {"beta": 0.001, "by": ["a", "b"], "seed": 7, "options": options}
    _, out, _ = say("trial", "--beta", "2", "--config", str(file))
    assert json.loads(out)["beta"] == 2.0, "the command line comes first"


@pytest.mark.usefixtures("trial")
def test_configuration_errors(say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("align.yaml").write_text("betta: 0.1\n")
    message = 'align.yaml: unknown key "betta". Did you mean "beta"?\n'
    assert say("trial", "--config", "align.yaml") == (2, "", message)
    Path("align.yaml").write_text("beta: much\n")
    message = "align.yaml: \"beta\" must be a number, not 'much'.\n"
    assert say("trial", "--config", "align.yaml") == (2, "", message)


def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in background jobs
        "from mixlogit.cli import doctor, main\n"
        "def slow():\n"
        "    print('started', flush=True)\n"
        "    time.sleep(60)\n"
        "doctor.doctor = slow\n"
        "sys.exit(main(['doctor']))\n"
    )
    command = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=tmp_path, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "Interrupted; nothing was written.\n")


def test_python_dash_m() -> None:
    command = [sys.executable, "-m", "mixlogit", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"mixlogit {mixlogit.__version__}\n"


@pytest.mark.parametrize("name", ["fit", "margins", "align", "evaluate"])
def test_help_shows_what_a_command_uses_and_cuts_no_name(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert program.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "…" not in text
    assert "--respondent" in text
    for option in ("--choice-id", "--item-a", "--votes-a", "--features", "--grade "):
        assert (option in text) == (name == "fit")


@pytest.mark.parametrize("name", ["check", "fit", "margins", "align", "evaluate", "compare"])
def test_help_ends_with_an_example_that_can_be_typed(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert program.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    example = text.split("Example: ")[1].split()
    assert example[:2] == ["mixlogit", name]
    own = set(re.findall(r"--[a-z-]+", text.split("Example: ")[0]))
    training = {"--learning-rate", "--num-train-epochs", "--save-steps"}
    assert {word for word in example if word.startswith("--")} <= own | training
