"""Trainings that are killed, told to stop, or run out of disk, as processes of their own."""

import os
import random
import shutil
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from killable import FINISHED, training
from safetensors.torch import load_file
from torch import Tensor

from mixlogit.run import fault_of


def answer_all(line: Connection) -> None:
    """Let a training run on for as long as it lives."""
    try:
        while True:
            line.recv()
            line.send("go on")
    except (EOFError, OSError):
        return


def run(output: Path, *, kill_after: float | None = None, **options: Any) -> None:
    """Train until the end, or be killed some seconds after the start (if it still must)."""
    with training(output, **options) as (process, line):
        answers = threading.Thread(target=answer_all, args=(line,))
        answers.start()
        process.join(kill_after)
        if process.is_alive():
            process.kill()
        process.join()
        answers.join()
        assert process.exitcode in (0, -signal.SIGKILL)


def same_end(one: Path, other: Path) -> bool:
    """Whether two trainings ended with the same weights and strength, to the last bit."""
    found: list[dict[str, Tensor]] = [load_file(output / FINISHED) for output in (one, other)]
    first, second = found
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def killed(folder: Path, *, moments: int, **options: Any) -> None:
    """Kill a training again and again; whenever one ends, it ends as if it had not been."""
    whole, output, chance = folder / "whole", folder / "killed", random.Random(0)
    begin = time.monotonic()
    run(whole, **options)
    seconds = time.monotonic() - begin
    for _ in range(moments):
        run(output, kill_after=chance.uniform(0, seconds), **options)
        if (output / FINISHED).exists():
            assert same_end(output, whole)
            shutil.rmtree(output)
    run(output, **options)
    assert same_end(output, whole)


ADAPTER = pytest.mark.parametrize("adapter", [False, True], ids=["GPT-NeoX", "LoRA"])


@ADAPTER
def test_killed_at_random_moments(adapter: bool, tmp_path: Path) -> None:
    killed(tmp_path, moments=2, adapter=adapter, steps=8)


@pytest.mark.slow
@ADAPTER
def test_killed_at_twenty_random_moments(adapter: bool, tmp_path: Path) -> None:
    killed(tmp_path, moments=20, adapter=adapter, steps=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_within_one_step(number: int, tmp_path: Path) -> None:
    with training(tmp_path / "told", save_steps=100) as (process, line):
        while line.recv() < 3:
            line.send("go on")
        assert process.pid is not None
        os.kill(process.pid, number)
        line.send("go on")
        process.join()
        assert process.exitcode == 1  # of KeyboardInterrupt
    assert [file.name for file in (tmp_path / "told").iterdir()] == ["checkpoint-4"]
    assert fault_of(tmp_path / "told" / "checkpoint-4") is None
    for output in ("told", "whole"):
        run(tmp_path / output, save_steps=100)
    assert same_end(tmp_path / "told", tmp_path / "whole")


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    with training(tmp_path) as (process, line):
        while line.recv() < 2:
            line.send("go on")
        line.send("fill the disk")
        said = line.recv()
        process.join()
    assert said.startswith("StorageError: File too large while writing checkpoint-3 (needs ")
    assert said.endswith("checkpoint-2 is complete; free space and run the same command again.")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-2"]
    run(tmp_path)
    assert (tmp_path / FINISHED).exists()
