"""No connection to another machine is tried: not by the tests, not by a command."""

import socket
import subprocess
import sys
from pathlib import Path

import network
import pyarrow.parquet as pq
import pytest
from alignable import comparisons
from tree import ROOT

import mixlogit as ml

TRIES = """
import socket
from contextlib import suppress

def test_swallowed():
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 80), 1)

def test_name():
    with suppress(OSError):
        socket.getaddrinfo("example.org", 80)

def test_here():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
"""


def test_an_attempt_is_refused_and_noted() -> None:
    with pytest.raises(network.NetworkRefused), socket.socket() as here:
        here.connect(("192.0.2.1", 80))
    assert network.tried == ["socket.connect '192.0.2.1'"]
    network.tried.clear()


def test_an_attempt_fails_the_test(tmp_path: Path) -> None:
    file = tmp_path / "test_tries.py"
    file.write_text(TRIES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "network", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(file)], cwd=tmp_path, env={"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True, text=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("3 passed, 2 errors")
    assert [line for line in lines if line.startswith("ERROR") and "test_here" in line] == []


def test_commands_try_no_connection(model: Path, tmp_path: Path) -> None:
    votes, texts, run = tmp_path / "votes.parquet", tmp_path / "texts.parquet", tmp_path / "run"
    ml.simulate(300, 30, cv=0.7, seed=1).write(votes)
    pq.write_table(comparisons(48, 6), texts)
    lines = [
        f"fit {votes} --inference laplace --no-evidence --no-report --output {tmp_path / 'fit'}",
        f"report {tmp_path / 'fit'}",
        f"align {texts} --model {model} --max-steps 1 --use-cpu --no-report --output {run}",
        f"evaluate {run} {texts} --cache none --replicates 20",
    ]
    command = [
        sys.executable,
        ROOT / "tests" / "network.py",
        *(f"{line} --quiet" for line in lines),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
