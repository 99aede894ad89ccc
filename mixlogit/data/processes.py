"""The processes of `torchrun`: who is who, and what they wait for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

__all__ = ["Processes", "processes"]

_PATIENCE = timedelta(days=30)  # a process that is done waits for the slowest one


@dataclass(frozen=True)
class Processes:
    """This process among those of one run.

    Example:
        >>> alone = Processes(rank=0, count=1)
        >>> alone.wait()
        >>> alone.total([3, 0.5])
        [3.0, 0.5]
    """

    rank: int
    count: int

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks and merges."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait for all processes to come to the same place."""
        if self.count > 1:
            distributed.barrier()

    def total(self, values: list[float]) -> list[float]:
        """Sums over the processes."""
        sums = torch.tensor(values, dtype=torch.float64)
        if self.count > 1:
            distributed.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found


@contextmanager
def processes() -> Iterator[Processes]:
    """The processes that `torchrun` started, or this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(rank=0, count=1)
        return
    begun = distributed.is_initialized()
    if not begun:
        distributed.init_process_group("gloo", timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), count)
    finally:
        if not begun:
            distributed.destroy_process_group()
