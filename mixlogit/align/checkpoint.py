"""Checkpoints: the newest whole one, damaged ones set aside, and a disk that is full."""

import errno
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mixlogit.errors import NumericsWarning, StorageError
from mixlogit.run import disk_full
from mixlogit.run.manifest import MANIFEST, fault_of
from mixlogit.run.write import storage_error

__all__ = ["newest_whole", "reading", "writing"]

# what torch.save says of a disk that is full, without the system's number and words
_TORCH_SAVE = ("inline_container", "iostream error")


@contextmanager
def reading(folder: str | Path | None) -> Iterator[None]:
    """Say in one line that a checkpoint is whole but holds something else than a checkpoint.

    Args:
        folder: The checkpoint that the block reads.

    Raises:
        StorageError: Whatever libraries say of what they cannot read.

    Example:
        >>> with reading("runs/x/checkpoint-5"):
        ...     raise ValueError("no weights")
        Traceback (most recent call last):
        mixlogit.errors.StorageError: runs/x/checkpoint-5 cannot be read (no weights). Remove it \
to go on from the one before, or add --overwrite to begin anew.
    """
    try:
        yield
    except Exception as error:  # each library has its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise StorageError(
            f"{folder} cannot be read ({reason}). Remove it to go on from the one before, or add "
            "--overwrite to begin anew.",
            file=folder,
        ) from error


@contextmanager
def writing(folder: str | Path) -> Iterator[None]:
    """Say in one line that the disk is full, and remove what was begun of a checkpoint.

    Args:
        folder: The checkpoint that the block writes, beside the ones before it.

    Raises:
        StorageError: The disk is full.

    Example:
        >>> import tempfile
        >>> from mixlogit.errors import StorageError
        >>> begun = Path(tempfile.mkdtemp()) / "checkpoint-5"
        >>> try:
        ...     with writing(begun):
        ...         begun.mkdir()
        ...         raise OSError(28, "No space left on device")
        ... except StorageError as error:
        ...     print(str(error).split(" (")[0])
        No space left on device while writing checkpoint-5
        >>> begun.exists()
        False
    """
    folder = Path(folder)
    try:
        yield
    except Exception as error:
        reason = disk_full(error)
        if reason is None and any(words in str(error) for words in _TORCH_SAVE):
            reason = os.strerror(errno.ENOSPC)
        if reason is None:
            raise
        earlier = [whole for whole in _by_step(folder.parent) if whole != folder]
        earlier = [whole for whole in earlier if (whole / MANIFEST).is_file()]
        kept, needs = "", None
        if earlier:
            kept = f"{earlier[-1].name} is complete"
            needs = sum(file.stat().st_size for file in earlier[-1].rglob("*") if file.is_file())
        free = shutil.disk_usage(folder.parent).free
        shutil.rmtree(folder, ignore_errors=True)  # it may not even have been begun
        raise storage_error(reason, folder.name, needs=needs, free=free, kept=kept) from error


def _by_step(output: Path) -> list[Path]:
    """The folders of checkpoints, earlier ones first."""
    found = {
        int(match[1]): folder
        for folder in output.glob("checkpoint-*")
        if (match := re.fullmatch(r"checkpoint-(\d+)", folder.name)) and folder.is_dir()
    }
    return [folder for _, folder in sorted(found.items())]


def newest_whole(output: str | Path, *, rename: bool = True) -> Path | None:
    """The newest checkpoint that is whole, or None.

    Damaged ones that are newer are renamed and told of.

    Args:
        output: The run's folder.
        rename: Whether this process renames (one of several does).
    """
    damaged: list[str] = []
    chosen = None
    for folder in reversed(_by_step(Path(output))):
        fault = fault_of(folder)
        if fault is None:
            chosen = folder
            break
        damaged.append(f"{folder} is damaged ({fault}).")
        if rename:
            _set_aside(folder)
    for words in damaged if rename else []:
        rest = "Starting anew" if chosen is None else f"Using {chosen.name}"
        warnings.warn(
            f"{words} {rest}; the damaged folder was renamed.", NumericsWarning, stacklevel=2
        )
    return chosen


def _set_aside(folder: Path) -> None:
    """Rename a damaged folder to a name that is free."""
    count = 0
    while (target := folder.with_name(f"{folder.name}.damaged{count or ''}")).exists():
        count += 1
    folder.rename(target)
