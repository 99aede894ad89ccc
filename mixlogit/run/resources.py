"""What this process is, and what it has used."""

import os
import sys

__all__ = ["is_first_process", "n_processes", "peak_memory_mb"]


def is_first_process() -> bool:
    """Whether this is the process that speaks, of those that `torchrun` started or alone.

    Example:
        >>> is_first_process()
        True
    """
    return os.environ.get("RANK", "0") == "0"


def n_processes() -> int:
    """How many processes `torchrun` started; 1 without it.

    Example:
        >>> n_processes()
        1
    """
    return int(os.environ.get("WORLD_SIZE", "1"))


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in megabytes; None where unknown (Windows).

    Example:
        >>> peak_memory_mb() is None or peak_memory_mb() > 1
        True
    """
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes, kilobytes
