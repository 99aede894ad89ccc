"""SIGINT, SIGTERM and SIGHUP end a training behind its present step, with a checkpoint."""

import signal
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback

from mixlogit.run.interrupt import stopping

__all__ = ["StopOnSignal"]


class StopOnSignal(TrainerCallback):
    """Saves and stops at the end of the step in which a signal came; all processes together.

    A second signal is not caught.

    Attributes:
        received: The signal's number, or None.

    Example:
        >>> StopOnSignal().received is None
        True
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_begin(self, *arguments: Any, **others: Any) -> None:
        """Listen (only the main thread may)."""
        self.received = None
        try:
            self._before = {number: signal.signal(number, self._note) for number in stopping()}
        except ValueError:  # not in the main thread: signals are not ours to take
            self._before = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> Any:
        """Ask for a checkpoint and the end if any process was told to stop."""
        stop = self.received is not None
        if distributed.is_initialized() and args.world_size > 1:
            flag = torch.tensor([float(stop)], device=args.device)
            distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
            stop = bool(flag)
        if stop:
            self.received = self.received or signal.SIGTERM
            control.should_save = args.save_strategy != "no"
            control.should_training_stop = True
        return control

    def on_train_end(self, *arguments: Any, **others: Any) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self.received = number
        signal.signal(number, self._before[number])
