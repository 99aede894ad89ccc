"""A command in a process of its own, that stops where it writes a file and can be signalled."""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from killable import served

from mixlogit.cli import main
from mixlogit.run import write

__all__ = ["command"]


def _run(arguments: Sequence[str], stop_at: str, said: Path, line: Connection) -> None:
    """Run the command line; tell when a file of that name is about to take its place."""
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    plain = write.sync

    def sync(path: Path) -> None:
        if stop_at in path.name and path.name.endswith(".tmp"):
            write.sync = plain
            line.send(path.name)
            line.recv()
        plain(path)

    write.sync = sync
    sys.exit(main(arguments))


@contextmanager
def command(
    arguments: Sequence[object], stop_at: str, said: Path
) -> Iterator[tuple[Any, Connection]]:
    """The process, and the line on which it tells that it is there and waits for an answer.

    Args:
        arguments: The command line.
        stop_at: Part of the name of the file at which it stops.
        said: Takes what it says on standard error.
    """
    line = [str(argument) for argument in arguments]
    with served(_run, line, stop_at, said) as found:
        yield found
