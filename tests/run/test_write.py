"""Atomic writes: whole or not at all, floats bit for bit, no NaN in JSON."""

import errno
import json
import math
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from mixlogit.errors import StorageError
from mixlogit.run.write import (
    disk_full,
    json_ready,
    replacing,
    storage_error,
    write_json,
    write_parquet,
    write_text,
    write_yaml,
)


@dataclass
class Check:
    name: str
    value: float


def test_json_floats_come_back_bit_for_bit(tmp_path: Path) -> None:
    values = [0.1 + 0.2, 1e-310, 5e-324, 1.7976931348623157e308, -0.0, math.pi]
    write_json(tmp_path / "x.json", {"values": values})
    back = json.loads((tmp_path / "x.json").read_text())["values"]
    assert [value.hex() for value in back] == [value.hex() for value in values]


def test_json_holds_no_nan(tmp_path: Path) -> None:
    value = {"a": math.nan, "b": [math.inf, np.float64("nan")], "c": torch.tensor([1.0, math.nan])}
    write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text) == {"a": None, "b": [None, None], "c": [1.0, None]}
    assert "NaN" not in text


def test_json_ready_takes_what_results_are_made_of() -> None:
    value = {1: np.int64(3), "path": Path("a/b"), "check": Check("k", 0.5), "flag": np.bool_(True)}
    expected = {"1": 3, "path": "a/b", "check": {"name": "k", "value": 0.5}, "flag": True}
    assert json_ready(value) == expected


def test_yaml_and_text_and_parquet(tmp_path: Path) -> None:
    write_yaml(tmp_path / "x.yaml", {"b": 1e-20, "a": "é: no"})
    assert yaml.safe_load((tmp_path / "x.yaml").read_text("utf-8")) == {"b": 1e-20, "a": "é: no"}
    write_text(tmp_path / "x.txt", "one\ntwo\n")
    assert (tmp_path / "x.txt").read_bytes() == b"one\ntwo\n"
    frame = pd.DataFrame({"respondent": ["a", "b"], "mean": [0.5, math.nan]})
    write_parquet(tmp_path / "x.parquet", frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), frame)
    assert len(list(tmp_path.iterdir())) == 3


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "x.txt", "old")

    def interrupted() -> None:
        with replacing(tmp_path / "x.txt") as temporary:
            temporary.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_folder_that_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "no" / "x.txt"
    with pytest.raises(StorageError) as caught:
        write_text(file, "new")
    assert str(caught.value) == f"{file} cannot be written: No such file or directory."


def test_other_errors_pass_through(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="mine"),
        replacing(tmp_path / "x.txt"),
    ):
        raise ValueError("mine")


def test_disk_full_is_known_by_number_and_by_words() -> None:
    assert disk_full(OSError(errno.ENOSPC, "whatever")) == "No space left on device"
    assert disk_full(RuntimeError("I/O error: File too large (os error 27)")) == "File too large"
    assert disk_full(OSError(errno.EACCES, "Permission denied")) is None


def test_message_for_a_full_disk_word_for_word() -> None:
    error = storage_error(
        "No space left on device",
        "checkpoint-500",
        needs=2_100_000_000,
        free=300_000_000,
        kept="checkpoint-400 is complete",
    )
    assert str(error) == (
        "No space left on device while writing checkpoint-500 (needs 2.1 GB, 0.3 GB free). "
        "checkpoint-400 is complete; free space and run the same command again."
    )
    assert error.exit_code == 5
    assert str(storage_error("File too large", "x.json", needs=1500, free=5_300_000)) == (
        "File too large while writing x.json (needs 2 kB, 5.3 MB free). "
        "Free space and run the same command again."
    )


FULL_DISK = """
import sys
from mixlogit.run import RunFolder, write_json, write_text
file = sys.argv[1]
if sys.argv[2] == "file":
    write_json(file, list(range(100_000)))
with RunFolder(file, overwrite=True) as run:
    if sys.argv[2] == "helper":
        write_text(run.folder / "big.txt", "x" * 100_000)
    (run.folder / "raw.bin").write_bytes(b"x" * 100_000)
"""


def limit_file_size() -> None:
    """A disk that is full as far as this process can see, without root."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def full_disk(path: Path, how: str) -> str:
    """The last line of a process that runs out of disk."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), how],
        preexec_fn=limit_file_size,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "x.json", "old")
    line = full_disk(tmp_path / "x.json", "file")
    assert line.startswith("mixlogit.errors.StorageError: File too large while writing x.json (")
    assert line.endswith(" free). Free space and run the same command again.")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("how", ["helper", "raw"])
def test_full_disk_keeps_the_old_run(tmp_path: Path, how: str) -> None:
    run = tmp_path / "x"
    run.mkdir()
    (run / "run.json").write_text("{}")
    line = full_disk(run, how)
    what = "big.txt" if how == "helper" else str(run)
    assert line.startswith(f"mixlogit.errors.StorageError: File too large while writing {what} (")
    if how == "raw":
        assert line.endswith(f"{run} is as it was; free space and run the same command again.")
    assert [file.name for file in run.iterdir()] == ["run.json"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [".x.lock", "x"]
