"""The processes of `torchrun`: who is who, what they wait for and what they tell each other."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

from mixlogit.errors import MixlogitError, OtherProcess
from mixlogit.run import n_processes

__all__ = ["Processes", "processes"]

_PATIENCE = timedelta(days=30)  # a process that is done waits for the slowest one


@dataclass
class Processes:
    """This process among those of one run.

    Args:
        rank: Which one it is.
        count: How many there are.
        failed: Whether one of them failed, so that nobody waits for anything any more.

    Example:
        >>> alone = Processes(rank=0, count=1)
        >>> alone.wait()
        >>> alone.total([3, 0.5]), alone.gather({"rows": 3})
        ([3.0, 0.5], [{'rows': 3}])
    """

    rank: int = 0
    count: int = 1
    failed: bool = False

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
        self.add(sums)
        found: list[float] = sums.tolist()
        return found

    def add(self, *tensors: Tensor) -> None:
        """Replace tensors of one shape by their sums over the processes."""
        if self.count > 1:
            for tensor in tensors:
                distributed.all_reduce(tensor)

    def gather(self, value: Any) -> list[Any]:
        """A value of every process, in the order of their ranks; it must be one that JSON has."""
        return list(self.in_turn(value))

    def in_turn(self, value: Any) -> Iterator[Any]:
        """The same one after the other, for values too large to hold them all; to be used up."""
        if self.count == 1:
            yield value
            return
        own = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        for rank in range(self.count):
            size = torch.tensor([len(own)])
            distributed.broadcast(size, rank)
            told = own if rank == self.rank else torch.empty(int(size), dtype=torch.uint8)
            distributed.broadcast(told, rank)
            yield json.loads(told.numpy().tobytes())

    @contextmanager
    def leading(self) -> Iterator[None]:
        """The others wait for what this process asks by `gather`; afterwards it asks for nothing.

        An interruption is not told: it comes to all of them.
        """
        try:
            yield
        except Exception:  # whatever it is, the others must not wait for this process
            self._dismiss()
            raise
        self._dismiss()

    def _dismiss(self) -> None:
        if not self.failed:
            self.gather(None)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All processes leave the block well, or all with an error.

        Raises:
            OtherProcess: Where the block failed in another process. There its own error is
                raised: the one about the first row of the first file, if several failed.
        """
        error: Exception | None = None
        try:
            yield
        except Exception as found:  # whatever it is, the others must not wait for this process
            error = found
        own = None
        if error is not None and not isinstance(error, OtherProcess):
            own = [getattr(error, "file", None) or "", getattr(error, "row", None) or 0]
        places = self.gather(own)
        failed = [(*place, rank) for rank, place in enumerate(places) if place is not None]
        if not failed:
            return
        self.failed, where = True, min(failed)[-1]
        if error is not None and where == self.rank:
            if isinstance(error, MixlogitError):
                error.alone = True
            raise error
        raise OtherProcess(f"Process {where} of {self.count} failed.") from error


@contextmanager
def processes() -> Iterator[Processes]:
    """The processes that `torchrun` started, or this one alone."""
    count = n_processes()
    if count == 1:
        yield Processes()
        return
    begun = distributed.is_initialized()
    if not begun:
        distributed.init_process_group("gloo", timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), count)
    finally:
        if not begun:
            distributed.destroy_process_group()
