"""One process a run folder."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from mixlogit.errors import StorageError
from mixlogit.run.lock import run_lock
from mixlogit.run.write import write_json

HOLD = """
import sys, time
from mixlogit.run import run_lock
with run_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_process_is_refused_and_a_dead_holder_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        start = time.monotonic()
        with pytest.raises(StorageError) as caught, run_lock(path):
            pass
        assert time.monotonic() - start < 2
        expected = (
            f"{re.escape(str(path))} is in use by process {holder.pid} on host "
            rf"{re.escape(socket.gethostname())} since \d\d:\d\d\. "
            r"Choose another --output, or stop that run\."
        )
        assert re.fullmatch(expected, str(caught.value))
        assert caught.value.exit_code == 5
        holder.send_signal(signal.SIGKILL)
    assert (tmp_path / ".x.lock.json").exists(), "the dead holder could not tidy up"
    with run_lock(path):
        entry = json.loads((tmp_path / ".x.lock.json").read_text())
        assert entry["pid"] == os.getpid()
    assert not (tmp_path / ".x.lock.json").exists()


@pytest.mark.parametrize(
    ("days", "since"),
    [(0, "10:42"), (1, None)],
)
def test_message_word_for_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, since: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    started = datetime.now().astimezone().replace(hour=10, minute=42) - timedelta(days=days)
    since = since or f"{started:%Y-%m-%d} 10:42"
    entry = {"pid": 4711, "host": "a1", "started": started.isoformat()}
    with FileLock("runs/.x.lock"):
        write_json("runs/.x.lock.json", entry)
        with pytest.raises(StorageError) as caught, run_lock("runs/x"):
            pass
    assert str(caught.value) == (
        f"runs/x is in use by process 4711 on host a1 since {since}. "
        "Choose another --output, or stop that run."
    )


def test_holder_that_has_not_yet_said_who_it_is(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".x.lock"),
        pytest.raises(StorageError, match=r"x is in use by another process\. Choose another"),
        run_lock(tmp_path / "x"),
    ):
        pass


def test_folder_that_cannot_hold_a_lock(tmp_path: Path) -> None:
    (tmp_path / ".x.lock").mkdir()
    with (
        pytest.raises(StorageError, match=r"x cannot be locked: .*directory\.$"),
        run_lock(tmp_path / "x"),
    ):
        pass


@pytest.mark.parametrize("entry", ["", "{", "[]", '{"pid": 1}', '{"started": 5}', "\x00"])
def test_a_holder_whose_note_is_damaged(entry: str, tmp_path: Path) -> None:
    (tmp_path / ".x.lock.json").write_text(entry)
    with (
        FileLock(tmp_path / ".x.lock"),
        pytest.raises(StorageError, match=r"x is in use by another process\. Choose another"),
        run_lock(tmp_path / "x"),
    ):
        pass


def test_the_note_of_a_dead_process_on_another_host_holds_nobody_up(tmp_path: Path) -> None:
    started = datetime.now().astimezone().isoformat()
    write_json(tmp_path / ".x.lock.json", {"pid": 4711, "host": "a1", "started": started})
    with run_lock(tmp_path / "x"):
        assert json.loads((tmp_path / ".x.lock.json").read_text())["pid"] == os.getpid()
