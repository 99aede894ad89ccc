"""One process a run folder: a lock that names its holder and dies with it."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from mixlogit.errors import StorageError
from mixlogit.run.write import write_json

__all__ = ["run_lock"]

_WAIT = 1.0  # seconds that a holder gets to write down who it is


@contextmanager
def run_lock(path: str | Path) -> Iterator[None]:
    """Hold the lock of a run folder; a second process is refused at once.

    The operating system frees the lock of a process that dies, so a stale lock is taken over.
    A file beside the lock names the holder's process, host and start.

    Args:
        path: The run folder; the lock lies beside it, so the folder itself can be renamed.

    Raises:
        StorageError: Another process holds the lock.

    Example:
        >>> import tempfile
        >>> with run_lock(Path(tempfile.mkdtemp()) / "x"):
        ...     print("mine")
        mine
    """
    from filelock import FileLock, Timeout

    path = Path(path)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    holder = path.with_name(f".{path.name}.lock.json")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StorageError(_in_use(path, holder), file=path) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{path} cannot be locked: {reason}.", file=path) from error
    try:
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(holder, {"pid": os.getpid(), "host": socket.gethostname(), "started": started})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _in_use(path: Path, holder: Path) -> str:
    """Who holds the lock, in words."""
    end = time.monotonic() + _WAIT
    who = "another process"
    while time.monotonic() < end:
        try:
            entry = json.loads(holder.read_text(encoding="utf-8"))
            started = datetime.fromisoformat(entry["started"])
            today = started.date() == datetime.now().astimezone().date()
            since = f"{started:%H:%M}" if today else f"{started:%Y-%m-%d %H:%M}"
            who = f"process {entry['pid']} on host {entry['host']} since {since}"
        except (OSError, ValueError, KeyError, TypeError):  # not yet written, or damaged
            time.sleep(0.02)
            continue
        break
    return f"{path} is in use by {who}. Choose another --output, or stop that run."
