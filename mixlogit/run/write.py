"""Atomic writes: a file is there whole, or as it was before."""

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from mixlogit.errors import StorageError

__all__ = [
    "disk_full",
    "json_ready",
    "replacing",
    "storage_error",
    "sync",
    "write_json",
    "write_parquet",
    "write_text",
    "write_yaml",
    "yaml_text",
]

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def disk_full(error: BaseException) -> str | None:
    """The system's words if an error means that no more can be written, else None.

    Libraries that write through C or Rust lose the error number and keep only the words.

    Example:
        >>> disk_full(OSError(28, "No space left on device"))
        'No space left on device'
        >>> disk_full(ValueError("no")) is None
        True
    """
    numbers = [number for number in _FULL if getattr(error, "errno", None) == number]
    numbers += [number for number in _FULL if os.strerror(number) in str(error)]
    return os.strerror(numbers[0]) if numbers else None


def _size(count: float) -> str:
    """Bytes as people say them: 2.1 GB, 17 kB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale / 10:
            return f"{count / scale:.1f} {unit}"
    return f"{math.ceil(count / 1e3)} kB"


def storage_error(
    reason: str, what: str, *, needs: int | None = None, free: int | None = None, kept: str = ""
) -> StorageError:
    """The error for a disk that is full.

    Args:
        reason: The system's words, for instance "No space left on device".
        what: What was being written.
        needs: Its size in bytes, if known.
        free: Bytes free on the disk, if known.
        kept: What is whole and still there.

    Example:
        >>> error = storage_error("File too large", "summary.json", free=300_000_000)
        >>> str(error).split(". ")[0]
        'File too large while writing summary.json (0.3 GB free)'
    """
    sizes = [f"needs {_size(needs)}"] if needs is not None else []
    sizes += [f"{_size(free)} free"] if free is not None else []
    room = f" ({', '.join(sizes)})" if sizes else ""
    advice = f"{kept}; free" if kept else "Free"
    message = (
        f"{reason} while writing {what}{room}. {advice} space and run the same command again."
    )
    return StorageError(message, file=what)


def sync(path: Path) -> None:
    """Flush a file or folder to the disk (folders cannot be flushed on Windows)."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder that replaces `path` when the block ends well.

    The file is flushed before it is renamed, so that after a crash there is the old file or
    the new one, never half of one. If the block fails, the temporary file is removed.

    Raises:
        StorageError: The disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "note.txt"
        >>> with replacing(file) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> file.read_text(), len(list(file.parent.iterdir()))
        ('whole', 1)
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)
    except Exception as error:
        reason = disk_full(error)
        if reason is not None:
            free = shutil.disk_usage(target.parent).free
            raise storage_error(reason, target.name, free=free) from error
        if isinstance(error, OSError):
            reason = os.strerror(error.errno) if error.errno else str(error)
            message = f"{target} cannot be written: {reason}."
            raise StorageError(message, file=target) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically, with line ends as they are."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def json_ready(value: Any) -> Any:
    """A value as JSON can hold it: NaN and infinity become None, arrays become lists.

    Example:
        >>> json_ready({"a": float("nan"), 2: (1, Path("x"))})
        {'a': None, '2': [1, 'x']}
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): json_ready(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_ready(entry) for entry in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy scalars and arrays, tensors, pandas columns
        return json_ready(value.tolist())
    return str(value)


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically; floats come back bit for bit, NaN comes back as null."""
    text = json.dumps(json_ready(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_yaml(path: str | Path, value: Mapping[str, Any]) -> None:
    """Write YAML atomically, keys in the order given."""
    write_text(path, yaml_text(value))


def yaml_text(value: Mapping[str, Any]) -> str:
    """A mapping as YAML, keys in the order given; nothing if it is empty.

    Example:
        >>> print(yaml_text({"family": "gamma", "by": ["country"]}), end="")
        family: gamma
        by:
        - country
    """
    import yaml

    if not value:
        return ""
    text: str = yaml.safe_dump(json_ready(value), sort_keys=False, allow_unicode=True)
    return text


def write_parquet(path: str | Path, frame: Any) -> None:
    """Write a pandas DataFrame or a pyarrow Table as Parquet, atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not isinstance(frame, pa.Table):
        frame = pa.Table.from_pandas(frame, preserve_index=False)
    with replacing(path) as temporary:
        pq.write_table(frame, temporary)
