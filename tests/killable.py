"""A training in a process of its own, that tells its steps and can be killed."""

import multiprocessing
import os
import resource
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from alignable import policy, trainer, weights, with_adapter
from safetensors.torch import save_file
from transformers import TrainerCallback

from mixlogit.errors import StorageError

__all__ = ["FINISHED", "SERVER", "served", "training"]

FINISHED = "end.safetensors"

# a process forked from a server that has imported everything starts in no time
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["mixlogit.align.trainer", "mixlogit.cli.fitting", "peft"])


class _Tell(TrainerCallback):
    """Names each step that is begun, and goes on when answered."""

    def __init__(self, line: Connection) -> None:
        self.line = line

    def on_step_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Tell the number of steps taken."""
        self.line.send(state.global_step)
        if self.line.recv() == "fill the disk":  # as far as this process can see
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def _train(output: Path, adapter: bool, steps: int, save_steps: int, line: Connection) -> None:
    """Train from the newest whole checkpoint to the end, and write weights and strength."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where it says how it ended
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of damaged checkpoints
    trained = trainer(
        output,
        model=with_adapter() if adapter else policy(),
        max_steps=steps,
        save_steps=save_steps,
        save_total_limit=3,
        callbacks=[_Tell(line)],
    )
    try:
        trained.train(resume_from_checkpoint="auto")
    except StorageError as error:
        line.send(f"{type(error).__name__}: {error}")
        raise
    save_file(weights(trained), output / "end.tmp")
    (output / "end.tmp").rename(output / FINISHED)


@contextmanager
def served(job: Callable[..., None], *arguments: object) -> Iterator[tuple[Any, Connection]]:
    """A process that does a job, and the line that is the last argument of the job.

    Args:
        job: What it does.
        arguments: Its arguments before the line.
    """
    here, there = SERVER.Pipe()
    process = SERVER.Process(target=job, args=(*arguments, there))
    process.start()
    there.close()
    try:
        yield process, here
    finally:
        process.kill()
        process.join()
        here.close()


@contextmanager
def training(
    output: Path, *, adapter: bool = False, steps: int = 8, save_steps: int = 1
) -> Iterator[tuple[Any, Connection]]:
    """The process, and the line on which it tells its steps and waits for an answer to each."""
    with served(_train, output, adapter, steps, save_steps) as found:
        yield found
